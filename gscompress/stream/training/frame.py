"""Learn one frame: from the decoded one before and the photos of now to integers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.pseudo_views import camera_extent
from gscompress.render.base import Renderer, is_antialiased
from gscompress.stages.optimise import Plan
from gscompress.stages.parameters import one_torch_thread
from gscompress.stages.targets import Targets, render_targets
from gscompress.stream.latent import LatentFrame
from gscompress.stream.training.births import Births, GrowingModel
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


class FrameModel(GrowingModel, Protocol):
    """What `learn` drives: the attributes of a frame as functions of what is learned."""

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
    foreground: Sequence[Array] | None = None,
    room: int | None = None,
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
        foreground: What is said to move, see `gscompress.stream.training.motion.find_motion`.
        room: How many may be born, if any are, at most; None: as many as the settings say.
    """
    with one_torch_thread(renderer):
        motion = find_motion(
            previous, before, now, renderer, settings.motion, foreground=foreground
        )
        extent = camera_extent(now.cameras)
        threads = getattr(renderer, "threads", 1)
        model = LatentModel(previous, motion, settings, extent, threads)
        learn(model, previous, now, motion, renderer, settings, progress, room)
        return model.frame()


def learn(
    model: FrameModel,
    previous: Gaussians,
    now: Targets,
    motion: Motion,
    renderer: Renderer,
    settings: QueenSettings,
    progress: Progress | None = None,
    room: int | None = None,
) -> None:
    """Drive a model to the pictures of ``now``, one view a step."""
    threads = getattr(renderer, "threads", 1)
    loss = PhotoLoss(settings.ssim_share, settings.softness, threads)
    plan = Plan({}, loss, settings.steps, last_rate=settings.last_rate)
    stale = render_targets(previous, now.cameras, renderer, ROOM)
    births = _births(model, previous, now, motion, settings, room)
    antialiased = is_antialiased(previous)
    began = time.monotonic()
    value = 0.0
    for step in range(settings.steps):
        view = _view(step, len(now), settings.seed)
        attributes = model.values(_noise(step, model.active, settings))
        probe = None if births is None else births.probe(step, len(attributes["means"]))
        image = _render(attributes, renderer, now.cameras[view], antialiased, probe)
        total = loss(image, _wanted(step, view, now, stale, motion, settings))
        value = float(total.detach())
        price = model.penalty()
        if price is not None:
            total = total + price
        total.backward()  # type: ignore[no-untyped-call]
        model.update(plan.rate_factor(step / settings.steps))
        if births is not None:
            births.watch(step, probe, now.cameras[view])
        if progress is not None:
            progress(step + 1, settings.steps)
    log.info("%d steps, loss %.5f, %.1f s", settings.steps, value, time.monotonic() - began)


def _births(
    model: FrameModel,
    previous: Gaussians,
    now: Targets,
    motion: Motion,
    settings: QueenSettings,
    room: int | None,
) -> Births | None:
    if settings.births is None:
        return None
    most = int(settings.births.share * len(previous))
    most = most if room is None else min(most, room)
    return Births(model, motion, settings, camera_extent(now.cameras), len(now), most)


def _wanted(
    step: int, view: int, now: Targets, stale: Targets, motion: Motion, settings: QueenSettings
) -> Tensor:  # [H, W, 3]
    """The picture to learn: of what may not change, or not yet, what the frame before shows."""
    import torch

    picture = now.picture(view)
    if motion.foreground is not None and settings.motion.background < 1:
        dim = torch.lerp(stale.picture(view), picture, settings.motion.background)
        picture = picture.where(motion.foreground[view][..., None], dim)
    if step < settings.motion.masked * settings.steps:
        picture = picture.where(motion.masks[view][..., None], stale.picture(view))
    return picture


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
    camera: Camera,
    antialiased: bool,
    probe: Tensor | None,
) -> Tensor:  # [H, W, 3]
    import torch

    image, _ = renderer.rasterize(
        attributes["means"],
        attributes["quats"],
        torch.exp(attributes["log_scales"]),
        torch.sigmoid(attributes["opacity_logits"]),
        attributes["sh"],
        camera,
        antialiased=antialiased,
        means2d=probe,
    )
    return image
