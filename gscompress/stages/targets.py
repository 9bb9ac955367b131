"""Pictures that renders are compared to: of the input scene, or photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.photos import fit_camera
from gscompress.render.base import Renderer

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Targets", "photo_targets", "render_targets", "scaled_camera", "torch_device"]

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
    """

    cameras: Sequence[Camera]
    draw: Callable[[int], Tensor]
    room: int = 1 << 30
    _kept: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.cameras)

    def picture(self, view: int) -> Tensor:  # [H, W, 3]
        """The picture of a view, float32; the same bits whether it was kept or not."""
        kept = self._kept.get(view)
        if kept is None:
            kept = self.draw(view).half()
            size = kept.numel() * kept.element_size()
            if size <= self.room:
                self.room -= size
                self._kept[view] = kept
        return kept.float()


def render_targets(
    scene: Gaussians, cameras: Sequence[Camera], renderer: Renderer, scale: float, room: int
) -> Targets:
    """Renders of a scene, the teacher."""
    import torch

    small = [scaled_camera(camera, scale) for camera in cameras]
    device = torch_device(renderer)

    def draw(view: int) -> Tensor:
        return torch.from_numpy(renderer.render(scene, small[view]).image).to(device)

    return Targets(small, draw, room)


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
    import torch

    device = torch_device(renderer)
    fitted = [fit_camera(cameras[i], images[i], cameras[i].name) for i in views]
    small = [scaled_camera(camera, scale) for camera in fitted]

    def draw(view: int) -> Tensor:
        camera, photo = small[view], images[views[view]]
        if photo.shape[:2] == (camera.height, camera.width):
            return torch.from_numpy(photo.copy()).to(device)
        change = torch.from_numpy(photo - renderer.render(teacher, fitted[view]).image)
        average = torch.nn.functional.interpolate(
            change.permute(2, 0, 1)[None], (camera.height, camera.width), mode="area"
        )
        picture = torch.from_numpy(renderer.render(teacher, camera).image)
        return (picture + average[0].permute(1, 2, 0)).to(device)

    return Targets(small, draw, room)


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """The same view with sides ``scale`` times as long, but at least 16 pixels."""
    width, height = (max(MIN_SIDE, round(side * scale)) for side in (camera.width, camera.height))
    return camera if scale == 1 else camera.resized(width, height)


def torch_device(renderer: Renderer) -> str:
    """Where torch tensors have to be for a renderer."""
    return "cpu" if renderer.name == "cpu" else renderer.device.partition(" ")[0]
