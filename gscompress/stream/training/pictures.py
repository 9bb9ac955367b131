"""The pictures of one frame of footage: to learn, to tell what moves, and to measure by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics.psnr import psnr
from gscompress.photos import fit_camera
from gscompress.render.base import Renderer, torch_device
from gscompress.stages.targets import MIN_SIDE, Targets
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
            out = np.maximum(out, _shrunk(white, (camera.height, camera.width)).max(axis=2))
        found.append(out)
    return found


def footage_targets(
    footage: Footage, number: int, previous: Gaussians, renderer: Renderer, scale: float
) -> Targets:
    """The photos of frame ``number`` as pictures to learn, at ``scale`` of their size.

    A render of fewer pixels is no smaller photo: every Gaussian is widened by the same part of a
    pixel, whatever its size, and a scene fitted to averaged photos is wrong at full size. So where
    the sides are scaled, a target is the previous frame's small render plus the average over areas
    of what the photo differs from its full one.

    Raises:
        InputError: A photo has other proportions than its camera.
    """
    photos = footage.frame(number)
    fitted = [fit_camera(c, photos[i], c.name) for i, c in enumerate(footage.cameras)]
    small = [_scaled(camera, scale) for camera in fitted]

    def draw(view: int) -> Array:
        camera, photo = small[view], photos[view]
        shape = camera.height, camera.width
        if photo.shape[:2] == shape:
            return photo
        change = photo - renderer.render(previous, fitted[view]).image
        return renderer.render(previous, camera).image + _shrunk(change, shape)

    return Targets(small, draw, ROOM, torch_device(renderer))


def _shrunk(image: Array, shape: tuple[int, int]) -> Array:  # [H, W, 3] -> [*shape, 3]
    """Means over areas: every pixel counts in proportion to how much of it an area covers."""
    rows, columns = (_areas(*sizes) for sizes in zip(image.shape[:2], shape, strict=True))
    means = np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)
    return np.asarray(means, np.float32)


def _areas(size: int, parts: int) -> Array:  # [parts, size]
    """Share of each pixel of a row in each of ``parts`` equal lengths of it."""
    edges = np.arange(parts + 1)[:, None] * (size / parts)
    passed = np.clip(edges - np.arange(size), 0, 1)
    return np.asarray(np.diff(passed, axis=0) * (parts / size), np.float32)


def _scaled(camera: Camera, scale: float) -> Camera:
    """The same view with sides ``scale`` times as long, but at least 16 pixels."""
    width, height = (max(MIN_SIDE, round(side * scale)) for side in (camera.width, camera.height))
    return camera if scale == 1 else camera.resized(width, height)


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
