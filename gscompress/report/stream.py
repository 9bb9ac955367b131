"""What an evaluation of a clip found: numbers per frame and over all, as JSON, CSV and HTML."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

import gscompress
from gscompress.report.frames import SCORES, FrameFacts, FramePicture, PhotoFacts, mean_of
from gscompress.report.report import Protocol, SceneFacts
from gscompress.stream.layout import GROUPS
from gscompress.stream.manifest import Manifest, Segment

__all__ = ["FRAME_COLUMNS", "ClipReport"]

CONVENTIONS = {
    "bytes": "of a frame: of its segment, shared evenly by its frames",
    "bytes_per_100k": "bytes per 100,000 Gaussians of the frame",
    "changed": "Gaussians with another value than in the frame before, as decoded",
    "psnr": "of a frame: mean over views against renders of the original frame",
    "photo_psnr": "of a frame: mean over views against photos of that frame",
    "drift": "PSNR of the last residual frame of a group minus that of its first, dB; the lowest "
    "of all groups. Against the frames' renders where there are any, else against photos",
    "slope": "least-squares line through the PSNR of all residual frames, dB per frame",
    "decode_ms": "one frame in order, from a checked segment in memory to float32 arrays; the "
    "faster of two passes. Depends on the machine",
    "access": "SHA-256 of the arrays of a frame that is decoded by itself equals that in sequence",
}
"""What the numbers are, besides the protocol of the images."""

FRAME_COLUMNS = (
    "frame",
    "group",
    "kind",
    "bytes",
    "gaussians",
    "bytes_per_100k",
    "changed",
    "changed_share",
    *(f"changed_{name}" for name in GROUPS),
    "births",
    "deaths",
    "psnr",
    "psnr_worst",
    "ssim",
    "photo_psnr",
    "photo_ssim",
    "original_photo_psnr",
    "original_photo_ssim",
    "decode_ms",
    "encode_seconds",
    "access",
    "sha256",
)
"""Of `ClipReport.to_csv`; what a frame does not have is empty."""


@dataclass(frozen=True, slots=True)
class ClipReport:
    """The result of ``evaluate_clip``.

    Attributes:
        path: Where the clip is.
        sha256: Of its manifest.
        manifest: What it consists of, with the SHA-256 of each segment.
        frames: The numbers.
        originals: The frames it was made from; empty if not given.
        photos: The photos; None if not given.
        cameras: The file of the cameras, and its SHA-256 if it is a file; None: virtual, or none.
        protocol: How images were compared; None: not at all.
        device: On which device they were rendered; None: not at all.
        command: The command that made this; None where it was made from Python.
        pictures: Some of the frames.
    """

    path: str
    sha256: str
    manifest: Manifest
    frames: tuple[FrameFacts, ...]
    originals: tuple[SceneFacts, ...] = ()
    photos: PhotoFacts | None = None
    cameras: Mapping[str, str | None] | None = None
    protocol: Protocol | None = None
    device: str | None = None
    command: str | None = None
    pictures: tuple[FramePicture, ...] = field(default=(), repr=False)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments of the clip."""
        return tuple(self.manifest.segments())

    @property
    def changes(self) -> tuple[FrameFacts, ...]:
        """The frames that are no key frames."""
        return tuple(frame for frame in self.frames if frame.kind != "key")

    @property
    def kbps(self) -> float:
        """Thousands of bits per second."""
        return self.manifest.bytes / self.manifest.seconds / 125

    @property
    def psnr(self) -> float | None:
        """Mean over frames of the PSNR against the originals' renders; None without originals."""
        return mean_of(one.psnr for one in self.frames)

    @property
    def worst(self) -> FrameFacts | None:
        """The frame of the lowest PSNR: against renders if there are originals, else photos."""
        known = [one for one in self.frames if self.quality(one) is not None]
        return min(known, key=lambda one: self.quality(one) or 0.0) if known else None

    @property
    def inaccessible(self) -> list[int]:
        """The frames that decode to something else by themselves, of those that were checked."""
        return [one.frame for one in self.frames if one.access is False]

    def quality(self, frame: FrameFacts) -> float | None:
        """The PSNR that gates, drift and worst are about: against renders, else photos."""
        return frame.psnr if self.originals else frame.photo_psnr

    @property
    def drift(self) -> float | None:
        """PSNR of a group's last residual frame minus that of its first; the lowest."""
        ends = []
        for number in range(len(self.manifest.groups)):
            known = [self.quality(one) for one in self.changes if one.group == number]
            if len(known) > 1 and known[0] is not None and known[-1] is not None:
                ends.append(known[-1] - known[0])
        return min(ends, default=None)

    @property
    def slope(self) -> float | None:
        """Of a line through the PSNR of the residual frames, in dB per frame."""
        points = [(one.frame, self.quality(one)) for one in self.changes]
        if len(points) < 2 or any(psnr is None for _, psnr in points):
            return None
        x, y = np.array(points, np.float64).T
        x = x - x.mean()
        return float(x @ (y - y.mean()) / (x @ x))

    def summary(self) -> dict[str, Any]:
        """The numbers over all frames; the keys are a stable contract."""
        keys = [one for one in self.frames if one.kind == "key"]
        times = np.array([one.decode_ms for one in self.frames])
        worst = self.worst
        flat = [one.to_dict() for one in self.frames]
        means = {name: mean_of(one[name] for one in flat) for name in SCORES}
        return {
            "kbps": self.kbps,
            "bytes_per_frame": self.manifest.bytes / len(self.frames),
            "key_frames": len(keys),
            "key_bytes": sum(one.bytes for one in keys),
            "change_bytes_per_frame": mean_of(one.bytes for one in self.changes),
            "change_bytes_per_frame_per_100k": mean_of(o.bytes_per_100k for o in self.changes),
            "changed_share": mean_of(one.share() for one in self.changes),
            "births": sum(one.changes.births for one in self.changes if one.changes),
            "deaths": sum(one.changes.deaths for one in self.changes if one.changes),
            **means,
            "worst_frame": None if worst is None else worst.frame,
            "worst_frame_psnr": None if worst is None else self.quality(worst),
            "drift": self.drift,
            "slope": self.slope,
            "decode_ms": {
                "median": float(np.median(times)),
                "p95": float(np.quantile(times, 0.95)),
                "max": float(times.max()),
                "key_median": _median(one.decode_ms for one in keys),
                "change_median": _median(one.decode_ms for one in self.changes),
            },
            "encode_seconds_per_frame": mean_of(one.encode_seconds for one in self.frames),
            "access_checked": all(one.access is not None for one in self.frames),
            "access_failures": self.inaccessible,
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON knows it; the keys are a stable contract."""
        manifest = self.manifest
        return {
            "clip": {
                "path": self.path,
                "sha256": self.sha256,
                "bytes": manifest.bytes,
                "fps": manifest.fps,
                "frames": manifest.frames,
                "seconds": manifest.seconds,
                "groups": len(manifest.groups),
                "gaussians": manifest.gaussians,
                "sh_degree": manifest.sh_degree,
                "mode": manifest.mode,
                "color_space": manifest.color_space,
                "complete": manifest.complete,
            },
            "summary": self.summary(),
            "frames": [one.to_dict() for one in self.frames],
            "inputs": {
                "segments": [
                    {"url": one.url, "kind": one.kind, "bytes": one.bytes, "sha256": one.sha256}
                    for one in self.segments
                ],
                "originals": [
                    {"path": one.path, "bytes": one.bytes, "sha256": one.sha256}
                    for one in self.originals
                ],
                "photos": None if self.photos is None else dataclasses.asdict(self.photos),
                "cameras": None if self.cameras is None else dict(self.cameras),
            },
            "protocol": None if self.protocol is None else dataclasses.asdict(self.protocol),
            "conventions": CONVENTIONS,
            "device": self.device,
            "command": self.command,
            "gscompress": gscompress.__version__,
        }

    def to_json(self) -> str:
        """The report as one JSON document."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """A row for each frame."""
        text = io.StringIO()
        table = csv.DictWriter(text, FRAME_COLUMNS, restval="", extrasaction="ignore")
        table.writeheader()
        for one in self.frames:
            by_attribute = one.changes.by_attribute if one.changes else {}
            counts = {f"changed_{name}": count for name, count in by_attribute.items()}
            table.writerow(one.to_dict() | counts)
        return text.getvalue()

    def to_html(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the report with its pictures as one HTML file that needs no network.

        Raises:
            InputError: The file exists and ``overwrite`` is false, or cannot be written.
        """
        from gscompress.io.atomic import atomic_write
        from gscompress.report.html import render_clip

        with atomic_write(path, overwrite=overwrite) as file:
            file.write(render_clip(self).encode())


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.median(known)) if known else None
