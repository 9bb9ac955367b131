"""The loss of Gaussian splatting, differentiable: L1 and SSIM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gscompress import _native
from gscompress.errors import InputError
from gscompress.gaussians import Array
from gscompress.metrics.ssim import C1, C2, RADIUS, SIGMA

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PhotoLoss"]


@dataclass(frozen=True)
class PhotoLoss:
    """Difference of a render and a picture: 3DGS (Kerbl et al. 2023), eq. 7.

    SSIM as in `gscompress.metrics.ssim`, but nothing is clamped: a render that is too bright has to
    learn it. Float32 images on the CPU go through the native core, which takes a tenth of the time
    that torch does and gives the same bits for any number of threads.

    Attributes:
        ssim_share: Weight of 1 - SSIM; L1 has the rest.
        softness: L1 of a difference d is sqrt(d^2 + softness^2) - softness (Charbonnier et al.
            1994): for differences well below this, least squares, which is what PSNR measures.
        threads: Of the native core.
    """

    ssim_share: float = 0.2
    softness: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.ssim_share <= 1:
            raise InputError("PhotoLoss", "ssim_share", found=self.ssim_share, expected="0 to 1")
        if not self.softness >= 0:
            raise InputError("PhotoLoss", "softness", found=self.softness, expected="0 or more")

    def __call__(self, image: Tensor, target: Tensor) -> Tensor:  # [H, W, 3] each -> []
        """The loss; differentiable by ``image``.

        Raises:
            InputError: The shapes differ, or a side is shorter than 11 pixels.
        """
        import torch

        self._check(image.shape, target.shape)
        if image.device.type == "cpu" and image.dtype == torch.float32:
            loss: Tensor = _native_loss().apply(image, target, self)
            return loss
        absolute = self._absolute(image - target).mean()
        if self.ssim_share == 0:
            return absolute
        return (1 - self.ssim_share) * absolute + self.ssim_share * (1 - _ssim(image, target))

    def gradient(self, image: Array, target: Array) -> tuple[float, Array]:
        """The loss of two float32 images [H, W, 3], and its gradient by ``image``; without torch.

        Raises:
            InputError: The shapes differ, or a side is shorter than 11 pixels.
        """
        self._check(image.shape, target.shape)
        gradient = np.empty(image.shape, np.float32)
        value = _native.photo_loss(
            np.ascontiguousarray(image, np.float32),
            np.ascontiguousarray(target, np.float32),
            self.ssim_share,
            self.softness,
            gradient,
            self.threads,
        )
        return value, gradient

    def _check(self, image: Sequence[int], target: Sequence[int]) -> None:
        size = 2 * RADIUS + 1
        if tuple(image) != tuple(target) or min(image[:2]) < size or tuple(image[2:]) != (3,):
            raise InputError(
                "PhotoLoss",
                found=f"{tuple(image)} and {tuple(target)}",
                expected=f"two images [H, W, 3], H and W at least {size}",
            )

    def _absolute(self, difference: Tensor) -> Tensor:
        if self.softness == 0:  # the root has no gradient at 0
            return difference.abs()
        square = difference.square()
        return square / ((square + self.softness**2).sqrt() + self.softness)


@cache
def _native_loss() -> Any:
    """The native core as a torch function; made when it is first wanted."""
    import torch
    from torch.autograd.function import once_differentiable

    class NativeLoss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, image: Tensor, target: Tensor, loss: PhotoLoss) -> Tensor:
            value, gradient = loss.gradient(image.detach().numpy(), target.detach().numpy())
            ctx.save_for_backward(torch.from_numpy(gradient))
            return torch.tensor(value)

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, by_loss: Tensor) -> tuple[Tensor, None, None]:
            (gradient,) = ctx.saved_tensors
            return gradient.mul_(by_loss), None, None

    return NativeLoss


def _ssim(image: Tensor, target: Tensor) -> Tensor:  # [H, W, 3] each -> []
    """Mean structural similarity (Wang et al. 2004, eq. 13)."""
    import torch

    x, y = (tensor.permute(2, 0, 1) for tensor in (image, target))
    maps = torch.stack([x, y, x * x + y * y, x * y])  # [4, 3, H, W]
    offsets = np.arange(-RADIUS, RADIUS + 1)
    weights = np.exp(-0.5 * (offsets / SIGMA) ** 2)
    window = torch.as_tensor(weights / weights.sum(), dtype=maps.dtype, device=maps.device)
    flat = maps.reshape(-1, 1, *maps.shape[2:])
    flat = torch.nn.functional.conv2d(flat, window.view(1, 1, 1, -1))
    flat = torch.nn.functional.conv2d(flat, window.view(1, 1, -1, 1))
    mean_x, mean_y, power, product = flat.view(4, 3, *flat.shape[2:])
    both, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    luminance = (2 * both + C1) / (squares + C1)
    structure = (2 * (product - both) + C2) / (power - squares + C2)
    similarity: Tensor = (luminance * structure).mean()
    return similarity
