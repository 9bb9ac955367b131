"""The Gaussians of a group of frames: slots whose values are a key plus accumulated integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stream.layout import GROUPS, Layout, Steps, octaves_of

__all__ = ["FRACTION", "Slots"]

FRACTION = 16
"""Accumulated integers are in units of a step / 16: trajectories are finer than their steps."""

ALL = slice(None)
_PART = 1 << 16
"""Slots that are looked at at a time."""

_SMALLEST_COSINE = 0.1
"""Half-angle cosine at which a rotation is as far from the key's as it can be coded."""

Integers = NDArray[np.int32]


class Slots:
    """Slots 0 to N - 1; the value of each is that of the key plus unit * accumulated integer.

    A decoded frame depends on the sums alone, in IEEE 754 doubles that are rounded to float32 at
    the end, and so is the same on every machine and however it was reached.

    Args:
        key: The decoded key frame, in slot order.
        steps: Of the group.

    Attributes:
        layout: The channels.
        steps: As given; see `rebase`.
        alive: Which slots hold a Gaussian [N].
        octaves: By slot, how many times the steps of positions, rotations and other attributes
            double [N, 3].
    """

    def __init__(self, key: Gaussians, steps: Steps) -> None:
        self.layout = Layout(key.sh_degree)
        self.alive = np.ones(len(key), np.bool_)
        self._set_key(key)
        self._set_steps(steps)

    def __len__(self) -> int:
        return len(self.alive)

    def _set_key(self, key: Gaussians) -> None:
        self._key = key
        self._now = {name: getattr(key, name).copy() for name in ATTRIBUTES}
        self._sums = np.zeros((len(key), self.layout.channels), np.int32)

    @property
    def key(self) -> Gaussians:
        """What the sums are relative to."""
        return self._key

    def copy(self) -> Slots:
        """One that goes its own way."""
        other = object.__new__(Slots)
        other.__dict__.update(self.__dict__)
        other.alive = self.alive.copy()
        other._sums = self._sums.copy()
        other._now = {name: values.copy() for name, values in self._now.items()}
        return other

    def rebase(self, steps: Steps) -> None:
        """Go on from the present values with other steps; with the same ones nothing changes."""
        if steps == self.steps:
            return
        if self._sums.any():
            self._set_key(self.everything())
        self._set_steps(steps)

    def _set_steps(self, steps: Steps) -> None:
        self.steps = steps
        self.octaves = octaves_of(self._key, steps.visible)
        self._units = self._units_of(self.octaves)

    def append(self, parents: NDArray[np.int64]) -> None:
        """Give the next slots to copies of what is in these."""
        present = self.everything()
        born = present.select(parents)
        self._key = _joined(self._key, born)
        self._now = {
            name: np.concatenate([getattr(present, name), getattr(born, name)])
            for name in ATTRIBUTES
        }
        more = np.zeros((len(born), self.layout.channels), np.int32)
        self._sums = np.concatenate([self._sums, more])
        self.alive = np.concatenate([self.alive, np.ones(len(born), np.bool_)])
        octaves = octaves_of(born, self.steps.visible)
        self.octaves = np.concatenate([self.octaves, octaves])
        self._units = np.concatenate([self._units, self._units_of(octaves)])

    def retire(self, slots: NDArray[np.intp] | Integers) -> None:
        """The Gaussians of these slots are gone."""
        self.alive[slots] = False

    def scene(self) -> Gaussians:
        """The Gaussians there are, in slot order."""
        if self.alive.all():
            return self.everything()
        return self._key.replace(**{name: now[self.alive] for name, now in self._now.items()})

    def move(self, slots: Integers, changes: Integers) -> None:
        """Add changes [M, C], in units, to the sums of different slots [M]."""
        with np.errstate(over="ignore"):
            self._sums[slots] += changes
        self._update(slots)

    def sums(self, slots: Integers) -> Integers:
        """A copy of the sums [M, C] of slots [M]."""
        return self._sums[slots]

    def wanted(self, target: Gaussians, part: slice = ALL) -> NDArray[np.float64]:  # [M, C]
        """The sums, in steps, that would give ``target`` (in slot order) without any error.

        Args:
            target: The Gaussians of all slots.
            part: The slots that are asked about.
        """
        step = self.step_of(part)
        out, slices = np.empty(step.shape), self.layout.slices
        key = {name: getattr(self.key, name)[part] for name in _FIELDS}
        to = {name: getattr(target, name)[part] for name in _FIELDS}
        out[:, slices["means"]] = to["means"].astype(np.float64) - key["means"]
        out[:, slices["quats"]] = _rotation_between(key["quats"], to["quats"])
        out[:, slices["scales"]] = to["log_scales"].astype(np.float64) - key["log_scales"]
        logits = to["opacity_logits"].astype(np.float64) - key["opacity_logits"]
        out[:, slices["opacities"]] = logits[:, None]
        difference = to["sh"].astype(np.float64) - key["sh"]
        out[:, slices["sh0"]] = difference[:, 0]
        if "shN" in slices:
            out[:, slices["shN"]] = difference[:, 1:].reshape(len(out), -1)
        out /= step
        return out

    def present(self, part: slice = ALL) -> NDArray[np.float64]:  # [M, C]
        """The sums, in steps."""
        return self._sums[part] / FRACTION

    def step_of(self, part: slice = ALL) -> NDArray[np.float64]:  # [M, C]
        """The step of each channel."""
        octaves = self.octaves[part]
        out = np.empty((len(octaves), self.layout.channels))
        for k, channels in enumerate(self.layout.slices.values()):
            out[:, channels] = self.steps.of(k, octaves)[:, None]
        return out

    def parts(self) -> Iterator[slice]:
        """All slots, some at a time: several numbers for each channel of all would be large."""
        for first in range(0, len(self), _PART):
            yield slice(first, min(first + _PART, len(self)))

    def _units_of(self, octaves: NDArray[np.int8]) -> NDArray[np.float64]:  # [M, groups]
        """A step / 16 of each group."""
        return np.stack([self.steps.of(k, octaves) / FRACTION for k in range(len(GROUPS))], axis=1)

    def everything(self) -> Gaussians:
        """What is in all slots, the empty ones included."""
        return self._key.replace(**{name: self._now[name].copy() for name in ATTRIBUTES})

    def _update(self, slots: Integers) -> None:
        """Compute the present values of some slots from their sums."""
        key = [getattr(self._key, name) for name in _FIELDS]
        now = [self._now[name] for name in _FIELDS]
        _native.update_slots(slots, self._sums, self._units, key, now)


_FIELDS = ("means", "quats", "log_scales", "opacity_logits", "sh")


def _joined(a: Gaussians, b: Gaussians) -> Gaussians:
    return a.replace(
        **{name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ATTRIBUTES}
    )


def _rotation_between(
    key: NDArray[np.floating], target: NDArray[np.floating]
) -> NDArray[np.float64]:  # [N, 3]
    """The v with (1, v) times key parallel to target."""
    w, x, y, z = key.astype(np.float64).T
    a, b, c, d = target.astype(np.float64).T
    # target times the conjugate of key
    real = a * w + b * x + c * y + d * z
    vector = np.stack(
        [
            b * w - a * x + d * y - c * z,
            c * w - a * y + b * z - d * x,
            d * w - a * z + c * x - b * y,
        ],
        axis=1,
    )
    length = np.sqrt(real * real + np.sum(vector * vector, axis=1))
    least = _SMALLEST_COSINE * np.maximum(length, 1e-30)
    real = np.where(np.abs(real) < least, np.where(real < 0, -least, least), real)
    return np.asarray(vector / real[:, None])
