"""Optimise Gaussians so that their renders match pictures."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gscompress.cameras import Camera
from gscompress.metrics.photo_loss import PhotoLoss

from .mcmc import Sampler
from .model import Model, initial_model

if TYPE_CHECKING:
    from gscompress.render.base import Renderer

__all__ = ["Config", "View", "mean_psnr", "train"]

REPORT_EVERY = 250

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """A camera and its 8-bit picture [H, W, 3]."""

    camera: Camera
    picture: NDArray[np.uint8]

    def tensor(self) -> Tensor:  # [H, W, 3] in 0..1
        """The picture as floats."""
        return torch.from_numpy(self.picture).float() / 255

    def halved(self) -> View:
        """The same view at half the width and height (both even)."""
        c, sums = self.camera, self.picture.astype(np.uint16)
        sums = sums[::2, ::2] + sums[1::2, ::2] + sums[::2, 1::2] + sums[1::2, 1::2]
        camera = replace(
            c,
            width=c.width // 2,
            height=c.height // 2,
            fx=c.fx / 2,
            fy=c.fy / 2,
            cx=c.cx / 2,
            cy=c.cy / 2,
        )
        return View(camera, ((sums + 2) // 4).astype(np.uint8))


@dataclass(frozen=True)
class Config:
    """How to optimise.

    Attributes:
        steps: Number of optimisation steps, one view each.
        budget: Largest number of Gaussians.
        sh_degree: Final degree of the spherical harmonics.
        degree_every: Steps after which the degree is raised by one, from 0.
        densify_every: Steps between two densifications.
        densify_until: Share of the steps after which the Gaussians stay where they are.
        mean_rate: Learning rate of the means at the first and at the last step, in units of
            ``extent``; decays exponentially.
        extent: Size of the space that the cameras stand in, world units.
        rates: Learning rates of the other attributes.
        opacity_weight: Weight of the mean opacity in the loss.
        scale_weight: Weight of the mean scale, in units of ``extent``, in the loss.
        coarse_share: Share of the steps, the first ones, made at half the resolution.
        seed: Seed of everything random.
    """

    steps: int = 4500
    budget: int = 19_000
    sh_degree: int = 3
    degree_every: int = 500
    densify_every: int = 50
    densify_until: float = 0.85
    mean_rate: tuple[float, float] = (1.6e-4, 1.6e-6)
    extent: float = 5.0
    rates: dict[str, float] = field(
        default_factory=lambda: {
            "log_scales": 5e-3,
            "quats": 1e-3,
            "opacity_logits": 5e-2,
            "sh_dc": 2.5e-3,
            "sh_rest": 2e-4,
        }
    )
    opacity_weight: float = 0.005
    scale_weight: float = 0.005
    coarse_share: float = 0.6
    seed: int = 0

    def mean_rate_at(self, step: int) -> float:
        """Learning rate of the means in world units."""
        first, last = self.mean_rate
        return float(self.extent * first * (last / first) ** (step / self.steps))


def train(
    views: Sequence[View],
    points: Tensor,  # [N, 3]
    colours: Tensor,  # [N, 3]
    renderer: Renderer,
    config: Config,
) -> tuple[Model, list[float]]:
    """Optimise Gaussians that start at ``points``; the model and the loss of every step."""
    generator = torch.Generator().manual_seed(config.seed)
    model = initial_model(points, colours, config.sh_degree, generator)
    sampler = Sampler(config.budget)
    loss_of = PhotoLoss(threads=getattr(renderer, "threads", 1))
    coarse = int(config.coarse_share * config.steps)
    stage = prepare([view.halved() for view in views] if coarse else views)
    losses: list[float] = []
    queue: list[int] = []
    started = time.monotonic()
    for step in range(config.steps):
        if step == coarse and coarse:
            stage = prepare(views)
        queue = queue or torch.randperm(len(views), generator=generator).tolist()
        camera, target = stage[queue.pop()]
        degree = min(config.sh_degree, step // config.degree_every)
        image = render(model, camera, renderer, degree)
        loss = loss_of(image, target)
        losses.append(float(loss.detach()))
        (loss + regulariser(model, config)).backward()  # type: ignore[no-untyped-call]
        rate = config.mean_rate_at(step)
        model.update({"means": rate, **config.rates})
        growing = step < config.densify_until * config.steps
        if growing and step % config.densify_every == config.densify_every - 1:
            sampler.densify(model, generator)
        if growing:
            sampler.explore(model, rate, generator)
        if step % REPORT_EVERY == REPORT_EVERY - 1:
            seconds, recent = time.monotonic() - started, np.mean(losses[-REPORT_EVERY:])
            log.info(
                "step %d: loss %.4f, %d Gaussians, %.0f s", step + 1, recent, len(model), seconds
            )
    return model, losses


def prepare(views: Sequence[View]) -> list[tuple[Camera, Tensor]]:
    """Cameras with what the loss compares their renders to."""
    return [(view.camera, view.tensor()) for view in views]


def render(model: Model, camera: Camera, renderer: Renderer, degree: int) -> Tensor:  # [H, W, 3]
    """Differentiable render with the spherical harmonics up to ``degree``."""
    v = model.values
    bands = v["sh_rest"][:, : (degree + 1) ** 2 - 1]
    image, _ = renderer.rasterize(
        v["means"],
        v["quats"],
        torch.exp(v["log_scales"]),
        torch.sigmoid(v["opacity_logits"]),
        torch.cat([v["sh_dc"], bands], dim=1),
        camera,
    )
    return image


def regulariser(model: Model, config: Config) -> Tensor:
    """Pull opacities and scales of Gaussians that do no good to nothing (2404.09591, eq. 10)."""
    opacity = torch.sigmoid(model.values["opacity_logits"]).mean()
    scale = torch.exp(model.values["log_scales"]).mean() / config.extent
    return config.opacity_weight * opacity + config.scale_weight * scale


@torch.no_grad()
def mean_psnr(model: Model, views: Sequence[View], renderer: Renderer, degree: int) -> float:
    """Mean over views of the PSNR in dB, renders clamped to 0..1."""
    values = []
    for view in views:
        image = render(model, view.camera, renderer, degree).clamp(0, 1)
        error = (image - view.tensor()).square().mean()
        values.append(float(-10 * torch.log10(error)))
    return float(np.mean(values))
