"""Rendering the frames of a clip, and comparing them with their originals and with photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Background, Renderer
from gscompress.report.frame_photos import FramePhotos
from gscompress.report.frames import FramePicture, FrameView, PhotoFacts
from gscompress.report.measure import NOT_ASKED, Method
from gscompress.report.pictures import difference_gain, jpeg, pixels_each
from gscompress.report.report import Protocol
from gscompress.report.sources import CameraSource, Split, file_sha256, select_cameras

__all__ = ["FrameBench", "frames_shown"]


@dataclass(frozen=True, slots=True)
class FrameBench:
    """How frames are looked at.

    Attributes:
        method: How images are compared, without photos.
        source: Where photos are; None: there are none.
        photos: For each frame those of the cameras; empty without photos.
        shown: The frames of which pictures are kept.
    """

    method: Method
    source: FramePhotos | None
    photos: Sequence[Sequence[Path]]
    shown: frozenset[int]

    @classmethod
    def make(
        cls,
        cameras: CameraSource,
        source: FramePhotos | None,
        frames: int,
        *,
        split: Split | None,
        renderer: Renderer | None,
        background: Background,
        pictures: int,
    ) -> FrameBench:
        """Find the photos of all frames and the renderer, before any work.

        Raises:
            InputError: A photo is missing, or the split leaves no camera.
        """
        selection = select_cameras(cameras, split)
        photos = source.find(selection.cameras, frames) if source else []
        method = Method.make(selection, None, renderer, None, background)
        return cls(method, source, photos, frames_shown(frames, pictures))

    def look(
        self, frame: int, decoded: Gaussians, original: Gaussians | None
    ) -> tuple[tuple[FrameView, ...], FramePicture | None]:
        """The scores of all views of a frame; and the picture of the worst, if it is shown.

        Raises:
            InputError: A photo cannot be read, or has other proportions than its camera.
        """
        method = self._method(frame)
        views = []
        worst: tuple[float, str, Array, Array] | None = None
        for k in range(len(method.selection.cameras)):
            camera, photo = method.view(k)
            image = method.render(decoded, camera)
            reference = None if original is None else method.render(original, camera)
            view = FrameView(
                camera.name,
                render=None if reference is None else method.compare(image, reference),
                photo=None if photo is None else method.compare(image, photo),
                original=None
                if reference is None or photo is None
                else method.compare(reference, photo),
            )
            views.append(view)
            truth, scores = (photo, view.photo) if reference is None else (reference, view.render)
            if truth is not None and scores and (worst is None or scores.psnr < worst[0]):
                worst = scores.psnr, camera.name, truth, image
        if worst is None or frame not in self.shown:
            return tuple(views), None
        return tuple(views), self._picture(frame, *worst, "photo" if original is None else "")

    def protocol(self, originals: int) -> Protocol:
        """What the numbers are; with originals the truth is their renders, whatever else is."""
        protocol = self._method(0).protocol(NOT_ASKED)
        return replace(protocol, mode="self-reference") if originals else protocol

    def photo_facts(self) -> PhotoFacts | None:
        """Which photos they are; None without photos."""
        if self.source is None:
            return None
        every = [path for paths in self.photos for path in paths]
        folder, pattern = str(self.source.folder), self.source.pattern
        return PhotoFacts(folder, pattern, len(every), file_sha256(every))

    def _method(self, frame: int) -> Method:
        """How to look at one frame: with its photos."""
        if self.source is None:
            return self.method
        return replace(self.method, photos=list(self.photos[frame]), folder=str(self.source.folder))

    def _picture(
        self, frame: int, psnr: float, view: str, truth: Array, image: Array, kind: str
    ) -> FramePicture:
        truth, image = truth.clip(0, 1), image.clip(0, 1)
        gain, most = difference_gain([(truth, image)]), pixels_each(3 * len(self.shown))
        return FramePicture(
            frame=frame,
            view=view,
            psnr=psnr,
            truth=kind or "original",
            reference=jpeg(truth, most),
            decoded=jpeg(image, most),
            difference=jpeg(abs(image - truth) * gain, most),
            gain=gain,
        )


def frames_shown(frames: int, count: int) -> frozenset[int]:
    """Which frames are shown: the first, the last, and some evenly between."""
    if not count:
        return frozenset()
    if count == 1:
        return frozenset({frames - 1})
    return frozenset(np.rint(np.linspace(0, frames - 1, min(count, frames))).astype(int).tolist())
