"""Scores from the list of all (pixel, Gaussian) pairs of a view, in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gscompress.render.base import Scores

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Splats = tuple[Tensor, Tensor, Tensor, Tensor]

__all__ = ["ScoreSums"]

ALPHA_MAX = 0.999
CHUNK = 1 << 22
"""Pairs that are worked on at a time; a pixel's pairs always together."""


class ScoreSums:
    """Scores of n Gaussians, summed up view by view in double precision.

    Args:
        n: Number of Gaussians.
        device: Where the sums, and the tensors given to ``add``, are.
        chunk: About how many pairs to work on at a time.
    """

    def __init__(self, n: int, device: torch.device, chunk: int = CHUNK) -> None:
        import torch

        self._torch = torch
        self._chunk = chunk
        sums = torch.zeros((5, n), dtype=torch.float64, device=device)
        self._weight_sum, self._weight_sq_sum, self._removal_effect = sums[:3]
        self._weight_max, self._transmittance_sum = sums[3:]
        self._hits, self._dominated = torch.zeros((2, n), dtype=torch.int64, device=device)

    def add(self, ids: Tensor, pixels: Tensor, splats: Splats, image: Tensor) -> None:
        """Add the scores of a view.

        Args:
            ids: Gaussian of each pair [M].
            pixels: Pixel of each pair [M], ascending; a pixel's pairs front to back, and only those
                that count (the opacity is enough, the pixel not finished).
            splats: Projected means [N, 2], conics [N, 3], opacities [N] and colours [N, 3].
            image: The view, background included [H, W, 3].
        """
        begin = 0
        while begin < len(ids):
            end = min(begin + self._chunk, len(ids))
            if end < len(ids):  # up to the end of the last pixel
                end = int(self._torch.searchsorted(pixels, pixels[end - 1], right=True))
            self._add(ids[begin:end], pixels[begin:end], splats, image)
            begin = end

    def _add(self, ids: Tensor, pixels: Tensor, splats: Splats, image: Tensor) -> None:
        torch = self._torch
        alpha = _alpha(ids, pixels, splats, image.shape[1]).double()
        colors = splats[3][ids].double()
        start = torch.ones_like(pixels, dtype=torch.bool)
        start[1:] = pixels[1:] != pixels[:-1]
        first = torch.nonzero(start)[:, 0][torch.cumsum(start, 0) - 1]  # pair that begins the pixel
        through = torch.log1p(-alpha)
        after = _within_pixel(through, first).exp()  # what the pixel lets through after the pair
        before = after / (1 - alpha)
        weight = alpha * before
        shown = _within_pixel(weight[:, None] * colors, first)
        behind = (image.reshape(-1, 3)[pixels].double() - shown) / after[:, None]
        squared = weight.square()
        effect = squared * (behind - colors).square().sum(-1)
        self._weight_sum.index_add_(0, ids, weight)
        self._weight_sq_sum.index_add_(0, ids, squared)
        self._removal_effect.index_add_(0, ids, effect)
        self._weight_max.scatter_reduce_(0, ids, weight, "amax")
        self._hits.index_add_(0, ids, torch.ones_like(ids))
        self._transmittance_sum.index_add_(0, ids, before)
        winners = ids[_first_largest(weight, first)]
        self._dominated.index_add_(0, winners, torch.ones_like(winners))

    def result(self, *, occlusion: bool = False) -> Scores:
        """The scores as arrays."""
        passed, dominated = self._transmittance_sum.cpu().numpy(), self._dominated.cpu().numpy()
        return Scores(
            weight_sum=self._weight_sum.cpu().numpy().astype(np.float32),
            weight_sq_sum=self._weight_sq_sum.cpu().numpy().astype(np.float32),
            weight_max=self._weight_max.cpu().numpy().astype(np.float32),
            hits=self._hits.cpu().numpy(),
            removal_effect=self._removal_effect.cpu().numpy().astype(np.float32),
            transmittance_sum=passed.astype(np.float32) if occlusion else None,
            dominated=dominated if occlusion else None,
        )


def _alpha(ids: Tensor, pixels: Tensor, splats: Splats, width: int) -> Tensor:
    """Opacity of each pair."""
    means2d, conics, opacities, _ = splats
    dx = pixels % width + 0.5 - means2d[ids, 0]
    dy = pixels // width + 0.5 - means2d[ids, 1]
    a, b, c = conics[ids].unbind(-1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    return (opacities[ids] * (-sigma).exp()).clamp_max(ALPHA_MAX)


def _first_largest(weight: Tensor, first: Tensor) -> Tensor:
    """In every pixel the pair of the largest weight, of equals the first."""
    import torch

    largest = torch.zeros_like(weight).scatter_reduce_(0, first, weight, "amax")
    pairs = torch.nonzero(weight == largest[first])[:, 0]
    pixels = first[pairs]
    begins = torch.ones_like(pairs, dtype=torch.bool)
    begins[1:] = pixels[1:] != pixels[:-1]
    return pairs[begins]


def _within_pixel(values: Tensor, first: Tensor) -> Tensor:
    """Running sum that begins anew at every pixel."""
    total = values.cumsum(0)
    return total - (total[first] - values[first])
