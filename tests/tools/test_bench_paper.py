"""The question paper, on folders laid out as the papers' datasets are."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.render import get_renderer
from gscompress.virtual_cameras import virtual_cameras
from tests.checks import make_scene

TOOLS = Path(__file__).parents[2] / "tools"
NAMES = [f"DSC_{k:03d}" for k in range(10)]


@pytest.fixture(autouse=True)
def tools_on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))


def write_photos(scene, cameras, folder, width, height):
    from PIL import Image

    folder.mkdir(parents=True)
    renderer = get_renderer("cpu")
    for name, camera in zip(NAMES, cameras, strict=True):
        image = renderer.render(scene, camera.resized(width, height)).image
        Image.fromarray((image.clip(0, 1) * 255).round().astype(np.uint8)).save(
            folder / f"{name}.png"
        )


def write_json_cameras(cameras, path):
    entries = [
        {
            "id": k, "img_name": name, "width": camera.width, "height": camera.height,
            "position": camera.position.tolist(), "rotation": camera.viewmat[:3, :3].T.tolist(),
            "fx": camera.fx, "fy": camera.fy,
        }
        for k, (name, camera) in enumerate(zip(NAMES, cameras, strict=True))
    ]  # fmt: skip
    path.write_text(json.dumps(entries))


def write_colmap(cameras, folder):
    folder.mkdir(parents=True)
    c = cameras[0]
    line = f"1 PINHOLE {c.width} {c.height} {c.fx} {c.fy} {c.cx} {c.cy}\n"
    (folder / "cameras.txt").write_text(line)
    lines = []
    for k, (name, camera) in enumerate(zip(NAMES, cameras, strict=True)):
        r, t = camera.viewmat[:3, :3], camera.viewmat[:3, 3]
        w = math.sqrt(max(1 + np.trace(r), 1e-12)) / 2
        x, y, z = r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]
        quat = [w, x / (4 * w), y / (4 * w), z / (4 * w)]
        lines.append(f"{k + 1} {' '.join(map(str, [*quat, *t]))} 1 {name}.png\n\n")
    (folder / "images.txt").write_text("".join(lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Scenes of two datasets and of none; one that lacks its Gaussians; rubbish."""
    folder = tmp_path_factory.mktemp("data")
    scene = make_scene(300, 1)
    cameras = virtual_cameras(scene, 10, width=96, height=64)
    bonsai, truck = folder / "360_v2" / "bonsai", folder / "tandt" / "truck"
    write_photos(scene, cameras, bonsai / "images_2", 48, 32)
    write_photos(scene, cameras, bonsai / "images", 96, 64)
    write_json_cameras(cameras, bonsai / "cameras.json")
    for iteration, count in ((7000, 20), (30000, 300)):
        place = bonsai / "point_cloud" / f"iteration_{iteration}"
        place.mkdir(parents=True)
        gs.save(scene.select(slice(0, count)), place / "point_cloud.ply")
    write_photos(scene, cameras, truck / "images", 96, 64)
    write_colmap(cameras, truck / "sparse" / "0")
    gs.save(scene, truck / "point_cloud.ply")
    attic = folder / "attic"
    write_photos(scene, cameras, attic / "images", 24, 16)
    write_json_cameras(cameras, attic / "cameras.json")
    gs.save(scene, attic / "point_cloud.ply")
    garden = folder / "360_v2" / "garden"
    write_photos(scene, cameras, garden / "images_4", 24, 16)
    (folder / "360_v2" / "train").mkdir()
    return folder


def test_the_descriptions_name_the_scenes_of_the_papers():
    from benchmarks.datasets import load_datasets
    from benchmarks.paper import DESCRIPTIONS

    found = {dataset.name: dataset for dataset in load_datasets(DESCRIPTIONS)}
    assert {name: len(dataset.scenes) for name, dataset in found.items()} == {
        "Mip-NeRF 360": 9, "Tanks and Temples": 2, "Deep Blending": 2
    }  # fmt: skip
    room = found["Mip-NeRF 360"]
    for scene, photos in room.scenes.items():
        assert photos == {"outdoor": "images_4", "indoor": "images_2"}[room.kinds[scene]]
    assert found["Deep Blending"].max_width == 1600


def test_scenes_are_found_with_their_parts(data):
    from benchmarks.datasets import find_places, load_datasets
    from benchmarks.paper import DESCRIPTIONS

    places = list(find_places(data, load_datasets(DESCRIPTIONS)))
    found = {place.scene: place for place in places}
    assert set(found) == {"bonsai", "garden", "truck", "attic"}
    assert found["bonsai"].ply.parent.name == "iteration_30000"
    assert found["bonsai"].photos.name == "images_2"
    assert found["garden"].missing == "no trained PLY, no cameras"
    assert found["attic"].dataset.name == "other scenes"
    assert all(place.note == "" for place in places)
    alone = list(find_places(data / "tandt" / "truck", load_datasets(DESCRIPTIONS)))
    assert [(p.scene, p.dataset.name) for p in alone] == [("truck", "Tanks and Temples")]


def test_wide_photos_are_made_smaller_with_their_cameras(data, tmp_path):
    from dataclasses import replace

    from benchmarks.datasets import find_places, load_datasets, views_of
    from benchmarks.paper import DESCRIPTIONS

    truck = next(find_places(data / "tandt", load_datasets(DESCRIPTIONS)))
    place = replace(truck, dataset=replace(truck.dataset, max_width=48))
    train, test = views_of(place, tmp_path)
    assert [view.camera.name for view in test] == ["DSC_000.png", "DSC_008.png"]
    assert len(train) == 8
    assert (test[0].camera.width, test[0].camera.height) == (48, 32)
    assert test[0].photo.parent == tmp_path
    assert views_of(truck, tmp_path)[1][0].camera.width == 96


def test_the_protocol_over_a_folder(data, tmp_path, capsys):
    from benchmarks import paper

    out, cache = tmp_path / "paper.json", tmp_path / "cache.json"
    command = ["--data", str(data), "--presets", "fast,lossless", "--lpips", "none", "--no-fps"]
    command += ["--device", "cpu", "--json", str(out), "--cache", str(cache), "--photos"]
    assert paper.main(command) == 0
    document = json.loads(out.read_text())
    rows = {(row["scene"], row["what"]): row for row in document["rows"]}
    assert {scene for scene, _ in rows} == {"bonsai", "truck", "attic", "mean"}
    assert document["skipped"] == ["Mip-NeRF 360, garden: no trained PLY, no cameras"]
    bonsai = {what: rows["bonsai", what] for what in ("input", "fast", "lossless")}
    assert bonsai["input"]["size"] == "48x32"
    assert bonsai["input"]["views"] == 2
    assert bonsai["input"]["psnr"] > 48  # the photos are renders, but for 8 bits
    assert bonsai["fast"]["drop"] == pytest.approx(
        bonsai["input"]["psnr"] - bonsai["fast"]["psnr"], abs=1e-9
    )
    assert bonsai["fast"]["drop"] > 0
    assert bonsai["lossless"]["drop"] == pytest.approx(0, abs=1e-6)
    size = (data / "360_v2/bonsai/point_cloud/iteration_30000/point_cloud.ply").stat().st_size
    assert bonsai["input"]["mb"] == size / 1e6
    assert bonsai["input"]["gaussians"] == 300
    assert rows["truck", "input"]["psnr"] > 48  # COLMAP's cameras say the same
    assert rows["attic", "fast"]["mb"] < 0.3 * rows["attic", "input"]["mb"]
    before = capsys.readouterr().out
    assert paper.main(command) == 0
    assert capsys.readouterr().out == before


def test_the_mean_of_a_dataset_is_over_its_scenes():
    from benchmarks.paper import Row, means

    rows = [
        Row("D", "a", "input", 3, psnr=30.0, mb=100.0, ssim=0.9),
        Row("D", "a", "fast", 3, psnr=29.0, mb=10.0, ssim=0.8, fps=3.0),
        Row("D", "b", "input", 4, psnr=20.0, mb=50.0, ssim=0.7),
        Row("D", "b", "fast", 4, psnr=19.5, mb=2.0, ssim=0.6),
    ]
    before, after = means(rows)
    assert (before.psnr, before.mb, before.views) == (25, 75, 7)
    assert (after.what, after.psnr, after.mb) == ("fast", 24.25, 6)
    assert after.ssim == pytest.approx(0.7)
    assert after.fps is None
    assert after.note == "2 scenes"
