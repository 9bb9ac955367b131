"""How a clip is encoded, and what is told about each frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gscompress.config import Config
from gscompress.errors import InputError, UsageError
from gscompress.files import StrPath
from gscompress.stream.manifest import MAX_FPS, MAX_FRAMES, Kind

__all__ = ["FrameReport", "Settings", "Trajectories"]

Trajectories = Literal["auto", "always", "words", "never"]


@dataclass(frozen=True)
class Settings:
    """How a clip is encoded.

    Attributes:
        fps: Frames per second.
        gop: Frames from one key frame to the next, at most.
        preset: Of the key frames: a preset's name, a path or a configuration. Its stages are left
            out, because they would change which Gaussian is which.
        quality: 1 to 100, of key frames and changes; 60 is the preset itself. All frames get about
            the PSNR of the first change.
        target_psnr: PSNR of each frame against its own renders, in dB, or up to 0.1 dB more.
        kbps: Thousands of bits per second that a group of frames may have.
        max_error: Largest error of every Gaussian in every frame, by quantity.
        trajectories: Which runs of frames without births and deaths are coded together, by how
            everything moves: "auto": those that take fewer bytes so, by a sample of the Gaussians;
            "always": all, by coefficients in time; "words": all, with codebooks as well where they
            are worth it; "never": none, so that each frame can be sent at once.
    """

    fps: float = 30.0
    gop: int = 30
    preset: StrPath | Config = "balanced"
    quality: float = 60.0
    target_psnr: float | None = None
    kbps: float | None = None
    max_error: Mapping[str, float] | None = None
    trajectories: Trajectories = "auto"

    def __post_init__(self) -> None:
        goals = (self.target_psnr, self.kbps, self.max_error)
        if sum(goal is not None for goal in goals) > 1:
            raise UsageError("target PSNR, kbps and max error exclude each other")
        if not 0 < self.fps <= MAX_FPS:
            raise InputError("fps", found=f"{self.fps:g}", expected=f"above 0, up to {MAX_FPS}")
        if not 1 <= self.gop <= MAX_FRAMES:
            raise InputError("gop", found=self.gop, expected=f"1 to {MAX_FRAMES}")
        if not 1 <= self.quality <= 100:
            raise InputError("quality", found=f"{self.quality:g}", expected="1 to 100")
        for name in ("target_psnr", "kbps"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(name, found=f"{value:g}", expected="a positive number")

    @property
    def group_bytes(self) -> float:
        """Bytes that a whole group may have; infinite without a bit rate."""
        return math.inf if self.kbps is None else self.kbps * 125 * self.gop / self.fps


@dataclass(frozen=True)
class FrameReport:
    """What came of a frame.

    Attributes:
        frame: Its number.
        kind: Of its segment.
        bytes: Its share of the segment.
        gaussians: How many it has.
        changed: How many Gaussians change.
        births: How many are new.
        deaths: How many are gone.
        psnr: Against the renders of the frame as it came, mean over the control views, in dB.
        seconds: Its share of the time that the segment took.
    """

    frame: int
    kind: Kind
    bytes: float
    gaussians: int
    changed: int
    births: int
    deaths: int
    psnr: float
    seconds: float
