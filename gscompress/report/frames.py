"""What an evaluation of a clip found about one frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gscompress.report.report import Scores
from gscompress.stream.changes import Changes

__all__ = ["SCORES", "FrameFacts", "FramePicture", "FrameView", "PhotoFacts", "mean_of"]

SCORES = {
    f"{prefix}{name}": (against, name)
    for prefix, against in (("", "render"), ("photo_", "photo"), ("original_photo_", "original"))
    for name in ("psnr", "ssim")
}
"""Keys in JSON of the scores of a view: the attribute of `FrameView`, and which of its scores."""


@dataclass(frozen=True, slots=True)
class FrameView:
    """A frame seen by a camera.

    Attributes:
        name: Of the camera.
        render: The decoded frame's render against the original's; None without originals.
        photo: The decoded frame's render against the photo; None without photos.
        original: The original's render against the photo; None without one of them.
    """

    name: str
    render: Scores | None
    photo: Scores | None
    original: Scores | None

    def to_dict(self) -> dict[str, Any]:
        """The flat form that stands in JSON."""
        return {"name": self.name} | means_over([self])


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """One frame.

    Attributes:
        frame: Its number.
        group: The index of its group.
        kind: Of its segment.
        bytes: Its share of the segment.
        gaussians: How many it has.
        changes: What it changes; None of a key frame.
        decode_ms: Milliseconds to decode it after the frame before.
        sha256: Of its decoded arrays.
        access: Whether decoding it by itself gives the same; None: not checked.
        views: What cameras see; empty without anything to compare with.
        encode_seconds: What encoding it took; None: not known.
    """

    frame: int
    group: int
    kind: str
    bytes: float
    gaussians: int
    changes: Changes | None
    decode_ms: float
    sha256: str
    access: bool | None = None
    views: tuple[FrameView, ...] = ()
    encode_seconds: float | None = None

    @property
    def bytes_per_100k(self) -> float | None:
        """Bytes per 100,000 Gaussians; None without Gaussians."""
        return self.bytes * 1e5 / self.gaussians if self.gaussians else None

    @property
    def psnr(self) -> float | None:
        """Mean over views of the PSNR against the original's renders; None without originals."""
        return mean_of(view.render.psnr for view in self.views if view.render)

    @property
    def photo_psnr(self) -> float | None:
        """Mean over views of the PSNR against photos; None without photos."""
        return mean_of(view.photo.psnr for view in self.views if view.photo)

    @property
    def original_photo_psnr(self) -> float | None:
        """The same of the original's renders; None without photos or originals."""
        return mean_of(view.original.psnr for view in self.views if view.original)

    @property
    def ssim(self) -> float | None:
        """Mean over views of the SSIM against the original's renders; None without originals."""
        return mean_of(view.render.ssim for view in self.views if view.render)

    def share(self, group: str | None = None) -> float | None:
        """Which share of the Gaussians has changed, in an attribute group or in any."""
        if self.changes is None or not self.gaussians:
            return None
        count = self.changes.changed if group is None else self.changes.by_attribute.get(group, 0)
        return count / self.gaussians

    def to_dict(self) -> dict[str, Any]:
        """The flat form that stands in JSON."""
        changes = self.changes
        renders = [view.render.psnr for view in self.views if view.render]
        return {
            "frame": self.frame,
            "group": self.group,
            "kind": self.kind,
            "bytes": self.bytes,
            "gaussians": self.gaussians,
            "bytes_per_100k": self.bytes_per_100k,
            "changed": None if changes is None else changes.changed,
            "changed_share": self.share(),
            "changed_by_attribute": None if changes is None else dict(changes.by_attribute),
            "births": None if changes is None else changes.births,
            "deaths": None if changes is None else changes.deaths,
            **means_over(self.views),
            "psnr_worst": min(renders, default=None),
            "decode_ms": self.decode_ms,
            "encode_seconds": self.encode_seconds,
            "access": self.access,
            "sha256": self.sha256,
            "views": [view.to_dict() for view in self.views],
        }


@dataclass(frozen=True, slots=True)
class FramePicture:
    """A view of a frame as JPEG files, for people to look at.

    Attributes:
        frame: Number of the frame.
        view: Name of the camera: the frame's worst.
        psnr: Of the pictures against each other, in dB.
        truth: What ``reference`` is: "original" or "photo".
        reference: The original's render; the photo where there is no original.
        decoded: The decoded frame's render.
        difference: Absolute difference of the two, amplified.
        gain: By how much.
    """

    frame: int
    view: str
    psnr: float
    truth: str
    reference: bytes
    decoded: bytes
    difference: bytes
    gain: int


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """Which photos were the truth.

    Attributes:
        folder: Where they are.
        pattern: How they are named; None: as the cameras are, counting on.
        count: How many were used.
        sha256: Of their bytes, frame by frame, in the order of the cameras.
    """

    folder: str
    pattern: str | None
    count: int
    sha256: str


def means_over(views: Sequence[FrameView]) -> dict[str, float | None]:
    """Means over views, under their keys in JSON."""
    means = {}
    for key, (against, name) in SCORES.items():
        scores = [getattr(view, against) for view in views]
        means[key] = mean_of(getattr(one, name) for one in scores if one is not None)
    return means


def mean_of(values: Iterable[float | None]) -> float | None:
    """Of what is known; None if nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
