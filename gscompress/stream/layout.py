"""How the changes of a Gaussian are laid out as integer channels, and their steps.

Everything here must come out the same, bit for bit, on both sides: it uses IEEE 754 additions,
multiplications, divisions and comparisons only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.parallel import threads
from gscompress.gaussians import Array, Gaussians

__all__ = [
    "EVEN",
    "GROUPS",
    "Layout",
    "Steps",
    "classes_of",
    "morton_order",
    "octaves_of",
    "references_of",
    "visibility_of",
]

GROUPS = ("means", "quats", "scales", "opacities", "sh0", "shN")
"""Attribute groups in coding order."""

_BITS_PER_UNIT = 1.4426950408889634  # 1 / ln 2
_MIN_OCTAVE, _MAX_OCTAVE = -4, 11
_MAX_DIM = 5.0
"""Octaves by which positions of faint Gaussians are coarser at most."""
_MAX_SLENDER = 4.0
"""Octaves by which rotations of long Gaussians are finer at most."""

EVEN = -1000.0
"""As visibility: the same steps for all, to bound errors."""

COARSEST = (np.inf, 0.125, 0.25, 0.5, 0.25, 0.25)
"""The largest step of each group: what is hardly seen now may be seen later, and an error of more
than these shows in other ways than a small one."""

_GRID = 1 << 20
_OUTLIERS = 0.02
_WINDOW = 16


@dataclass(frozen=True)
class Layout:
    """The channels of scenes of one spherical-harmonics degree.

    Attributes:
        sh_degree: 0 to 4.
    """

    sh_degree: int

    @cached_property
    def widths(self) -> dict[str, int]:
        """Number of channels of each group.

        Means 3 (world axes), quats 3 (a rotation on top, in world axes), scales 3, opacities 1,
        sh0 3 (RGB), and of every further coefficient 3.
        """
        higher = (self.sh_degree + 1) ** 2 - 1
        counts = (3, 3, 3, 1, 3, 3 * higher)
        return {name: count for name, count in zip(GROUPS, counts, strict=True) if count}

    @cached_property
    def channels(self) -> int:
        """Channels in all."""
        return sum(self.widths.values())

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The channels of each group."""
        ends = np.cumsum(list(self.widths.values()))
        return {
            name: slice(int(end) - count, int(end))
            for (name, count), end in zip(self.widths.items(), ends, strict=True)
        }

    @cached_property
    def sets(self) -> list[int]:
        """The model set of each channel: its own, but those of one band and colour share."""
        out = list(range(sum(count for name, count in self.widths.items() if name != "shN")))
        first = len(out)
        for band in range(1, self.sh_degree + 1):
            for _ in range(2 * band + 1):
                out += [first + 3 * (band - 1) + colour for colour in range(3)]
        return out

    def coder(self) -> _native.TemporalCoder:
        """A coder without any slot."""
        return _native.TemporalCoder(list(self.widths.values()), self.sets)


@dataclass(frozen=True)
class Steps:
    """Quantization steps of a group of frames.

    Attributes:
        by_group: The step of each group of `GROUPS` at octave 0; positions in world units,
            rotations in units of 2 radians, the others in their own; 0 for one without channels.
        visible: log2 of opacity times the root of the area at which the octave is 0; `EVEN`: the
            octaves of all Gaussians are 0.
    """

    by_group: tuple[float, ...]
    visible: float

    def of(self, group: int, octaves: NDArray[np.int8]) -> NDArray[np.float64]:  # [M, 3] -> [M]
        """The steps of a group for Gaussians of some octaves."""
        steps = np.ldexp(self.by_group[group], octaves[:, min(group, 2)].astype(np.int32))
        return steps if self.visible <= EVEN else np.minimum(steps, COARSEST[group])


def octaves_of(scene: Gaussians, visible: float) -> NDArray[np.int8]:  # [N, 3]
    """How many times the steps double, for positions, rotations and the other attributes.

    From values that both sides know: an error shows the less, the fainter and the smaller a
    Gaussian is, an error of its position only the fainter it is, and that of its rotation the less,
    the rounder it is.
    """
    if visible <= EVEN:
        return np.zeros((len(scene), 3), np.int8)
    log_scales, log_opacity = _shape_of(scene)
    seen = visibility_of(scene)
    slender = np.minimum((log_scales[:, 2] - log_scales[:, 1]) * _BITS_PER_UNIT, _MAX_SLENDER)
    octaves = np.empty((len(scene), 3))
    octaves[:, 0] = np.minimum(-log_opacity * _BITS_PER_UNIT, _MAX_DIM)
    octaves[:, 2] = np.clip(visible - seen, _MIN_OCTAVE, _MAX_OCTAVE)
    octaves[:, 1] = octaves[:, 2] - slender
    return np.rint(octaves).astype(np.int8)


def visibility_of(scene: Gaussians) -> NDArray[np.float64]:  # [N]
    """About log2 of the opacity times the root of the area of each Gaussian."""
    log_scales, log_opacity = _shape_of(scene)
    return ((log_scales[:, 2] + log_scales[:, 1]) * 0.5 + log_opacity) * _BITS_PER_UNIT


def _shape_of(scene: Gaussians) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log scales in ascending order [N, 3], and about the logarithm of the opacity [N]."""
    log_scales = np.sort(scene.log_scales.astype(np.float64), axis=1)
    return log_scales, np.minimum(scene.opacity_logits.astype(np.float64), 0.0)


def classes_of(octaves: NDArray[np.int8]) -> NDArray[np.uint8]:  # [N, 3] -> [N]
    """The class of each Gaussian that its contexts see, 0 to 15."""
    return (octaves[:, 2] - _MIN_OCTAVE).astype(np.uint8)


def morton_order(means: Array) -> NDArray[np.intp]:
    """The order in which Gaussians have slots: along a Morton curve of their positions."""
    return np.argsort(_native.morton_encode(_grid(means)), kind="stable")


def references_of(means: Array) -> NDArray[np.int32]:  # [N, 3] -> [N, 2]
    """For Gaussians in Morton order the nearest one before each, and another one before it."""
    count = len(means)
    near, _ = _native.nearest_before(_grid(means), [count], _WINDOW, threads())
    before = np.maximum(np.arange(count, dtype=np.int32) - 1, 0)
    other = np.where(near == before, near[near] if count else near, before)
    return np.ascontiguousarray(np.stack([near, other], axis=1))


def _grid(means: Array) -> NDArray[np.uint32]:  # [N, 3]
    """Positions on 21 bits: most of them evenly, those far out 16 times as coarse."""
    if not len(means):
        return np.zeros((0, 3), np.uint32)
    ordered = np.sort(means, axis=0).astype(np.float64)
    skipped = int(len(means) * _OUTLIERS)
    low, high = ordered[skipped], ordered[len(means) - 1 - skipped]
    width = float((high - low).max()) or 1.0
    unit = (means.astype(np.float64) - low) / width
    unit = np.where(unit < 0, unit / 16, np.where(unit > 1, 1 + (unit - 1) / 16, unit))
    grid: NDArray[np.uint32] = np.clip(np.rint((unit + 0.5) * _GRID), 0, 2 * _GRID - 1).astype(
        np.uint32
    )
    return grid
