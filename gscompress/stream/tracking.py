"""Which Gaussian of a frame is which one of the next: tracked, permuted, born or dead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians

__all__ = ["Matches", "match", "nearest_rows"]

Rows = NDArray[np.int64]
Doubles = NDArray[np.float64]

_SAMPLES = 4096
_TRACKED = 0.25
"""Frames are tracked if rows are nearer to themselves than so many times the distance of chance."""

_WINDOW = 12
_SHIFTS = (0.0, 1 / 3, 0.6180339887498949)
_ROUNDS = 4
_BLOCK = 4096
_LIMIT = 12.0
"""Distance of features above which two Gaussians are not the same."""


@dataclass(frozen=True, eq=False)
class Matches:
    """How the Gaussians of two frames belong together.

    Attributes:
        rows: For each Gaussian of the first frame its row in the second, or -1: it died [N].
        born: The rows of the second frame that were not there before, ascending [B].
        tracked: Whether every row is itself.
    """

    rows: Rows
    born: Rows
    tracked: bool


def match(before: Gaussians, after: Gaussians) -> Matches:
    """Match the Gaussians of a frame with those of the next.

    Trackers keep count and order: then every row is itself. Otherwise those that did not change at
    all are matched by their values, the others by position, extent, colour and opacity: pairs that
    are each other's nearest, repeatedly. What is left died or was born.
    """
    n = len(before)
    if n == len(after) and _is_tracked(before, after):
        return Matches(np.arange(n), np.zeros(0, np.int64), tracked=True)
    rows = _match_equal(before, after)
    old, new = _Features(before), _Features(after)
    for _ in range(_ROUNDS):
        left = np.flatnonzero(rows < 0)
        free = _unmatched(rows, len(after))
        if not len(left) or not len(free):
            break
        pairs = _mutual(old.of(left), new.of(free))
        if not len(pairs):
            break
        rows[left[pairs[:, 0]]] = free[pairs[:, 1]]
    return Matches(rows, _unmatched(rows, len(after)), tracked=False)


def nearest_rows(scene: Gaussians, among: Gaussians) -> Rows:
    """For each Gaussian about the most similar one of another scene, which must not be empty."""
    return _search(_Features(scene), _Features(among))[0]


def _unmatched(rows: Rows, count: int) -> Rows:
    free = np.ones(count, np.bool_)
    free[rows[rows >= 0]] = False
    return np.flatnonzero(free)


def _is_tracked(before: Gaussians, after: Gaussians) -> bool:
    """Whether rows are like themselves, in place and in looks, and not only like their neighbours.

    In a scene in Morton order rows that are shifted by a few are near each other, but one is larger
    than the other, or of another colour.
    """
    n = len(before)
    if n < 2:
        return True
    rng = np.random.default_rng(0)
    sample = rng.permutation(n)[:_SAMPLES]
    other = rng.permutation(sample)
    old, new = _Features(before.select(sample)), _Features(after.select(sample))
    chance = _Features(after.select(other))
    for one, same, by_chance in (
        (old.means, new.means, chance.means),
        (old.others, new.others, chance.others),
    ):
        moved = np.median(np.linalg.norm(same - one, axis=1))
        if moved > _TRACKED * np.median(np.linalg.norm(by_chance - one, axis=1)):
            return False
    return True


def _match_equal(before: Gaussians, after: Gaussians) -> Rows:
    """Rows with the same values; the k-th of several equal ones is the k-th."""
    hashes = [_hash(before), _hash(after)]
    orders = [np.argsort(h, kind="stable") for h in hashes]
    ranked = []
    for h, order in zip(hashes, orders, strict=True):
        ordered = h[order]
        start = np.searchsorted(ordered, ordered)
        ranked.append(ordered + (np.arange(len(h)) - start).astype(np.uint64) * _ODD)
    rows = np.full(len(before), -1, np.int64)
    _, first, second = np.intersect1d(ranked[0], ranked[1], return_indices=True)
    first, second = orders[0][first], orders[1][second]
    equal = np.ones(len(first), np.bool_)
    for name in ATTRIBUTES:
        a, b = getattr(before, name)[first], getattr(after, name)[second]
        equal &= np.all(a == b, axis=tuple(range(1, a.ndim)))
    rows[first[equal]] = second[equal]
    return rows


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _hash(scene: Gaussians) -> NDArray[np.uint64]:  # [N]
    """A number of each Gaussian's values."""
    out = np.zeros(len(scene), np.uint64)
    for name in ATTRIBUTES:
        bits = getattr(scene, name).reshape(len(scene), -1).view(np.uint32)
        for column in bits.T:
            out = (out ^ column) * _ODD
            out ^= out >> np.uint64(29)
    return out


class _Features:
    """What Gaussians are compared by."""

    def __init__(self, scene: Gaussians) -> None:
        scales = np.sort(scene.log_scales.astype(np.float64), axis=1)
        self.means: Array = scene.means
        self.extent: Doubles = np.exp(scales[:, 1:].mean(axis=1))
        self.others: Doubles = np.concatenate(
            [scales / 0.5, scene.sh[:, 0] / 0.5, scene.opacities[:, None] / 0.3], axis=1
        )

    def __len__(self) -> int:
        return len(self.means)

    def of(self, rows: Rows) -> _Features:
        out = object.__new__(_Features)
        out.means, out.extent = self.means[rows], self.extent[rows]
        out.others = self.others[rows]
        return out


def _mutual(old: _Features, new: _Features) -> Rows:  # [P, 2]
    """Pairs of which each is about the nearest to the other, and near enough."""
    forth, distance = _search(old, new)
    back, _ = _search(new, old)
    rows = np.arange(len(old))
    fine = (back[forth] == rows) & (distance < _LIMIT**2)
    return np.stack([rows[fine], forth[fine]], axis=1)


def _search(wanted: _Features, among: _Features) -> tuple[Rows, Doubles]:
    """For each about the nearest of others, and the squared distance.

    Looked for are those close by on three Morton curves, which are shifted against each other.
    """
    best = np.zeros(len(wanted), np.int64)
    least = np.full(len(wanted), np.inf)
    low = np.minimum(wanted.means.min(axis=0), among.means.min(axis=0)).astype(np.float64)
    high = np.maximum(wanted.means.max(axis=0), among.means.max(axis=0)).astype(np.float64)
    width = float((high - low).max()) or 1.0
    reach = min(_WINDOW, len(among))
    for shift in _SHIFTS:
        codes = [
            _native.morton_encode(
                np.rint(((one.means - low) / width + shift) * ((1 << 20) - 1)).astype(np.uint32)
            )
            for one in (wanted, among)
        ]
        order = np.argsort(codes[1], kind="stable")
        place = np.searchsorted(codes[1][order], codes[0])
        for begin in range(0, len(wanted), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            near = place[block, None] + np.arange(-reach, reach)
            found = order[np.clip(near, 0, len(order) - 1)]
            distance = _distance(wanted, block, among, found)
            k = np.argmin(distance, axis=1)
            rows = np.arange(len(k))
            nearer = distance[rows, k] < least[block]
            best[block] = np.where(nearer, found[rows, k], best[block])
            least[block] = np.where(nearer, distance[rows, k], least[block])
    return best, least


def _distance(wanted: _Features, block: slice, among: _Features, rows: Rows) -> Doubles:
    """Squared distances [B, W] of a block of Gaussians to some others each."""
    moved = among.means[rows] - wanted.means[block, None]
    extent = (wanted.extent[block, None] + among.extent[rows]) / 2
    apart = np.sum(moved * moved, axis=2) / np.maximum(extent * extent, 1e-30)
    others = among.others[rows] - wanted.others[block, None]
    return np.asarray(apart + np.sum(others * others, axis=2))
