"""``gscompress stream info|decode|play`` and ``gscompress serve``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest

import gscompress
from gscompress.cli import stream
from gscompress.io import load
from gscompress.stream.server import ClipServer
from tests.stream.clips import Proxy, Writer, same, serving, write_clip


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Writer:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip", 3, 2)


@pytest.fixture
def clip(writer: Writer, folder: Path) -> Path:
    """The clip; the working directory is empty."""
    return writer.folder


def test_help_lists_the_verbs_without_importing_them(run) -> None:
    done = run("stream", "--help")
    assert done.code == 0
    assert "Usage: gscompress stream" in done.out
    assert all(f"  {verb} " in done.out for verb in stream.VERBS)
    for verb in ("info", "decode", "play"):
        done = run("stream", verb, "--help")
        assert done.code == 0
        assert f"Usage: gscompress stream {verb}" in done.out
    done = run("stream", "paly")
    assert done.code == 2
    assert "No such command 'paly'" in done.err


def test_info(run, clip: Path, writer: Writer) -> None:
    document = json.loads(run("stream", "info", clip, "--json").out)
    manifest = writer.manifest()
    assert document["bytes"] == manifest.bytes
    assert (document["frames"], document["fps"], document["groups"]) == (5, 30.0, 2)
    assert document["seconds"] == pytest.approx(5 / 30)
    assert document["kbps"] == pytest.approx(8e-3 * manifest.bytes * 6)
    assert {name: kind["frames"] for name, kind in document["kinds"].items()} == {
        "key": 2,
        "residual": 3,
    }
    assert sum(kind["bytes"] for kind in document["kinds"].values()) == manifest.bytes
    assert "segments" not in document
    text = run("stream", "info", clip / "manifest.json", "--segments", "--check").out
    assert "5 frames at 30 per second" in text
    assert text.count(".gsr") == 3
    assert "all segments are as the manifest says" in text


def test_flags_may_stand_before_the_verbs(run, clip: Path) -> None:
    for args in (("--json", "stream", "info"), ("stream", "--json", "info")):
        assert json.loads(run(*args, clip).out)["frames"] == 5
    assert run("-q", "stream", "info", clip).out == ""


def test_a_damaged_segment_fails_the_check(run, tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip", 2).folder
    (folder / "000001.gsr").write_bytes(b"")
    assert run("stream", "info", folder).code == 0
    done = run("stream", "info", folder, "--check")
    assert done.code == 1
    assert f"Error: {folder / '000001.gsr'}: length: found 0 bytes" in done.err


def test_decode_one_frame(run, clip: Path, writer: Writer) -> None:
    done = run("stream", "decode", clip, "--frame", "4", "-o", "frame.ply", "--json")
    assert json.loads(done.out) == {"clip": str(clip), "files": ["frame.ply"], "gaussians": [40]}
    assert same(load("frame.ply"), writer.frames[4])
    assert run("stream", "decode", clip, "--frame", "0", "-o", "frame.spz").code == 0
    assert len(load("frame.spz")) == 40
    done = run("stream", "decode", clip, "--frame", "0", "-o", "frame.ply")
    assert (done.code, "the file exists" in done.err) == (1, True)
    assert run("stream", "decode", clip, "--frame", "0", "-o", "frame.ply", "-w").code == 0


def test_decode_all_frames(run, clip: Path, writer: Writer) -> None:
    with serving(clip) as server:
        assert run("stream", "decode", server.url, "--all", "-o", "out").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == [
        f"{number:06d}.ply" for number in range(5)
    ]
    for number, frame in enumerate(writer.frames):
        assert same(load(f"out/{number:06d}.ply"), frame)
    assert run("stream", "decode", clip, "--all", "-o", "out").code == 1
    assert run("stream", "decode", clip, "--all", "-o", "out", "--ending", ".splat").code == 0
    assert len(list(Path("out").glob("*.splat"))) == 5


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ("decode CLIP -o x.ply", 2, "give either --frame N or --all"),
        ("decode CLIP --all --frame 1 -o x.ply", 2, "give either --frame N or --all"),
        ("decode CLIP --frame 9 -o x.ply", 1, "frame 9: found no such frame, expected 0 to 4"),
        ("decode CLIP --frame 1 -o x.xyz", 1, "x.xyz: found the ending '.xyz'"),
        ("decode CLIP --all --ending .xyz -o x", 1, "x.xyz: found the ending '.xyz'"),
        ("decode none --frame 1 -o x.ply", 1, "none: found no such file"),
        ("info none", 1, "none: found no such file"),
        ("info ftp://host/clip", 1, "expected http://HOST/CLIP/ or https://HOST/CLIP/"),
        ("info http://127.0.0.1:1/clip", 1, "Check the connection."),
        ("play CLIP --first 9", 1, "frame 9: found no such frame"),
        ("play CLIP --first 2 --last 1", 2, "--last 1 is before --first 2"),
        ("play CLIP --size 10x10", 2, "nothing is rendered without"),
        ("play CLIP --buffer 10xB", 2, "'10xB' is no size such as 800kB"),
        ("play CLIP --buffer 1kB", 1, "Receive it with a larger buffer."),
        ("play CLIP -o x.gif", 2, "-o x.gif: its name must end in .mp4, or be a folder"),
        ("play CLIP -o x --view 1", 2, "--view needs --cameras"),
    ],
)
def test_what_is_wrong_is_said(
    run, clip: Path, monkeypatch: pytest.MonkeyPatch, args: str, code: int, text: str
) -> None:
    monkeypatch.setattr("gscompress.stream.transfer._FIRST_PAUSE", 1000.0)
    done = run("stream", *[str(clip) if arg == "CLIP" else arg for arg in args.split()])
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert "Traceback" not in done.err
    assert list(Path().iterdir()) == []


def test_play_measures(run, clip: Path, writer: Writer) -> None:
    with serving(clip) as server:
        document = json.loads(run("stream", "play", server.url, "--json").out)
    assert document["frames"] == document["frames_decoded"] == 5
    assert document["bytes"] == writer.manifest().bytes
    assert (document["files"], document["late"], document["frames_skipped"]) == ([], None, 0)
    assert document["decode_ms"]["max"] > 0
    page = (Path(gscompress.__file__).parents[1] / "docs" / "delivery.md").read_text()
    assert all(f"`{key}`" in page for key in (*document, *document["decode_ms"]))
    text = run("stream", "play", clip, "--first", "1", "--last", "3").out
    assert "3 frames in" in text
    assert "ms per frame" in text


def test_play_over_a_bad_connection(run, clip: Path) -> None:
    sizes = (clip / "000000.gsz").stat().st_size, (clip / "manifest.json").stat().st_size
    cuts = (sizes[1] // 2, None, sizes[0] // 2, sizes[0] // 2)
    with serving(clip) as server, Proxy(server.server_port, cuts=cuts, rate=30000) as proxy:
        document = json.loads(run("stream", "play", proxy.url, "--connections", "1", "--json").out)
    assert (document["frames"], document["frames_skipped"]) == (5, 0)
    assert document["retries"] == 3
    assert document["resumed"] >= 1


def test_play_goes_on_behind_damage(run, tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip", 3, 2).folder
    (folder / "000001.gsr").write_bytes(b"x" * (folder / "000001.gsr").stat().st_size)
    done = run("stream", "play", folder, "-v", "--json")
    document = json.loads(done.out)
    assert (document["frames"], document["frames_skipped"], document["damaged"]) == (3, 2, 1)
    assert done.code == 1
    assert f"{folder}: found 2 of 5 frames lost, expected all of them" in done.err
    assert run("stream", "play", folder, "--first", "3").code == 0
    assert run("stream", "play", folder, "--last", "0").code == 0
    assert document["problems"][0].startswith(f"{folder / '000001.gsr'}: sha256: found")
    assert f"warning: {document['problems'][0]}; going on with the next key frame" in done.err
    for key in folder.glob("*.gsz"):
        key.unlink()
    done = run("stream", "play", folder)
    assert done.code == 1
    assert "000000.gsz: found no such file" in done.err


def test_play_in_real_time(run, clip: Path) -> None:
    document = json.loads(run("stream", "play", clip, "--realtime", "--json").out)
    assert document["seconds"] >= 4 / 30
    assert document["late"] is not None


def test_play_renders(run, clip: Path, cameras: Path) -> None:
    args = ("--cameras", cameras, "--view", "view_03", "--size", "32x24", "--device", "cpu")
    document = json.loads(run("stream", "play", clip, "-o", "out", *args, "--json").out)
    assert document["files"] == [f"out/{number:06d}.png" for number in range(5)]
    images = [iio.imread(path) for path in document["files"]]
    assert {image.shape for image in images} == {(24, 32, 3)}
    assert len({image.tobytes() for image in images}) > 1
    done = run("stream", "play", clip, "-o", "out", "--size", "32x24", "--device", "cpu")
    assert (done.code, "the file exists" in done.err) == (1, True)
    pytest.importorskip("imageio_ffmpeg")
    done = run("stream", "play", clip, "-o", "x.mp4", "--size", "32x24", "--device", "cpu")
    assert (done.code, "written    x.mp4" in done.out) == (0, True)
    assert Path("x.mp4").stat().st_size > 500


def test_serve(run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def serve_forever(server: ClipServer) -> None:
        seen["url"] = server.url
        raise KeyboardInterrupt

    monkeypatch.setattr(ClipServer, "serve_forever", serve_forever)
    document = json.loads(run("serve", clip, "--json").out)
    assert document == {
        "url": seen["url"],
        "clips": [seen["url"]],
        "live": seen["url"].replace("http:", "ws:") + "live",
    }
    assert json.loads(run("serve", clip.parent, "--json").out)["clips"] == [f"{seen['url']}clip/"]
    assert run("serve", ".").code == 1
    assert "expected manifest.json in it" in run("serve", ".").err
    assert run("serve", clip, "--cors", "x\r\ny").code == 1
    done = run("serve", clip, "--host", "192.0.2.1")
    assert (done.code, "Choose another port" in done.err) == (1, True)


_PATIENCE = 120
"""Seconds that a process may take on a machine that is busy: starting one has taken 24 there."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """``gscompress serve`` in a process of its own."""
    command = [sys.executable, "-m", "gscompress", "serve", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            text = b""
            while not text.endswith(b"}\n"):
                line = process.stdout.readline()
                assert line
                text += line
            yield json.loads(text)["url"]
            process.send_signal(signal.SIGINT)
            assert process.wait(_PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_serve_and_play_as_processes(clip: Path) -> None:
    with served(clip) as url:
        command = [sys.executable, "-m", "gscompress", "stream", "play", url, "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["frames_decoded"] == 5
        request = urllib.request.Request(url + "000000.gsz", headers={"Range": "bytes=0-9"})
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            assert (answer.status, len(answer.read())) == (206, 10)
