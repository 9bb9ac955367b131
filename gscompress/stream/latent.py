"""One frame as learned latents: what changes from the frame before, and how to apply it.

Every attribute but the positions changes by D l: a row of small integers l per Gaussian through a
matrix D per frame and attribute. Positions change by whole steps, and only where they are listed.
QUEEN (arXiv:2412.04469), section 3.2; the matrices are learned by `gscompress.stream.training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians

__all__ = ["LATENT_GROUPS", "LatentFrame", "apply", "group_of", "width_of"]

Integers = NDArray[np.int32]

LATENT_GROUPS = ("sh0", "shN", "quats", "log_scales", "opacity_logits")
"""What has latents of its own: the attributes but for the positions, constant harmonics apart."""

MAX_LATENT = 1 << 24
"""Products with float32 stay exact in double precision."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentFrame:
    """What one frame is, given the one before.

    A group without latents stays as it was. Of N Gaussians before there are N + B now.

    Attributes:
        latents: By group, a row per Gaussian.
        decoders: By group, a row per latent dimension: the change of the attribute per unit.
        moved: Gaussians that move, ascending.
        moves: How far they move, in steps.
        move_step: World units per step.
        parents: The Gaussian before that each new one starts as, ascending; new ones follow the
            old.
    """

    latents: Mapping[str, Integers]  # [N + B, L]
    decoders: Mapping[str, Array]  # [L, d]
    moved: Integers  # [M]
    moves: Integers  # [M, 3]
    move_step: float
    parents: Integers  # [B]

    def __post_init__(self) -> None:
        for field in ("moved", "moves", "parents"):
            value = np.ascontiguousarray(getattr(self, field), np.int32)
            object.__setattr__(self, field, value)
        if list(self.latents) != list(self.decoders) or set(self.latents) - set(LATENT_GROUPS):
            raise _wrong("latents", list(self.latents), f"some of {LATENT_GROUPS}, as decoders")
        for kind, dtype in (("latents", np.int32), ("decoders", np.float32)):
            values = {k: np.ascontiguousarray(v, dtype) for k, v in getattr(self, kind).items()}
            object.__setattr__(self, kind, values)
        for group, latents in self.latents.items():
            decoder = self.decoders[group]
            if latents.ndim != 2 or decoder.ndim != 2 or latents.shape[1] != len(decoder):
                found = f"shapes {latents.shape} and {decoder.shape}"
                raise _wrong(group, found, "[N, L] and [L, d]")
            if not np.isfinite(decoder).all():
                raise _wrong(group, "a decoder that is not finite", "finite numbers")
            if np.abs(latents, dtype=np.int64).max(initial=0) > MAX_LATENT:
                raise _wrong(group, "a latent too large", f"at most {MAX_LATENT}")
        if self.moves.shape != (*self.moved.shape, 3) or self.moved.ndim != 1:
            raise _wrong("moves", self.moves.shape, f"three for each of {self.moved.shape}")
        if (np.diff(self.moved) <= 0).any() or self.moved.min(initial=0) < 0:
            raise _wrong("moved", "Gaussians out of order", "ascending numbers")
        if self.parents.ndim != 1 or (np.diff(self.parents) < 0).any():
            raise _wrong("parents", "Gaussians out of order", "ascending numbers")
        if not (np.isfinite(self.move_step) and self.move_step > 0):
            raise _wrong("move_step", self.move_step, "more than 0")

    @property
    def births(self) -> int:
        """Number of new Gaussians."""
        return len(self.parents)


def group_of(scene: Gaussians, group: str) -> Array:  # [N, d]
    """A latent group of a scene, one row per Gaussian."""
    if group == "sh0":
        return scene.sh[:, 0]
    if group == "shN":
        return scene.sh[:, 1:].reshape(len(scene), -1)
    value: Array = getattr(scene, group)
    return value.reshape(len(scene), -1)


def width_of(scene: Gaussians, group: str) -> int:
    """Numbers per Gaussian in a latent group; 0: the scene has none of it."""
    if group == "shN":
        return 3 * int(scene.sh.shape[1]) - 3
    return {"sh0": 3, "quats": 4, "log_scales": 3, "opacity_logits": 1}[group]


def apply(previous: Gaussians, frame: LatentFrame) -> Gaussians:
    """The frame after ``previous``: the same bits on every machine.

    Sums are of doubles, one latent dimension after the other, and only the result is rounded to
    float32; a library's matrix product would sum in an order of its own.

    Raises:
        InputError: The frame does not fit the scene before it.
    """
    now = _with_births(previous, frame.parents)
    changed = {group: _changed(now, frame, group) for group in frame.latents}
    sh = now.sh.copy()
    if "sh0" in changed:
        sh[:, 0] = changed.pop("sh0")
    if "shN" in changed:
        sh[:, 1:] = changed.pop("shN").reshape(len(now), -1, 3)
    values = {name: value.reshape(getattr(now, name).shape) for name, value in changed.items()}
    return now.replace(means=_moved(now, frame), sh=sh, **values)


def _with_births(previous: Gaussians, parents: Integers) -> Gaussians:
    if len(parents) == 0:
        return previous
    if parents.min() < 0 or parents.max() >= len(previous):
        raise _wrong("parents", f"{parents.min()} to {parents.max()}", f"below {len(previous)}")
    born = {name: getattr(previous, name)[parents] for name in ATTRIBUTES}
    return previous.replace(
        **{name: np.concatenate([getattr(previous, name), born[name]]) for name in ATTRIBUTES}
    )


def _changed(scene: Gaussians, frame: LatentFrame, group: str) -> Array:  # [N, d]
    before = group_of(scene, group)
    latents, decoder = frame.latents[group], frame.decoders[group].astype(np.float64)
    if latents.shape[0] != before.shape[0] or decoder.shape[1] != before.shape[1]:
        found = f"{latents.shape[0]} rows, {decoder.shape[1]} wide"
        raise _wrong(group, found, f"{before.shape[0]} rows, {before.shape[1]} wide")
    change = np.zeros(before.shape)
    for row, weights in zip(latents.T, decoder, strict=True):
        if row.any():
            change += row.astype(np.float64)[:, None] * weights
    return (before.astype(np.float64) + change).astype(np.float32)


def _moved(scene: Gaussians, frame: LatentFrame) -> Array:  # [N, 3]
    if frame.moved.max(initial=-1) >= len(scene):
        raise _wrong("moved", frame.moved.max(), f"below {len(scene)}")
    means = scene.means.copy()
    way = frame.moves.astype(np.float64) * frame.move_step
    means[frame.moved] = (means[frame.moved].astype(np.float64) + way).astype(np.float32)
    return means


def _wrong(field: str, found: object, expected: object) -> InputError:
    return InputError("latent frame", field, found=found, expected=expected)
