"""The trainer behind the demo scene: its loss, its sampler, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the trainer needs torch")

import torch

from gscompress.render.cpu import CpuRenderer
from tools.demo_scene import rig
from tools.demo_scene.mcmc import Sampler, rotation_matrices
from tools.demo_scene.model import Model, initial_model
from tools.demo_scene.pictures import render_picture
from tools.demo_scene.seeds import sparse_points
from tools.demo_scene.trainer import Config, View, mean_psnr, train


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestSampler:
    def cloud(self, count: int = 200) -> Model:
        g = generator(3)
        points = torch.rand(count, 3, generator=g) * 2 - 1
        return initial_model(points, torch.rand(count, 3, generator=g), 1, g, opacity=0.6)

    def test_grows_to_its_budget(self) -> None:
        model, g = self.cloud(), generator()
        sampler = Sampler(budget=230, growth=1.1)
        counts = []
        for _ in range(3):
            sampler.densify(model, g)
            counts.append(len(model))
        assert counts == [220, 230, 230]
        assert all(len(v) == 230 for v in [*model.first.values(), *model.second.values()])
        assert all(v.requires_grad for v in model.values.values())

    def test_the_dead_move_and_the_image_stays(self) -> None:
        model, camera, renderer = self.cloud(), rig.camera_rig(64, 48, 0)[5], CpuRenderer()
        with torch.no_grad():
            model.values["opacity_logits"][::2] = -8.0
        before = renderer.render(model.gaussians(), camera).image
        Sampler(budget=200).densify(model, generator())
        after = renderer.render(model.gaussians(), camera).image
        assert (model.gaussians().opacities > 0.005).all()
        assert before.max() > 0.2
        assert np.abs(after - before).mean() < 0.03 * before.mean() + 0.01

    def test_exploration_has_the_shape_of_the_gaussian(self) -> None:
        model = self.cloud(20_000)
        with torch.no_grad():
            model.values["opacity_logits"][:] = -12.0
            model.values["log_scales"][:] = torch.tensor([0.0, -1.0, -2.0])
            model.values["quats"][:] = torch.tensor([0.9, 0.1, -0.3, 0.2])
            start = model.values["means"].clone()
            Sampler(budget=20_000, noise=1.0).explore(model, 1.0, generator())
            moved = model.values["means"] - start
        turn = rotation_matrices(model.values["quats"].detach()[:1])[0]
        local = (moved @ turn).std(dim=0) / torch.sigmoid(torch.tensor(0.5))
        torch.testing.assert_close(
            local, torch.exp(torch.tensor([0.0, -2.0, -4.0])), rtol=0.03, atol=0
        )


def test_exploration_goes_no_further_than_the_gaussian() -> None:
    g = generator(4)
    model = initial_model(torch.zeros(5000, 3), torch.zeros(5000, 3), 0, g, opacity=1e-4)
    with torch.no_grad():
        model.values["log_scales"][:] = 1.0
    Sampler(budget=5000).explore(model, 1e-3, g)
    moved = model.values["means"].detach()
    torch.testing.assert_close(moved.std(dim=0), torch.full((3,), np.e), rtol=0.05, atol=0)


def small_run(seed: int) -> tuple[list[float], float, np.ndarray]:
    cameras = rig.camera_rig(80, 60, 0)[20:44:3]
    views = [View(c, render_picture(c, samples=1)) for c in cameras]
    points, colours = sparse_points(cameras, 900, 0.01, seed)
    fast = {k: 5 * v for k, v in Config().rates.items()}
    config = Config(
        steps=50,
        budget=1050,
        degree_every=15,
        densify_every=10,
        coarse_share=0,
        rates=fast,
        seed=seed,
    )
    model, losses = train(views, points, colours, CpuRenderer(), config)
    return losses, mean_psnr(model, views, CpuRenderer(), 3), model.gaussians().means


def test_fifty_steps_learn_and_repeat_exactly() -> None:
    losses, psnr, means = small_run(seed=0)
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])
    assert psnr > 17
    assert len(means) == 1050
    again, _, same = small_run(seed=0)
    assert again == losses
    assert np.array_equal(same, means)
