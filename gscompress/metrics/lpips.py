"""LPIPS, the learned perceptual distance of Zhang et al. (2018), evaluated with torch."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gscompress.errors import InputError, MissingDependencyError
from gscompress.gaussians import Array
from gscompress.metrics._images import checked
from gscompress.metrics._lpips_weights import INSTALL, load_weights

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Lpips", "Net", "lpips"]

Net = Literal["alex", "vgg"]

SHIFT = (-0.030, -0.088, -0.188)  # ImageNet's mean and deviation, for values in -1..1
SCALE = (0.458, 0.448, 0.450)
LAYERS = 5
MIN_SIDE = 32

CONVENTIONS = {
    "alex": "LPIPS 0.1 AlexNet, images scaled to -1..1 as the network expects (canonical)",
    "vgg": "LPIPS 0.1 VGG16, images left in 0..1 as the 3DGS papers do, "
    "although the network expects -1..1",
}


@dataclass(frozen=True, eq=False)
class Lpips:
    """A loaded LPIPS network; call it with two images.

    Attributes:
        net: "alex" (fast, images scaled to -1..1 as the network expects: the canonical value), or
            "vgg" (fed images in 0..1 as the 3DGS papers do, so that values compare with theirs).
        weights: The network's parameters as torch tensors, by name.
    """

    net: Net
    weights: dict[str, Any]

    @classmethod
    def load(cls, net: Net = "alex", device: str = "cpu", cache_dir: Path | None = None) -> Lpips:
        """Load the weights of ``net`` onto ``device``.

        Raises:
            MissingDependencyError: torch or the package with the weights is not installed.
            InputError: The installed weights are not the known ones.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingDependencyError("torch", "lpips", "LPIPS", command=INSTALL)
        import torch

        weights = {}
        for name, value in load_weights(net, cache_dir).items():
            tensor = torch.from_numpy(np.ascontiguousarray(value))
            if tensor.ndim == 4:  # height, width, in, out -> out, in, height, width
                tensor = tensor.permute(3, 2, 0, 1).contiguous()
            weights[name] = tensor.to(device)
        return cls(net, weights)

    @property
    def convention(self) -> str:
        """What the number is, for reports."""
        return CONVENTIONS[self.net]

    def __call__(self, image: Array, reference: Array) -> float:  # [H, W, 3], [H, W, 3]
        """Distance of two images, both clamped to 0..1: 0 means identical.

        Raises:
            InputError: The shapes differ, a side is shorter than 32, or a value is not finite.
        """
        import torch

        first, second = checked(image, reference)
        if first.shape[2] != 3 or min(first.shape[:2]) < MIN_SIDE:
            raise InputError(
                "LPIPS", found=first.shape, expected=f"[H, W, 3], H and W at least {MIN_SIDE}"
            )
        with torch.no_grad():
            features = zip(self._features(first), self._features(second), strict=True)
            return sum(self._distance(k, a, b) for k, (a, b) in enumerate(features))

    def _distance(self, layer: int, a: Tensor, b: Tensor) -> float:  # [1, C, H, W] each
        """Mean over the pixels of one layer of the weighted squared difference; eq. 1."""
        head = self.weights[f"NetLinLayer_{layer}/Conv_0/kernel"]  # [1, C, 1, 1]
        return float((head * (_normalised(a) - _normalised(b)) ** 2).sum(1).mean())

    def _features(self, image: Array) -> list[Tensor]:  # [H, W, 3] -> LAYERS x [1, C, h, w]
        import torch

        device = self.weights["NetLinLayer_0/Conv_0/kernel"].device
        x = torch.from_numpy(image).to(device).permute(2, 0, 1)[None]
        if self.net == "alex":
            x = 2 * x - 1
        shift = torch.tensor(SHIFT, device=device).view(1, 3, 1, 1)
        scale = torch.tensor(SCALE, device=device).view(1, 3, 1, 1)
        x = (x - shift) / scale
        return self._alexnet(x) if self.net == "alex" else self._vgg16(x)

    def _conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        """A convolution that keeps the size (but for the stride), and its ReLU."""
        from torch.nn.functional import conv2d, relu

        kernel = self.weights[f"{name}/kernel"]
        padding = 2 if stride > 1 else kernel.shape[-1] // 2
        return relu(conv2d(x, kernel, self.weights[f"{name}/bias"], stride, padding))

    def _alexnet(self, x: Tensor) -> list[Tensor]:
        from torch.nn.functional import max_pool2d

        outputs = []
        for k in range(LAYERS):
            if k in (1, 2):
                x = max_pool2d(x, 3, 2)
            x = self._conv(x, f"AlexNet_0/Conv_{k}", stride=4 if k == 0 else 1)
            outputs.append(x)
        return outputs

    def _vgg16(self, x: Tensor) -> list[Tensor]:
        from torch.nn.functional import max_pool2d

        outputs = []
        k = 0
        for block, convolutions in enumerate((2, 2, 3, 3, 3)):
            if block > 0:
                x = max_pool2d(x, 2, 2)
            for _ in range(convolutions):
                x = self._conv(x, f"VGG16_0/Conv_{k}")
                k += 1
            outputs.append(x)
        return outputs


def lpips(image: Array, reference: Array, net: Net = "alex") -> float:  # [H, W, 3], [H, W, 3]
    """LPIPS of two images; to compare many, keep the network: ``Lpips.load(net)``.

    Raises:
        MissingDependencyError: torch or the package with the weights is not installed.
    """
    return Lpips.load(net)(image, reference)


def _normalised(features: Tensor) -> Tensor:  # [1, C, H, W]
    """Each pixel's features, scaled to length 1."""
    return features / ((features**2).sum(1, keepdim=True).sqrt() + 1e-10)
