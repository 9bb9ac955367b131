"""The demo scene is what its documents say, and the tool that makes it works."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gscompress import io
from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.render.cpu import CpuRenderer
from tools.demo_scene import rig
from tools.demo_scene.raytracer import RayTracer
from tools.demo_scene.shapes import RoundedBox, Shape, Sphere, Torus, TrefoilKnot, Vase

SCENES = Path(__file__).parents[2] / "scenes"
HELD_OUT_PSNR = {"view_000.png": 29.34, "view_024.png": 29.48, "view_080.png": 31.50}
"""Of scenes/demo.ply against pictures traced anew at half the size, dB."""


def halved(camera: Camera) -> Camera:
    c = camera
    return replace(
        c,
        width=c.width // 2,
        height=c.height // 2,
        fx=c.fx / 2,
        fy=c.fy / 2,
        cx=c.cx / 2,
        cy=c.cy / 2,
    )


class TestFiles:
    def test_scene(self) -> None:
        path = SCENES / "demo.ply"
        scene = io.load(path)
        scene.validate()
        assert path.stat().st_size < 5_000_000
        assert 15_000 <= len(scene) <= 19_500
        assert scene.sh_degree == 3
        assert scene.mode == "default"
        assert f"{len(scene)}, {path.stat().st_size} bytes" in (SCENES / "SOURCE.md").read_text()

    def test_values_are_those_of_an_optimisation(self) -> None:
        scene = io.load(SCENES / "demo.ply")
        lengths = np.linalg.norm(scene.quats, axis=1)
        assert lengths.std() > 0.1  # not normalised
        for values in (scene.means, scene.log_scales, scene.quats, scene.opacity_logits, scene.sh):
            distinct = len(np.unique(values)) / values.size
            assert distinct > 0.9  # float32 with all of its digits: nothing was rounded
        inner = np.abs(scene.means).max(axis=1) < 5
        assert 0.7 < inner.mean() < 1  # most stand on the plaza, some make the backdrop

    def test_cameras_and_split(self) -> None:
        found = find_cameras(SCENES / "demo.ply")
        assert found == SCENES / "cameras.json"
        cameras = load_cameras(found)
        train, test = split(cameras, found)
        names = json.loads((SCENES / "split.json").read_text())
        assert [c.name for c in train] == names["train"]
        assert [c.name for c in test] == names["test"]
        assert len(train) == 77
        assert len(test) == 11
        assert {c.name for c in cameras} == {c.name for c in [*train, *test]}

    def test_cameras_are_those_of_the_tool(self) -> None:
        made = rig.camera_rig(480, 360, seed=0)
        for ours, read in zip(made, load_cameras(SCENES / "cameras.json"), strict=True):
            assert (ours.name, ours.width, ours.height) == (read.name, read.width, read.height)
            np.testing.assert_allclose(read.viewmat, ours.viewmat, atol=1e-9)
            np.testing.assert_allclose(read.intrinsics, ours.intrinsics, atol=1e-9)

    def test_source_states_its_quality(self) -> None:
        text = (SCENES / "SOURCE.md").read_text()
        found = re.search(r"\*\*(\d+\.\d+) dB on the held-out views\*\*", text)
        assert found is not None
        assert float(found[1]) >= 30


@pytest.mark.parametrize("name", HELD_OUT_PSNR)
def test_scene_renders_as_it_was_traced(name: str) -> None:
    cameras = {c.name: c for c in load_cameras(SCENES / "cameras.json")}
    camera = halved(cameras[name])
    traced = RayTracer().image(camera, samples=2)
    image = np.clip(CpuRenderer().render(io.load(SCENES / "demo.ply"), camera).image, 0, 1)
    psnr = -10 * np.log10(np.mean(np.square(image - traced)))
    assert psnr == pytest.approx(HELD_OUT_PSNR[name], abs=0.1)
    assert psnr >= 28


SHAPES = [
    Sphere(0.5),
    RoundedBox((0.3, 0.4, 0.5), 0.1),
    Torus(0.5, 0.2),
    TrefoilKnot(0.3, 0.12, 0.085),
    Vase(0.7),
]


class TestShapes:
    @pytest.mark.parametrize("shape", SHAPES, ids=lambda s: type(s).__name__)
    def test_rays_end_on_the_surface(self, shape: Shape) -> None:
        rng = np.random.default_rng(1)
        origin = rng.standard_normal((3, 4000)).astype(np.float32)
        origin *= 3 / np.linalg.norm(origin, axis=0)
        aim = rng.uniform(-0.6, 0.6, origin.shape).astype(np.float32) - origin
        direction = aim / np.linalg.norm(aim, axis=0)
        t = shape.trace(origin, direction)
        hit = np.isfinite(t)
        assert 400 < hit.sum() < 4000
        points = (origin + t * direction)[:, hit]
        off = np.abs(shape.distance(points))
        assert np.quantile(off, 0.99) < 1e-3
        assert off.max() < 6e-3
        outward = shape.normals(points)
        np.testing.assert_allclose(np.linalg.norm(outward, axis=0), 1, atol=1e-5)
        assert (np.sum(outward * direction[:, hit], axis=0) < 0.05).mean() > 0.995

    @pytest.mark.parametrize("shape", SHAPES, ids=lambda s: type(s).__name__)
    def test_distance_is_a_lower_bound(self, shape: Shape) -> None:
        rng = np.random.default_rng(2)
        p = rng.uniform(-1.2, 1.2, (3, 3000)).astype(np.float32)
        q = p + rng.normal(0, 0.05, p.shape).astype(np.float32)
        change = np.abs(shape.distance(p) - shape.distance(q))
        assert (change <= 1.3 * np.linalg.norm(p - q, axis=0) + 1e-5).mean() > 0.97

    def test_shadow_of_a_sphere(self) -> None:
        ball = Sphere(1.0)
        origin = np.array([[0, 0, 0, 0], [0, 0.9, 1.5, 3.0], [-5, -5, -5, -5]], np.float32)
        direction = np.broadcast_to(np.array([[0], [0], [1]], np.float32), origin.shape)
        clearance = ball.clearance(origin, direction, limit=0.2)
        np.testing.assert_allclose(clearance, [-0.2, -0.02, 0.1, 0.2], atol=1e-6)
