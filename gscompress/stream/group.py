"""Encoding what changes after a key frame: wishes, prices, and what comes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.stream.attempt import Attempt, Doubles, Moment, Probe, Rows, State, followed
from gscompress.stream.axes import nearest_axes
from gscompress.stream.decoder import Track
from gscompress.stream.layout import EVEN, GROUPS, Layout, Steps, visibility_of
from gscompress.stream.segment import Frame, Segment, Turnover
from gscompress.stream.slots import FRACTION, Slots
from gscompress.stream.tracking import Matches, nearest_rows
from gscompress.stream.views import Views

__all__ = ["GroupEncoder"]

_STEP_SHARE = 1.5
"""Steps over those that are optimal where every value is sent."""

_PRICE_RANGE = 2.5
"""By how much the price may differ from the one that the steps are for."""

_MIN_FACTOR, _MAX_FACTOR = 0.5, 16.0
_LARGE_SHARE = 1e-3
_RENEWAL = 0.5
_MIN_STEP, _MAX_STEP = 2.0**-40, 2.0**10
_LIMIT = float(1 << 27)
_SLACK = 0.999


class GroupEncoder:
    """Codes the frames after a key frame, closed loop: each against what was decoded before it.

    What an error of a channel costs is its sensitivity (`Views.sensitivities`) times a factor.
    Errors of neighbours are not independent: those that moved together and were left where they
    were show together. How much of the images' error each Gaussian really has, by the gradient, is
    measured on each frame (see `learn`), and the ratio is the factor from then on.

    Args:
        key: The key frame as decoded, in slot order.
        rows: The row of the frame as it came in each slot.
        views: To judge errors from.
        bounds: The largest error by quantity, as `gscompress.rate.bounds` defines them.
        factors: Of the frame as it came, if they are known from the group before [rows, groups].
    """

    def __init__(
        self,
        key: Gaussians,
        rows: Rows,
        views: Views,
        bounds: Mapping[str, float] | None = None,
        factors: Doubles | None = None,
    ) -> None:
        self._key = key
        self._views = views
        self._bounds = dict(bounds or {})
        self._layout = Layout(key.sh_degree)
        known = np.ones((len(key), len(GROUPS))) if factors is None else factors[rows]
        self._state = State(None, rows, views.sensitivities(key), known)

    @property
    def bounded(self) -> bool:
        """Whether any error has a bound."""
        return bool(self._bounds)

    def fork(self) -> GroupEncoder:
        """One that goes its own way."""
        other = object.__new__(GroupEncoder)
        other.__dict__.update(self.__dict__)  # states are never changed in place
        return other

    def sampled(self, count: int, blocks: int) -> tuple[GroupEncoder, float]:
        """One for some of the Gaussians only, from several parts, and their share of all.

        Args:
            count: About how many.
            blocks: Of slots in a row that are taken.
        """
        state = self._state
        there = np.flatnonzero(state.rows >= 0)
        if len(there) <= count:
            chosen = there
        else:
            starts = np.linspace(0, len(there) - count // blocks, blocks).astype(int)
            parts = starts[:, None] + np.arange(count // blocks)
            chosen = there[np.unique(parts)]
        other = self.fork()
        present = self._key if state.track is None else state.track.slots.everything()
        other._key = present.select(chosen)
        other._state = State(
            None, state.rows[chosen], state.sensitivities[chosen], state.factors[chosen]
        )
        return other, len(chosen) / len(there)

    def adopt_factors(self, other: GroupEncoder) -> None:
        """Know what a fork has learned about the slots there are."""
        known = other._state.factors[: len(self._state.factors)]
        self._state = replace(self._state, factors=known)

    def factors_of(self, matches: Matches, count: int) -> Doubles:  # [count, groups]
        """The factors by row of the frame that follows, which has ``count``."""
        out = np.ones((count, len(GROUPS)))
        rows = followed(self._state.rows, matches)
        out[rows[rows >= 0]] = self._state.factors[rows >= 0]
        return out

    def attempt(self, moment: Moment, price: float, first: int) -> Attempt:
        """Code a frame at a price, mean squared error per bit; nothing is decided yet."""
        state, track = self.started(moment, price)
        slots_before = len(track.slots)
        state, turnover = self._turned(state, track, moment)
        data, slots = self.correct(track, moment, state, price)
        frame = Frame(data, turnover)
        segment = Segment("residual", first, slots_before, track.slots.steps, (frame,))
        moved = len(moment.matches.born), int(np.count_nonzero(moment.matches.rows < 0))
        rows = state.rows[state.rows >= 0]
        return Attempt(segment, [track.slots.scene()], [rows], [len(slots)], state, moved)

    def correct(
        self, track: Track, moment: Moment, state: State, price: float
    ) -> tuple[bytes, NDArray[np.int32]]:
        """Bring ``track`` nearer to a frame: the bytes, and the slots that change."""
        wish = self.wish(track.slots, moment.scene, state.rows)
        data, slots, changes = track.encode(wish, self.weights(track, state), price, 0)
        track.slots.move(slots, changes * np.int32(FRACTION))
        return data, slots

    def accept(self, attempt: Attempt) -> None:
        """Go on from there."""
        self._state = attempt.state

    def look(self, track: Track, moment: Moment, rows: Rows) -> Probe:
        """What a frame lacks where ``track`` stands."""
        missed = -self.wish(track.slots, moment.scene, rows)
        for part in track.slots.parts():
            missed[part] *= track.slots.step_of(part)
        return Probe(track.slots.everything(), missed)

    def look_here(self, moment: Moment) -> Probe:
        """What a frame lacks that was accepted."""
        assert self._state.track is not None
        return self.look(self._state.track, moment, self._state.rows)

    def error_of(self, probe: Probe) -> float:
        """The mean squared error of the images that a frame is expected to have."""
        total, state = 0.0, self._state
        for k, channels in enumerate(self._layout.slices.values()):
            missed = np.square(probe.missed[:, channels], dtype=np.float64)
            shown = (missed * state.sensitivities[:, channels]).sum(axis=1)
            total += float(shown @ state.factors[:, k])
        return total

    def learn(self, moment: Moment, pictures: Sequence[Array], *, fresh: bool = False) -> float:
        """Measure which errors show after a frame was accepted, for the next ones.

        Args:
            moment: The frame.
            pictures: Its renders, by view.
            fresh: Whether to forget what was known of it.

        Returns:
            The mean squared error of the images.
        """
        return self.learn_from([(self.look_here(moment), pictures)], fresh=fresh)

    def learn_from(
        self, probes: Sequence[tuple[Probe, Sequence[Array]]], *, fresh: bool = False
    ) -> float:
        """As `learn`, from what several frames lack; each with its renders."""
        state = self._state
        shares = np.zeros_like(state.factors)
        expected, errors = np.zeros_like(shares), 0.0
        for probe, pictures in probes:
            slopes, error = self._views.slopes(probe.scene, pictures)
            errors += error
            for k, channels in enumerate(self._layout.slices.values()):
                missed = probe.missed[:, channels].astype(np.float64)
                shares[:, k] += (missed * slopes[:, channels]).sum(axis=1) / 2
                plain = state.sensitivities[:, channels] * missed * missed
                expected[:, k] += plain.sum(axis=1)
        most = np.where(shares > _LARGE_SHARE * errors, np.inf, _MAX_FACTOR)
        factors = np.clip(shares / np.maximum(expected, 1e-30), _MIN_FACTOR, most)
        factors = np.minimum(factors, 1e9)
        factors[:, len(self._layout.widths) :] = 1.0
        if not fresh:
            factors = state.factors ** (1 - _RENEWAL) * factors**_RENEWAL
        self._state = replace(state, factors=factors)
        return errors / len(probes)

    def started(self, moment: Moment, price: float) -> tuple[State, Track]:
        """A copy of the state, with steps for this price."""
        state = self._state
        if state.track is not None:
            track = state.track.copy()
            if 1 / _PRICE_RANGE <= price / state.price <= _PRICE_RANGE:
                return replace(state, track=track), track
            present = track.slots.everything()
            track.slots.rebase(self._steps(present, moment, price))
        else:
            track = Track(self._key, self._steps(self._key, moment, price))
        return replace(state, track=track, price=price), track

    def _steps(self, present: Gaussians, moment: Moment, price: float) -> Steps:
        """Steps for values that change as those of this frame do."""
        visible = EVEN if self._bounds else float(np.median(visibility_of(present)))
        slots = Slots(present, Steps((1.0,) * len(GROUPS), visible))
        rows = followed(self._state.rows, moment.matches)
        wish = self.wish(slots, moment.scene, rows)
        steps = np.zeros(len(GROUPS))
        for k, (name, channels) in enumerate(self._layout.slices.items()):
            sums = np.zeros(4)
            for part in slots.parts():
                cost = (
                    self._state.sensitivities[part, channels] * self._state.factors[part, k, None]
                )
                cost = cost * np.square(slots.step_of(part)[:, channels])
                shown = cost * np.square(wish[part, channels], dtype=np.float64)
                sums += [shown.sum(), (shown * cost).sum(), cost.sum(), (cost * cost).sum()]
            whole, weighted = sums[:2] if sums[0] > 0 else sums[2:]
            mean = float(weighted / max(whole, 1e-300))
            best = math.sqrt(6 * price / math.log(2) / max(mean, 1e-300))
            steps[k] = np.clip(_STEP_SHARE * best, _MIN_STEP, _MAX_STEP)
            if name in self._bounds:
                steps[k] = _BOUNDED_STEPS[name](self._bounds[name])
        rounded = steps.astype(np.float32).tolist()
        return Steps(tuple(rounded), float(np.float32(visible)))

    def _turned(self, state: State, track: Track, moment: Moment) -> tuple[State, bytes | None]:
        """The state after births and deaths, which are done to ``track``, and their code."""
        rows = followed(state.rows, moment.matches)
        alive, born = track.slots.alive, moment.matches.born
        deaths = np.flatnonzero(alive & (rows < 0))
        if not len(deaths) and not len(born):
            return replace(state, rows=rows), None
        parents = np.zeros(0, np.int64)
        if len(born):
            nearest = nearest_rows(moment.scene.select(born), track.slots.scene())
            parents = np.flatnonzero(alive)[nearest]
            order = np.argsort(parents, kind="stable")
            parents, born = parents[order], born[order]
            more = self._views.sensitivities(moment.scene)[born]
            state = replace(
                state,
                sensitivities=np.concatenate([state.sensitivities, more]),
                factors=np.concatenate([state.factors, np.ones((len(born), len(GROUPS)))]),
            )
        turnover = Turnover(deaths, parents)
        track.turn_over(turnover)
        return replace(state, rows=np.concatenate([rows, born])), turnover.to_bytes()

    def wish(self, slots: Slots, scene: Gaussians, rows: Rows) -> Array:  # [slots, C]
        """The changes, in steps, that would leave no error; 0 for empty slots."""
        used = rows >= 0
        target = nearest_axes(scene.select(np.maximum(rows, 0)), slots.everything())
        wish = np.empty((len(slots), self._layout.channels), np.float32)
        for part in slots.parts():
            missing = slots.wanted(target, part) - slots.present(part)
            wish[part] = np.clip(missing, -_LIMIT, _LIMIT)
        wish[~used] = 0
        return wish

    def weights(self, track: Track, state: State) -> Array:  # [slots, C]
        """The mean squared error that a step costs."""
        out = np.empty((len(track.slots), self._layout.channels), np.float32)
        for part in track.slots.parts():
            weights = state.sensitivities[part] * np.square(track.slots.step_of(part))
            for k, (name, channels) in enumerate(self._layout.slices.items()):
                weights[:, channels] *= state.factors[part, k, None]
                if name in self._bounds:
                    weights[:, channels] = np.inf
            out[part] = weights
        return out


_BOUNDED_STEPS: dict[str, Callable[[float], float]] = {
    "means": lambda bound: _SLACK * 2 * bound / math.sqrt(3),
    # v errs by half a step on each axis, the angle by 2 |error of v| at most
    "quats": lambda bound: _SLACK * math.radians(bound) / math.sqrt(3),
    "scales": lambda bound: _SLACK * 2 * math.log1p(bound),
    # the logistic function is never steeper than 1/4
    "opacities": lambda bound: _SLACK * 8 * bound,
    "sh0": lambda bound: _SLACK * 2 * bound / SH_C0,
    "shN": lambda bound: _SLACK * 2 * bound,
}
"""Steps that hold a bound."""
