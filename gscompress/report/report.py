"""What an evaluation found: numbers per view and over all views, and what exactly they are."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

__all__ = ["EvaluationMode", "Picture", "Protocol", "Report", "SceneFacts", "Scores", "View"]

EvaluationMode = Literal["self-reference", "ground-truth"]


@dataclass(frozen=True, slots=True)
class Scores:
    """One image against another, or a mean over views of such scores.

    Attributes:
        psnr: In dB; higher is better, at most 150.
        ssim: Higher is better, at most 1.
        lpips: Lower is better. None: not measured.
    """

    psnr: float
    ssim: float
    lpips: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """The scores of one camera.

    Attributes:
        name: Name of the camera.
        test: The test scene against the truth: the photo, or the reference's render without photos.
        render: The test scene's render against the reference's render, whatever the truth is.
        reference: The reference scene against the photo; None without photos.
    """

    name: str
    test: Scores
    render: Scores
    reference: Scores | None

    def to_dict(self) -> dict[str, Any]:
        """The flat form that stands in JSON."""
        return {"name": self.name} | _flat(self.test, self.render, self.reference)


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """Which scene was evaluated.

    Attributes:
        path: The file; None for a scene in memory.
        sha256: Of the file, in hexadecimal.
        bytes: Length of the file.
        gaussians: How many Gaussians it holds.
        sh_degree: Degree of its spherical harmonics.
        mode: The rasterization it was trained for.
        format: Id of the file's format; None for a scene in memory.
        decode_seconds: What it takes to read the file into memory; None: not measured.
        bytes_by_attribute: Where a file's bytes go; None where its format has them mixed.
    """

    path: str | None
    sha256: str | None
    bytes: int | None
    gaussians: int
    sh_degree: int
    mode: str
    format: str | None = None
    decode_seconds: float | None = None
    bytes_by_attribute: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the numbers were made, so that they can be made again.

    Attributes:
        name: Changes whenever the numbers would.
        mode: "self-reference": the truth is the render of the reference scene, so the numbers hold
            the loss of compression alone. "ground-truth": the truth is photos.
        split: Which of the given cameras were used: "test", "train" or "all"; "given": a caller
            chose them.
        cameras: How many of them.
        cameras_given: How many there were before the split.
        every: 1, or N where only every Nth of the split was used.
        sizes: Size of the views in pixels.
        background: RGB in 0..1, behind both scenes.
        renderer: Id of the renderer.
        photos: Folder of the photos; None without photos.
        psnr: What the PSNR is.
        ssim: What the SSIM is.
        lpips: Which LPIPS, with its convention; or why there is none.
        fps: What the frames per second are; or why there are none.
    """

    name: str
    mode: EvaluationMode
    split: str
    cameras: int
    cameras_given: int
    every: int
    sizes: str
    background: tuple[float, float, float]
    renderer: str
    photos: str | None
    psnr: str
    ssim: str
    lpips: str
    fps: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The images of one view, as JPEG files, for people to look at.

    Attributes:
        role: "worst", "median" or "best" by ``render_psnr``.
        view: Name of the camera.
        render_psnr: The test scene's render against the reference's, in dB.
        photo: The photo; None without photos.
        reference: The reference scene's render.
        test: The test scene's render.
        difference: Absolute difference of the two renders, amplified.
        gain: By how much.
    """

    role: str
    view: str
    render_psnr: float
    photo: bytes | None
    reference: bytes
    test: bytes
    difference: bytes
    gain: int


@dataclass(frozen=True, slots=True)
class Report:
    """The result of ``evaluate``.

    Attributes:
        reference: The original scene.
        test: The scene under test.
        views: The scores of each camera.
        protocol: What the numbers are.
        device: On which device the images were rendered.
        fps: Frames per second of the test scene; None: not measured.
        reference_fps: The same of the reference scene.
        pictures: Some of the views.
    """

    reference: SceneFacts
    test: SceneFacts
    views: tuple[View, ...]
    protocol: Protocol
    device: str
    fps: float | None = None
    reference_fps: float | None = None
    pictures: tuple[Picture, ...] = field(default=(), repr=False)

    @property
    def scores(self) -> Scores:
        """Mean over views of the test scene against the truth."""
        return _mean([view.test for view in self.views])

    @property
    def render_scores(self) -> Scores:
        """Mean over views of the test scene's renders against the reference's renders."""
        return _mean([view.render for view in self.views])

    @property
    def reference_scores(self) -> Scores | None:
        """Mean over views of the reference scene against the photos; None without photos."""
        scores = [view.reference for view in self.views if view.reference is not None]
        return _mean(scores) if scores else None

    @property
    def psnr(self) -> float:
        """Mean over views of the per-view PSNR against the truth, in dB."""
        return self.scores.psnr

    @property
    def ssim(self) -> float:
        """Mean over views of the SSIM against the truth."""
        return self.scores.ssim

    @property
    def lpips(self) -> float | None:
        """Mean over views of the LPIPS against the truth; None: not measured."""
        return self.scores.lpips

    @property
    def psnr_drop(self) -> float | None:
        """The PSNR against the photos that the test scene loses, in dB; None without photos."""
        reference = self.reference_scores
        return None if reference is None else reference.psnr - self.psnr

    @property
    def worst(self) -> View:
        """The view with the lowest PSNR."""
        return min(self.views, key=lambda view: view.test.psnr)

    @property
    def bytes(self) -> int | None:
        """Length of the test scene's file; None for a scene in memory."""
        return self.test.bytes

    @property
    def gaussians(self) -> int:
        """How many Gaussians the test scene holds."""
        return self.test.gaussians

    @property
    def bits_per_gaussian(self) -> float | None:
        """Bits of the test scene's file per Gaussian of the *reference* scene."""
        if self.test.bytes is None or self.reference.gaussians == 0:
            return None
        return 8 * self.test.bytes / self.reference.gaussians

    @property
    def ratio(self) -> float | None:
        """How many times smaller than the reference's file the test scene's file is."""
        if not self.test.bytes or self.reference.bytes is None:
            return None
        return self.reference.bytes / self.test.bytes

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON knows it; the keys are a stable contract."""
        return {
            "reference": _label(self.reference),
            "test": _label(self.test),
            "bytes": self.bytes,
            "gaussians": self.gaussians,
            "bits_per_gaussian": self.bits_per_gaussian,
            "ratio": self.ratio,
            **_flat(self.scores, self.render_scores, self.reference_scores),
            "psnr_worst": self.worst.test.psnr,
            "psnr_drop": self.psnr_drop,
            "fps": self.fps,
            "reference_fps": self.reference_fps,
            "views": [view.to_dict() for view in self.views],
            "protocol": dataclasses.asdict(self.protocol),
            "device": self.device,
            "scenes": {
                "reference": dataclasses.asdict(self.reference),
                "test": dataclasses.asdict(self.test),
            },
        }

    def to_json(self) -> str:
        """The report as one JSON document."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def to_html(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the report with its pictures as one HTML file that needs no network.

        Raises:
            InputError: The file exists and ``overwrite`` is false, or cannot be written.
        """
        from gscompress.io.atomic import atomic_write
        from gscompress.report.html import render_html

        with atomic_write(path, overwrite=overwrite) as file:
            file.write(render_html(self).encode())


def _mean(scores: Sequence[Scores]) -> Scores:
    """Mean of each number; LPIPS only if every view has it."""

    def mean(values: Callable[[Scores], float]) -> float:
        return sum(map(values, scores)) / len(scores)

    measured = all(s.lpips is not None for s in scores)
    lpips = mean(lambda s: s.lpips or 0.0) if measured else None
    return Scores(mean(lambda s: s.psnr), mean(lambda s: s.ssim), lpips)


def _flat(test: Scores, render: Scores, reference: Scores | None) -> dict[str, float | None]:
    """The scores of a view, or of all, under their keys in JSON."""
    return {
        "psnr": test.psnr,
        "ssim": test.ssim,
        "lpips": test.lpips,
        "render_psnr": render.psnr,
        "render_ssim": render.ssim,
        "reference_psnr": None if reference is None else reference.psnr,
        "reference_ssim": None if reference is None else reference.ssim,
        "reference_lpips": None if reference is None else reference.lpips,
    }


def _label(scene: SceneFacts) -> str:
    """The file of a scene, or a word for a scene in memory."""
    return scene.path or f"{scene.gaussians} Gaussians in memory"
