from __future__ import annotations

import json
import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.errors import InputError


def rotation(seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def make_cameras(n: int = 5) -> list[Camera]:
    cameras = []
    for i in range(n):
        viewmat = np.eye(4)
        viewmat[:3, :3] = rotation(i)
        viewmat[:3, 3] = np.random.default_rng(100 + i).standard_normal(3) * 5
        cameras.append(Camera(f"a{i}.png", 64, 48, 70.5, 71.25, 31.5, 25.0, viewmat))
    return cameras


def assert_same(found: list[Camera], expected: list[Camera]) -> None:
    assert [camera.name for camera in found] == [camera.name for camera in expected]
    for a, b in zip(found, expected, strict=True):
        assert (a.width, a.height) == (b.width, b.height)
        np.testing.assert_allclose(a.intrinsics, b.intrinsics, rtol=1e-12)
        np.testing.assert_allclose(a.viewmat, b.viewmat, atol=1e-12)
        np.testing.assert_allclose(a.position, b.position, atol=1e-12)


# Writers of each convention, from its definition alone.


def to_inria(cameras: list[Camera]) -> list[dict[str, Any]]:
    return [
        {
            "id": i,
            "img_name": c.name,
            "width": c.width,
            "height": c.height,
            "position": np.linalg.inv(c.viewmat)[:3, 3].tolist(),
            "rotation": np.linalg.inv(c.viewmat)[:3, :3].tolist(),
            "fx": c.fx,
            "fy": c.fy,
            "cx": c.cx,
            "cy": c.cy,
        }
        for i, c in enumerate(cameras)
    ]


def to_transforms(cameras: list[Camera], *, per_frame: bool) -> dict[str, Any]:
    lenses = [
        {"fl_x": c.fx, "fl_y": c.fy, "cx": c.cx, "cy": c.cy, "w": c.width, "h": c.height}
        for c in cameras
    ]
    frames = []
    for c, lens in zip(cameras, lenses, strict=True):
        pose = np.linalg.inv(c.viewmat)
        pose[:, 1:3] *= -1  # OpenGL: y up, z backward
        frame = {"file_path": f"./images/{c.name}", "transform_matrix": pose.tolist()}
        frames.append({**frame, **lens} if per_frame else frame)
    return {"frames": frames} if per_frame else {**lenses[0], "frames": frames}


def quaternion(matrix: np.ndarray) -> np.ndarray:
    """The eigenvector of Bar-Itzhack (2000), as wxyz."""
    m = matrix
    k = np.array(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], m[1, 1] - m[0, 0] - m[2, 2], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], m[2, 2] - m[0, 0] - m[1, 1], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], np.trace(m)],
        ]
    )
    vector = np.linalg.eigh(k)[1][:, -1]
    return np.roll(vector, 1)


def to_colmap_text(cameras: list[Camera], folder: Path) -> None:
    folder.mkdir(parents=True)
    lenses = ["# Camera list", "#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    images = ["# Image list", "# Number of images"]
    for i, c in enumerate(cameras):
        lenses.append(f"{i + 1} PINHOLE {c.width} {c.height} {c.fx!r} {c.fy!r} {c.cx!r} {c.cy!r}")
        pose = [*quaternion(c.viewmat[:3, :3]), *c.viewmat[:3, 3]]
        images.append(f"{i + 7} {' '.join(repr(float(v)) for v in pose)} {i + 1} {c.name}")
        images.append("1.5 2.5 -1 3 4 17" if i % 2 else "")
    (folder / "cameras.txt").write_text("\n".join(lenses) + "\n")
    (folder / "images.txt").write_text("\n".join(images) + "\n")


def to_colmap_binary(cameras: list[Camera], folder: Path, *, model: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lenses = [struct.pack("<Q", len(cameras))]
    images = [struct.pack("<Q", len(cameras))]
    for i, c in enumerate(cameras):
        lenses.append(struct.pack("<iiQQ", i + 1, model, c.width, c.height))
        lenses.append(struct.pack("<4d", c.fx, c.fy, c.cx, c.cy))
        pose = [*quaternion(c.viewmat[:3, :3]), *c.viewmat[:3, 3]]
        images.append(struct.pack("<i7di", i + 7, *pose, i + 1) + c.name.encode() + b"\0")
        images.append(struct.pack("<Q", i) + struct.pack("<ddq", 1, 2, -1) * i)
    (folder / "cameras.bin").write_bytes(b"".join(lenses))
    (folder / "images.bin").write_bytes(b"".join(images))


def write_json(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    return path


def refused(path: Path, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        load_cameras(path)
    for part in parts:
        assert part in str(caught.value), str(caught.value)


# The same cameras in every convention


def test_conventions_agree(tmp_path: Path) -> None:
    cameras = make_cameras()
    assert_same(load_cameras(write_json(tmp_path / "cameras.json", to_inria(cameras))), cameras)
    for per_frame in (False, True):
        data = to_transforms(cameras, per_frame=per_frame)
        assert_same(load_cameras(write_json(tmp_path / "t.json", data)), cameras)
    to_colmap_text(cameras, tmp_path / "text" / "sparse" / "0")
    to_colmap_binary(cameras, tmp_path / "binary" / "sparse" / "0")
    for name in ("text", "binary"):
        folder = tmp_path / name
        for place in (folder, folder / "sparse", folder / "sparse" / "0"):
            assert_same(load_cameras(place), cameras)
    assert_same(load_cameras(tmp_path / "text/sparse/0/images.txt"), cameras)
    assert_same(load_cameras(tmp_path / "binary/sparse/0/cameras.bin"), cameras)


def test_a_camera_worked_out_by_hand(tmp_path: Path) -> None:
    # At (4, 2, 1), looking along world -x, world z up in the image: camera x is world y,
    # camera y (down) is world -z, camera z (forward) is world -x.
    to_world = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], float)
    entry = {
        "img_name": "v.png",
        "width": 100,
        "height": 50,
        "position": [4, 2, 1],
        "rotation": to_world.tolist(),
        "fx": 80,
        "fy": 80,
    }
    (camera,) = load_cameras(write_json(tmp_path / "cameras.json", [entry]))
    assert (camera.cx, camera.cy) == (50, 25)
    np.testing.assert_allclose(camera.position, [4, 2, 1])
    # A point 2 ahead, 0.5 to the right (world +y) and 0.25 up (world +z).
    point = camera.viewmat @ [2, 2.5, 1.25, 1]
    np.testing.assert_allclose(point, [0.5, -0.25, 2, 1], atol=1e-15)
    pixel = camera.intrinsics @ point[:3]
    np.testing.assert_allclose(pixel[:2] / pixel[2], [50 + 20, 25 - 10])
    # The same in OpenGL axes, as Blender writes it: field of view, no size; the image has it.
    pose = np.eye(4)
    pose[:3] = np.column_stack([to_world @ np.diag([1, -1, -1]), [4, 2, 1]])
    Image.new("RGB", (100, 50)).save(tmp_path / "v.png")
    data = {
        "camera_angle_x": 2 * math.atan(50 / 80),
        "frames": [{"file_path": "./v", "transform_matrix": pose.tolist()}],
    }
    (same,) = load_cameras(write_json(tmp_path / "transforms.json", data))
    np.testing.assert_allclose(same.viewmat, camera.viewmat, atol=1e-15)
    np.testing.assert_allclose(same.intrinsics, camera.intrinsics)
    assert (same.name, same.width, same.height) == ("v", 100, 50)
    (tmp_path / "v.png").unlink()
    refused(tmp_path / "transforms.json", "frame 0, w and h", "'./v'", 'Add "w" and "h"')


def test_colmap_quaternion_by_hand(tmp_path: Path) -> None:
    # 90 degrees about z: world x becomes camera y.
    (tmp_path / "cameras.txt").write_text("3 SIMPLE_PINHOLE 640 480 500 320 240\n")
    half = math.sqrt(0.5)
    (tmp_path / "images.txt").write_text(f"1 {half} 0 0 {half} 1 2 3 3 dir/my photo.jpg\n\n")
    (camera,) = load_cameras(tmp_path)
    assert (camera.name, camera.fx, camera.fy) == ("dir/my photo.jpg", 500, 500)
    np.testing.assert_allclose(camera.viewmat @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    np.testing.assert_allclose(camera.position, [-2, 1, -3], atol=1e-12)


@pytest.mark.parametrize(
    ("line", "focal", "warns"),
    [
        ("1 SIMPLE_RADIAL 64 48 50 32 24 0.1", (50, 50), True),
        ("1 SIMPLE_RADIAL 64 48 50 32 24 0", (50, 50), False),
        ("1 RADIAL 64 48 50 32 24 0.1 0.01", (50, 50), True),
        ("1 OPENCV 64 48 50 51 32 24 0 0 0 0.001", (50, 51), True),
        ("1 PINHOLE 64 48 50 51 32 24", (50, 51), False),
    ],
)
def test_colmap_models(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    line: str,
    focal: tuple[float, float],
    warns: bool,
) -> None:
    (tmp_path / "cameras.txt").write_text(line + "\n")
    (tmp_path / "images.txt").write_text("1 1 0 0 0 0 0 0 1 a.png\n\n")
    (camera,) = load_cameras(tmp_path)
    assert ((camera.fx, camera.fy), camera.cx, camera.cy) == (focal, 32, 24)
    assert ("lens distortion of 1 views is ignored" in caplog.text) == warns


def test_distortion_in_transforms_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = to_transforms(make_cameras(2), per_frame=False)
    load_cameras(write_json(tmp_path / "t.json", {**data, "k1": 0.0}))
    assert not caplog.records
    load_cameras(write_json(tmp_path / "t.json", {**data, "k1": 0.1}))
    assert "distortion of 2 views" in caplog.text
    data["camera_model"] = "OPENCV_FISHEYE"
    refused(write_json(tmp_path / "t.json", data), "frame 0, camera_model", "Undistort")


# Finding them


def test_finds_cameras_beside_a_scene(tmp_path: Path) -> None:
    assert find_cameras(tmp_path / "a.ply") is None
    model = tmp_path / "model"
    scene = model / "point_cloud" / "iteration_30000" / "point_cloud.ply"
    assert find_cameras(scene) is None
    to_colmap_text(make_cameras(), model / "sparse" / "0")
    assert find_cameras(scene) == model / "sparse" / "0"
    transforms = write_json(
        model / "transforms.json", to_transforms(make_cameras(), per_frame=True)
    )
    assert find_cameras(scene) == transforms
    assert find_cameras(model / "scene.ply") == transforms
    inria = write_json(model / "cameras.json", to_inria(make_cameras()))
    assert find_cameras(scene) == inria
    assert_same(load_cameras(model), make_cameras())
    beside = write_json(scene.parent / "cameras.json", to_inria(make_cameras(2)))
    assert find_cameras(scene) == beside
    assert find_cameras(model / "elsewhere" / "iteration_1" / "a.ply") is None


def test_blender_folders_keep_their_split(tmp_path: Path) -> None:
    cameras = make_cameras(6)
    for part, chosen in (("train", cameras[:4]), ("test", cameras[4:]), ("val", cameras[:1])):
        data = to_transforms(chosen, per_frame=True)
        for frame in data["frames"]:
            frame["file_path"] = frame["file_path"].replace("images", part)
        write_json(tmp_path / f"transforms_{part}.json", data)
    assert find_cameras(tmp_path / "a.ply") == tmp_path
    found = load_cameras(tmp_path)
    assert [c.name for c in found] == [f"train/a{i}.png" for i in range(4)] + [
        "test/a4.png",
        "test/a5.png",
    ]
    train, test = split(found, tmp_path)
    assert [c.name for c in test] == ["test/a4.png", "test/a5.png"]
    assert len(train) == 4
    assert len(load_cameras(tmp_path / "transforms_val.json")) == 1


# Splitting


@pytest.mark.parametrize(
    ("n", "held_out"), [(0, []), (1, []), (2, [0]), (8, [0]), (9, [0, 8]), (20, [0, 8, 16])]
)
def test_every_eighth_by_name_is_held_out(tmp_path: Path, n: int, held_out: list[int]) -> None:
    cameras = [c for c in make_cameras(1) for _ in range(n)]
    cameras = [
        Camera(f"{i:03d}.png", c.width, c.height, c.fx, c.fy, c.cx, c.cy, c.viewmat)
        for i, c in enumerate(cameras)
    ][::-1]
    train, test = split(cameras, tmp_path / "cameras.json")
    assert [c.name for c in test] == [f"{i:03d}.png" for i in reversed(held_out)]
    assert sorted(c.name for c in train + test) == [f"{i:03d}.png" for i in range(n)]


@pytest.mark.parametrize(
    "source", ["cameras.json", "", "sparse/0", "sparse", "sparse/0/images.bin"]
)
def test_split_json_decides(tmp_path: Path, source: str) -> None:
    cameras = make_cameras(5)
    to_colmap_binary(cameras, tmp_path / "sparse" / "0")
    write_json(tmp_path / "split.json", {"train": ["a3.png", "a0.png"], "test": ["a2.png"]})
    train, test = split(cameras, tmp_path / source)
    assert [c.name for c in train] == ["a0.png", "a3.png"]
    assert [c.name for c in test] == ["a2.png"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"train": ["a0.png"], "test": ["zz.png"]}, "'zz.png' (1 such)"),
        ({"train": ["a0.png"], "test": ["a0.png"]}, "'a0.png', which is in train too"),
        ({"train": ["a0.png"]}, "test: found NoneType"),
        ({"train": "a0.png", "test": []}, "train: found str"),
        ({"train": [1], "test": []}, "train"),
        ([], "train"),
    ],
)
def test_refuses_a_wrong_split(tmp_path: Path, data: Any, words: str) -> None:
    write_json(tmp_path / "split.json", data)
    with pytest.raises(InputError) as caught:
        split(make_cameras(), tmp_path)
    assert words in str(caught.value)
    (tmp_path / "split.json").write_text("{")
    with pytest.raises(InputError, match="expected JSON"):
        split(make_cameras(), tmp_path)


def test_resized() -> None:
    camera = make_cameras(1)[0].resized(128, 24)
    assert (camera.width, camera.height) == (128, 24)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (141, 35.625, 63, 12.5)
    with pytest.raises(InputError, match="0x5"):
        camera.resized(0, 5)


# Hostile files


def change(data: Any, keys: tuple[Any, ...], value: Any) -> Any:
    data = json.loads(json.dumps(data))
    place = data
    for key in keys[:-1]:
        place = place[key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return data


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("img_name",), ..., "img_name: found None"),
        (("img_name",), 3, "img_name: found 3"),
        (("width",), 0, "width: found 0"),
        (("width",), 1e9, "width: found 1e+09"),
        (("width",), 3.5, "width: found 3.5"),
        (("height",), "48", "height: found '48'"),
        (("height",), True, "height: found True"),
        (("fx",), 0, "fx: found 0"),
        (("fy",), -1, "fy: found -1"),
        (("fx",), math.nan, "fx: found nan"),
        (("fx",), 10**400, "fx: found inf"),
        (("fx",), ..., "fx: found nothing"),
        (("cx",), math.inf, "cx, cy"),
        (("position", 1), math.nan, "position"),
        (("position",), [1, 2], "position: found [1, 2], expected 3 finite"),
        (("position",), ..., "position: found nothing"),
        (("rotation", 0, 0), math.nan, "rotation"),
        (("rotation", 0, 0), 1e200, "rotation"),
        (("rotation", 0), [0, 0, 0], "rotation: found a matrix that is off by 0.8"),
        (("rotation",), [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "mirrors"),
        (("rotation",), [[1, 0, 0], [0, 1, 0.01], [0, 0, 1]], "off by 0.01"),
        (("rotation",), {"a": 1}, "rotation"),
        (("rotation", 0), "x", "rotation"),
    ],
)
def test_refuses_wrong_fields(tmp_path: Path, keys: Any, value: Any, words: str) -> None:
    data = change(to_inria(make_cameras(3)), (1, *keys), value)
    refused(write_json(tmp_path / "cameras.json", data), "cameras.json: camera 1, ", words)


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("transform_matrix",), ..., "transform_matrix: found nothing"),
        (("transform_matrix", 1, 1), math.nan, "transform_matrix"),
        (("transform_matrix", 0), [9, 0, 0, 0], "rotation"),
        (("file_path",), ..., "file_path"),
        (("fl_x",), 0, "fx: found 0"),
        (("fl_x",), ..., "camera_angle_x: found nothing"),
        (("k1",), "a", "k1: found 'a'"),
    ],
)
def test_refuses_wrong_frames(tmp_path: Path, keys: Any, value: Any, words: str) -> None:
    data = change(to_transforms(make_cameras(2), per_frame=True), ("frames", 1, *keys), value)
    refused(write_json(tmp_path / "t.json", data), "t.json: frame 1, ", words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ('{"frames": {}}', "without frames"),
        ("3", "without frames"),
        ("[]", "no cameras"),
        ('{"frames": []}', "no cameras"),
        ("[3]", "camera 0: found int"),
        ('{"frames": [3]}', "frame 0: found int"),
        ("1" * 5000, "expected JSON"),
    ],
)
def test_refuses_other_json(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "cameras.json").write_text(text)
    refused(tmp_path / "cameras.json", words)


def test_refuses_places_without_cameras(tmp_path: Path) -> None:
    refused(tmp_path / "none.json", "no such file")
    refused(tmp_path, "a folder without cameras")
    (tmp_path / "cameras.json").write_bytes(b"\xff\xfe\x00")
    refused(tmp_path / "cameras.json", "expected JSON")


def test_survives_mutated_json(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    seeds = [
        json.dumps(to_inria(make_cameras(2))).encode(),
        json.dumps(to_transforms(make_cameras(2), per_frame=True)).encode(),
        json.dumps(to_transforms(make_cameras(2), per_frame=False)).encode(),
    ]
    words = [b"null", b"{}", b"[]", b"NaN", b"-1", b"1e999", b'"x"', b"true", b"9" * 400, b"0"]
    refusals = 0
    for i in range(600):
        seed = seeds[i % len(seeds)]
        if rng.random() < 0.3:
            mutant = bytearray(seed)
            mutant[rng.integers(len(mutant))] = rng.integers(256)
        else:  # a value where another was: still JSON
            values = list(re.finditer(rb'(?<=[\[: ])(-?[0-9][-+.e0-9]*|"[^"]*")(?=[,\]}])', seed))
            value = values[rng.integers(len(values))]
            word = words[rng.integers(len(words))]
            mutant = seed[: value.start()] + word + seed[value.end() :]
        (tmp_path / "cameras.json").write_bytes(mutant)
        try:
            cameras = load_cameras(tmp_path)
        except InputError:
            refusals += 1
        else:
            assert all(np.isfinite(camera.viewmat).all() for camera in cameras)
    assert 200 < refusals < 600


@pytest.mark.parametrize(
    ("lens", "image", "words"),
    [
        ("1 OPENCV_FISHEYE 64 48 50 51 32 24 0 0 0 0", "", "Undistort the images"),
        ("1 NEW 64 48 50 51 32 24", "", "cameras.txt: line 1: found '1 NEW"),
        ("1 PINHOLE 64 48 50 51 32", "", "found 3, expected 4 for PINHOLE"),
        ("1 PINHOLE 64 48 50 51 32 nan", "", "found 'nan'"),
        ("1 PINHOLE 64 48 50 51 32 24", "1 1 0 0 0 0 0 0 2 a.png", "camera id: found 2"),
        ("1 PINHOLE 64 48 50 51 32 24", "1 1 0 0 0 0 0 0 1", "images.txt: line 1"),
        ("1 PINHOLE 64 48 50 51 32 24", "1 0 0 0 0 0 0 0 1 a", "rotation: found (0.0"),
        ("1 PINHOLE 64 48 50 51 32 24", "1 1e200 0 0 0 0 0 0 1 a", "rotation"),
        ("1 PINHOLE 64 48 50 51 32 24", "1 1 0 0 0 inf 0 0 1 a", "found 'inf'"),
        ("1 PINHOLE 64 48 0 51 32 24", "1 1 0 0 0 0 0 0 1 a", "fx: found 0"),
        ("1 PINHOLE 64 48 50 51 32 24", "# nothing", "no images"),
    ],
)
def test_refuses_wrong_colmap_text(tmp_path: Path, lens: str, image: str, words: str) -> None:
    (tmp_path / "cameras.txt").write_text(lens)
    (tmp_path / "images.txt").write_text(image)
    refused(tmp_path, words)


def test_refuses_wrong_colmap_binary(tmp_path: Path) -> None:
    cameras = make_cameras(3)
    to_colmap_binary(cameras, tmp_path)
    good = {name: (tmp_path / name).read_bytes() for name in ("cameras.bin", "images.bin")}
    for name, data in good.items():
        for cut in range(0, len(data), 5):
            (tmp_path / name).write_bytes(data[:cut])
            refused(tmp_path, name)
        (tmp_path / name).write_bytes(struct.pack("<Q", 10**18) + data[8:])
        refused(tmp_path, f"{name}: count", "1000000000000000000 entries")
        (tmp_path / name).write_bytes(data)
    to_colmap_binary(cameras, tmp_path, model=77)
    refused(tmp_path, "camera 0, model", "id 77")
    to_colmap_binary(cameras, tmp_path)
    rng = np.random.default_rng(0)
    refusals = 0
    for name, data in good.items():
        for _ in range(100):
            mutant = bytearray(data)
            mutant[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            (tmp_path / name).write_bytes(mutant)
            try:
                load_cameras(tmp_path)
            except InputError:
                refusals += 1
        (tmp_path / name).write_bytes(data)
    assert 10 < refusals < 200


# Real files


def test_real_cameras(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    cameras = load_cameras(shared_data / "bonsai" / "cameras.json")
    train, test = split(cameras, shared_data / "bonsai")
    assert (len(cameras), len(train), len(test)) == (292, 255, 37)
    # Its split.json is the rule itself.
    assert [c.name for c in test] == sorted(c.name for c in cameras)[::8]
    assert find_cameras(shared_data / "bonsai" / "point_cloud.ply") is not None
    assert (cameras[0].name, cameras[0].cx, cameras[0].cy) == ("DSCF5565.JPG", 400, 266.5)
    np.testing.assert_allclose(cameras[0].position, [-3.7212286, 1.9830705, -0.2941856], atol=1e-6)

    cameras = load_cameras(shared_data / "basketball" / "cameras.json")
    train, test = split(cameras, shared_data / "basketball" / "cameras.json")
    assert (len(train), len(test)) == (27, 4)
    assert cameras[0].cx == pytest.approx(314.302001953125)
    assert cameras[0].cy == pytest.approx(185.49366760253906)
    assert not caplog.records
