"""Reading clips: frames in order and at random, and what is damaged is named."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest

from gscompress.errors import CorruptFileError, InputError, TransferError
from gscompress.stream.clip import Clip
from gscompress.stream.manifest import Group, Manifest, Segment
from gscompress.stream.transfer import Patience
from tests.stream.clips import Writer, same, serving, write_clip


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return write_clip(tmp_path_factory.mktemp("clip"), 3, 1, 4)


@pytest.fixture
def own(tmp_path: Path) -> Writer:
    """A clip that the test may damage."""
    return write_clip(tmp_path / "clip", 2, 3)


@pytest.mark.parametrize("way", ["folder", "file", "url", "url of the file"])
def test_all_frames_and_each_frame(writer: Writer, way: str) -> None:
    with serving(writer.folder) as server:
        place = {
            "folder": writer.folder,
            "file": writer.folder / "manifest.json",
            "url": server.url.rstrip("/"),
            "url of the file": server.url + "manifest.json",
        }[way]
        with Clip.open(place) as clip:
            assert clip.manifest == writer.manifest()
            frames = list(clip.frames())
            assert len(frames) == 8
            assert all(map(same, frames, writer.frames))
            for number in (7, 0, 3, 5, 2):
                assert same(clip.frame(number), writer.frames[number])
            assert [len(list(clip.frames(a, b))) for a, b in ((2, 2), (1, 6), (7, 7))] == [1, 6, 1]
            assert all(map(same, clip.frames(2, 6), writer.frames[2:7]))


def test_only_what_is_needed_is_read(writer: Writer, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in writer.folder.iterdir():
        if path.name in ("manifest.json", "000004.gsz", "000005.gsr"):
            (copy / path.name).write_bytes(path.read_bytes())
    clip = Clip.open(copy)
    assert same(clip.frame(5), writer.frames[5])
    with pytest.raises(TransferError, match=r"000006.gsr: found no such file"):
        clip.frame(6)


@pytest.mark.parametrize("range_", [(-1, 2), (0, 8), (8, None), (3, 2)])
def test_frames_that_are_not_there(writer: Writer, range_: tuple[int, int | None]) -> None:
    with pytest.raises(InputError, match=r"^frame"):
        Clip.open(writer.folder).frames(*range_)


def test_damage_is_found_before_decoding_and_named(own: Writer) -> None:
    path = own.folder / "000003.gsr"
    good = path.read_bytes()
    for bad, field in ((bytes([good[0] ^ 1]) + good[1:], "sha256"), (good + b"x", "length")):
        path.write_bytes(bad)
        clip = Clip.open(own.folder)
        with pytest.raises(CorruptFileError) as error:
            list(clip.frames())
        assert (error.value.where, error.value.field) == (str(path), field)
        assert same(clip.frame(2), own.frames[2])
    path.write_bytes(b"")
    with pytest.raises(CorruptFileError, match="found 0 bytes"):
        clip.frame(4)


def test_over_http_damage_is_fetched_again_once(own: Writer) -> None:
    path = own.folder / "000003.gsr"
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with serving(own.folder) as server, Clip.open(server.url) as clip:
        with pytest.raises(CorruptFileError, match=r"/000003.gsr: sha256: found [0-9a-f]{64}, exp"):
            clip.frame(3)
        assert (clip.transfer.counts.damaged, clip.transfer.counts.retries) == (2, 1)


def replace_segment(writer: Writer, number: int, data: bytes, **changes: object) -> None:
    """Other bytes for a segment of the second group, with the right checksum."""
    old = writer.groups[1].segments[number]
    (writer.folder / old.url).write_bytes(data)
    fields = {name: getattr(old, name) for name in ("url", "kind", "first", "frames")}
    digest = hashlib.sha256(data).hexdigest()
    new = Segment(**{**fields, **changes}, bytes=len(data), sha256=digest)
    segments = writer.groups[1].segments
    segments = (*segments[:number], new, *segments[number + 1 :])
    group = writer.groups[1]
    frames = sum(segment.frames for segment in segments)
    writer.groups[1] = Group(group.first, frames, segments)
    writer.publish()


def test_segments_that_do_not_hold_what_the_manifest_says(own: Writer) -> None:
    name = r"000004.gsr: frames: "
    data = (own.folder / "000004.gsr").read_bytes()
    replace_segment(own, 2, data, frames=2)
    with pytest.raises(CorruptFileError, match=name + "found 1, expected 2"):
        Clip.open(own.folder).frame(5)
    replace_segment(own, 0, b"no key")
    with pytest.raises(CorruptFileError, match=r"000002.gsz: magic"):
        Clip.open(own.folder).frame(2)
    manifest = own.manifest()
    Manifest(30.0, 2, 40, manifest.groups).write(own.folder)
    with pytest.raises(CorruptFileError, match=r"000000.gsz: sh_degree: found 1, expected 2"):
        Clip.open(own.folder).frame(0)


def test_places_that_are_none(tmp_path: Path, writer: Writer) -> None:
    with pytest.raises(InputError, match="no such file"):
        Clip.open(tmp_path)
    for url in (
        "ftp://x/",
        "http://",
        "http://a b/",
        "http://u:p@x/",
        "http://x:99999/",
        "file:///",
    ):
        with pytest.raises(InputError, match="expected http://HOST/CLIP/"):
            Clip.open(url)
    with serving(writer.folder) as server:
        with pytest.raises(TransferError, match="found 404 Not Found"):
            Clip.open(server.url + "other/")
        port = server.server_port
    with pytest.raises(TransferError, match=r"found Connection refused, for 0.3 s"):
        Clip.open(f"http://127.0.0.1:{port}/", Patience(timeout=1, deadline=0.3))


def test_memory_is_that_of_one_segment(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments are fetched as frames are taken."""
    clip = Clip.open(writer.folder)
    fetched = []
    original = type(clip.transfer).segment
    monkeypatch.setattr(
        type(clip.transfer), "segment", lambda t, s: fetched.append(s.url) or original(t, s)
    )
    frames = clip.frames()
    assert len(list(itertools.islice(frames, 2))) == 2
    assert fetched == ["000000.gsz", "000001.gsr"]


def test_a_segment_in_which_nothing_changes(own: Writer) -> None:
    """The coder's bytes may well say that no Gaussian has moved."""
    still = write_clip(own.folder.parent / "still", 1)
    still.add_residual(scale=0.0)
    still.publish()
    assert still.groups[0].segments[1].bytes > 40  # not left out, as encoders may
    assert same(Clip.open(still.folder).frame(1), still.frames[0])
