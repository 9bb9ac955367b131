"""Receiving clips over bad connections: everything arrives or is named, and nothing hangs."""

from __future__ import annotations

import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gscompress.errors import CorruptFileError, InputError, TransferError
from gscompress.stream import download
from gscompress.stream.buffer import Buffer, Stopped
from gscompress.stream.receiver import Receiver
from tests.stream.clips import Proxy, Writer, same, serving, write_clip


@pytest.fixture(autouse=True)
def hang_proof() -> Iterator[None]:
    """A test of this file that takes long has failed; no thread of a receiver stays."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 20
    for thread in threading.enumerate():
        if thread.name == "receiver":
            thread.join(2)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return write_clip(tmp_path_factory.mktemp("clip"), 3, 2, 3, n=200)


@pytest.fixture
def own(tmp_path: Path) -> Writer:
    """A clip that the test may damage."""
    return write_clip(tmp_path / "clip", 3, 2, 2)


def check(receiver: Receiver, writer: Writer, numbers: Iterator[int] | range | list[int]) -> None:
    """Exactly these frames are received, with the right bits."""
    received = list(receiver)
    assert [number for number, _ in received] == list(numbers)
    assert all(same(frame, writer.frames[number]) for number, frame in received)


def test_a_clip_over_a_good_connection(writer: Writer) -> None:
    with serving(writer.folder) as server, Receiver(server.url) as receiver:
        assert receiver.manifest() == writer.manifest()
        check(receiver, writer, range(8))
        said = receiver.statistics.as_dict()
    json.dumps(said, allow_nan=False)
    assert said["bytes"] == writer.manifest().bytes
    assert (said["frames_decoded"], said["frames_skipped"], said["retries"]) == (8, 0, 0)
    assert said["problems"] == []
    assert 0 < said["decode_ms"]["median"] <= said["decode_ms"]["p95"] <= said["decode_ms"]["max"]
    assert 0 < said["seconds_to_first_frame"] < 10


def test_a_folder_is_received_like_a_url(writer: Writer) -> None:
    check(Receiver(writer.folder), writer, range(8))


def test_some_frames_only(writer: Writer) -> None:
    receiver = Receiver(writer.folder, first=4, last=6)
    check(receiver, writer, range(4, 7))
    assert receiver.statistics.frames_decoded <= 5  # from the key frame 3 on
    for first, last in ((8, None), (0, 8), (-1, 2)):
        with pytest.raises(InputError, match="no such frame"):
            list(Receiver(writer.folder, first=first, last=last))


def test_a_slow_connection(writer: Writer) -> None:
    size = writer.manifest().bytes
    with (
        serving(writer.folder) as server,
        Proxy(server.server_port, rate=size / 1.0) as proxy,
        Receiver(proxy.url, connections=1) as receiver,
    ):
        check(receiver, writer, range(8))
    said = receiver.statistics
    assert said.stalls >= 1
    assert said.seconds_stalled > 0.2
    assert (said.frames_skipped, said.transfer.retries) == (0, 0)


def test_a_connection_that_breaks_in_the_middle_goes_on_there(writer: Writer) -> None:
    size = writer.manifest().bytes
    manifest = len((writer.folder / "manifest.json").read_bytes())
    cuts = (manifest // 2, None, 2000, 900, 1500, 900, 600)  # the second one gets the manifest
    with (
        serving(writer.folder) as server,
        Proxy(server.server_port, cuts=cuts) as proxy,
        Receiver(proxy.url, connections=1) as receiver,
    ):
        check(receiver, writer, range(8))
    counts = receiver.statistics.transfer
    assert proxy.connections == len(cuts) + 1
    assert counts.retries == len(cuts) - 1
    assert 2 <= counts.resumed <= counts.retries
    assert counts.bytes == size  # no byte of a segment came twice
    assert counts.damaged == 0


class ChangeOnce:
    """Flips a bit of the first block that holds some bytes."""

    def __init__(self, bytes_: bytes, times: int = 1) -> None:
        self.bytes, self.left = bytes_, times

    def __call__(self, data: bytes) -> bytes:
        at = data.find(self.bytes)
        if at < 0 or not self.left:
            return data
        self.left -= 1
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_bytes_that_are_damaged_once_are_fetched_again(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    middle = (writer.folder / "000003.gsz").read_bytes()[-80:-20]
    with (
        serving(writer.folder) as server,
        Proxy(server.server_port, change=ChangeOnce(middle)) as proxy,
        Receiver(proxy.url) as receiver,
        caplog.at_level(logging.WARNING, "gscompress"),
    ):
        check(receiver, writer, range(8))
    assert (receiver.statistics.transfer.damaged, receiver.statistics.transfer.retries) == (1, 1)
    assert f"{proxy.url}000003.gsz: sha256: found" in caplog.text


@pytest.mark.parametrize(
    ("damaged", "received"),
    [
        ("000000.gsz", [3, 4, 5, 6]),
        ("000001.gsr", [0, 3, 4, 5, 6]),
        ("000003.gsz", [0, 1, 2, 5, 6]),
        ("000006.gsr", [0, 1, 2, 3, 4, 5]),
    ],
)
@pytest.mark.parametrize("way", ["changed", "missing"])
def test_what_stays_damaged_is_named_and_the_next_key_sought(
    own: Writer, damaged: str, received: list[int], way: str
) -> None:
    path = own.folder / damaged
    if way == "changed":
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    else:
        path.unlink()
    with serving(own.folder) as server, Receiver(server.url, deadline=5) as receiver:
        check(receiver, own, received)
        said = receiver.statistics
        assert said.frames_skipped == 7 - len(received)
        assert len(said.problems) == 1
        if way == "changed":
            assert said.problems[0].startswith(f"{server.url}{damaged}: sha256: found")
        else:
            assert said.problems[0].startswith(f"{server.url}{damaged}: found 404 Not Found")


def test_a_segment_that_cannot_be_decoded_costs_its_group(own: Writer) -> None:
    import hashlib

    from gscompress.stream.manifest import Group, Segment

    group = own.groups[0]
    (own.folder / "bad.gsr").write_bytes(b"\xff")
    bad = Segment("bad.gsr", "residual", 1, 1, 1, hashlib.sha256(b"\xff").hexdigest())
    own.groups[0] = Group(0, 3, (group.segments[0], bad, group.segments[2]))
    own.publish()
    receiver = Receiver(own.folder)
    check(receiver, own, [0, 3, 4, 5, 6])
    assert receiver.statistics.frames_skipped == 2
    (problem,) = receiver.statistics.problems
    assert problem.startswith(str(own.folder / "bad.gsr"))


def test_if_nothing_can_be_had_that_is_an_error(own: Writer) -> None:
    for path in own.folder.glob("*.gsz"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptFileError, match=r"000000.gsz: sha256"):
        list(Receiver(own.folder))


def test_a_live_clip_is_followed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_POLL", 0.02)
    writer = Writer(tmp_path / "clip")
    writer.publish(complete=False)

    def encode() -> None:
        for frames in (2, 3, 1):
            time.sleep(0.1)
            writer.add_group(1)
            writer.publish(complete=False)
            for _ in range(frames - 1):
                writer.add_residual()
                writer.publish(complete=False)
        time.sleep(0.1)
        writer.publish()

    encoder = threading.Thread(target=encode)
    with serving(writer.folder) as server, Receiver(server.url) as receiver:
        encoder.start()
        check(receiver, writer, range(6))
        assert receiver.manifest().complete
    encoder.join()


def test_a_live_clip_that_stops_growing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_POLL", 0.02)
    writer = write_clip(tmp_path / "clip", 2)
    writer.publish(complete=False)
    frames = iter(Receiver(writer.folder, deadline=0.3))
    assert [next(frames)[0] for _ in range(2)] == [0, 1]
    with pytest.raises(TransferError, match=r"nothing new for 0.3 s"):
        next(frames)


def test_a_live_clip_that_changes_its_past_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_POLL", 0.02)
    writer = write_clip(tmp_path / "clip", 2)
    writer.publish(complete=False)
    other = write_clip(tmp_path / "other", 1, 1)
    frames = iter(Receiver(writer.folder))
    assert next(frames)[0] == 0
    other.manifest().write(writer.folder)
    with pytest.raises(CorruptFileError, match=r"groups\[0\]: found other segments than before"):
        list(frames)


def test_the_buffer_is_bounded(writer: Writer) -> None:
    """With room for one key frame, no more is downloaded before it is decoded."""
    limit = max(segment.bytes for segment in writer.manifest().segments())
    with serving(writer.folder) as server:
        with Receiver(server.url, buffer_bytes=limit) as receiver:
            frames = iter(receiver)
            assert next(frames)[0] == 0
            time.sleep(0.3)
            assert receiver.statistics.transfer.bytes <= limit
            assert [number for number, _ in frames] == list(range(1, 8))
        with pytest.raises(InputError, match=f"found {limit} bytes, expected {limit - 1} at most"):
            list(Receiver(server.url, buffer_bytes=limit - 1))


def test_leaving_early_ends_the_download(writer: Writer) -> None:
    with serving(writer.folder) as server:
        for _ in Receiver(server.url):
            break
        receiver = Receiver(server.url)
        receiver.close()  # not even begun
        receiver = Receiver(server.url)
        assert next(iter(receiver))[0] == 0
        assert list(receiver) == []  # it has ended


def test_another_thread_may_end_it(tmp_path: Path) -> None:
    writer = write_clip(tmp_path / "clip", 2)
    writer.publish(complete=False)
    receiver = Receiver(writer.folder)
    frames = iter(receiver)
    assert [next(frames)[0], next(frames)[0]] == [0, 1]
    threading.Timer(0.2, receiver.close).start()
    assert list(frames) == []


class Odd(http.server.BaseHTTPRequestHandler):
    """Answers as ``server.ways`` says, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        ways = self.server.ways
        way = ways.pop(0) if name != "manifest.json" and ways else "whole"
        data = (self.server.folder / name).read_bytes()
        self.server.asked.append((name, self.headers.get("Range")))
        if way == "503":
            self.send_error(503)
        elif way == "silent":
            self.server.done.wait(5)
        elif way == "trickle":
            self.send_response(200)
            for _ in range(50):
                if self.server.done.wait(0.05):
                    break
                self.wfile.write(b"X-Header: x\r\n")
                self.flush_headers()
        elif way == "garbage":
            self.wfile.write(b"\0\xff garbage\r\n\r\n")
            self.close_connection = True
        elif way == "redirect":
            self.send_response(302)
            self.send_header("Location", f"/elsewhere/{name}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif way == "loop":
            ways.insert(0, "loop")
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
        elif way == "file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif way == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.done.is_set():
                self.wfile.write(b"x" * 65536)
        elif way == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(data), 100):
                block = data[start : start + 100]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.write(b"0\r\n\r\n")
        elif way == "half":
            self.send_response(200)
            self.send_header("ETag", '"x"')
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif way == "wrong part":
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 1-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - 1))
            self.end_headers()
            self.wfile.write(data[1:])
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def odd(writer: Writer) -> Iterator[Any]:
    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        folder = writer.folder
        ways: list[str] = []  # noqa: RUF012
        asked: list[tuple[str, str | None]] = []  # noqa: RUF012
        done = threading.Event()

        def handle_error(self, *_: object) -> None:
            pass

    server: Any = Server(("127.0.0.1", 0), Odd)
    server.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.done.set()
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.mark.parametrize(
    ("ways", "retries"),
    [
        (["503", "503"], 2),
        (["silent"], 1),
        (["trickle"], 1),
        (["garbage"], 1),
        (["redirect"], 0),
        (["endless"], 1),
        (["chunked", "whole", "chunked"], 0),
        (["half", "whole"], 1),
        (["half", "half", "garbage", "whole"], 3),
        (["half", "wrong part", "whole"], 1),
        (["half", "wrong part", "wrong part", "whole"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_odd_hosts(odd: Any, writer: Writer, ways: list[str], retries: int) -> None:
    odd.ways[:], odd.asked[:] = ways, []
    with Receiver(odd.url, timeout=0.3, deadline=3, connections=1) as receiver:
        check(receiver, writer, range(8))
    assert receiver.statistics.transfer.retries == retries
    if ways == ["half", "whole"]:  # which gives no parts: from the beginning
        size = writer.groups[0].segments[0].bytes
        assert odd.asked[1:3] == [("000000.gsz", None), ("000000.gsz", f"bytes={size // 2}-")]
        assert receiver.statistics.transfer.resumed == 0


@pytest.mark.parametrize("way", ["503", "silent", "trickle", "garbage"])
def test_hosts_that_stay_odd_are_given_up(odd: Any, way: str) -> None:
    odd.ways[:] = [way] * 100
    began = time.monotonic()
    with pytest.raises(TransferError, match=r"/000000.gsz: "):
        list(Receiver(odd.url, timeout=0.2, deadline=0.8))
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(("way", "text"), [("loop", "redirections"), ("file", "expected http://")])
def test_redirections_lead_to_hosts_only(odd: Any, way: str, text: str) -> None:
    odd.ways[:] = [way] * 100
    with pytest.raises(InputError, match=text):
        list(Receiver(odd.url, deadline=2))


def test_a_host_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(TransferError, match=r"for 0.4 s"):
            list(Receiver(f"http://127.0.0.1:{port}/", timeout=0.1, deadline=0.4))
    with pytest.raises(TransferError, match="Connection refused"):
        Receiver(f"http://127.0.0.1:{port}/", deadline=0.2).manifest()


def test_a_download_that_hangs_is_noticed() -> None:
    """Whatever waits without an end, such as a name server, does not make the caller wait."""
    for items in (0, 1):
        buffer = Buffer[Item](10, 0.2, "clip")
        for _ in range(items):
            buffer.put(Item(), 1)
        with pytest.raises(TransferError, match=r"clip: found a download that hangs for 0.2 s"):
            buffer.take()
        assert buffer.stop.is_set()
        with pytest.raises(Stopped):
            buffer.put(Item(), 1)


class Item:
    """Never to be had."""

    ready = False


def test_many_small_segments_need_not_wait_for_each_other(tmp_path: Path) -> None:
    """What a round trip takes does not bound the frame rate."""
    writer = write_clip(tmp_path / "clip", 9)
    seconds = []
    with serving(writer.folder) as server, Proxy(server.server_port, delay=0.1) as proxy:
        for connections in (1, 4):
            with Receiver(proxy.url, connections=connections) as receiver:
                began = time.monotonic()
                check(receiver, writer, range(9))
                seconds.append(time.monotonic() - began)
    assert seconds[0] > 10 * 0.1
    assert seconds[1] < 0.7 * seconds[0]
