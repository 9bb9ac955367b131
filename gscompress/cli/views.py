"""From where a verb looks at a scene: cameras it was given, those beside it, or virtual ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.report.sources import Selection

__all__ = ["Split", "Views"]

Split = Literal["test", "train", "all"]

VIRTUAL_VIEWS = 24
"""Enough for a figure; other than the number the encoder makes, so that these are other views."""


@dataclass(frozen=True)
class Views:
    """The cameras of a scene.

    Attributes:
        source: What they were read from; None: they are virtual.
        train: Those that an encoder may use; empty if virtual.
        test: Those that it never sees; all, if virtual.
    """

    source: Path | None
    train: list[Camera]
    test: list[Camera]

    @classmethod
    def find(cls, given: Path | None, *scenes: Path) -> Views | None:
        """The cameras in ``given``, or else beside the first scene that has some; None: nowhere."""
        source = given
        for scene in scenes:
            source = source or find_cameras(scene)
        if source is None:
            return None
        return cls(source, *split(load_cameras(source), source))

    @classmethod
    def virtual(cls, scene: Gaussians, seed: int) -> Views:
        """Virtual cameras around a scene."""
        from gscompress.virtual_cameras import virtual_cameras

        return cls(None, [], virtual_cameras(scene, VIRTUAL_VIEWS, seed=seed))

    def part(self, which: Split) -> list[Camera]:
        """The cameras of a part of the split; virtual ones have no parts.

        Raises:
            InputError: It has none.
        """
        if self.source is None:
            return self.test
        cameras = {"train": self.train, "test": self.test, "all": [*self.train, *self.test]}[which]
        if not cameras:
            raise InputError(
                self.source,
                found=f"no {which} cameras",
                expected="at least one",
                remedy="Choose another part with --split.",
            )
        return cameras

    def select(self, which: Split) -> Selection:
        """The same for an evaluation, whose report then says which they are."""
        split: Split | Literal["given"] = "given" if self.source is None else which
        return Selection(self.part(which), split, len(self.train) + len(self.test))

    def control(self, images: Path | None) -> list[Camera]:
        """The held-out cameras, exactly as an evaluation renders them: at the size of their photos.

        Raises:
            InputError: A photo is missing.
        """
        if images is None:
            return self.test
        from gscompress.photos import find_images, fit_camera, load_image

        pairs = zip(self.test, find_images(self.test, images), strict=True)
        return [fit_camera(camera, load_image(path), path) for camera, path in pairs]

    def describe(self, which: Split, count: int) -> str:
        """Where a figure was measured, for people: ``37 test cameras of cameras.json``."""
        plural = "" if count == 1 else "s"
        if self.source is None:
            return f"{count} virtual camera{plural}, none being given"
        kind = {"test": "held-out ", "train": "training ", "all": ""}[which]
        return f"{count} {kind}camera{plural} of {self.source}"
