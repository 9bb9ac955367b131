"""Pictures that renders are compared to: of the input scene, or photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Renderer, torch_device

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Part", "Targets", "parts", "photo_targets", "render_targets"]

MIN_SIDE = 16
"""No part of a view has fewer pixels along a side: SSIM needs 11."""


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


class Part(NamedTuple):
    """Some pixels of a view, evenly spread: ``image[row::every, column::every]``.

    What a render of fewer pixels shows is no smaller photo: every Gaussian is widened by the same
    part of a pixel, whatever the pixel's size. Parts are made of the pixels of the full image.
    """

    view: int
    camera: Camera
    every: int = 1
    column: int = 0
    row: int = 0

    def of(self, image: Array) -> Array:  # [H, W, 3] -> [h, w, 3]
        """The same pixels of an image of the whole view."""
        return image[self.row :: self.every, self.column :: self.every]


def parts(cameras: Sequence[Camera], every: int) -> list[list[Part]]:
    """All ``every`` x ``every`` parts of each view; fewer where they would become too small."""
    found = []
    for view, camera in enumerate(cameras):
        n = max(1, min(every, min(camera.width, camera.height) // MIN_SIDE))
        places = [(column, row) for row in range(n) for column in range(n)]
        found.append([Part(view, camera.thinned(n, *place), n, *place) for place in places])
    return found


def render_targets(
    scene: Gaussians, cameras: Sequence[Camera], renderer: Renderer, room: int
) -> Targets:
    """Renders of a scene, the teacher."""

    def draw(view: int) -> Array:
        return renderer.render(scene, cameras[view]).image

    return Targets(cameras, draw, room, torch_device(renderer))


def photo_targets(
    images: Sequence[Array], chosen: Sequence[Part], renderer: Renderer, room: int
) -> Targets:
    """Parts of photos, which have the sizes of the parts' views."""

    def draw(view: int) -> Array:
        return chosen[view].of(images[chosen[view].view])

    return Targets([part.camera for part in chosen], draw, room, torch_device(renderer))
