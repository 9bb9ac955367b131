"""Which renderer is chosen, and the gsplat backend as far as it goes without CUDA."""

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from gscompress.errors import DeviceError, MissingDependencyError
from gscompress.gaussians import Gaussians
from gscompress.render import RENDERERS, get_renderer
from gscompress.render.cpu import CpuRenderer, available_threads
from tests.render.scenes import make_camera, make_scene


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_names() -> None:
    assert RENDERERS.names()[:2] == ["cpu", "gsplat"]
    assert RENDERERS.get("cpu") is CpuRenderer


def test_cpu_threads() -> None:
    assert get_renderer("cpu", threads=3).threads == 3
    assert get_renderer("cpu").threads == available_threads() >= 1
    if hasattr(os, "sched_getaffinity"):
        assert available_threads() == len(os.sched_getaffinity(0))
    assert "threads" in get_renderer("cpu").device


@pytest.mark.usefixtures("no_cuda")
def test_auto_is_the_cpu_where_there_is_no_cuda() -> None:
    assert get_renderer("auto").name == "cpu"


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_an_explicit_device_never_falls_back(device: str) -> None:
    pytest.importorskip("gsplat")
    with pytest.raises(DeviceError, match=device):
        get_renderer(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "", "cpu:0", "cuda:-1"])
def test_unknown_devices(device: str) -> None:
    with pytest.raises(DeviceError, match="unknown device"):
        get_renderer(device)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert get_renderer("auto").name == "cpu"
    with pytest.raises(MissingDependencyError, match=r"gscompress\[cuda\]"):
        get_renderer("cuda")


def test_rendering_and_scoring_on_the_cpu_need_no_torch() -> None:
    program = """
import sys
sys.modules["torch"] = None  # importing it fails
from gscompress.render import get_renderer
from tests.render.scenes import make_camera, make_scene
renderer = get_renderer("cpu")
assert renderer.render(make_scene(50), make_camera(20, 20)).alpha.any()
assert renderer.scores(make_scene(50), [make_camera(20, 20)]).hits.any()
"""
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


class FakeGsplat:
    """What GsplatRenderer needs of gsplat, on the CPU by the dense reference.

    It checks the arguments that fix the image: a wrong one would give another renderer's image.
    """

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        pytest.importorskip("gsplat")
        from tests.oracle import dense

        self.dense = dense

    def rasterization(self, *, viewmats, Ks, width, height, backgrounds, **arguments):
        assert set(arguments) == {
            *("means", "quats", "scales", "opacities", "colors"),
            *("sh_degree", "packed", "rasterize_mode", "eps2d"),
        }
        assert arguments["packed"] is False
        assert arguments["eps2d"] == 0.3
        assert viewmats.shape == (1, 4, 4)
        assert Ks.shape == (1, 3, 3)
        assert backgrounds.shape == (1, 3)
        assert arguments["sh_degree"] == int(arguments["colors"].shape[1] ** 0.5) - 1
        antialiased = {"antialiased": True, "classic": False}[arguments["rasterize_mode"]]
        names = ("means", "quats", "scales", "opacities", "colors")
        double = tuple(arguments[name].double() for name in names)
        camera = SimpleNamespace(
            width=width,
            height=height,
            viewmat=viewmats[0].double().numpy(),
            intrinsics=Ks[0].double().numpy(),
            position=-(viewmats[0, :3, :3].T @ viewmats[0, :3, 3]).double().numpy(),
        )
        n = len(double[0])
        means2d = self.torch.zeros(n, 2, dtype=self.torch.float64, requires_grad=True)
        background = tuple(backgrounds[0].tolist())
        self.view = self.dense.render(
            double, camera, background, antialiased=antialiased, means2d=means2d
        )
        everything = self.dense._project(
            *double[:4], viewmats[0].double(), Ks[0].double(), camera, antialiased
        )
        info = {"means2d": everything[0][None], "conics": everything[1][None]}
        info |= {"opacities": everything[2][None], "tile_size": 16}
        info |= {"isect_offsets": None, "flatten_ids": None}
        if means2d.requires_grad and double[0].requires_grad:
            info["means2d"] = means2d
        return self.view.image.float()[None], self.view.alpha.float()[None, ..., None], info

    def spherical_harmonics(self, degree, directions, coefficients):
        from gsplat.cuda._torch_impl import _spherical_harmonics

        return _spherical_harmonics(degree, directions, coefficients)

    def rasterize_to_indices_in_range(self, start, end, transmittances, *_):
        assert (start, end) == (0, 10**9)
        assert (transmittances == 1).all()
        pixel, splat = self.view.weights.flatten(0, 1).nonzero().unbind(-1)
        return self.view.ids[splat], pixel, self.torch.zeros_like(pixel)


@pytest.fixture
def gsplat_renderer(monkeypatch: pytest.MonkeyPatch):
    """The gsplat backend on a pretended device."""
    torch = pytest.importorskip("torch")
    fake = FakeGsplat()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Pretended")
    renderer = get_renderer("cuda:0")
    assert renderer.device == "cuda:0 (Pretended)"
    monkeypatch.setattr(renderer, "_gsplat", fake)
    monkeypatch.setattr(renderer, "_device", torch.device("cpu"))
    return renderer


def check_scores(mine, expected) -> None:
    assert np.array_equal(mine.hits, expected.hits)
    assert expected.hits.sum() > 1000
    assert np.array_equal(mine.dominated, expected.dominated)
    for name in ("weight_sum", "weight_sq_sum", "weight_max", "transmittance_sum"):
        assert getattr(mine, name) == pytest.approx(getattr(expected, name), rel=1e-3, abs=1e-5)
    error = np.linalg.norm(mine.removal_effect - expected.removal_effect)
    assert error < 1e-3 * np.linalg.norm(expected.removal_effect)


@pytest.mark.parametrize("mode", ["default", "mip"])
def test_gsplat_backend_gives_what_the_cpu_gives(gsplat_renderer, mode) -> None:
    scene = make_scene(200, seed=1, mode=mode, degree=2)
    cameras = [make_camera(40, 30, angle=a) for a in (0.2, 1)]
    background = (0.1, 0.4, 0.2)
    mine = gsplat_renderer.render(scene, cameras[0], background)
    expected = CpuRenderer().render(scene, cameras[0], background)
    assert mine.image == pytest.approx(expected.image, abs=1e-5)
    assert mine.alpha == pytest.approx(expected.alpha, abs=1e-5)
    done: list[int] = []
    scores = gsplat_renderer.scores(
        scene, cameras, background, progress=lambda i, n: done.append(i), occlusion=True
    )
    assert done == [1, 2]
    check_scores(scores, CpuRenderer().scores(scene, cameras, background, occlusion=True))


def test_gsplat_scores_do_not_depend_on_the_chunks(gsplat_renderer, monkeypatch) -> None:
    from gscompress.render import _pair_scores

    scene, cameras = make_scene(200, seed=2), [make_camera(40, 30)]
    whole = gsplat_renderer.scores(scene, cameras, occlusion=True)
    monkeypatch.setattr(_pair_scores.ScoreSums.__init__, "__defaults__", (100,))
    check_scores(gsplat_renderer.scores(scene, cameras, occlusion=True), whole)


def test_gsplat_means2d_probe(gsplat_renderer) -> None:
    import torch

    scene = make_scene(30, seed=3)
    tensors = [
        torch.tensor(a) for a in (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
    ]
    tensors[0].requires_grad_()
    camera = make_camera(20, 20)
    probes = [torch.zeros(30, 2, requires_grad=True) for _ in range(2)]
    image, _ = gsplat_renderer.rasterize(*tensors, camera, means2d=probes[0])
    image.square().sum().backward()
    image, _ = CpuRenderer().rasterize(*tensors, camera, means2d=probes[1])
    image.square().sum().backward()
    assert probes[1].grad.norm() > 0
    assert probes[0].grad.numpy() == pytest.approx(probes[1].grad.numpy(), rel=1e-3, abs=1e-4)


def test_gsplat_no_gaussians(gsplat_renderer) -> None:
    scene, camera = make_scene(0), make_camera(4, 3)
    image, alpha = gsplat_renderer.render(scene, camera, (0.5, 0.25, 0))
    assert image.tolist() == [[[0.5, 0.25, 0]] * 4] * 3
    assert not alpha.any()
    assert len(gsplat_renderer.scores(scene, [camera]).hits) == 0


def test_gsplat_keeps_two_scenes_on_the_device(gsplat_renderer) -> None:
    scenes: list[Gaussians] = [make_scene(20, seed=s) for s in range(3)]
    camera = make_camera(8, 8)
    first = [gsplat_renderer.render(scene, camera).image for scene in scenes]
    assert len(gsplat_renderer._scenes) == 2
    again = [gsplat_renderer.render(scene, camera).image for scene in scenes]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.usefixtures("gsplat_renderer")
def test_gsplat_device_out_of_range() -> None:
    with pytest.raises(DeviceError, match="there are 1"):
        get_renderer("cuda:5")
