"""``gscompress view`` and ``gscompress export-viewer``."""

from __future__ import annotations

import json
import webbrowser

import pytest

from gscompress.viewer import ViewServer


@pytest.fixture
def served(monkeypatch):
    """What was served and opened; serving ends as with Ctrl-C."""
    record = {"opened": []}

    def serve_forever(server):
        record["document"] = json.loads(server.document)
        record["url"] = server.url
        raise KeyboardInterrupt

    monkeypatch.setattr(ViewServer, "serve_forever", serve_forever)
    monkeypatch.setattr(webbrowser, "open", record["opened"].append)
    return record


def test_view_serves_files_with_the_cameras_beside_them(run, ply, cameras, served):
    cameras.rename("cameras.json")
    done = run("view", ply, ply)
    assert done.code == 0
    assert served["opened"] == [served["url"]]
    assert served["url"] in done.out
    assert [file["name"] for file in served["document"]["files"]] == ["scene.ply", "scene.ply"]
    shown = served["document"]["cameras"]
    assert len(shown) == 9
    assert shown[0]["width"] == 64
    assert shown[0]["viewmat"][11] == pytest.approx(3)  # the origin lies 3 ahead


def test_view_without_a_browser(run, ply, cameras, served):
    done = run("view", ply, "--no-open", "--cameras", cameras, "--json")
    assert (done.code, served["opened"]) == (0, [])
    assert json.loads(done.out) == {"url": served["url"], "files": [str(ply)]}
    assert len(served["document"]["cameras"]) == 9


def test_view_says_what_is_wrong(run, ply, served):
    assert run("view", "none.gsz").code == 1
    done = run("view", ply, ply, ply)
    assert (done.code, done.err) == (
        2,
        "Error: 3 scenes: the viewer shows one, or two side by side\n",
    )
    with ViewServer([ply]) as other:
        done = run("view", ply, "--port", other.server_port)
        assert done.code == 1
        assert done.err.startswith(f"Error: --port {other.server_port}: found Address already")
    assert "document" not in served


def test_export(run, ply, cameras, folder):
    done = run("export-viewer", ply, "-o", "out", "--cameras", cameras, "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert len(document["files"]) == sum(path.is_file() for path in (folder / "out").rglob("*"))
    assert document["bytes"] == sum(
        path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file()
    )
    manifest = json.loads((folder / "out" / "scene.json").read_text())
    assert manifest["files"][0]["url"] == "files/0/scene.ply"
    assert len(manifest["cameras"]) == 9
    assert run("export-viewer", ply, "-o", "out").code == 1
    assert run("export-viewer", ply, "-o", "out", "-w").code == 0
