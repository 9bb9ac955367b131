"""Where marks stand in the charts of a clip, over its frames; drawn by the template as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gscompress.report.frames import FrameFacts
from gscompress.report.stream import ClipReport
from gscompress.stream.layout import GROUPS

__all__ = ["Timeline", "timelines"]

WIDTH, HEIGHT = 960, 150
HEADROOM = 1.15
"""By how much the axis of bytes ends above the largest residual frame: key frames are cut there."""
MOST_LABELS = 24
MOST_DOTS = 120

Pick = Callable[[FrameFacts], float | None]


class Level(NamedTuple):
    """A labelled line at a round number."""

    y: float
    label: str


class Tick(NamedTuple):
    """A labelled frame."""

    x: float
    label: str


class Bar(NamedTuple):
    """A frame; ``cut`` is its number where it is higher than the chart."""

    x: float
    y: float
    width: float
    height: float
    key: bool
    cut: str
    title: str


class Line(NamedTuple):
    """A named line; ``pieces`` are the points of SVG polylines, ``dots`` those of its marks."""

    name: str
    pieces: list[str]
    dots: list[tuple[float, float, str]]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A chart over the frames of a clip.

    Attributes:
        title: What it shows, with its unit.
        note: What else a reader must know; empty if nothing.
        width, height: In pixels.
        levels: Of the vertical axis.
        ticks: Of the frames.
        bars: One a frame; empty where there are lines.
        lines: Named lines.
    """

    title: str
    note: str
    width: int
    height: int
    levels: list[Level]
    ticks: list[Tick]
    bars: list[Bar]
    lines: list[Line]


def timelines(report: ClipReport) -> list[Timeline]:
    """The charts of a report: those for which there are numbers."""
    frames = report.frames

    def share(name: str | None) -> Pick:
        def pick(one: FrameFacts) -> float | None:
            found = one.share(name)
            return None if found is None else 100 * found

        return pick

    def worst(one: FrameFacts) -> float | None:
        return min((view.render.psnr for view in one.views if view.render), default=None)

    changed = {"any": share(None)} | {
        name: share(name)
        for name in GROUPS
        if any(one.changes and name in one.changes.by_attribute for one in frames)
    }
    renders: dict[str, Pick] = {"mean of the views": lambda one: one.psnr, "worst view": worst}
    photos: dict[str, Pick] = {
        "decoded": lambda one: one.photo_psnr,
        "original": lambda one: one.original_photo_psnr,
    }
    turnover: dict[str, Pick] = {
        "births": lambda one: None if one.changes is None else one.changes.births,
        "deaths": lambda one: None if one.changes is None else one.changes.deaths,
    }
    turns = any(one.changes and (one.changes.births or one.changes.deaths) for one in frames)
    found = [
        _bars(
            "kB of each frame (1 kB = 1000 bytes)",
            frames,
            lambda one: one.bytes / 1e3,
            cut_keys=True,
        ),
        _lines("PSNR against the frames' own renders, dB", frames, renders),
        _lines("PSNR against photos, dB", frames, photos),
        _lines("Gaussians that change, % of all", frames, changed, low=0.0),
        _lines("Gaussians that are born and die", frames, turnover, low=0.0) if turns else None,
        _bars("Milliseconds to decode each frame", frames, lambda one: one.decode_ms),
        _bars("Seconds to encode each frame", frames, lambda one: one.encode_seconds),
    ]
    return [one for one in found if one is not None]


class _Axis(NamedTuple):
    """A vertical axis between two round numbers, ``step`` apart from line to line."""

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Sequence[float], low: float | None = None) -> _Axis:
        """The axis that shows values, from ``low`` on or from about the least of them."""
        bottom = min(values) if low is None else low
        span = max(max(values) - bottom, 1e-9, abs(bottom) * 1e-9)
        power = 10.0 ** math.floor(math.log10(span / 6))
        step = next(k * power for k in (1, 2, 5, 10) if span <= 6 * k * power)
        start = bottom if low is not None else step * math.floor((bottom - step / 5) / step)
        return cls(start, start + step * math.ceil((max(values) - start) / step + 0.2), step)

    def y(self, value: float) -> float:
        return round(HEIGHT * (self.high - value) / (self.high - self.low), 2)

    def levels(self) -> list[Level]:
        count = round((self.high - self.low) / self.step)
        values = [self.low + k * self.step for k in range(count + 1)]
        return [Level(self.y(value), f"{value:.6g}") for value in values]


def _bars(
    title: str, frames: Sequence[FrameFacts], pick: Pick, *, cut_keys: bool = False
) -> Timeline | None:
    """A bar for each frame. Key frames are cut where the others would vanish beside them."""
    values = [pick(one) for one in frames]
    known = [value for value in values if value is not None]
    changes = [
        v for v, one in zip(values, frames, strict=True) if one.kind != "key" and v is not None
    ]
    if not known:
        return None
    cut = cut_keys and bool(changes) and max(known) > 2 * max(changes)
    axis = _Axis.around([HEADROOM * max(changes) if cut else max(known)], 0.0)
    pitch = WIDTH / len(frames)
    labels = sum(one.kind == "key" for one in frames) <= MOST_LABELS
    bars = []
    for k, (one, value) in enumerate(zip(frames, values, strict=True)):
        if value is None:
            continue
        y = axis.y(min(value, axis.high))
        bars.append(
            Bar(
                x=round((k + 0.1) * pitch, 2),
                y=y,
                width=round(0.8 * pitch, 2),
                height=round(HEIGHT - y, 2),
                key=one.kind == "key",
                cut=f"{value:,.0f}" if value > axis.high and labels else "",
                title=f"frame {one.frame}, {one.kind}: {value:,.2f}",
            )
        )
    note = "Key frames are cut; their numbers stand above them." if cut else ""
    return Timeline(title, note, WIDTH, HEIGHT, axis.levels(), _ticks(frames), bars, [])


def _lines(
    title: str, frames: Sequence[FrameFacts], picks: dict[str, Pick], low: float | None = None
) -> Timeline | None:
    """A line for each name that has numbers; it is broken where a frame has none."""
    columns = {name: [pick(one) for one in frames] for name, pick in picks.items()}
    columns = {
        name: values for name, values in columns.items() if any(v is not None for v in values)
    }
    known = [value for values in columns.values() for value in values if value is not None]
    if not known:
        return None
    axis = _Axis.around(known, low)
    lines = [_line(name, frames, values, axis) for name, values in columns.items()]
    return Timeline(title, "", WIDTH, HEIGHT, axis.levels(), _ticks(frames), [], lines)


def _line(
    name: str, frames: Sequence[FrameFacts], values: Sequence[float | None], axis: _Axis
) -> Line:
    pieces: list[list[tuple[float, float]]] = [[]]
    dots = []
    for k, (one, value) in enumerate(zip(frames, values, strict=True)):
        if value is None:
            pieces.append([])
            continue
        x, y = _x(k, len(frames)), axis.y(value)
        pieces[-1].append((x, y))
        dots.append((x, y, f"frame {one.frame}, {name}: {value:,.2f}"))
    joined = [" ".join(f"{x:.1f},{y:.1f}" for x, y in piece) for piece in pieces if len(piece) > 1]
    return Line(name, joined, dots if len(frames) <= MOST_DOTS else [])


def _x(k: int, count: int) -> float:
    """The middle of a frame's place."""
    return round((k + 0.5) * WIDTH / count, 2)


def _ticks(frames: Sequence[FrameFacts]) -> list[Tick]:
    """Frames whose numbers are shown: not more than there is room for."""
    step = next(s for s in _round_steps() if len(frames) <= MOST_LABELS * s)
    return [
        Tick(_x(k, len(frames)), str(one.frame)) for k, one in enumerate(frames) if k % step == 0
    ]


def _round_steps() -> list[int]:
    return [digit * 10**power for power in range(7) for digit in (1, 2, 5)]
