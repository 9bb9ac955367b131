"""Learn one frame: from the decoded one before and the photos of now to integers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gscompress.gaussians import Gaussians
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.pseudo_views import camera_extent
from gscompress.render.base import Renderer, is_antialiased
from gscompress.stages.optimise import Plan
from gscompress.stages.parameters import one_torch_thread
from gscompress.stages.targets import Targets, render_targets
from gscompress.stream.latent import LatentFrame
from gscompress.stream.training.gates import logistic_noise
from gscompress.stream.training.model import LatentModel
from gscompress.stream.training.motion import Motion, find_motion
from gscompress.stream.training.settings import QueenSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FrameModel", "learn", "train_frame"]

ROOM = 1 << 30
"""Bytes of pictures that are kept."""

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all)."""


class FrameModel(Protocol):
    """What `learn` drives: the attributes of a frame as functions of what is learned."""

    def values(self, noise: Tensor | None = None) -> dict[str, Tensor]:
        """Attributes by the names of Gaussians' fields, raw, differentiable."""
        ...

    def penalty(self) -> Tensor | None:
        """What is added to the loss of the pictures."""
        ...

    def update(self, factor: float) -> None:
        """One step along the gradients."""
        ...


def train_frame(
    previous: Gaussians,
    before: Targets,
    now: Targets,
    renderer: Renderer,
    settings: QueenSettings,
    progress: Progress | None = None,
) -> LatentFrame:
    """Learn the frame after ``previous`` from its pictures.

    The same arguments give the same bits on a CPU, for any number of threads.

    Args:
        previous: The frame before, as a receiver decodes it.
        before: Its pictures.
        now: The pictures of the frame to learn, of the same cameras.
        renderer: Renders, and gives gradients.
        settings: How.
        progress: Told how far it is.
    """
    with one_torch_thread(renderer):
        motion = find_motion(previous, before, now, renderer, settings.motion)
        extent = camera_extent(now.cameras)
        threads = getattr(renderer, "threads", 1)
        model = LatentModel(previous, motion, settings, extent, threads)
        learn(model, previous, now, motion, renderer, settings, progress)
        return model.frame()


def learn(
    model: FrameModel,
    previous: Gaussians,
    now: Targets,
    motion: Motion,
    renderer: Renderer,
    settings: QueenSettings,
    progress: Progress | None = None,
) -> None:
    """Drive a model to the pictures of ``now``, one view a step."""
    threads = getattr(renderer, "threads", 1)
    loss = PhotoLoss(settings.ssim_share, settings.softness, threads)
    plan = Plan({}, loss, settings.steps, last_rate=settings.last_rate)
    stale = render_targets(previous, now.cameras, renderer, 1.0, ROOM)
    began = time.monotonic()
    value = 0.0
    for step in range(settings.steps):
        view = _view(step, len(now), settings.seed)
        attributes = model.values(_noise(step, motion.active, settings))
        image = _render(attributes, renderer, now, view, antialiased=is_antialiased(previous))
        picture = now.picture(view)
        if step < settings.motion.masked * settings.steps:
            picture = picture.where(motion.masks[view][..., None], stale.picture(view))
        total = loss(image, picture)
        value = float(total.detach())
        price = model.penalty()
        if price is not None:
            total = total + price
        total.backward()  # type: ignore[no-untyped-call]
        model.update(plan.rate_factor(step / settings.steps))
        if progress is not None:
            progress(step + 1, settings.steps)
    log.info("%d steps, loss %.5f, %.1f s", settings.steps, value, time.monotonic() - began)


def _noise(step: int, active: Tensor, settings: QueenSettings) -> Tensor | None:
    gates = settings.gate
    if gates is None or step >= (1 - gates.settle) * settings.steps:
        return None
    noise = logistic_noise(len(active), (settings.seed, 0x9A7E, step // gates.resample))
    return noise.to(active.device)


def _view(step: int, count: int, seed: int) -> int:
    """Every view once, in random order, then again in another."""
    epoch, number = divmod(step, count)
    return int(np.random.default_rng([seed, epoch]).permutation(count)[number])


def _render(
    attributes: dict[str, Tensor],
    renderer: Renderer,
    targets: Targets,
    view: int,
    *,
    antialiased: bool,
) -> Tensor:  # [H, W, 3]
    import torch

    image, _ = renderer.rasterize(
        attributes["means"],
        attributes["quats"],
        torch.exp(attributes["log_scales"]),
        torch.sigmoid(attributes["opacity_logits"]),
        attributes["sh"],
        targets.cameras[view],
        antialiased=antialiased,
    )
    return image
