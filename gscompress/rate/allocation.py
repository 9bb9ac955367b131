"""How fine each attribute of this scene deserves to be: equal gains for the last byte of each.

Steps that suit one scene waste bytes on another. So the encoder measures, for each group of
attributes, how many bytes and how much squared error of the images a change of its steps by itself
makes, and moves the steps so that a byte gains the same wherever it is spent, at about the size
that the configuration had: the Lagrangian condition of Y. Shoham and A. Gersho, "Efficient bit
allocation for an arbitrary set of quantizers" (1988). What was found is in the file's header.
"""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.codecs.quantize import rounded
from gscompress.codecs.scene import GROUPS
from gscompress.config import Config
from gscompress.gaussians import Array
from gscompress.importance import pick_views
from gscompress.rate.encoder import Encoder
from gscompress.rate.sample import Coded, Views
from gscompress.stages.base import Context

__all__ = ["Slope", "allocate", "bits_and_factors", "shares_of_steps"]

log = logging.getLogger(__name__)

_TRIAL = 1.5
"""Factor by which steps are widened to see what comes of it."""

_SAMPLE = 20_000
"""So many Gaussians tell as much about the steps as all: views differ by more than parts do."""

_NARROWEST, _WIDEST = 0.4, 2.5
"""How far steps are moved at most: what was measured holds nearby."""

_TRUST = 0.75
"""Measured on four scenes at views that nobody knew: where factors are far from 1, little is lost
by it, where they are near, it gains what noise would have cost."""

_MEANS_GAIN = 0.03
"""Octaves of squared error that other bits of positions must gain: they order the scene anew."""

_BITS = (0, 1, -1, 2)
"""By how many bits positions may become coarser."""

_AGAIN = 0.15
"""Octaves of squared error: where steps have moved that far, what they do is measured again."""

_ROUNDS = 3

_LEAST = 1e-30
"""Squared errors below it are none."""


@dataclass(frozen=True)
class Slope:
    """What the steps of one group do.

    Attributes:
        octave_bytes: Bytes saved when they double.
        error: Squared error of the images that they make, in any unit; it grows with their square.
    """

    octave_bytes: float
    error: float


def allocate(config: Config, encoder: Encoder, ctx: Context) -> Config:
    """The configuration with steps that suit the scene, where ``config.allocate`` asks for it.

    Errors are relative to those that the configuration makes at the same view, so that all views
    count alike, as they do in a mean PSNR.

    Args:
        config: Where to start from. ``allocate`` says from how many training cameras to judge.
        encoder: Encodes the scene.
        ctx: Gives cameras and renderer.
    """
    if config.allocate == 0 or len(encoder.scene) == 0:
        return config
    for _ in range(_ROUNDS):
        config, gain = _better(config, encoder, ctx)
        if gain < _AGAIN:
            break
    return config


def _better(config: Config, encoder: Encoder, ctx: Context) -> tuple[Config, float]:
    """Steps that suit the scene better, and by how many octaves the squared error should fall."""
    trials = _Trials(config, encoder, ctx)
    groups = _groups(config)
    told = ctx.step("allocate")
    effects = [trials.effect("means", _coarser(config, 1), 2.0)]
    for number, (name, widen) in enumerate(groups.items(), 1):
        group = name if name in GROUPS else "sh"
        effects.append(trials.effect(group, widen(config, _TRIAL), _TRIAL))
        if told is not None:
            told(number, len(groups))
    before = np.maximum(sum(trials.errors.values()), _LEAST)
    means, *slopes = [Slope(e.octave_bytes, float(np.mean(e.errors / before))) for e in effects]
    octave_bytes = sum(slope.octave_bytes for slope in slopes)
    if octave_bytes <= 0:
        return config, 0.0
    bits, factors, gain = bits_and_factors(slopes, means)
    log.info("allocation: %s, %s, %d, gain %.3f", means, slopes, bits, gain)
    if gain <= 0:
        return config, 0.0
    # Bytes do not follow the logarithm of steps exactly: what is missing comes from all of them.
    coarser = _coarser(config, bits)
    saved = trials.saved(_widened(coarser, groups.values(), factors))
    rest = 2.0 ** (-saved / octave_bytes)
    return _widened(coarser, groups.values(), [factor * rest for factor in factors]), gain


def bits_and_factors(slopes: Sequence[Slope], means: Slope) -> tuple[int, list[float], float]:
    """By how many bits to coarsen positions, the factors of the other steps, and the gain.

    That is how many octaves the squared error falls if slopes, of errors relative to all, hold.
    """
    found = []
    b, e = np.array([(slope.octave_bytes, slope.error) for slope in slopes]).T
    for bits in _BITS if means.octave_bytes > 0 else (0,):
        save = -bits * means.octave_bytes
        factors = np.array(shares_of_steps(_cautious(slopes), save))
        moved = e @ (factors**2 - 1) + means.error * (4.0**bits - 1)
        lacking = (save - b @ np.log2(factors)) / b.sum()  # factors are limited
        gain = -np.log2(max(1 + moved, _LEAST)) - 2 * lacking
        found.append((bits, factors.tolist(), float(gain)))
    return max(found, key=lambda one: one[2] - (_MEANS_GAIN if one[0] else 0))


def _cautious(slopes: Sequence[Slope]) -> list[Slope]:
    """Slopes that ask for the factors to the power of ``_TRUST``: a few views are not all."""
    gains = [s.error / s.octave_bytes for s in slopes if s.octave_bytes > 0]
    usual = float(np.exp(np.mean(np.log(np.maximum(gains, _LEAST)))))
    return [
        Slope(s.octave_bytes, _toward(s.error, usual * s.octave_bytes)) if s.octave_bytes > 0 else s
        for s in slopes
    ]


def _toward(error: float, usual: float) -> float:
    return float(max(error, _LEAST) ** _TRUST * usual ** (1 - _TRUST))


@dataclass(frozen=True, eq=False)
class _Effect:
    """What wider steps of a group do: as `Slope`, with the errors [V] of each view."""

    octave_bytes: float
    errors: NDArray[np.float64]


class _Trials:
    """Codes groups in other steps, and looks at what comes of it.

    A group's error is that of images in which all else is as it came. Against images in which all
    is coded it would be lost in the noise: what the others' errors and its own make together is
    nothing on the average, but large.

    Choosing the harmonics' integers takes long. It is done for a part of the scene, and what that
    shows in the images stands for all, by the squared blending weights of either.

    Attributes:
        errors: Of each view as configured, by the groups of which an effect was asked.
    """

    def __init__(self, config: Config, encoder: Encoder, ctx: Context) -> None:
        self.errors: dict[str, NDArray[np.float64]] = {}
        self._part, whole = encoder.part(config, _SAMPLE), encoder.whole(config)
        self._coded, self._whole = self._part.under(config), whole.under(config)
        self._rows = dict.fromkeys(GROUPS, whole.rows)
        self._views = Views(whole.scene, _judging(config, ctx), ctx.renderer)
        self._share = 1.0
        codec: Any = config.attributes["sh"]
        sightings = whole.guidance.sightings
        views: int = getattr(codec, "views", 0)
        if sightings is not None and views > 0 and whole.scene.sh_degree > 0:
            adapt: int = getattr(codec, "adapt", 0)
            factors = whole.begun.step_factors(adapt)
            seen = sightings.visibility() * factors**2
            self._rows["sh"] = self._part.rows
            self._share = max(float(seen[self._part.rows].sum() / max(seen.sum(), _LEAST)), _LEAST)

    def effect(self, group: str, config: Config, factor: float) -> _Effect:
        """What steps do that are ``factor`` times as wide in ``config``."""
        saved = self._coded.group(group)[0] - self._coded.trial(group, config)[0]
        errors = self._errors(group, self._of(group).trial(group, config)[1])
        if group == "sh":  # not all of its steps change, and its errors are no mere rounding
            if group not in self.errors:
                self.errors[group] = self._errors(group, self._of(group).group(group)[1])
            errors = (errors - self.errors[group]) / (factor**2 - 1)
        else:
            self.errors[group] = errors = errors / factor**2
        return _Effect(saved / np.log2(factor), errors)

    def saved(self, config: Config) -> int:
        """Bytes of the part that another configuration saves."""
        return self._coded.bytes() - self._part.under(config).bytes()

    def _of(self, group: str) -> Coded:
        return self._coded if group == "sh" and self._share < 1 else self._whole

    def _errors(self, group: str, values: Array) -> NDArray[np.float64]:
        found = self._views.errors(group, self._rows[group], values)
        return found / self._share if group == "sh" else found


def _coarser(config: Config, bits: int) -> Config:
    """With positions coarser by some bits."""
    return _with(config, "means", config.attributes["means"].scaled(2.0**bits))


def shares_of_steps(slopes: Sequence[Slope], save: float = 0.0) -> list[float]:
    """Factors of the steps at which the last byte of each group gains the same.

    Bytes are -b log2(m) and the error is e m^2 in the factor m: a byte gains the same where
    e m^2 / b is the same. Together the factors save ``save`` bytes, as far as they may move.
    """
    b = np.array([max(slope.octave_bytes, 0.0) for slope in slopes])
    e = np.array([max(slope.error, 1e-30) for slope in slopes])
    wanted = np.sqrt(np.maximum(b, 1e-30) / e)

    def factors(scale: float) -> np.ndarray:
        moved = np.clip(wanted * scale, _NARROWEST, _WIDEST)
        return np.where(b > 0, moved, 1.0)

    low, high = _NARROWEST / wanted.max(), _WIDEST / wanted.min()
    for _ in range(60):
        middle = float(np.sqrt(low * high))
        saved = float(np.sum(b * np.log2(factors(middle))))
        low, high = (low, middle) if saved > save else (middle, high)
    return [float(f) for f in factors(low)]


def _widened(config: Config, groups: Iterable[Widen], factors: Sequence[float]) -> Config:
    for widen, factor in zip(groups, factors, strict=True):
        config = widen(config, factor)
    return config


def _judging(config: Config, ctx: Context) -> Sequence[Camera]:
    """Views for which the harmonics were not chosen, where there are enough of them."""
    codec: Any = config.attributes["sh"]
    known = set(map(id, pick_views(ctx.cameras, getattr(codec, "views", 0))))
    others = [camera for camera in ctx.cameras if id(camera) not in known]
    return pick_views(others if len(others) >= config.allocate else ctx.cameras, config.allocate)


Widen = Callable[[Config, float], Config]


def _groups(config: Config) -> dict[str, Widen]:
    """What can be widened by itself, and how; but for positions, which move in whole bits."""
    groups: dict[str, Widen] = {
        group: _widener(group) for group in ("opacities", "scales", "quats")
    }
    if hasattr(config.attributes["sh"], "sh_step"):
        groups |= {"sh0": _sh_widener("step"), "shN": _sh_widener("sh_step")}
    else:
        groups["sh"] = _widener("sh")
    return groups


def _widener(group: str) -> Widen:
    def widen(config: Config, factor: float) -> Config:
        return _with(config, group, config.attributes[group].scaled(factor))

    return widen


def _sh_widener(field: str) -> Widen:
    def widen(config: Config, factor: float) -> Config:
        codec = config.attributes["sh"]
        step = rounded(getattr(codec, field) * factor)
        return _with(config, "sh", replace(codec, **{field: step}))  # type: ignore[type-var]

    return widen


def _with(config: Config, group: str, codec: object) -> Config:
    attributes = types.MappingProxyType({**config.attributes, group: codec})
    return replace(config, attributes=attributes)  # type: ignore[arg-type]
