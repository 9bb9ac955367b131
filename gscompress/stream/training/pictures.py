"""The pictures of one frame of footage: to learn, to tell what moves, and to measure by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics.psnr import psnr
from gscompress.photos import fit_camera
from gscompress.render.base import Renderer
from gscompress.stages.targets import Targets, photo_targets, shrunk
from gscompress.stream.training.footage import Footage

__all__ = ["footage_targets", "foreground", "photo_psnr"]

ROOM = 1 << 30
"""Bytes of pictures that are kept per frame."""


def foreground(
    footage: Footage, number: int, cameras: Sequence[Camera]
) -> list[Array] | None:  # [H, W] each
    """What the masks say that moves at frame ``number``, at the size of ``cameras``.

    What moves covers something new and uncovers something else: a pixel counts if it does, in part,
    in the mask of this frame or of the one before. None: there are no masks.

    Raises:
        InputError: A mask has other proportions than its camera.
    """
    pair = [footage.mask(k) for k in (number - 1, number)]
    found = []
    for view, camera in enumerate(cameras):
        out = np.zeros((camera.height, camera.width), np.float32)
        for masks in pair:
            if masks is None:
                return None
            image = masks[view]
            fit_camera(footage.cameras[view], image, masks.paths[view])
            white = (image > 0.5).astype(np.float32)
            out = np.maximum(out, shrunk(white, (camera.height, camera.width)).max(axis=2))
        found.append(out)
    return found


def footage_targets(
    footage: Footage, number: int, previous: Gaussians, renderer: Renderer, scale: float
) -> Targets:
    """The photos of frame ``number`` as pictures to learn, at ``scale`` of their size."""
    views = range(len(footage.cameras))
    photos = footage.frame(number)
    return photo_targets(photos, views, footage.cameras, previous, renderer, scale, ROOM)


def photo_psnr(
    scene: Gaussians, footage: Footage, number: int, renderer: Renderer, near: float = 0.0
) -> float:
    """Mean PSNR over the cameras against the photos of a frame at their full size, in dB.

    Args:
        scene: The frame.
        footage: The photos.
        number: Of the frame.
        renderer: Renders it.
        near: Distance from the image plane up to which a camera sees nothing, in world units; no
            less than the renderer's own.
    """
    found = []
    for camera, path, photo in zip(
        footage.cameras, footage.frame(number).paths, footage.frame(number), strict=True
    ):
        depth = scene.means @ camera.viewmat[2, :3] + camera.viewmat[2, 3]
        seen = scene.select(depth > near) if near > 0 else scene
        image = renderer.render(seen, fit_camera(camera, photo, path)).image
        found.append(psnr(image, photo))
    return float(np.mean(found))
