"""What the viewer's server gives out, and what it does not."""

from __future__ import annotations

import http.client
import json
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.recfunctions import append_fields, drop_fields
from plyfile import PlyData, PlyElement

import gscompress as gs
from gscompress.errors import InputError, UsageError
from gscompress.viewer import ViewServer, export_viewer
from gscompress.viewer.scenes import SITE, ShownFile, manifest, site_files
from tests.checks import make_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    scene = make_scene(40, 1)
    names = {"gsz": "a b%.gsz", "spz": "b.spz", "ply": "c.ply", "secret": "secret.txt"}
    paths = {kind: folder / name for kind, name in names.items()}
    gs.compress(scene, "fast", device="cpu").save(paths["gsz"])
    gs.save(scene, paths["spz"])
    gs.save(scene, paths["ply"])
    paths["secret"].write_text("secret")
    return paths


@pytest.fixture(scope="module")
def server(scenes):
    with ViewServer([scenes["gsz"], scenes["spz"]]) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def ask(server):
    """Send a request and give status, headers and body."""

    def send(path, method="GET", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest(method, path, skip_host="Host" in headers)
        if body is not None:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    return send


def test_the_page_and_its_parts(ask):
    status, headers, body = ask("/")
    assert status == 200
    assert body == (SITE / "index.html").read_bytes()
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name, path in site_files().items():
        status, headers, body = ask(f"/{name}")
        assert (status, body) == (200, path.read_bytes())
        if path.suffix in (".js", ".mjs"):
            assert headers["Content-Type"].startswith("text/javascript")


def test_the_scenes(ask, scenes, tmp_path):
    document = json.loads(ask("/scene.json")[2])
    assert [file["name"] for file in document["files"]] == ["a b%.gsz", "b.spz"]
    assert [file["bytes"] for file in document["files"]] == [
        scenes[name].stat().st_size for name in ("gsz", "spz")
    ]
    bodies = [ask(f"/{file['url']}")[2] for file in document["files"]]
    assert bodies[0] == scenes["gsz"].read_bytes()
    (tmp_path / "c.ply").write_bytes(bodies[1])
    converted, original = gs.load(tmp_path / "c.ply"), gs.load(scenes["spz"])
    assert (converted.means == original.means).all()
    assert (converted.sh == original.sh).all()


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, None)),
        ("bytes=-7", (-7, None)),
        ("bytes=10-99999999", (10, None)),
    ],
)
def test_parts_of_files(ask, scenes, wanted, part):
    data = scenes["gsz"].read_bytes()
    status, headers, body = ask("/files/0/a%20b%25.gsz", Range=wanted)
    assert (status, body) == (206, data[slice(*part)])
    begin = range(len(data))[part[0]]
    assert headers["Content-Range"] == f"bytes {begin}-{begin + len(body) - 1}/{len(data)}"


def test_parts_that_are_not_there(ask, scenes):
    size = scenes["gsz"].stat().st_size
    status, headers, _ = ask("/files/0/a%20b%25.gsz", Range=f"bytes={size}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
    for whole in ("bytes=-", "lines=1-2", "bytes=0-1,3-4"):
        assert ask("/files/0/a%20b%25.gsz", Range=whole)[0] == 200
    status, headers, body = ask("/files/0/a%20b%25.gsz", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(size), b"")


@pytest.mark.parametrize(
    "path",
    [
        "/../__init__.py", "/%2e%2e/__init__.py", "/..%2f__init__.py", "/files/0/../../server.py",
        "/files/0/secret.txt", "/files/2/a.gsz", "//etc/passwd", "/gsz", "/gsz/", "/files/0",
        "/..\\__init__.py", "/app.js/", "/scene.json/x", "/index.html%00",
    ],
)  # fmt: skip
def test_nothing_else(ask, path):
    assert ask(path)[0] == 404


def test_strangers_are_refused(ask, server):
    assert ask("/", Host="evil.example")[0] == 403
    assert ask("/scene.json", Host=f"evil.example:{server.server_port}")[0] == 403
    assert ask("/scene.json", Origin="http://evil.example")[0] == 403
    assert ask("/scene.json", Origin=server.url.rstrip("/"))[0] == 200
    assert server.server_address[0] == "127.0.0.1"


def test_converting_what_was_dropped(ask, scenes, tmp_path):
    status, _, body = ask("/convert?name=x.spz", "POST", scenes["spz"].read_bytes())
    assert status == 200
    (tmp_path / "d.ply").write_bytes(body)
    assert len(gs.load(tmp_path / "d.ply")) == 40
    status, _, body = ask("/convert?name=..%2F..%2Fx.spz", "POST", b"no scene")
    assert status == 422
    assert b"x.spz" in body
    assert ask("/convert", "POST", Content_Length="-1")[0] == 413
    assert ask("/other", "POST", b"")[0] == 404


def test_files_that_cannot_be_shown(scenes, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        ViewServer([tmp_path / "none.gsz"])
    with pytest.raises(InputError, match="ending"):
        ViewServer([scenes["secret"]])
    with pytest.raises(UsageError, match="3 scenes"):
        ViewServer([scenes["gsz"]] * 3)


def test_export(scenes, tmp_path):
    folder = tmp_path / "site"
    written = export_viewer([scenes["gsz"], scenes["spz"]], folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {path.relative_to(folder).as_posix() for path in written}
    assert files == {*site_files(), "scene.json", "files/0/a b%.gsz", "files/1/b.ply"}
    document = json.loads((folder / "scene.json").read_text())
    assert document["files"][0]["url"] == "files/0/a%20b%25.gsz"
    assert document["convert"] == ""
    with pytest.raises(InputError, match="holds files"):
        export_viewer([scenes["gsz"]], folder)
    (folder / "mine.txt").write_text("kept")
    export_viewer([scenes["gsz"]], folder, overwrite=True)
    assert (folder / "mine.txt").read_text() == "kept"
    assert len(json.loads((folder / "scene.json").read_text())["files"]) == 1


@pytest.mark.parametrize("kind", ["gsz", "ply", "spz"])
def test_what_is_damaged_is_not_exported(scenes, tmp_path, kind):
    whole = scenes[kind].read_bytes()
    damaged = {"half": whole[: len(whole) // 2]}
    if kind == "gsz":
        damaged["flipped"] = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]
        damaged["text"] = b"hello world"
    for name, data in damaged.items():
        (path := tmp_path / f"{name}.{kind}").write_bytes(data)
        with pytest.raises(InputError, match=path.name):
            export_viewer([path], tmp_path / "site")
        assert not (tmp_path / "site").exists()


def test_the_site_asks_for_nothing_elsewhere():
    """No address of another host in what is shipped, licences and comments of others aside."""
    for name, path in site_files().items():
        if not name.startswith("vendor/"):
            assert "://" not in path.read_text(), name


def test_plys_of_other_programs_are_handed_on_as_the_trainers(tmp_path):
    """Packed in chunks, as text, of the other byte order, with a filter that is to be applied."""
    scene = make_scene(30, 1)
    gs.save(scene, tmp_path / "plain.ply")
    gs.save(scene, tmp_path / "packed.compressed.ply")
    vertex = PlyData.read(tmp_path / "plain.ply")["vertex"]
    for name, data, kwargs in [
        ("text", vertex.data, {"text": True}),
        ("big", vertex.data, {"byte_order": ">"}),
        (
            "filter",
            append_fields(vertex.data, "filter_3D", np.full(30, 0.1, "<f4"), usemask=False),
            {},
        ),
        ("flat", drop_fields(vertex.data, "scale_2", usemask=False), {}),
        ("double", vertex.data.astype([(n, "<f8") for n in vertex.data.dtype.names]), {}),
    ]:
        PlyData([PlyElement.describe(data, "vertex")], **kwargs).write(tmp_path / f"{name}.ply")
    plain = tmp_path / "plain.ply"
    (postshot := tmp_path / "postshot.ply").write_bytes(
        plain.read_bytes().replace(b"element vertex", b"comment antialiased 1\nelement vertex")
    )
    assert [shown.native for shown in ShownFile.check([plain])] == [True]
    assert [shown.native for shown in ShownFile.check([tmp_path / "flat.ply"])] == [True]
    others = ["packed.compressed", "text", "big", "filter", "double", postshot.stem]
    for name in others:
        given = tmp_path / f"{name}.ply"
        (shown,) = ShownFile.check([given])
        assert not shown.native, name
        assert shown.url_name == f"{name.removesuffix('.compressed')}.ply"
        written = shown.write_to(tmp_path / "out" / name)
        assert [file.native for file in ShownFile.check([written])] == [True], name
        ours, expected = gs.load(written), gs.load(given)
        assert ours.mode == expected.mode
        for field in ("means", "quats", "log_scales", "opacity_logits", "sh"):
            assert (getattr(ours, field) == getattr(expected, field)).all(), (name, field)


def test_the_size_of_a_folder_of_textures(tmp_path):
    gs.save(make_scene(40, 0), tmp_path / "scene.sog")
    with zipfile.ZipFile(tmp_path / "scene.sog") as archive:
        archive.extractall(tmp_path / "sog")
    (shown,) = ShownFile.check([tmp_path / "sog" / "meta.json"])
    (told,) = manifest([shown], ["x"], [])["files"]
    assert told["bytes"] == sum(path.stat().st_size for path in (tmp_path / "sog").iterdir())
