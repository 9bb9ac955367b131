"""Reports and comparisons as one HTML page: styles, charts and pictures inside, nothing fetched."""

from __future__ import annotations

import base64
import json
from pathlib import PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gscompress.report.charts import (
    TOP_DB,
    Plot,
    distributions,
    rate_distortion,
    shares_of,
    view_bars,
    view_lines,
)
from gscompress.report.comparison import Comparison
from gscompress.report.report import Report
from gscompress.report.stream import CONVENTIONS, ClipReport
from gscompress.report.timelines import timelines

__all__ = ["render_clip", "render_comparison", "render_html"]


def render_html(report: Report) -> str:
    """The page, for `Report.to_html`."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            protocol=report.protocol,
            chart=view_bars(report),
            shares=shares_of(report.test.bytes_by_attribute or {}),
        )
    )


def render_comparison(comparison: Comparison) -> str:
    """The page, for `Comparison.to_html`."""
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            files=list(
                zip(comparison.names, comparison.reports, comparison.encode_seconds, strict=True)
            ),
            first=comparison.reports[0],
            protocol=comparison.protocol,
            plots=_plots(comparison),
            files_at={name: k for k, name in enumerate(comparison.names)},
            lines=view_lines(comparison),
            panels=distributions(comparison.histograms),
            shares=_all_shares(comparison),
            top_db=TOP_DB,
            data=_data(comparison),
        )
    )


def render_clip(report: ClipReport) -> str:
    """The page, for `ClipReport.to_html`."""
    return (
        _environment()
        .get_template("stream.html.j2")
        .render(
            report=report,
            clip=report.manifest,
            title=PurePath(report.path).name or report.path,
            summary=report.summary(),
            frames=[one.to_dict() for one in report.frames],
            charts=timelines(report),
            conventions=CONVENTIONS,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gscompress.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": _size,
        "number": _number,
        "data_uri": _data_uri,
        "as_script": _as_script,
    }
    return environment


def _plots(comparison: Comparison) -> list[tuple[str, Plot]]:
    """Plots of rate and distortion, each with what its PSNR is against."""
    reports = comparison.reports
    kinds = {"the renders of the reference": [report.render_scores.psnr for report in reports]}
    if comparison.protocol.mode == "ground-truth":
        kinds = {"the photos": [report.psnr for report in reports]} | kinds
    plots = {against: rate_distortion(comparison, psnrs) for against, psnrs in kinds.items()}
    return [(against, plot) for against, plot in plots.items() if plot is not None]


def _all_shares(comparison: Comparison) -> list[tuple[int, list[Any], float]]:
    """Of each file that tells: its index, its attributes' shares, its size in % of the largest."""
    known = [
        (k, report.test.bytes_by_attribute, report.bytes or 0)
        for k, report in enumerate(comparison.reports)
        if report.test.bytes_by_attribute
    ]
    largest = max((size for _, _, size in known), default=0)
    return [(k, shares_of(parts), 100 * size / largest) for k, parts, size in known if parts]


def _data(comparison: Comparison) -> dict[str, Any]:
    """What the page's script needs: the numbers of the views, and the pictures."""
    keys = ("psnr", "ssim", "lpips", "render_psnr")
    rows = [[view.to_dict() for view in report.views] for report in comparison.reports]
    first = comparison.reports[0]
    return {
        "names": comparison.names,
        "views": [view.name for view in first.views],
        "scores": {
            key: [[row[key] for row in column] for column in rows]
            for key in keys
            if rows[0][0][key] is not None
        },
        "pictures": [
            {
                "role": picture.role,
                "view": picture.view,
                "gain": picture.gain,
                "reference": _data_uri(picture.reference),
                "photo": None if picture.photo is None else _data_uri(picture.photo),
                "files": [
                    {
                        "psnr": report.pictures[k].render_psnr,
                        "test": _data_uri(report.pictures[k].test),
                        "difference": _data_uri(report.pictures[k].difference),
                    }
                    for report in comparison.reports
                ],
            }
            for k, picture in enumerate(first.pictures)
        ],
    }


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


def _as_script(data: Any) -> Markup:
    """JSON that can stand inside of a script element, whatever names it holds."""
    return Markup(json.dumps(data, allow_nan=False).replace("<", "\\u003c"))
