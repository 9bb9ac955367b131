"""Finding the octaves at which a monotone measure (size, PSNR) falls into a window."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gscompress.config import Config
from gscompress.rate.encoder import Encoded, Encoder
from gscompress.rate.scale import MAX_OCTAVES, MIN_OCTAVES, scaled
from gscompress.rate.trim import trim, trimmed

__all__ = ["FAR", "Search", "Trial", "Unreachable", "Window"]

_STEPS_IN_WHOLE_NUMBERS = ("means", "opacities")
_SHAKEN = "opacities"
_SHAKE = 0.1
"""By so many octaves, and twice that, and so on, up and down in turns, these steps are moved alone
where all together miss the window: a few large Gaussians may jump at one step by more than that."""
_NEAR = 0.6
"""Once a trial is expected to be this near (in octaves), whole numbers stay as they are."""
_STRAY = 0.7
"""So far from where they were fixed they are fixed anew, once: they may be all that limits quality.
Again and again, a target within a jump would be left from either side."""
FAR = 0.5
"""From so many octaves on, steps that were allocated elsewhere are allocated anew."""
_SMOOTH = 0.05
"""Between nearer octaves the noise of quantization hides the slope."""
_MAX_TRIALS = 32
_PATIENCE = 5
_TRIM_AFTER = 7
_REACH = 0.3
"""Trials at most so many octaves above the window are trimmed; half as many after each failure."""
_MIN_STRIDE, _MAX_STRIDE = 2e-3, 3.0


@dataclass(frozen=True)
class Window:
    """What a measure shall become.

    Attributes:
        low: At least.
        high: At most.
        slope: By how much the measure grows per octave, about.
        inner: The first trials are to come into this share of the window, around its middle.
    """

    low: float
    high: float
    slope: float
    inner: float = 1.0

    @property
    def aim(self) -> float:
        """Its middle."""
        return (self.low + self.high) / 2

    def accepts(self, measure: float, trials: int) -> bool:
        """Whether a measure will do after so many trials."""
        share = self.inner if trials <= _PATIENCE else 1.0
        return abs(measure - self.aim) <= share * (self.high - self.low) / 2


@dataclass(frozen=True, eq=False)
class Trial:
    """One encoding and its measure."""

    octaves: float
    measure: float
    config: Config
    encoded: Encoded


class Unreachable(Exception):
    """The window cannot be reached; ``nearest`` is the trial that comes closest."""

    def __init__(self, nearest: Trial) -> None:
        super().__init__("unreachable")
        self.nearest = nearest


class Search:
    """Secant steps within a shrinking bracket, first over the whole scale, then over the rest.

    The steps of some codecs come in whole numbers, so that size and quality jump there. Where the
    target is near they are fixed, and the other steps, which are continuous, do the rest. Where the
    measure jumps all the same, what is a little above the window is trimmed into it.

    Args:
        config: What is scaled.
        encoder: Encodes.
        measure: Grows with the octaves.
        allocate: Gives a configuration of about the same size whose steps suit the scene better;
            asked once, where the target is near but far from ``config``.
    """

    def __init__(
        self,
        config: Config,
        encoder: Encoder,
        measure: Callable[[Encoded], float],
        allocate: Callable[[Config], Config] = lambda config: config,
    ) -> None:
        self._config = config
        self._origin, self._moved = 0.0, False  # of the octaves: where `_config` is
        self._encoder = encoder
        self._measure = measure
        self._allocate = allocate
        self._fixed: dict[str, Any] | None = None
        self._fixed_at: list[float] = []  # octaves
        self._shakes = 0
        self._above: tuple[float, float, Config] | None = None  # measure, octaves
        self._reach = _REACH
        self._low: float | None = None  # the bracket, in octaves
        self._high: float | None = None

    def run(self, window: Window, start: float = 0.0) -> Trial:
        """Find a trial within the window, from some octaves on.

        Raises:
            Unreachable: There is none.
        """
        octaves, slope = start, window.slope
        last: tuple[float, float] | None = None  # octaves, measure
        best: Trial | None = None  # scenes are large: no other trial is kept
        for trials in range(1, _MAX_TRIALS + 1):
            trial = self._try(octaves)
            best = _nearer(best, trial, window)
            if window.accepts(best.measure, trials):
                return best
            self._look_above(trial, window)
            if trials >= _TRIM_AFTER and self._above is not None:
                best = self._trim(best, window)
                if window.accepts(best.measure, _MAX_TRIALS):
                    return best
            self._bracket(trial, window)
            if self._at_the_end(trial, window):
                raise Unreachable(trial)
            slope = _slope(last, trial, slope, window.slope)
            octaves = self._within(trial.octaves + _stride(window.aim - trial.measure, slope))
            last = trial.octaves, trial.measure
            if self._fixed is None and abs(octaves - trial.octaves) <= _NEAR:
                if self._move(octaves):
                    last, slope = None, window.slope
                else:
                    self._fix(octaves)
            elif self._has_strayed(octaves):
                self._fix(octaves)
        assert best is not None
        raise Unreachable(best)

    def _try(self, octaves: float) -> Trial:
        config = self._scaled(octaves)
        if self._fixed is not None:
            attributes = types.MappingProxyType({**config.attributes, **self._fixed})
            config = replace(config, attributes=attributes)
        return self._encode(octaves, config)

    def _encode(self, octaves: float, config: Config) -> Trial:
        encoded = self._encoder.encode(config)
        return Trial(octaves, self._measure(encoded), config, encoded)

    def _look_above(self, trial: Trial, window: Window) -> None:
        """Remember it if it is above the window, and less so than any other, but within reach."""
        excess = trial.measure - window.high
        known = math.inf if self._above is None else self._above[0]
        if 0 < excess <= self._reach * window.slope and trial.measure < known:
            self._above = trial.measure, trial.octaves, trial.config

    def _trim(self, best: Trial, window: Window) -> Trial:
        """Trim what is above the window. Gives the nearest trial of these and ``best``."""
        assert self._above is not None
        (start, octaves, config), self._above = self._above, None
        self._reach /= 2

        def measure(share: float) -> float:
            nonlocal best
            trial = self._encode(octaves, trimmed(config, share))
            best = _nearer(best, trial, window)
            return trial.measure

        if trimmed(config, 1.0) != config:
            trim(measure, start, window.low, window.high)
        return best

    def _scaled(self, octaves: float) -> Config:
        return scaled(self._config, octaves - self._origin)

    def _move(self, octaves: float) -> bool:
        """Allocate where the target seems to be, if that was not done; voids what was found."""
        if self._moved or abs(octaves) <= FAR:
            return False
        self._moved, there = True, self._scaled(octaves)
        better = self._allocate(there)
        if better is there:
            return False
        self._config, self._origin = better, octaves
        self._low = self._high = None
        return True

    def _fix(self, octaves: float) -> None:
        """From now on whole numbers are those of ``octaves``; what was found before is void."""
        self._fixed_at.append(octaves)
        attributes = self._scaled(octaves).attributes
        self._fixed = {group: attributes[group] for group in _STEPS_IN_WHOLE_NUMBERS}
        self._low = self._high = None

    def _has_strayed(self, octaves: float) -> bool:
        """Whether the fixed whole numbers are those of somewhere else."""
        return len(self._fixed_at) == 1 and abs(octaves - self._fixed_at[0]) > _STRAY

    def _shake(self, octaves: float) -> None:
        """Try other whole numbers, within a new bracket."""
        self._low = self._high = None
        if self._fixed is not None:
            self._shakes += 1
            way = _SHAKE * ((self._shakes + 1) // 2) * (1 if self._shakes % 2 else -1)
            codec = self._scaled(octaves + way).attributes[_SHAKEN]
            self._fixed = {**self._fixed, _SHAKEN: codec}

    def _bracket(self, trial: Trial, window: Window) -> None:
        if trial.measure < window.low:
            self._low = trial.octaves
        else:
            self._high = trial.octaves

    def _at_the_end(self, trial: Trial, window: Window) -> bool:
        below = trial.measure < window.low
        return (below and trial.octaves >= MAX_OCTAVES) or (
            not below and trial.octaves <= MIN_OCTAVES
        )

    def _within(self, octaves: float) -> float:
        """The octaves inside the bracket, not too near to its ends, and inside the scale.

        A bracket as narrow as the noise means nothing.
        """
        if self._low is not None and self._high is not None:
            margin = (self._high - self._low) / 16
            if self._high - self._low < _SMOOTH / 2:
                self._shake(octaves)
            elif not self._low + margin <= octaves <= self._high - margin:
                octaves = (self._low + self._high) / 2
        return max(MIN_OCTAVES, min(MAX_OCTAVES, octaves))


def _stride(missing: float, slope: float) -> float:
    """Octaves to go, neither so many that the slope means nothing nor so few that nothing moves."""
    stride = missing / slope
    return math.copysign(min(max(abs(stride), _MIN_STRIDE), _MAX_STRIDE), stride)


def _slope(last: tuple[float, float] | None, trial: Trial, slope: float, usual: float) -> float:
    """Growth per octave between the last two trials, if that is at all likely."""
    if last is None or abs(trial.octaves - last[0]) < _SMOOTH:
        return slope
    found = (trial.measure - last[1]) / (trial.octaves - last[0])
    return found if usual / 8 <= found <= usual * 8 else slope


def _nearer(best: Trial | None, trial: Trial, window: Window) -> Trial:
    """The trial nearer to the middle of the window."""
    if best is None or abs(trial.measure - window.aim) < abs(best.measure - window.aim):
        return trial
    return best
