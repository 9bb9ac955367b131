"""Clips as the viewer's server gives them out, and as they are exported."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gscompress as gs
from gscompress.errors import CorruptFileError, InputError, UsageError
from gscompress.stream.manifest import MANIFEST, Manifest
from gscompress.stream.transfer import Patience
from gscompress.viewer import ViewServer, clips, export_viewer
from gscompress.viewer.clips import beside, clip_name, only_clip
from tests.checks import make_scene
from tests.stream.clips import Writer, serving, write_clip

Ask = Callable[[str], tuple[int, bytes]]


@pytest.fixture
def writer(tmp_path) -> Writer:
    return write_clip(tmp_path / "a clip", 3, 2)


@pytest.fixture
def shown() -> Iterator[Callable[..., Ask]]:
    """Starts the server on a clip; gives what asks it."""
    servers = []

    def start(place) -> Ask:
        server = ViewServer([place])
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def ask(path: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            connection.request("GET", path)
            answer = connection.getresponse()
            found = answer.status, answer.read()
            connection.close()
            return found

        return ask

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def files_of(writer: Writer) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in writer.folder.iterdir()}


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_folder(shown, writer):
    for place in (writer.folder, str(writer.folder / MANIFEST)):
        ask = shown(place)
        document = json.loads(ask("/scene.json")[1])
        assert document["clip"] == {"name": "a clip", "url": "clip/manifest.json"}
        assert document["files"] == []
        for name, data in files_of(writer).items():
            assert ask(f"/clip/{name}") == (200, data)
    (writer.folder / "other.gsr").write_bytes(b"secret")
    for path in (
        "/clip/other.gsr",
        "/clip/",
        "/clip/../scenes.py",
        "/clip/%2e%2e/x",
        "/000001.gsr",
    ):
        assert ask(path)[0] == 404
    (writer.folder / "000001.gsr").unlink()
    status, text = ask("/clip/000001.gsr")
    assert status == 422
    assert text.startswith(b"000001.gsr: found no such file")


def test_a_folder_that_grows(shown, writer):
    writer.publish(complete=False)
    ask = shown(writer.folder)
    assert json.loads(ask("/clip/manifest.json")[1])["frames"] == 5
    writer.add_residual()
    assert ask("/clip/000005.gsr")[0] == 404
    writer.publish()
    assert json.loads(ask("/clip/manifest.json")[1])["frames"] == 6
    assert ask("/clip/000005.gsr")[0] == 200


def test_another_host(shown, writer, monkeypatch):
    with serving(writer.folder) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        ask = shown(url)
        for name, data in files_of(writer).items():
            assert ask(f"/clip/{name}") == (200, data)
        assert ask("/clip/000099.gsr")[0] == 404
        damage(writer.folder / "000001.gsr")
        status, text = ask("/clip/000001.gsr")
        assert status == 422
        assert b"sha256" in text
    monkeypatch.setattr(clips, "PATIENCE", Patience(1.0, 0.3))
    with pytest.raises(InputError, match=r"127\.0\.0\.1"):
        ViewServer(["http://127.0.0.1:9/clip.json"])


def test_what_is_a_clip(writer, tmp_path):
    scene = tmp_path / "scene.gsz"
    gs.compress(make_scene(20, 0), "fast", device="cpu").save(scene)
    assert only_clip([scene, scene]) is None
    assert only_clip([writer.folder]) == writer.folder
    with pytest.raises(UsageError, match="alone"):
        only_clip([scene, writer.folder])
    with pytest.raises(InputError, match="directory"):
        ViewServer([tmp_path])
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match=r"manifest\.json: .*`format`"):
        ViewServer([tmp_path])
    assert clip_name("https://host/some/clip/") == "clip"
    assert clip_name("https://host/some/clip/manifest.json?x=1") == "clip"
    assert clip_name("https://host/") == "https://host/"
    assert beside(["http://host/a.gsz", writer.folder, scene]) == [writer.folder / MANIFEST, scene]


def test_export(writer, tmp_path):
    writer.publish(complete=False)
    before = files_of(writer)
    written = export_viewer([writer.folder], tmp_path / "site")
    site = tmp_path / "site"
    assert {path for path in site.rglob("*") if path.is_file()} == set(written)
    document = json.loads((site / "scene.json").read_text())
    assert document["clip"] == {"name": "a clip", "url": "clip/manifest.json"}
    after = {path.name: path.read_bytes() for path in (site / "clip").iterdir()}
    manifest = Manifest.read(site / "clip")
    assert manifest.complete
    assert manifest.groups == Manifest.read(writer.folder).groups
    assert {**after, MANIFEST: before[MANIFEST]} == before
    damage(writer.folder / "000002.gsr")
    with pytest.raises(CorruptFileError, match=r"000002\.gsr: sha256"):
        export_viewer([writer.folder], tmp_path / "other")
