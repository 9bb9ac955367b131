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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.codecs.quantize import rounded
from gscompress.codecs.scene import GROUPS
from gscompress.config import Config
from gscompress.gaussians import Array
from gscompress.importance import pick_views
from gscompress.rate.encoder import Encoder
from gscompress.rate.sample import Views
from gscompress.stages.base import Context

__all__ = ["Slope", "allocate", "shares_of_steps"]

log = logging.getLogger(__name__)

_TRIAL = 1.5
"""Factor by which steps are widened to see what comes of it."""

_SAMPLE = 20_000
"""So many Gaussians tell as much about the steps as all: views differ by more than parts do."""

_NARROWEST, _WIDEST = 0.4, 2.5
"""How far steps are moved at most: what was measured holds nearby."""

_MEANS_GAIN = 0.03
"""Octaves of squared error that other bits of positions must gain: they order the scene anew."""

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

    All is tried on a part of the scene. Errors are relative to those that the configuration makes
    at the same view, so that all views count alike, as they do in a mean PSNR.

    Args:
        config: Where to start from. ``allocate`` says from how many training cameras to judge.
        encoder: Encodes the scene.
        ctx: Gives cameras and renderer.
    """
    if config.allocate == 0 or len(encoder.scene) == 0:
        return config
    trials = _Trials(config, encoder, ctx)
    groups = _groups(config)
    told = ctx.step("allocate")
    slopes = []
    for number, (name, widen) in enumerate(groups.items(), 1):
        slopes.append(trials.slope(name if name in GROUPS else "sh", widen(config, _TRIAL)))
        if told is not None:
            told(number, len(groups))
    octave_bytes = sum(slope.octave_bytes for slope in slopes)
    if octave_bytes <= 0:
        return config
    bits, factors, promised = _best(slopes, trials.slope_of_means(config))
    found = _widened(_coarser(config, bits), groups.values(), factors)
    # Widening all steps of the configuration by so many octaves would save as much as is saved.
    octaves, change = trials.compare(found, octave_bytes)
    gains = 2 * octaves - change, promised
    log.info("allocation: %s, %d, %s", dict(zip(groups, slopes, strict=True)), bits, gains)
    if not sum(gains) > 0:
        return config
    # Bytes do not follow the logarithm of steps exactly: what is missing comes from all of them.
    factors = [factor * 2**-octaves for factor in factors]
    return _widened(_coarser(config, bits), groups.values(), factors)


def _best(slopes: Sequence[Slope], means: Slope | None) -> tuple[int, list[float], float]:
    """By how many bits to coarsen positions, the factors of the other steps, and what is promised.

    That is how many octaves the squared error falls if slopes, of errors relative to all, hold.
    """
    found = []
    for bits in (0, 1, -1) if means is not None else (0,):
        save = -bits * means.octave_bytes if means is not None else 0.0
        factors = shares_of_steps(slopes, save)
        moved = sum(s.error * (f**2 - 1) for s, f in zip(slopes, factors, strict=True))
        if means is not None:
            moved += means.error * (4.0**bits - 1)
            # Clipped factors may save less than they should.
            lacking = save - sum(
                s.octave_bytes * np.log2(f) for s, f in zip(slopes, factors, strict=True)
            )
            octaves = lacking / sum(slope.octave_bytes for slope in slopes)
        else:
            octaves = 0.0
        promised = -np.log2(max(1 + moved, _LEAST)) - 2 * octaves
        found.append((bits, factors, float(promised)))
    return max(found, key=lambda one: one[2] - (_MEANS_GAIN if one[0] else 0))


def _coarser(config: Config, bits: int) -> Config:
    """With positions coarser by some bits."""
    return _with(config, "means", config.attributes["means"].scaled(2.0**bits))


class _Trials:
    """Codes a part of the scene in other steps, and looks at what comes of it.

    A group's error is that of images in which all else is as it came. Against images in which all
    is coded it would be lost in the noise: what the others' errors and its own make together is
    nothing on the average, but large.
    """

    def __init__(self, config: Config, encoder: Encoder, ctx: Context) -> None:
        arranged, self._part = encoder.part(config, _SAMPLE)
        self._views = Views(arranged, self._part.rows, _judging(config, ctx), ctx.renderer)
        self._base = self._part.code(config)
        self._before = np.maximum(self._errors(self._base.values), _LEAST)
        self._known: dict[str, float] = {}

    def slope(self, group: str, config: Config) -> Slope:
        """What steps do that are ``_TRIAL`` times as wide in ``config``."""
        size, values = self._base.trial(group, config)
        error = self._relative({group: values}) / _TRIAL**2
        if group == "sh":  # not all of its steps change, and its errors are no mere rounding
            if group not in self._known:
                self._known[group] = self._relative({group: self._base.values[group]})
            error = (error * _TRIAL**2 - self._known[group]) / (_TRIAL**2 - 1)
        return Slope((self._base.bytes[group] - size) / np.log2(_TRIAL), error)

    def slope_of_means(self, config: Config) -> Slope | None:
        """What a bit of the positions does; None where there is none to be saved."""
        coarser = _coarser(config, 1)
        if coarser == config:
            return None
        size, values = self._base.trial("means", coarser)
        error = self._relative({"means": values}) / 4
        return Slope(float(self._base.bytes["means"] - size), error)

    def compare(self, config: Config, octave_bytes: float) -> tuple[float, float]:
        """Octaves by which bytes and mean squared errors fall and rise under ``config``."""
        coded = self._part.code(config)
        saved = sum(self._base.bytes.values()) - sum(coded.bytes.values())
        ratios = np.maximum(self._errors(coded.values), _LEAST) / self._before
        return saved / octave_bytes, float(np.mean(np.log2(ratios)))

    def _relative(self, values: Mapping[str, Array]) -> float:
        return float(np.mean(self._errors(values) / self._before))

    def _errors(self, values: Mapping[str, Array]) -> NDArray[np.float64]:
        """Of each view, with ``values`` in place of what came."""
        came = {group: getattr(self._part.scene, GROUPS[group]) for group in values}
        errors = self._views.put(values).errors()
        self._views.put(came)
        return errors


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
    known = set(map(id, pick_views(ctx.cameras, getattr(config.attributes["sh"], "views", 0))))
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
