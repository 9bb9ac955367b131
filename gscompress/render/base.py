"""What a renderer gives: images, scores and, with torch, gradients. One interface, two backends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Array, Gaussians

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BLACK",
    "Background",
    "Gradients",
    "Progress",
    "Render",
    "Renderer",
    "Scores",
    "is_antialiased",
    "torch_device",
]

Progress = Callable[[int, int], None]
"""Called with (views done, views in all)."""

Background = tuple[float, float, float]
BLACK: Background = (0.0, 0.0, 0.0)


class Render(NamedTuple):
    """A rendered view: linear blend of colours in 0..1 (not clamped above), and its coverage."""

    image: Array  # [H, W, 3]
    alpha: Array  # [H, W]


@dataclass(frozen=True, slots=True)
class Scores:
    """What each Gaussian did in a set of views; w = alpha T is its blending weight at a pixel.

    Attributes:
        weight_sum: Sum of w over all pixels of all views.
        weight_sq_sum: Sum of w^2.
        weight_max: Largest w.
        hits: Number of pixels to which it contributed.
        removal_effect: Squared error of the image (summed over pixels and channels) that removing
            this Gaussian alone would cause: sum of w^2 |c_behind - c|^2, where c_behind is the
            colour that would be seen through it.
        transmittance_sum: Sum of T over the pixels to which it contributed; None unless asked for.
        dominated: Number of pixels in which its w is the largest; None unless asked for.
    """

    weight_sum: Array  # [N]
    weight_sq_sum: Array  # [N]
    weight_max: Array  # [N]
    hits: NDArray[np.int64]  # [N]
    removal_effect: Array  # [N]
    transmittance_sum: Array | None = None  # [N]
    dominated: NDArray[np.int64] | None = None  # [N]


class Gradients(NamedTuple):
    """Derivatives by the activated parameters of the Gaussians."""

    means: Array  # [N, 3]
    quats: Array  # [N, 4]
    scales: Array  # [N, 3]
    opacities: Array  # [N]
    sh: Array  # [N, K, 3]


class Renderer(Protocol):
    """A rasterizer with gsplat 1.5.3's image semantics, on some device."""

    name: str
    """Id in the registry: "cpu" or "gsplat"."""
    device: str
    """Human-readable device, for reports."""

    def render(self, scene: Gaussians, camera: Camera, background: Background = BLACK) -> Render:
        """Render one view."""
        ...

    def scores(
        self,
        scene: Gaussians,
        cameras: Sequence[Camera],
        background: Background = BLACK,
        progress: Progress | None = None,
        *,
        removal: bool = True,
        occlusion: bool = False,
    ) -> Scores:
        """Accumulate the scores of every Gaussian over the cameras; no gradient.

        Without ``removal`` the removal effect, which takes a second pass, may be left at 0. With
        ``occlusion`` the transmittance sum and the dominated pixels are there as well.
        """
        ...

    def rasterize(
        self,
        means: Tensor,  # [N, 3]
        quats: Tensor,  # [N, 4]
        scales: Tensor,  # [N, 3] activated
        opacities: Tensor,  # [N] activated
        sh: Tensor,  # [N, K, 3]
        camera: Camera,
        background: Background = BLACK,
        antialiased: bool = False,
        means2d: Tensor | None = None,  # [N, 2]
    ) -> tuple[Tensor, Tensor]:
        """Differentiable rendering of torch tensors: image [H, W, 3] and alpha [H, W].

        ``means2d`` is a probe whose values are ignored: after ``backward()`` its ``grad`` holds
        the gradient by the projected means, in pixels, as densification needs it.
        """
        ...

    def pull_back(
        self, scene: Gaussians, camera: Camera, weigh: Callable[[Array], Array]
    ) -> Gradients:
        """Gradients of the sum over the image of ``weigh(image)`` times the image.

        ``weigh`` makes an array [H, W, 3] from the image; the background is black.
        """
        ...

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done (for timing)."""
        ...


def is_antialiased(scene: Gaussians) -> bool:
    """Whether the scene is to be rendered antialiased.

    Raises:
        InputError: We do not have the rasterization that the scene was trained for.
    """
    if scene.mode not in ("default", "mip"):
        raise InputError(
            "Gaussians",
            "mode",
            found=scene.mode,
            expected="default or mip",
            remedy="Scenes of flat Gaussians can be converted and compressed, but not rendered.",
        )
    return scene.mode == "mip"


def torch_device(renderer: Renderer) -> str:
    """Where torch tensors have to be for a renderer."""
    return "cpu" if renderer.name == "cpu" else renderer.device.partition(" ")[0]
