"""Targets of size and of PSNR are reached, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cameras import load_cameras, split
from gscompress.codecs.guidance import Guidance
from gscompress.config import load_config
from gscompress.errors import ConfigError, InputError, UsageError
from gscompress.metrics import psnr
from gscompress.rate import Encoder, parse_size
from gscompress.rate.control import hold_out
from gscompress.rate.goals import TargetPsnr, TargetSize, make_goal
from gscompress.render import get_renderer
from gscompress.stages.base import Context
from tests.checks import importances, make_scene

SCENES = Path(__file__).parents[2] / "scenes"


@pytest.fixture(scope="module")
def demo() -> gs.Gaussians:
    return gs.load(SCENES / "demo.ply")


def check_sizes(scene: gs.Gaussians, preset: str, sizes: list[int]) -> None:
    importance = importances(scene)
    for size in sizes:
        encoder = Encoder(scene, scene, Guidance(importance))
        config = load_config(preset, ["allocate=0"])  # which takes long, and is tested elsewhere
        encoded, rate = TargetSize(size).reach(config, encoder, Context(scene))
        length = len(encoded.container.to_bytes())
        assert 0.99 * size <= length <= size
        assert rate is not None
        assert rate["reached"] == length
        assert rate["encodes"] <= 10


def test_ten_sizes_of_the_demo_scene(demo: gs.Gaussians) -> None:
    quarter = demo.select(slice(0, None, 4))
    sizes = [int(size) for size in np.geomspace(16_000, 240_000, 10)]
    check_sizes(quarter, "balanced", sizes)


@pytest.mark.parametrize(("count", "degree"), [(60, 0), (400, 0), (400, 3)])
def test_sizes_of_small_scenes(count: int, degree: int) -> None:
    scene = make_scene(count, degree)
    plain = len(gs.compress(scene, "fast").to_bytes())
    check_sizes(scene, "fast", [plain, int(plain * 1.2), int(plain * 1.4)])


def test_a_size_that_is_too_small_or_too_large() -> None:
    scene = make_scene(300, 1)
    with pytest.raises(InputError, match=r"found 100 bytes, expected the nearest .* coarse"):
        gs.compress(scene, "fast", target_size=100)
    with pytest.raises(InputError, match=r"found 5,000,000 bytes, expected the nearest .* fine"):
        gs.compress(scene, "fast", target_size="5MB")


def test_the_nearest_size_can_be_reached() -> None:
    scene = make_scene(300, 1)
    with pytest.raises(InputError) as caught:
        gs.compress(scene, "fast", target_size=100)
    nearest = int(caught.value.expected.rpartition(": ")[2].split()[0].replace(",", ""))
    result = gs.compress(scene, "fast", target_size=nearest)
    assert 0.99 * nearest <= len(result.to_bytes()) <= nearest


def test_targets_of_an_empty_scene() -> None:
    empty = make_scene(0)
    with pytest.raises(InputError, match="target size"):
        gs.compress(empty, "fast", target_size=10_000)
    with pytest.raises(InputError, match="a scene without Gaussians"):
        gs.compress(empty, "fast", target_psnr=40)
    assert len(gs.compress(empty, "fast", max_error="means=1mm").decoded()) == 0


def test_a_configuration_without_steps_has_no_targets() -> None:
    for goal in ({"quality": 50}, {"target_size": 5000}, {"target_psnr": 40}):
        with pytest.raises(ConfigError, match="whose codecs have no steps"):
            gs.compress(make_scene(20), "lossless", **goal)


def test_targets_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="quality and target_psnr exclude each other"):
        gs.compress(make_scene(20), "fast", quality=3, target_psnr=30)
    for wrong in ({"target_size": 0}, {"target_psnr": float("inf")}, {"max_error": {}}):
        with pytest.raises(InputError):
            gs.compress(make_scene(20), "fast", **wrong)
    assert isinstance(make_goal(target_psnr=3), TargetPsnr)


@pytest.mark.parametrize(
    ("text", "size"),
    [("17", 17), ("5MB", 5_000_000), ("1.5 kB", 1500), ("2MiB", 2_097_152), (".5GB", 500_000_000)],
)
def test_sizes_as_text(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "5TB", "5 M", "1e6", "five"])
def test_texts_that_are_no_sizes(text: str) -> None:
    with pytest.raises(InputError, match="expected a size such as"):
        parse_size(text)


def small(camera: gs.Camera) -> gs.Camera:
    return camera.resized(160, 120)


def test_psnr_of_the_demo_scene(demo: gs.Gaussians) -> None:
    train, test = split(load_cameras(SCENES / "cameras.json"), SCENES / "cameras.json")
    train, test = [small(camera) for camera in train[::2]], [small(camera) for camera in test]
    renderer = get_renderer("cpu")
    truth = [renderer.render(demo, camera).image for camera in test]
    for target in (34, 42.5):
        result = gs.compress(demo, "fast", cameras=train, target_psnr=target, device="cpu")
        rate = result.summary["rate"]
        assert target <= rate["reached"] <= target + 0.1
        assert rate["views"] == "13 control views"
        back = result.decoded()
        found = np.mean(
            [
                psnr(renderer.render(back, camera).image, image)
                for camera, image in zip(test, truth, strict=True)
            ]
        )
        assert abs(found - rate["reached"]) < 0.25  # eleven other views


def test_a_psnr_holds_exactly_at_the_views_it_is_asked_for(demo: gs.Gaussians) -> None:
    train, test = split(load_cameras(SCENES / "cameras.json"), SCENES / "cameras.json")
    train, test = [small(camera) for camera in train[::6]], [small(camera) for camera in test]
    few = demo.select(slice(0, None, 8))
    renderer = get_renderer("cpu")
    truth = [renderer.render(few, camera).image for camera in test]
    for target in (33.3, 48.5):
        result = gs.compress(
            few, "fast", cameras=train, control=test, target_psnr=target, device="cpu"
        )
        back = gs.decompress(result.to_bytes())
        images = [renderer.render(back, camera).image for camera in test]
        found = np.mean([psnr(*pair) for pair in zip(images, truth, strict=True)])
        assert target <= found <= target + 0.1
        rate = result.summary["rate"]
        assert rate["reached"] == pytest.approx(found, abs=1e-5)
        assert rate["views"] == "11 control views"
        assert rate["encodes"] <= 10
        spread = np.std([psnr(*pair) for pair in zip(images, truth, strict=True)], ddof=1)
        assert rate["standard_error"] == pytest.approx(spread / np.sqrt(11), rel=1e-4)


def test_given_control_views_leave_all_cameras_to_the_encoder() -> None:
    cameras = load_cameras(SCENES / "cameras.json")
    ctx = hold_out(Context(make_scene(10), cameras[2:], control=cameras[:2]))
    assert list(ctx.cameras) == cameras[2:]
    assert list(ctx.control) == cameras[:2]


def test_a_psnr_that_is_too_high(demo: gs.Gaussians) -> None:
    few = demo.select(slice(0, 500))
    cameras = [small(camera) for camera in load_cameras(SCENES / "cameras.json")[:6]]
    with pytest.raises(InputError, match=r"found 140 dB, expected the nearest .* 2 control views"):
        gs.compress(few, "fast", cameras=cameras, target_psnr=140, device="cpu")


def test_control_views_are_held_out_from_everything_else() -> None:
    cameras = load_cameras(SCENES / "cameras.json")
    photos = [np.full((1, 1, 3), k, np.float32) for k in range(len(cameras))]
    ctx = hold_out(Context(make_scene(10), cameras, photos))
    names = [[camera.name for camera in part] for part in (ctx.control, ctx.cameras)]
    assert len(names[0]) == len(cameras) // 3
    assert sorted(names[0] + names[1]) == sorted(camera.name for camera in cameras)
    assert ctx.images is not None
    order = [camera.name for camera in cameras]
    assert [int(image[0, 0, 0]) for image in ctx.images] == [order.index(n) for n in names[1]]
    assert len(ctx.images[1:3]) == 2


def test_two_cameras_have_to_serve_for_both() -> None:
    cameras = load_cameras(SCENES / "cameras.json")[:2]
    ctx = hold_out(Context(make_scene(10), cameras))
    assert list(ctx.control) == list(ctx.cameras) == cameras


def test_without_cameras_virtual_ones_are_split(demo: gs.Gaussians) -> None:
    ctx = hold_out(Context(demo))
    assert len(ctx.control) == 21
    assert not {camera.name for camera in ctx.control} & {camera.name for camera in ctx.cameras}


def test_a_size_of_a_real_scene(shared_data: Path) -> None:
    scene = gs.load(shared_data / "bonsai" / "point_cloud.ply")
    result = gs.compress(scene, "fast", target_size="1.8MB")
    assert 1_782_000 <= len(result.to_bytes()) <= 1_800_000
    assert result.summary["rate"]["encodes"] <= 6
