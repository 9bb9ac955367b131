"""The loss of Gaussian splatting: 0.8 L1 + 0.2 (1 - SSIM), differentiable."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["PhotoLoss", "Target"]

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class Target:
    """A picture and its local statistics, computed once."""

    image: Tensor  # [3, H, W] in 0..1
    mean: Tensor  # [3, H - 10, W - 10]
    variance: Tensor  # [3, H - 10, W - 10]

    @staticmethod
    def of(image: Tensor) -> Target:  # [H, W, 3]
        """Prepare a picture."""
        planes = image.permute(2, 0, 1).contiguous()
        mean = blur(planes)
        return Target(planes, mean, blur(planes * planes) - mean * mean)


@dataclass(frozen=True)
class PhotoLoss:
    """Difference of a render and a picture: 3DGS (Kerbl et al. 2023), eq. 7.

    SSIM has the usual 11x11 Gaussian window with sigma 1.5, over the region where it fits.
    """

    ssim_share: float = 0.2

    def __call__(self, render: Tensor, target: Target) -> Tensor:  # [H, W, 3] -> []
        x = render.permute(2, 0, 1).contiguous()
        absolute = (x - target.image).abs().mean()
        if self.ssim_share == 0:
            return absolute
        similarity = ssim(x, target)
        return (1 - self.ssim_share) * absolute + self.ssim_share * (1 - similarity)


def ssim(x: Tensor, target: Target) -> Tensor:  # [3, H, W] -> []
    """Mean structural similarity (Wang et al. 2004, eq. 13)."""
    mean, square, product = blur(torch.cat([x, x * x, x * target.image])).chunk(3)
    both = mean * target.mean
    variance, covariance = square - mean * mean, product - both
    luminance = (2 * both + C1) / (mean * mean + target.mean * target.mean + C1)
    structure = (2 * covariance + C2) / (variance + target.variance + C2)
    similarity: Tensor = (luminance * structure).mean()
    return similarity


class Blur(torch.autograd.Function):
    """Gaussian-weighted local means where the window fits: [C, H, W] -> [C, H - 10, W - 10].

    Sums of shifted planes, several times faster on a CPU than torch's convolutions.
    """

    @staticmethod
    def forward(_ctx: Any, planes: Tensor) -> Tensor:
        channels, height, width = planes.shape
        weights = window()
        out = planes.new_empty(channels, height - WINDOW + 1, width - WINDOW + 1)
        for plane, result in zip(planes, out, strict=True):  # one at a time: they stay in cache
            rows = plane[: len(result)] * weights[0]
            for i in range(1, WINDOW):
                rows.add_(plane[i : i + len(result)], alpha=weights[i])
            torch.mul(rows[:, : result.shape[1]], weights[0], out=result)
            for i in range(1, WINDOW):
                result.add_(rows[:, i : i + result.shape[1]], alpha=weights[i])
        return out

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        channels, height, width = gradients[0].shape
        weights = window()
        out = gradients[0].new_zeros(channels, height + WINDOW - 1, width + WINDOW - 1)
        for gradient, result in zip(gradients[0], out, strict=True):
            rows = gradient.new_zeros(height, width + WINDOW - 1)
            for i in range(WINDOW):
                rows[:, i : i + width].add_(gradient, alpha=weights[i])
            for i in range(WINDOW):
                result[i : i + height].add_(rows, alpha=weights[i])
        return out


def window() -> list[float]:
    """The 11 weights of the window along one axis."""
    weights = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    return [w / sum(weights) for w in weights]


def blur(planes: Tensor) -> Tensor:
    """``Blur`` as a function."""
    return cast(Tensor, Blur.apply(planes))  # type: ignore[no-untyped-call]
