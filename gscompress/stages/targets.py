"""Pictures that renders are compared to: of the input scene, or photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.photos import fit_camera
from gscompress.render.base import Renderer, torch_device

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Targets", "photo_targets", "render_targets", "scaled_camera", "shrunk"]

MIN_SIDE = 16
"""No view is scaled down to fewer pixels: SSIM needs 11."""


@dataclass(eq=False)
class Targets:
    """Views with their pictures, made when they are first wanted.

    They are kept in half precision (an error of 75 dB) as long as there is room; those that do not
    fit are made anew each time.

    Attributes:
        cameras: Of the views, at the size of the pictures.
        draw: Gives the picture [H, W, 3] of a view, by its number.
        room: Bytes that may be kept.
        device: Where torch wants them.
    """

    cameras: Sequence[Camera]
    draw: Callable[[int], Array]
    room: int = 1 << 30
    device: str = "cpu"
    _kept: dict[int, NDArray[np.float16]] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.cameras)

    def array(self, view: int) -> Array:  # [H, W, 3]
        """The picture of a view, float32; the same bits whether it was kept or not."""
        kept = self._kept.get(view)
        if kept is None:
            kept = self.draw(view).astype(np.float16)
            if kept.nbytes <= self.room:
                self.room -= kept.nbytes
                self._kept[view] = kept
        return kept.astype(np.float32)

    def followed_by(self, other: Targets) -> Targets:
        """These views, then the others; kept in the room of these."""
        own, count = self.draw, len(self)

        def draw(view: int) -> Array:
            return own(view) if view < count else other.draw(view - count)

        return replace(self, cameras=[*self.cameras, *other.cameras], draw=draw)

    def picture(self, view: int) -> Tensor:  # [H, W, 3]
        """The same as a tensor of torch, on the device."""
        import torch

        return torch.from_numpy(self.array(view)).to(self.device)


def render_targets(
    scene: Gaussians, cameras: Sequence[Camera], renderer: Renderer, scale: float, room: int
) -> Targets:
    """Renders of a scene, the teacher."""
    small = [scaled_camera(camera, scale) for camera in cameras]

    def draw(view: int) -> Array:
        return renderer.render(scene, small[view]).image

    return Targets(small, draw, room, torch_device(renderer))


def photo_targets(
    images: Sequence[Array],
    views: Sequence[int],
    cameras: Sequence[Camera],
    teacher: Gaussians,
    renderer: Renderer,
    scale: float,
    room: int,
) -> Targets:
    """Photos.

    A render of fewer pixels is no smaller photo: every Gaussian is widened by the same part of a
    pixel, whatever its size, and a scene fitted to averaged photos is wrong at full size. So where
    the sides are scaled, a target is the teacher's small render plus the average over areas of what
    the photo differs from its full one.

    Args:
        images: The photos of all cameras.
        views: Numbers of those wanted.
        cameras: All cameras.
        teacher: The input scene.
        renderer: Renders it, and says where the pictures have to be.
        scale: Of the sides of the views.
        room: As for Targets.
    """
    fitted = [fit_camera(cameras[i], images[i], cameras[i].name) for i in views]
    small = [scaled_camera(camera, scale) for camera in fitted]

    def draw(view: int) -> Array:
        camera, photo = small[view], images[views[view]]
        shape = camera.height, camera.width
        if photo.shape[:2] == shape:
            return photo
        change = photo - renderer.render(teacher, fitted[view]).image
        return renderer.render(teacher, camera).image + shrunk(change, shape)

    return Targets(small, draw, room, torch_device(renderer))


def shrunk(image: Array, shape: tuple[int, int]) -> Array:  # [H, W, 3] -> [*shape, 3]
    """Means over areas: every pixel counts in proportion to how much of it an area covers."""
    rows, columns = (_areas(*sizes) for sizes in zip(image.shape[:2], shape, strict=True))
    means = np.einsum("ih,hwc,jw->ijc", rows, image, columns, optimize=True)
    return np.asarray(means, np.float32)


def _areas(size: int, parts: int) -> Array:  # [parts, size]
    """Share of each pixel of a row in each of ``parts`` equal lengths of it."""
    edges = np.arange(parts + 1)[:, None] * (size / parts)
    passed = np.clip(edges - np.arange(size), 0, 1)
    return np.asarray(np.diff(passed, axis=0) * (parts / size), np.float32)


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """The same view with sides ``scale`` times as long, but at least 16 pixels."""
    width, height = (max(MIN_SIDE, round(side * scale)) for side in (camera.width, camera.height))
    return camera if scale == 1 else camera.resized(width, height)
