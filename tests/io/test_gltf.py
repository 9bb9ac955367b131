from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gscompress.errors import ConfigError
from gscompress.gaussians import Gaussians
from gscompress.io import detect_format, load, save, scene_bytes
from gscompress.io.axes import moved, turned
from gscompress.io.gltf import GltfFormat
from tests.io.format_checks import assert_within, fuzz, make_scene, matched, mutations, refused

EXACT = {
    "means": 0.0,
    "log_scales": 2e-6,
    "degrees": 1e-3,
    "opacities": 2e-7,
    "dc": 0.0,
    "sh": 0.0,
}
NAME = "KHR_gaussian_splatting"
SPZ = "KHR_gaussian_splatting_compression_spz_2"


def take_apart(data: bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and binary chunk of a .glb."""
    magic, version, length, size, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    rest, second = struct.unpack_from("<I4s", data, 20 + size)
    assert second == b"BIN\0"
    assert length == 28 + size + rest
    assert size % 4 == rest % 4 == 0
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def put_together(document: dict[str, Any], binary: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(binary), len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def spelled_out(columns: dict[str, tuple[np.ndarray, bool]], **more: Any) -> tuple[dict, bytes]:
    """A document written by hand: name -> values and whether they are normalised."""
    types = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
    kinds = {"b": 5120, "B": 5121, "h": 5122, "H": 5123, "f": 5126}
    binary, views, accessors = b"", [], []
    for values, normalized in columns.values():
        data = values.tobytes()
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        accessors.append(
            {
                "bufferView": len(views) - 1,
                "componentType": kinds[values.dtype.char],
                "count": len(values),
                "type": types[values.shape[1] if values.ndim == 2 else 1],
                "normalized": normalized,
            }
        )
        binary += data + bytes(-len(data) % 4)
    splats = {"kernel": "ellipse", "colorSpace": "srgb_rec709_display"}
    attributes = {name: i for i, name in enumerate(columns)}
    primitive = {"attributes": attributes, "mode": 0, "extensions": {NAME: splats}}
    document = {
        "asset": {"version": "2.0"},
        "extensionsUsed": [NAME],
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    return document | more, binary


def two() -> dict[str, tuple[np.ndarray, bool]]:
    """Two Gaussians in glTF's axes; the first turned half around x."""
    return {
        "POSITION": (np.array([[1, 2, 3], [0, 0, 0]], np.float32), False),
        f"{NAME}:ROTATION": (np.array([[1, 0, 0, 0], [0, 0, 0, 1]], np.float32), False),
        f"{NAME}:SCALE": (np.array([[1, 2, 0], [1, 1, 1]], np.float32), False),
        f"{NAME}:OPACITY": (np.array([1, 0.5], np.float32), False),
        f"{NAME}:SH_DEGREE_0_COEF_0": (np.array([[1, 2, 3], [4, 5, 6]], np.float32), False),
    }


@pytest.mark.parametrize("degree", range(4))
@pytest.mark.parametrize("ending", ["glb", "gltf"])
def test_round_trip(
    tmp_path: Path, degree: int, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"a.{ending}"
    for mode in ("default", "mip", "2dgs"):
        scene = make_scene(300, degree, mode)  # type: ignore[arg-type]
        save(scene, path, overwrite=True)
        back = load(path)
        assert_within(scene, back, **EXACT)
        assert back.colour_space == "srgb"
    save(scene.replace(colour_space="linear"), path, overwrite=True)
    assert load(path).colour_space == "linear"
    assert load(path).select(np.arange(3)).colour_space == "linear"
    assert not caplog.records
    assert detect_format(path).id == "gltf"
    path.rename(tmp_path / "a.dat")
    assert detect_format(tmp_path / "a.dat").id == "gltf" if ending == "glb" else True


def test_what_is_written(tmp_path: Path) -> None:
    """Names, types, axes and the fallback colours, as the extension has them."""
    scene = make_scene(40, 2)
    save(scene, tmp_path / "a.glb")
    document, binary = take_apart((tmp_path / "a.glb").read_bytes())
    assert document["extensionsUsed"] == [NAME]
    (primitive,) = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    assert primitive["extensions"][NAME] == {
        "kernel": "ellipse",
        "colorSpace": "srgb_rec709_display",
    }
    coefficients = [f"SH_DEGREE_{d}_COEF_{n}" for d in range(3) for n in range(2 * d + 1)]
    names = ["ROTATION", "SCALE", "OPACITY", *coefficients]
    assert set(primitive["attributes"]) == {"POSITION", "COLOR_0"} | {f"{NAME}:{n}" for n in names}
    columns = {}
    for name, index in primitive["attributes"].items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        dtype = {5126: "<f4", 5121: "u1"}[accessor["componentType"]]
        data = np.frombuffer(
            binary, dtype, view["byteLength"] // int(dtype[-1]), view["byteOffset"]
        )
        columns[name] = data.reshape(accessor["count"], -1)
    turned_means = scene.means * np.array([-1, -1, 1])  # left, up, front
    assert np.array_equal(columns["POSITION"], turned_means)
    accessor = document["accessors"][0]
    assert accessor["min"] == turned_means.min(axis=0).tolist()
    assert accessor["max"] == turned_means.max(axis=0).tolist()
    np.testing.assert_allclose(columns[f"{NAME}:SCALE"], scene.scales, rtol=1e-6)
    np.testing.assert_allclose(columns[f"{NAME}:OPACITY"][:, 0], scene.opacities, atol=1e-6)
    lengths = np.linalg.norm(columns[f"{NAME}:ROTATION"], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    # Degree 1 is (y, z, x), of which x and y have turned around.
    for n, sign in enumerate([-1, 1, -1]):
        found = columns[f"{NAME}:SH_DEGREE_1_COEF_{n}"]
        assert np.array_equal(found, sign * scene.sh[:, 1 + n])
    colour = np.clip(scene.sh[:, 0] * 0.28209479 + 0.5, 0, 1)
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    assert np.abs(columns["COLOR_0"][:, :3] / 255 - linear).max() < 0.51 / 255


def test_reads_a_file_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "a.glb").write_bytes(put_together(*spelled_out(two())))
    scene = load(tmp_path / "a.glb")
    assert scene.means.tolist() == [[-1, -2, 3], [0, 0, 0]]
    np.testing.assert_allclose(scene.log_scales[0, :2], [0, np.log(2)], atol=1e-6)
    assert scene.log_scales[0, 2] < -80
    assert scene.opacity_logits.tolist() == [20, 0]
    assert np.abs(scene.quats).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert scene.sh[:, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_reads_small_numbers(tmp_path: Path) -> None:
    columns = two()
    columns["POSITION"] = (np.array([[1, -2, 3], [0, 4, 0]], np.int16), False)
    columns[f"{NAME}:ROTATION"] = (np.array([[127, 0, 0, 0], [0, -90, 0, 90]], np.int8), True)
    columns[f"{NAME}:SCALE"] = (np.array([[1, 2, 3], [255, 1, 1]], np.uint8), False)
    columns[f"{NAME}:OPACITY"] = (np.array([65535, 6553], np.uint16), True)
    document, binary = spelled_out(columns)
    (tmp_path / "a.glb").write_bytes(put_together(document, binary))
    scene = load(tmp_path / "a.glb")
    assert scene.means.tolist() == [[-1, 2, 3], [0, -4, 0]]
    np.testing.assert_allclose(np.exp(scene.log_scales), [[1, 2, 3], [255, 1, 1]], rtol=1e-6)
    np.testing.assert_allclose(scene.opacities, [1, 6553 / 65535], atol=1e-6)
    np.testing.assert_allclose(np.abs(scene.unit_quats[1]), [2**-0.5, 0, 2**-0.5, 0], atol=1e-6)


def test_reads_rows_with_gaps_and_files_beside(tmp_path: Path) -> None:
    scene = make_scene(30, 0)
    axes = turned(scene, "RDF", "LUF")
    values = [axes.means, axes.unit_quats[:, [1, 2, 3, 0]], np.exp(axes.log_scales)]
    values += [axes.opacities[:, None], axes.sh[:, 0]]
    rows = np.concatenate([*values, np.zeros((30, 2))], axis=1).astype("<f4")
    offsets = np.cumsum([0, 12, 16, 12, 4])
    document, _ = spelled_out(two())
    document["bufferViews"] = [{"buffer": 0, "byteLength": rows.nbytes, "byteStride": 64}]
    document["buffers"] = [{"byteLength": rows.nbytes, "uri": "data/a%20b.bin"}]
    for accessor, offset in zip(document["accessors"], offsets, strict=True):
        accessor.update(bufferView=0, byteOffset=int(offset), count=30)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.bin").write_bytes(rows.tobytes())
    path = tmp_path / "a.gltf"
    path.write_text(json.dumps(document))
    assert_within(scene, load(path), **EXACT)
    assert scene_bytes(path) == path.stat().st_size + rows.nbytes
    (tmp_path / "data" / "a b.bin").write_bytes(rows.tobytes()[:-200])
    refused(lambda: load(path), "buffers[0]", f"{rows.nbytes} bytes")
    (tmp_path / "data" / "a b.bin").unlink()
    refused(lambda: load(path), "a b.bin", "no such file")
    for uri in ("../x.bin", "/etc/passwd", "file:///etc/passwd", "a\\b", "", "%2e%2e/x"):
        document["buffers"][0]["uri"] = uri
        path.write_text(json.dumps(document))
        refused(lambda: load(path), "buffers[0].uri", "in the folder")


def test_places_splats_as_the_nodes_say(tmp_path: Path) -> None:
    scene = make_scene(50, 3)
    save(scene, tmp_path / "a.glb")
    document, binary = take_apart((tmp_path / "a.glb").read_bytes())
    document["nodes"] = [
        {"children": [1, 2], "translation": [1, 2, 3], "scale": [2, 2, 2]},
        {"mesh": 0, "rotation": [0, 0.6, 0, 0.8]},
        {"mesh": 0, "matrix": [0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]},
    ]
    (tmp_path / "b.glb").write_bytes(put_together(document, binary))
    back = load(tmp_path / "b.glb")
    assert len(back) == 100
    stored = turned(scene, "RDF", "LUF")
    first = np.eye(4)
    c, s = 0.8**2 - 0.6**2, 2 * 0.8 * 0.6
    first[:3] = [[2 * c, 0, 2 * s, 1], [0, 2, 0, 2], [-2 * s, 0, 2 * c, 3]]
    second = np.array([[0, -2, 0, 11], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]], np.float64)
    for part, matrix in ((slice(0, 50), first), (slice(50, 100), second)):
        expected = turned(moved(stored, matrix), "LUF", "RDF")
        near = EXACT | {"means": 1e-5, "sh": 1e-5, "degrees": 0.01}
        assert_within(expected, back.select(np.r_[part]), **near)
    del document["scenes"], document["nodes"]
    (tmp_path / "b.glb").write_bytes(put_together(document, binary))
    assert len(load(tmp_path / "b.glb")) == 50


def test_joins_primitives_of_several_degrees(tmp_path: Path) -> None:
    save(make_scene(20, 2), tmp_path / "a.glb")
    document, binary = take_apart((tmp_path / "a.glb").read_bytes())
    second = json.loads(json.dumps(document["meshes"][0]["primitives"][0]))
    second["attributes"] = {k: v for k, v in second["attributes"].items() if "DEGREE_2" not in k}
    plain = {"attributes": {"POSITION": 0}, "mode": 0}
    document["meshes"][0]["primitives"] += [plain, second]
    (tmp_path / "b.glb").write_bytes(put_together(document, binary))
    scene = load(tmp_path / "b.glb")
    assert (len(scene), scene.sh_degree) == (40, 2)
    assert np.array_equal(scene.sh[:20, :4], scene.sh[20:, :4])
    assert (scene.sh[20:, 4:] == 0).all()
    assert (scene.sh[:20, 4:] != 0).any()


def with_spz(tmp_path: Path, scene: Gaussians) -> tuple[dict[str, Any], bytes]:
    save(scene, tmp_path / "a.spz", settings={"version": 3, "sh1_bits": 8, "sh_rest_bits": 8})
    data = (tmp_path / "a.spz").read_bytes()
    document, _ = spelled_out(two())
    (primitive,) = document["meshes"][0]["primitives"]
    primitive["extensions"][NAME]["extensions"] = {SPZ: {"bufferView": 0}}
    document["bufferViews"] = [{"buffer": 0, "byteLength": len(data)}]
    document["buffers"] = [{"byteLength": len(data)}]
    document["extensionsRequired"] = [NAME, SPZ]
    return document, data + bytes(-len(data) % 4)


def test_reads_spz_inside(tmp_path: Path) -> None:
    scene = make_scene(100, 2)
    document, binary = with_spz(tmp_path, scene)
    (tmp_path / "b.glb").write_bytes(put_together(document, binary))
    assert_within(load(tmp_path / "a.spz"), load(tmp_path / "b.glb"), **EXACT)
    back = matched(scene, load(tmp_path / "b.glb"))
    assert np.abs(back.means - load(tmp_path / "a.spz").means).max() < 1 / 4096


def test_says_what_it_does_not_know(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    document, binary = spelled_out(two())
    splats = document["meshes"][0]["primitives"][0]["extensions"][NAME]
    splats.update(kernel="blob", colorSpace="bt2100", extras=7)
    (tmp_path / "a.glb").write_bytes(put_together(document, binary))
    assert load(tmp_path / "a.glb").colour_space == "srgb"
    assert "kernel 'blob' is unknown" in caplog.text
    assert "colour space 'bt2100' is unknown" in caplog.text
    caplog.clear()
    save(make_scene(10, 4), tmp_path / "b.glb")
    assert "above degree 3" in caplog.text
    caplog.clear()
    save(make_scene(10).replace(colour_space="linear"), tmp_path / "b.ply")
    assert "linear" in caplog.text
    assert load(tmp_path / "b.ply").colour_space == "linear"


def test_refuses_an_empty_scene_and_wrong_axes(tmp_path: Path) -> None:
    refused(lambda: save(make_scene(0), tmp_path / "a.glb"), "no Gaussians")
    with pytest.raises(ConfigError, match="axes"):
        GltfFormat(axes="up")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["asset"].update(version="1.0"), ["asset.version", "found 1.0"]),
        (lambda d: d.update(extensionsRequired=["EXT_meshopt"]), ["EXT_meshopt"]),
        (lambda d: d["meshes"][0]["primitives"][0].pop("extensions"), ["no primitive with"]),
        (lambda d: d["meshes"][0]["primitives"][0].update(mode=4), ["mode 4"]),
        (lambda d: d["meshes"][0]["primitives"][0]["attributes"].pop("POSITION"), ["POSITION"]),
        (lambda d: d["meshes"][0]["primitives"][0]["attributes"].update(POSITION=9), ["ors[9]"]),
        (lambda d: d["scenes"][0].update(nodes=[7]), ["nodes[7]"]),
        (lambda d: d["nodes"][0].update(children=[0]), ["two parents"]),
        (lambda d: d["nodes"][0].update(scale=[1, 2, 1]), ["nodes[0]", "scaled differently"]),
        (lambda d: d["nodes"][0].update(scale=[1, 1, -1]), ["mirror"]),
        (lambda d: d["nodes"][0].update(matrix=[1.0] * 15), ["nodes[0].matrix"]),
        (lambda d: d["accessors"][0].update(count=10**9), ["1000000000 Gaussians", "exhaust"]),
        (lambda d: d["accessors"][1].update(count=1), ["1 items", "2, as positions"]),
        (lambda d: d["accessors"][0].update(type="VEC4"), ["VEC4"]),
        (lambda d: d["accessors"][0].update(componentType=9), ["components 9"]),
        (lambda d: d["accessors"][0].update(byteOffset=4), ["accessors[0]", "28 bytes"]),
        (lambda d: d["accessors"][0].update(sparse={}), ["sparse"]),
        (lambda d: d["bufferViews"][0].update(byteStride=8), ["accessors[0]"]),
        (lambda d: d["bufferViews"][0].update(byteLength=10**6), ["bufferViews[0]"]),
        (lambda d: d["bufferViews"][0].update(buffer=1), ["buffers[1]"]),
        (lambda d: d["buffers"][0].update(byteLength=10**6), ["buffers[0]"]),
        (lambda d: d["buffers"][0].update(uri="data:x;base64,*"), ["data URI"]),
    ],
)
def test_refuses_a_wrong_description(
    tmp_path: Path, change: Callable[[Any], Any], parts: list[str]
) -> None:
    document, binary = spelled_out(two())
    change(document)
    path = tmp_path / "a.glb"
    path.write_bytes(put_together(document, binary))
    refused(lambda: load(path), "a.glb", *parts)


def test_refuses_wrong_numbers_and_files(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"

    def wrong(name: str, values: list[Any], *parts: str) -> None:
        columns = two()
        columns[name] = (np.array(values, np.float32), False)
        path.write_bytes(put_together(*spelled_out(columns)))
        refused(lambda: load(path), "a.glb", *parts)

    wrong(f"{NAME}:SCALE", [[1, 1, 1], [1, -1, 1]], "SCALE, row 1", "-1.0")
    wrong(f"{NAME}:OPACITY", [0.5, 2], "OPACITY, row 1", "2.0")
    wrong(f"{NAME}:ROTATION", [[0, 0, 0, 0], [0, 0, 0, 1]], "quats, row 0")
    wrong("POSITION", [[0, 0, 0], [0, np.nan, 0]], "means, row 1")
    good = put_together(*spelled_out(two()))
    for data, part in (
        (good[:10], "a .glb"),
        (good[:-5], "bytes"),
        (good[:4] + b"\1" + good[5:], "version"),
        (good[:16] + b"JUNK" + good[20:], "JSON"),
        (good[:20] + b"[" * 200 + good[220:], "JSON"),
    ):
        path.write_bytes(data)
        refused(lambda: load(path), "a.glb", part)


def test_a_bomb_of_instances_is_not_unpacked(tmp_path: Path) -> None:
    document, binary = spelled_out({k: (np.repeat(v, 4000, 0), n) for k, (v, n) in two().items()})
    document["nodes"] = [{"mesh": 0}] * 5000
    document["scenes"][0]["nodes"] = list(range(5000))
    path = tmp_path / "a.glb"
    data = put_together(document, binary)
    path.write_bytes(data)
    refused(lambda: load(path), "exhaust memory")
    outcomes = fuzz(GltfFormat(), path, [data], most_bytes=32 << 20)
    assert outcomes == {"refused": 1}


def test_damaged_files(tmp_path: Path) -> None:
    save(make_scene(60, 1), tmp_path / "a.glb")
    glb = (tmp_path / "a.glb").read_bytes()
    spz = put_together(*with_spz(tmp_path, make_scene(60, 1)))
    document, binary = take_apart(glb)
    uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    document["buffers"][0]["uri"] = uri
    damaged = mutations(glb, 150, 0) + mutations(spz, 150, 1)
    outcomes = fuzz(GltfFormat(), tmp_path / "b.glb", damaged)
    outcomes += fuzz(
        GltfFormat(), tmp_path / "b.gltf", mutations(json.dumps(document).encode(), 100, 2)
    )
    assert outcomes["refused"] > 150
