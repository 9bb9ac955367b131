"""What the clip server gives out: whole, in parts, live, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gscompress.errors import InputError
from gscompress.stream import server as server_module
from gscompress.stream.server import ClipServer
from tests.stream.clips import Writer, serving, write_clip

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    folder = tmp_path_factory.mktemp("all") / "clip"
    (folder.parent / "secret.txt").write_text("secret")
    made = write_clip(folder, 2, 1)
    (folder / "other.txt").write_text("not in the manifest")
    return made


@pytest.fixture(scope="module")
def server(writer: Writer) -> Iterator[ClipServer]:
    with serving(writer.folder) as running:
        yield running


def send(server: ClipServer, path: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


@pytest.fixture
def ask(server: ClipServer) -> Callable[..., Answer]:
    return lambda path, method="GET", **headers: send(server, path, method, **headers)


def test_the_files_of_a_clip(ask: Callable[..., Answer], writer: Writer) -> None:
    data = (writer.folder / "manifest.json").read_bytes()
    status, headers, body = ask("/manifest.json")
    assert (status, body) == (200, data)
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["ETag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    for segment in writer.manifest().segments():
        status, headers, body = ask(f"/{segment.url}?x=1")
        assert (status, body) == (200, (writer.folder / segment.url).read_bytes())
        assert headers["ETag"] == f'"{segment.sha256}"'
        assert "immutable" in headers["Cache-Control"]
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "ETag" in headers["Access-Control-Expose-Headers"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert json.loads(ask("/")[2]) == {
        "clips": [{"manifest": "manifest.json", "live": "live", "frames": 3, "complete": True}]
    }


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, None)),
        ("bytes=-7", (-7, None)),
        ("bytes=10-99999999", (10, None)),
        ("bytes=10-99999999999999999999", (10, None)),
    ],
)
def test_parts(
    ask: Callable[..., Answer], writer: Writer, wanted: str, part: tuple[int, int | None]
) -> None:
    data = (writer.folder / "000000.gsz").read_bytes()
    status, headers, body = ask("/000000.gsz", Range=wanted)
    assert (status, body) == (206, data[slice(*part)])
    begin = range(len(data))[part[0]]
    assert headers["Content-Range"] == f"bytes {begin}-{begin + len(body) - 1}/{len(data)}"
    assert headers["Content-Length"] == str(len(body))


def test_parts_that_are_not_there(ask: Callable[..., Answer], writer: Writer) -> None:
    size = (writer.folder / "000000.gsz").stat().st_size
    for beyond in (f"bytes={size}-", "bytes=-0", "bytes=5-4", "bytes=99999999999999999999-"):
        status, headers, body = ask("/000000.gsz", Range=beyond)
        assert (status, headers["Content-Range"], body) == (416, f"bytes */{size}", b"")
    for whole in (
        "bytes=-",
        "lines=1-2",
        "bytes=0-1,3-4",
        "bytes=a-b",
        "bytes=" + "9" * 5000 + "-",
    ):
        assert ask("/000000.gsz", Range=whole)[0] == 200


def test_heads_and_versions(ask: Callable[..., Answer], writer: Writer) -> None:
    size = str((writer.folder / "000000.gsz").stat().st_size)
    status, headers, body = ask("/000000.gsz", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, size, b"")
    tag = headers["ETag"]
    status, headers, body = ask("/000000.gsz", "HEAD", Range="bytes=0-9")
    assert (status, headers["Content-Length"], body) == (206, "10", b"")
    assert ask("/000000.gsz", Range="bytes=0-9", If_Range=tag)[0] == 206
    for other in ('"other"', f"W/{tag}", "Mon, 23 Nov 2026 10:00:00 GMT"):
        status, _, body = ask("/000000.gsz", Range="bytes=0-9", If_Range=other)
        assert (status, len(body)) == (200, int(size))
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        status, headers, body = ask("/000000.gsz", If_None_Match=known)
        assert (status, body, headers["ETag"]) == (304, b"", tag)
    assert ask("/000000.gsz", If_None_Match='"other"')[0] == 200
    tag = ask("/manifest.json")[1]["ETag"]
    assert ask("/manifest.json", If_None_Match=tag)[0] == 304


def test_browsers_may_ask_for_parts(ask: Callable[..., Answer]) -> None:
    status, headers, _ = ask("/000000.gsz", "OPTIONS", Origin="https://player.example")
    assert status == 204
    assert "Range" in headers["Access-Control-Allow-Headers"]
    assert headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert ask("/none")[1]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/other.txt", "//etc/passwd",
        "/..\\secret.txt", "/000000.gsz/", "/000000.gsz/../../secret.txt", "/./000000.gsz",
        "/%00", "/clip/manifest.json", "/manifest.json%00", "/" + "a" * 5000,
    ],
)  # fmt: skip
def test_nothing_else(ask: Callable[..., Answer], path: str) -> None:
    assert ask(path)[0] == 404


@pytest.mark.parametrize("path", ["http://[", "http://[x/"])
def test_addresses_that_make_no_sense(server: ClipServer, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = connection.recv(1000)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nServer: gscompress\r\n" in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(ask: Callable[..., Answer], writer: Writer, method: str) -> None:
    before = {path: path.read_bytes() for path in writer.folder.iterdir()}
    assert ask("/000000.gsz", method)[0] == 501
    assert {path: path.read_bytes() for path in writer.folder.iterdir()} == before


def test_a_connection_serves_many_requests(server: ClipServer, writer: Writer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for segment in [*writer.manifest().segments()] * 3:
        connection.request("GET", f"/{segment.url}", headers={"Range": "bytes=0-0"})
        assert len(connection.getresponse().read()) == 1
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_files_that_are_not_as_the_manifest_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = write_clip(tmp_path / "clip", 2)
    path = writer.folder / "000001.gsr"
    outside = tmp_path / "outside"
    with serving(writer.folder) as server, caplog.at_level(logging.WARNING, "gscompress"):
        path.write_bytes(b"longer")
        size = writer.groups[0].segments[1].bytes
        text = f"000001.gsr: found 6 bytes, expected {size}"
        assert send(server, "/000001.gsr")[::2] == (404, text.encode())
        path.unlink()
        assert send(server, "/000001.gsr")[0] == 404
        outside.write_bytes(b"1")
        path.symlink_to(outside)
        assert send(server, "/000001.gsr")[0] == 404
        path.unlink()
        os.mkfifo(path)
        assert send(server, "/000001.gsr")[0] == 404
    assert len(caplog.records) == 4


def test_a_manifest_that_grows_is_served_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(tmp_path / "clip")
    writer.publish(complete=False)
    with serving(writer.folder) as server:
        assert json.loads(send(server, "/manifest.json")[2])["frames"] == 0
        assert send(server, "/000000.gsz")[0] == 404
        writer.add_group(2)
        tags = [send(server, "/manifest.json")[1]["ETag"]]
        for complete in (False, True):
            writer.publish(complete=complete)
            status, headers, body = send(server, "/manifest.json", If_None_Match=tags[-1])
            assert (status, body) == (200, (writer.folder / "manifest.json").read_bytes())
            assert json.loads(body)["complete"] is complete
            tags.append(headers["ETag"])
        assert len(set(tags)) == 3
        assert send(server, "/000001.gsr")[0] == 200
        (writer.folder / "manifest.json").write_text("{")  # is being written, not by us
        assert send(server, "/manifest.json")[1]["ETag"] == tags[-1]
        (writer.folder / "manifest.json").unlink()
        assert send(server, "/manifest.json")[1]["ETag"] == tags[-1]


def test_a_folder_of_clips(tmp_path: Path) -> None:
    write_clip(tmp_path / "a", 1)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    with serving(tmp_path) as server:
        assert send(server, "/a/000000.gsz")[0] == 200
        for path in (
            "/manifest.json",
            "/000000.gsz",
            "/empty/manifest.json",
            "/../a/x",
            "/a",
            "/b/",
        ):
            assert send(server, path)[0] == 404
        write_clip(tmp_path / "b", 2)
        assert send(server, "/b/manifest.json")[0] == 200
        clips = json.loads(send(server, "/")[2])["clips"]
        assert [(clip["manifest"], clip["frames"]) for clip in clips] == [
            ("a/manifest.json", 1), ("b/manifest.json", 2),
        ]  # fmt: skip


def test_what_cannot_be_served(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError):
            ClipServer(folder)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="format"):
        ClipServer(tmp_path)


def test_who_is_answered(writer: Writer, live: Callable[..., Live]) -> None:
    with serving(writer.folder, allow_origin="https://a.example") as server:
        assert server.server_address[0] == "127.0.0.1"
        headers = send(server, "/manifest.json")[1]
        assert headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert headers["Vary"] == "Origin"
        assert live(server, Origin="https://b.example").status == 403
    with serving(writer.folder, host="::1") as server:
        assert server.url == f"http://[::1]:{server.server_port}/"


def test_connections_are_bounded(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    with serving(writer.folder) as server:
        held = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(2)]
        time.sleep(0.1)
        with pytest.raises((ConnectionError, http.client.BadStatusLine)):
            send(server, "/manifest.json")
        for connection in held:
            connection.close()
        time.sleep(0.1)
        assert send(server, "/manifest.json")[0] == 200


# The WebSocket


class Live:
    """A client's side of a WebSocket."""

    def __init__(self, server: ClipServer, path: str, headers: dict[str, str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.server_port), timeout=10)
        key = base64.b64encode(b"0123456789abcdef").decode()
        fields = {
            "Host": "x", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **headers,
        }  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        self.status = int(head.split()[1])
        accepted = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.accepted = base64.b64encode(accepted) in head

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            block = self.socket.recv(size - len(data))
            if not block:
                raise EOFError
            data += block
        return data

    def message(self) -> tuple[int, bytes]:
        first, size = self.read(2)
        assert first & 0x80
        assert size < 128  # a server does not mask
        if size == 126:
            (size,) = struct.unpack(">H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.read(8))
        return first & 15, self.read(size)

    def segment(self) -> tuple[dict[str, Any], bytes]:
        kind, text = self.message()
        assert kind == 1
        kind, data = self.message()
        assert kind == 2
        return json.loads(text), data

    def farewell(self) -> int:
        kind, payload = self.message()
        assert kind == 8
        with pytest.raises(EOFError):
            self.read(1)
        self.socket.close()
        return struct.unpack(">H", payload[:2])[0]

    def send(self, first: int, payload: bytes, size: int | None = None) -> None:
        length = len(payload) if size is None else size
        head = (
            bytes([first, 0x80 | length])
            if length < 126
            else struct.pack(">BBH", first, 254, length)
        )
        mask = b"\x01\x02\x03\x04"
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))


@pytest.fixture
def live() -> Iterator[Callable[..., Live]]:
    """Open WebSockets; they are closed at the end."""
    clients: list[Live] = []

    def connect(server: ClipServer, path: str = "/live", **headers: str) -> Live:
        clients.append(Live(server, path, headers))
        return clients[-1]

    yield connect
    for client in clients:
        client.socket.close()


def test_segments_are_pushed_as_they_appear(tmp_path: Path, live: Callable[..., Live]) -> None:
    writer = Writer(tmp_path / "clip", n=6000)  # a key of more than 64 KiB
    writer.add_group(2)
    writer.add_group(1)
    writer.publish(complete=False)
    with serving(writer.folder) as server:
        late, early = live(server), live(server, "/live?from=1")
        assert (late.status, late.accepted) == (101, True)

        def appended() -> None:
            for _ in range(2):
                time.sleep(0.15)
                writer.add_residual()
                writer.publish(complete=False)
            writer.add_group(2)
            writer.publish()

        encoder = threading.Thread(target=appended)
        encoder.start()
        for client, first in ((late, 2), (early, 0)):
            for frame in range(first, 7):
                entry, data = client.segment()
                assert entry["first"] == frame
                assert (len(data), hashlib.sha256(data).hexdigest()) == (
                    entry["bytes"],
                    entry["sha256"],
                )
            assert client.farewell() == 1000
        encoder.join()
        assert max(segment.bytes for segment in writer.manifest().segments()) > 1 << 16


def test_the_protocol_of_the_socket(tmp_path: Path, live: Callable[..., Live]) -> None:
    writer = write_clip(tmp_path / "clip", 1)
    writer.publish(complete=False)
    with serving(writer.folder) as server:
        client = live(server)
        client.segment()
        client.send(0x89, b"ping")
        assert client.message() == (10, b"ping")
        client.send(0x81, b"text is let go")
        client.send(0x8A, b"")
        client.send(0x88, struct.pack(">H", 1000))
        assert client.farewell() == 1000
        for first, payload, size, code in (
            (0x83, b"", None, 1002),  # an unknown opcode
            (0xC1, b"", None, 1002),  # a reserved bit
            (0x09, b"", None, 1002),  # a ping in parts
            (0x89, b"x" * 126, None, 1002),  # a ping that is too long
            (0x82, b"", 5000, 1009),  # a frame that is too long
        ):
            client = live(server)
            client.segment()
            client.send(first, payload, size)
            assert client.farewell() == code
        client = live(server)
        client.segment()
        client.socket.sendall(b"\x89\x00")  # not masked
        assert client.farewell() == 1002
        client = live(server)
        client.segment()
        client.socket.close()  # without a word
        (writer.folder / "000000.gsz").write_bytes(b"")
        client = live(server)
        assert client.farewell() == 1011
    with pytest.raises((ConnectionError, EOFError, OSError)):
        live(server).segment()


def test_requests_that_are_no_handshake(server: ClipServer, live: Callable[..., Live]) -> None:
    for headers in (
        {"Upgrade": ""}, {"Connection": "keep-alive"}, {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": ""}, {"Sec-WebSocket-Key": "short"}, {"Sec-WebSocket-Key": "é"},
    ):  # fmt: skip
        assert live(server, **headers).status == 426
    assert live(server, "/live?from=-1").status == 426
    assert live(server, "/live?from=99999").status == 101


def test_a_server_that_ends_says_so(tmp_path: Path, live: Callable[..., Live]) -> None:
    writer = write_clip(tmp_path / "clip", 1)
    writer.publish(complete=False)
    with serving(writer.folder) as server:
        client = live(server)
        client.segment()
    assert client.farewell() == 1001
