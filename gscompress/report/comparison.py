"""What a comparison found: several files against one reference, as JSON, CSV and HTML."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import PurePath
from typing import Any

import gscompress
from gscompress.report.histograms import Histogram
from gscompress.report.report import Protocol, Report, SceneFacts

__all__ = ["CSV_COLUMNS", "Comparison"]

CSV_COLUMNS = (
    "file",
    "view",
    "format",
    "bytes",
    "ratio",
    "bits_per_gaussian",
    "gaussians",
    "sh_degree",
    "psnr",
    "ssim",
    "lpips",
    "render_psnr",
    "render_ssim",
    "psnr_worst",
    "psnr_drop",
    "fps",
    "encode_seconds",
    "decode_seconds",
    "sha256",
)
"""Of `Comparison.to_csv`; what a row does not have is empty."""

ALL_VIEWS = "mean"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of ``compare``.

    Attributes:
        names: A short name for each file, no two the same.
        reports: What ``evaluate`` would say of each file; the reference is the same in all.
        encode_seconds: What it took to make each file; None: not known.
        coverage: How well the cameras see the reference; None: not measured.
        histograms: How the attributes are distributed.
        command: The command that made this; None where it was made from Python.
    """

    names: tuple[str, ...]
    reports: tuple[Report, ...]
    encode_seconds: tuple[float | None, ...]
    coverage: Mapping[str, float] | None = None
    histograms: tuple[Histogram, ...] = ()
    command: str | None = None

    @property
    def reference(self) -> SceneFacts:
        """The scene that all were measured against."""
        return self.reports[0].reference

    @property
    def protocol(self) -> Protocol:
        """What the numbers are."""
        return self.reports[0].protocol

    @property
    def device(self) -> str:
        """On which device the images were rendered."""
        return self.reports[0].device

    def __getitem__(self, name: str) -> Report:
        """The report of a file, by its short name."""
        return self.reports[self.names.index(name)]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON knows it; the keys are a stable contract."""
        scores = self.reports[0].reference_scores
        return {
            "reference": dataclasses.asdict(self.reference)
            | {
                "psnr": None if scores is None else scores.psnr,
                "ssim": None if scores is None else scores.ssim,
                "lpips": None if scores is None else scores.lpips,
                "fps": self.reports[0].reference_fps,
            },
            "files": [self._file(k) for k in range(len(self.names))],
            "coverage": None if self.coverage is None else dict(self.coverage),
            "histograms": {
                item.name: {
                    "label": item.label,
                    "low": item.low,
                    "high": item.high,
                    "reference": list(item.reference),
                    "files": dict(zip(self.names, map(list, item.tests), strict=True)),
                }
                for item in self.histograms
            },
            "protocol": dataclasses.asdict(self.protocol),
            "device": self.device,
            "command": self.command,
            "gscompress": gscompress.__version__,
        }

    def to_json(self) -> str:
        """The comparison as one JSON document."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """A row for each file and view, and before them the file's means, of the view "mean"."""
        text = io.StringIO()
        table = csv.DictWriter(text, CSV_COLUMNS, restval="", extrasaction="ignore")
        table.writeheader()
        for k, name in enumerate(self.names):
            file = self._file(k) | {"file": name}
            table.writerow(file | {"view": ALL_VIEWS})
            scores = set(file["views"][0])
            of_file = {key: value for key, value in file.items() if key not in scores}
            for key in ("psnr_worst", "psnr_drop"):
                of_file.pop(key)
            for view in file["views"]:
                table.writerow(of_file | view | {"view": view["name"]})
        return text.getvalue()

    def to_html(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the comparison with its pictures as one HTML file that needs no network.

        Raises:
            InputError: The file exists and ``overwrite`` is false, or cannot be written.
        """
        from gscompress.io.atomic import atomic_write
        from gscompress.report.html import render_comparison

        with atomic_write(path, overwrite=overwrite) as file:
            file.write(render_comparison(self).encode())

    def _file(self, k: int) -> dict[str, Any]:
        """What is known of one file: its facts and its scores."""
        report = self.reports[k]
        left_out = {"reference", "test", "protocol", "device", "scenes", "reference_fps"}
        left_out |= {"reference_psnr", "reference_ssim", "reference_lpips"}
        found = {key: value for key, value in report.to_dict().items() if key not in left_out}
        facts = dataclasses.asdict(report.test)
        seconds = {"encode_seconds": self.encode_seconds[k]}
        return {"name": self.names[k]} | facts | seconds | found


def short_names(labels: list[str]) -> tuple[str, ...]:
    """The shortest ends of paths that tell them apart; where nothing does, they are numbered."""
    names = [PurePath(label).name or label for label in labels]
    for depth in range(2, 1 + max(len(PurePath(label).parts) for label in labels)):
        names = [
            "/".join(PurePath(label).parts[-depth:]) if names.count(name) > 1 else name
            for label, name in zip(labels, names, strict=True)
        ]
    seen: dict[str, int] = {}
    for k, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[k] = f"{name} ({seen[name]})"
    return tuple(names)
