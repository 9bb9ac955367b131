"""The gsplat backend on a real CUDA device, against the CPU renderer."""

import dataclasses

import numpy as np
import pytest

from gscompress.importance import SCORES, score
from gscompress.render import get_renderer
from gscompress.render.cpu import CpuRenderer
from gscompress.stages.base import Context
from gscompress.stages.prune import Prune
from gscompress.virtual_cameras import virtual_cameras
from tests.render.scenes import make_camera, make_scene, psnr

pytestmark = pytest.mark.cuda

torch = pytest.importorskip("torch", reason="needs torch")
pytest.importorskip("gsplat", reason="needs gsplat")
if not torch.cuda.is_available():
    pytest.skip("needs a CUDA device", allow_module_level=True)

BACKGROUND = (0.2, 0.5, 0.8)


@pytest.mark.parametrize("mode", ["default", "mip"])
@pytest.mark.parametrize("degree", [0, 3])
@pytest.mark.parametrize("every", [1, 2])
def test_images_agree(mode, degree, every) -> None:
    scene = make_scene(5000, seed=1, degree=degree, mode=mode)
    camera = make_camera(320, 200, shift=(7, -5)).thinned(every, every - 1, 0)
    cuda = get_renderer("cuda").render(scene, camera, BACKGROUND)
    cpu = CpuRenderer().render(scene, camera, BACKGROUND)
    assert psnr(cuda.image, cpu.image) > 60
    assert psnr(cuda.alpha, cpu.alpha) > 60


@pytest.mark.parametrize("mode", ["default", "mip"])
def test_gradients_agree(mode) -> None:
    scene = make_scene(3000, seed=2, mode=mode)
    camera = make_camera(200, 150)
    arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
    gradients = []
    for renderer, device in ((get_renderer("cuda"), "cuda"), (CpuRenderer(), "cpu")):
        tensors = [torch.tensor(a, device=device, requires_grad=True) for a in arrays]
        probe = torch.zeros(len(scene), 2, device=device, requires_grad=True)
        image, alpha = renderer.rasterize(
            *tensors, camera, BACKGROUND, mode == "mip", means2d=probe
        )
        (image.square().sum() + alpha.sum()).backward()
        gradients.append([t.grad.cpu() for t in (*tensors, probe)])
    for cuda, cpu in zip(*gradients, strict=True):
        assert cpu.norm() > 0
        assert (cuda - cpu).norm() < 1e-2 * cpu.norm()


def test_scores_agree() -> None:
    scene = make_scene(3000, seed=3)
    cameras = [make_camera(160, 120, angle=a) for a in (0, 1)]
    cuda = get_renderer("cuda").scores(scene, cameras, BACKGROUND, occlusion=True)
    cpu = CpuRenderer().scores(scene, cameras, BACKGROUND, occlusion=True)
    for field in dataclasses.fields(cpu):
        mine, expected = getattr(cuda, field.name), getattr(cpu, field.name)
        assert expected.max() > 0
        error = np.linalg.norm(mine.astype(float) - expected)
        assert error < 1e-2 * np.linalg.norm(expected.astype(float)), field.name


@pytest.mark.parametrize("name", SCORES.names())
def test_importance_ranks_as_on_the_cpu(name) -> None:
    scene = make_scene(2000, seed=4)
    cameras = [make_camera(160, 120, angle=a) for a in np.linspace(0, 6, 12)]
    cuda, cpu = (score(scene, cameras, r, name) for r in (get_renderer("cuda"), CpuRenderer()))
    assert cpu.max() > 0
    # The random signs of the sensitivity are the same on both.
    assert np.linalg.norm(cuda - cpu) < 2e-2 * np.linalg.norm(cpu)


def test_pruning_gives_what_the_cpu_gives() -> None:
    scene = make_scene(2000, seed=5)
    cameras = virtual_cameras(scene, 24, width=120, height=90)
    found = [
        Prune(keep=0.5, rounds=2).apply(scene, Context(scene, cameras, device=device))
        for device in ("cuda", "cpu")
    ]
    assert len(found[0]) == len(found[1]) == 1000
    both = {m.tobytes() for m in found[0].means} & {m.tobytes() for m in found[1].means}
    assert len(both) > 980
