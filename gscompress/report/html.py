"""A report as one HTML page: styles, charts and pictures inside, nothing fetched."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from gscompress.report.report import Report

__all__ = ["render_html"]

GRID_DB = 5
CHART_HEIGHT = 180
CHART_WIDTH = 960


def render_html(report: Report) -> str:
    """The page, for `Report.to_html`."""
    environment = Environment(
        loader=PackageLoader("gscompress.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": _size, "number": _number, "data_uri": _data_uri}
    return environment.get_template("report.html.j2").render(
        report=report,
        protocol=report.protocol,
        chart=_chart(report),
        shares=_shares(report.test.bytes_by_attribute or {}),
    )


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
    decibel: int


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


def _chart(report: Report) -> Chart:
    values = [view.test.psnr for view in report.views]
    marks = [None if view.reference is None else view.reference.psnr for view in report.views]
    known = values + [mark for mark in marks if mark is not None]
    low = GRID_DB * math.floor((min(known) - 1) / GRID_DB)
    high = GRID_DB * math.ceil((max(known) + 1) / GRID_DB)

    def y(decibel: float) -> float:
        return round(CHART_HEIGHT * (high - decibel) / (high - low), 2)

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
    step = GRID_DB * math.ceil((high - low) / GRID_DB / 6)
    grid = [Gridline(y(decibel), decibel) for decibel in range(low, high + 1, step)]
    return Chart(CHART_WIDTH, CHART_HEIGHT, pitch, bars, grid, y(report.psnr))


def _shares(sizes: Mapping[str, int]) -> list[Share]:
    """The attributes from the largest on."""
    total = sum(sizes.values())
    shares: list[Share] = []
    start = 0.0
    for k, (name, size) in enumerate(sorted(sizes.items(), key=lambda item: -item[1])):
        percent = 100 * size / total if total else 0.0
        shares.append(Share(name, size, start, percent, hue=(205 + 47 * k) % 360))
        start += percent
    return shares


def _size(count: int | None) -> str:
    """Bytes for people; 1 MB is 10^6 bytes."""
    if count is None:
        return "–"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return f"{count} B"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
