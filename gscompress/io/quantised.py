"""What the quantised formats share: opacities in bytes, rotations in three numbers, warnings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import StrPath
from gscompress.gaussians import Array, ColourSpace, Gaussians, Mode
from gscompress.io.ply import OPACITY_LIMIT

__all__ = [
    "Bytes",
    "byte_logits",
    "check_count",
    "from_smallest_three",
    "morton_order",
    "opacity_bytes",
    "outside",
    "say_losses",
    "smallest_three",
    "to_levels",
    "with_carried",
]

Bytes = NDArray[np.uint8]

FREE_COUNT = 1 << 20
"""Gaussians that any file may hold, however small; they need about 250 MB."""

COUNT_PER_BYTE = 8
"""Beyond that, the Gaussians that one byte may stand for. Real scenes need 5 to 60 bytes each."""

_OTHER_THREE = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])

_log = logging.getLogger(__name__)


def to_levels(values: NDArray[Any], top: int) -> NDArray[np.uint32]:
    """Round to the nearest whole number in 0..top; halves go up."""
    return np.clip(np.floor(np.asarray(values, np.float64) + 0.5), 0, top).astype(np.uint32)


def opacity_bytes(scene: Gaussians) -> Bytes:  # [N]
    """Opacities as 0..255."""
    return to_levels(scene.opacities * np.float64(255), 255).astype(np.uint8)


def byte_logits(values: Bytes) -> Array:  # [N]
    """Logits of opacities 0..255; those of 0 and 255 are finite, as `gscompress.io.ply` has it."""
    share = np.arange(256) / 255
    with np.errstate(divide="ignore"):
        table = np.log(share) - np.log1p(-share)
    limit = float(OPACITY_LIMIT)
    return np.asarray(np.clip(table, -limit, limit).astype(np.float32)[values])


def smallest_three(quats: Array) -> tuple[Bytes, NDArray[np.float64]]:
    """Rotations as the three components that are not the largest.

    Args:
        quats: [N, 4], of any length and component order.

    Returns:
        Index of the largest component [N]; the others in their order [N, 3], times sqrt(2) and with
        the sign under which the largest is positive, so in -1..1.
    """
    wide = quats.astype(np.float64)
    wide /= np.abs(wide).max(
        axis=1, keepdims=True, initial=0
    )  # squares neither over- nor underflow
    wide /= np.sqrt(np.sum(wide * wide, axis=1, keepdims=True))
    largest = np.argmax(np.abs(wide), axis=1)
    rows = np.arange(len(wide))
    wide *= np.where(wide[rows, largest] < 0, -1.0, 1.0)[:, None]
    others = np.take_along_axis(wide, _OTHER_THREE[largest], axis=1)
    return largest.astype(np.uint8), others * np.sqrt(2.0)


def from_smallest_three(largest: NDArray[Any], others: NDArray[np.float64]) -> Array:  # [N, 4]
    """The inverse of `smallest_three`: unit quaternions in the order that was given to it."""
    others = others / np.sqrt(2.0)
    quats = np.empty((len(others), 4))
    index = largest.astype(np.intp)
    np.put_along_axis(quats, _OTHER_THREE[index], others, axis=1)
    rest = np.sqrt(np.maximum(0, 1 - np.sum(others * others, axis=1)))
    quats[np.arange(len(quats)), index] = rest
    quats /= np.sqrt(np.sum(quats * quats, axis=1, keepdims=True))
    return quats.astype(np.float32)


def morton_order(means: Array) -> NDArray[np.intp]:  # [N]
    """An order in which neighbours in the file are neighbours in space."""
    from gscompress import _native

    if len(means) == 0:
        return np.zeros(0, np.intp)
    low, high = means.min(axis=0).astype(np.float64), means.max(axis=0).astype(np.float64)
    grid = (means - low) / np.where(high > low, high - low, 1) * (2**21 - 1)
    return np.argsort(_native.morton_encode(grid.astype(np.uint32)), kind="stable")


def check_count(path: StrPath, field: str, count: int, size: int) -> None:
    """Refuse a number of Gaussians that no honest file of that size holds, before allocating.

    Raises:
        InputError: ``size`` bytes are too few for ``count`` Gaussians.
    """
    most = FREE_COUNT + COUNT_PER_BYTE * size
    if not 0 <= count <= most:
        raise InputError(
            path,
            field,
            found=f"{count} Gaussians in {size} bytes",
            expected=f"at most {most}",
            remedy="The file is damaged or made to exhaust memory.",
        )


def with_carried(
    scene: Gaussians,
    degree: int,
    modes: Sequence[Mode],
    losses: list[str],
    spaces: Sequence[ColourSpace] = ("srgb",),
) -> Gaussians:
    """The scene with what a format can carry; what it cannot is added to ``losses``.

    Args:
        scene: The scene.
        degree: The highest degree of spherical harmonics in the format.
        modes: The modes that the format can tell apart; others are read back as ``default``.
        losses: What is lost, in words.
        spaces: The colour spaces that the format can tell apart.
    """
    if scene.sh_degree > degree:
        losses.append(f"spherical harmonics above degree {degree} are left out")
        scene = scene.replace(sh=scene.sh[:, : (degree + 1) ** 2])
    if scene.mode not in modes:
        losses.append(f"the mode {scene.mode!r} is left out: readers will take it for 'default'")
    if scene.colour_space not in spaces:
        losses.append(
            f"that colours are {scene.colour_space} is left out: taken for sRGB elsewhere"
        )
    return scene


def outside(values: Array, low: float, high: float, what: str, losses: list[str]) -> None:
    """Add to ``losses`` how many rows of ``values`` will be clamped to low..high, if any."""
    wrong = (values < low) | (values > high)
    count = int(np.count_nonzero(wrong.any(axis=tuple(range(1, values.ndim)))))
    if count:
        losses.append(f"{what} of {count} Gaussians clamped to {low:.4g}..{high:.4g}")


def say_losses(path: StrPath, name: str, losses: Sequence[str]) -> None:
    """Warn of all that a format cannot carry."""
    if losses:
        _log.warning("%s: %s cannot carry all: %s", path, name, "; ".join(losses))
