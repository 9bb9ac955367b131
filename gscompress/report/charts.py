"""Where marks stand in the charts of a page: geometry in pixels, drawn by the templates as SVG."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gscompress.report.comparison import Comparison
from gscompress.report.histograms import Histogram
from gscompress.report.report import Report

__all__ = [
    "Bar",
    "Chart",
    "Gridline",
    "Panel",
    "Plot",
    "Point",
    "Share",
    "distributions",
    "rate_distortion",
    "shares_of",
    "view_bars",
    "view_lines",
]

STEPS_DB = (0.2, 0.5, 1, 2, 5, 10, 20, 50)
CHART_HEIGHT = 180
CHART_WIDTH = 960
PLOT_HEIGHT = 320
PANEL_WIDTH = 300
PANEL_HEIGHT = 90
TOP_DB = 60
"""Rounding to 8 bits alone is 58.9 dB: what lies above is drawn at this line, with its number."""
LABEL_HEIGHT = 14
PARTS = ("shN", "means", "quats", "scales", "sh0", "opacities", "container", "importance")


class Bar(NamedTuple):
    """One view in the chart, in pixels; ``mark`` is the reference's PSNR against the photo."""

    x: float
    y: float
    height: float
    mark: float | None
    title: str


class Gridline(NamedTuple):
    """A line at a round PSNR."""

    y: float
    decibel: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of the per-view PSNR, above a labelled baseline (0 dB has no meaning of its own)."""

    width: int
    height: int
    pitch: float
    bars: list[Bar]
    grid: list[Gridline]
    mean_y: float


class Share(NamedTuple):
    """One attribute's part of a file; ``start`` and ``percent`` of its length."""

    name: str
    bytes: int
    start: float
    percent: float
    hue: int


class Point(NamedTuple):
    """One file in the plot of rate and distortion, in pixels."""

    x: float
    y: float
    label_y: float
    name: str
    psnr: float
    above: bool
    title: str


class Tick(NamedTuple):
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Points or lines over a horizontal axis; ``lines`` are the points of SVG polylines."""

    width: int
    height: int
    ticks: list[Tick]
    grid: list[Gridline]
    points: list[Point]
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Panel:
    """One histogram: the reference as a filled path, each file as a line."""

    name: str
    label: str
    width: int
    height: int
    low: str
    high: str
    area: str
    lines: list[str]


def view_bars(report: Report) -> Chart:
    """The PSNR of every view of one report."""
    values = [view.test.psnr for view in report.views]
    marks = [None if view.reference is None else view.reference.psnr for view in report.views]
    known = values + [mark for mark in marks if mark is not None]
    scale = _Decibels.around(known, CHART_HEIGHT)
    y = scale.y
    pitch = CHART_WIDTH / len(values)
    bars = [
        Bar(
            x=round(k * pitch, 2),
            y=y(value),
            height=round(CHART_HEIGHT - y(value), 2),
            mark=None if mark is None else y(mark),
            title=f"{view.name}: {value:.2f} dB"
            + ("" if mark is None else f" (reference {mark:.2f} dB)"),
        )
        for k, (view, value, mark) in enumerate(zip(report.views, values, marks, strict=True))
    ]
    return Chart(CHART_WIDTH, CHART_HEIGHT, pitch, bars, scale.grid(), scale.y(report.psnr))


def rate_distortion(comparison: Comparison, psnrs: Sequence[float]) -> Plot | None:
    """PSNR over size on a logarithmic axis; files of one format are joined. None: no sizes.

    Args:
        comparison: Has the names, sizes and formats.
        psnrs: Of each file, in dB.
    """
    files = zip(comparison.names, comparison.reports, psnrs, strict=True)
    known = [(name, report.bytes, psnr) for name, report, psnr in files if report.bytes]
    if not known:
        return None
    scale = _Decibels.around([min(psnr, TOP_DB) for _, _, psnr in known], PLOT_HEIGHT)
    sizes = [size for _, size, _ in known]
    low, high = math.log10(min(sizes)) - 0.08, math.log10(max(sizes)) + 0.08

    def x(size: float) -> float:
        return round(CHART_WIDTH * (math.log10(size) - low) / (high - low), 2)

    dots = {name: (x(size), scale.y(min(psnr, TOP_DB))) for name, size, psnr in known}
    labels: dict[str, float] = {}
    for name in sorted(dots, key=lambda name: dots[name][::-1]):  # from the top
        labels[name] = _free_place(name, dots, labels)
    points = [
        Point(
            *dots[name], labels[name], name, psnr, psnr > TOP_DB, f"{size:,} bytes, {psnr:.2f} dB"
        )
        for name, size, psnr in known
    ]
    ticks = [Tick(x(size), f"{size / 10**6:g}") for size in _round_sizes(10**low, 10**high)]
    lines = _joined(comparison, points)
    return Plot(CHART_WIDTH, PLOT_HEIGHT, ticks, scale.grid(), points, lines)


def view_lines(comparison: Comparison) -> Plot:
    """The PSNR of every view, a line for each file."""
    columns = [[view.test.psnr for view in report.views] for report in comparison.reports]
    capped = [[min(value, TOP_DB) for value in column] for column in columns]
    scale = _Decibels.around([value for column in capped for value in column], CHART_HEIGHT)
    step = CHART_WIDTH / max(1, len(columns[0]) - 1)
    lines = [_polyline((k * step, scale.y(v)) for k, v in enumerate(column)) for column in capped]
    return Plot(CHART_WIDTH, CHART_HEIGHT, [], scale.grid(), [], lines)


def distributions(histograms: Sequence[Histogram]) -> list[Panel]:
    """A panel for each histogram; all its curves have one scale."""
    panels = []
    for item in histograms:
        top = max(max(shares) for shares in (item.reference, *item.tests)) or 1.0
        curves = [_steps(shares, top) for shares in (item.reference, *item.tests)]
        area = f"0,{PANEL_HEIGHT} {curves[0]} {PANEL_WIDTH},{PANEL_HEIGHT}"
        ends = f"{item.low:.3g}", f"{item.high:.3g}"
        panels.append(
            Panel(item.name, item.label, PANEL_WIDTH, PANEL_HEIGHT, *ends, area, curves[1:])
        )
    return panels


def shares_of(sizes: Mapping[str, int]) -> list[Share]:
    """The attributes from the largest on, without those that take nothing."""
    total = sum(sizes.values())
    shares: list[Share] = []
    start = 0.0
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        percent = 100 * size / total if total else 0.0
        if size:
            shares.append(Share(name, size, start, percent, _hue(name)))
        start += percent
    return shares


def _hue(name: str) -> int:
    """The same colour for an attribute in every file."""
    if name in PARTS:
        return (205 + 47 * PARTS.index(name)) % 360
    return zlib.crc32(name.encode()) % 360


class _Decibels(NamedTuple):
    """A vertical axis between two round numbers of decibels, ``step`` apart from line to line."""

    low: float
    high: float
    step: float
    height: int

    @classmethod
    def around(cls, values: Sequence[float], height: int) -> _Decibels:
        span = max(values) - min(values)
        step = next((step for step in STEPS_DB if span <= 6 * step), STEPS_DB[-1])
        low = step * math.floor((min(values) - step / 5) / step)
        high = step * math.ceil((max(values) + step / 5) / step)
        return cls(low, high, step, height)

    def y(self, decibel: float) -> float:
        return round(self.height * (self.high - decibel) / (self.high - self.low), 2)

    def grid(self) -> list[Gridline]:
        count = round((self.high - self.low) / self.step)
        lines = [self.low + k * self.step for k in range(count + 1)]
        return [Gridline(self.y(decibel), round(decibel, 6)) for decibel in lines]


def _free_place(
    name: str, dots: Mapping[str, tuple[float, float]], labels: Mapping[str, float]
) -> float:
    """The height nearest to a dot at which its label lies on no other, and on no other dot."""

    def ends(other: str) -> float:
        return dots[other][0] + 20 + 7.0 * len(other)

    x, y = dots[name]
    taken = [labels[o] for o in labels if dots[o][0] < ends(name) and x < ends(o)]
    taken += [
        dots[o][1] for o in dots if o != name and x < dots[o][0] + 8 and dots[o][0] < ends(name)
    ]
    for step in range(2 * len(taken) + 2):
        shift = LABEL_HEIGHT * math.ceil(step / 2)
        place = y + (shift if step % 2 else -shift)
        if all(abs(place - other) >= LABEL_HEIGHT for other in taken):
            return round(place, 2)
    return round(y, 2)


def _joined(comparison: Comparison, points: Sequence[Point]) -> list[str]:
    """For each format of several files their points, from the smallest to the largest."""
    formats: dict[str, list[Point]] = {}
    for point in points:
        formats.setdefault(comparison[point.name].test.format or "", []).append(point)
    return [
        _polyline((p.x, p.y) for p in sorted(group, key=lambda p: p.x))
        for group in formats.values()
        if len(group) > 1
    ]


def _round_sizes(low: float, high: float) -> list[float]:
    """Sizes of one digit in a range; of many only 1, 2 and 5."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in (range(1, 10), (1, 2, 5), (1,)):
        sizes = [d * 10.0**power for power in powers for d in digits]
        inside = [size for size in sizes if low <= size <= high]
        if len(inside) <= 10:
            break
    return inside


def _polyline(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _steps(shares: Sequence[float], top: float) -> str:
    """The upper edge of a histogram."""
    width = PANEL_WIDTH / len(shares)
    edge = []
    for k, share in enumerate(shares):
        y = PANEL_HEIGHT * (1 - share / top)
        edge += [(k * width, y), ((k + 1) * width, y)]
    return _polyline(edge)
