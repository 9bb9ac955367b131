"""Motions for tests of runs."""

from __future__ import annotations

import itertools

import numpy as np

from gscompress.gaussians import Gaussians
from gscompress.stream.attempt import Moment
from gscompress.stream.tracking import match


def swarms(
    scene: Gaussians, frames: int, bend: float = 0.02, swarms: int = 6, seed: int = 0
) -> list[Gaussians]:
    """Each Gaussian belongs to one of a few swarms, which goes a smooth way of its own.

    Neighbours are of different swarms: only words can tell what those of one have in common.
    """
    rng = np.random.default_rng(seed)
    member = rng.integers(0, swarms, len(scene))
    speed, bends = rng.normal(0, 0.02, (swarms, 3)), rng.normal(0, bend, (swarms, 3))
    out = []
    for t in range(frames):
        way = (speed * t + bends * t * t / frames)[member]
        grown = 0.01 * t * (member % 3)[:, None]
        out.append(scene.replace(means=scene.means + way, log_scales=scene.log_scales + grown))
    return out


def jitter(scene: Gaussians, frames: int, seed: int = 0) -> list[Gaussians]:
    """In each frame other Gaussians jump to other places."""
    rng, out = np.random.default_rng(seed), [scene]
    for _ in range(frames - 1):
        jumps = rng.normal(0, 0.05, scene.means.shape) * (rng.random((len(scene), 1)) < 0.1)
        out.append(out[-1].replace(means=out[-1].means + jumps))
    return out


def moments(frames: list[Gaussians]) -> list[Moment]:
    """All but the first, as what comes after it."""
    return [Moment(b, match(a, b)) for a, b in itertools.pairwise(frames)]
