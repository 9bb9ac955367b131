"""Densification as sampling: 3D Gaussian Splatting as Markov Chain Monte Carlo (arXiv:2404.09591).

Dead Gaussians move to living ones, new ones are born there until a fixed budget is reached, and
noise lets those that matter little explore. Written from the paper's equations.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import torch
from torch import Tensor

from .model import Model

__all__ = ["Sampler"]

MOST_COPIES = 50


@dataclass(frozen=True)
class Sampler:
    """Parameters of the densification.

    Attributes:
        budget: Largest number of Gaussians.
        growth: Factor by which the number grows at each ``densify`` until the budget is reached.
        dead: Opacity at and below which a Gaussian is moved elsewhere (paper: 0.005).
        noise: Strength of the exploration noise, relative to the learning rate of the means
            (lambda_noise in eq. 9; paper: 5e5).
    """

    budget: int
    growth: float = 1.05
    dead: float = 0.005
    noise: float = 5e5

    @torch.no_grad()
    def densify(self, model: Model, generator: torch.Generator) -> None:
        """Move the dead, then grow."""
        opacities = torch.sigmoid(model.values["opacity_logits"])
        dead = torch.nonzero(opacities <= self.dead)[:, 0]
        if 0 < len(dead) < len(model):
            weights = torch.where(opacities <= self.dead, 0.0, opacities)
            source = torch.multinomial(weights, len(dead), replacement=True, generator=generator)
            self._share_out(model, source)
            model.copy_rows(source, dead)
        wanted = min(self.budget, int(len(model) * self.growth)) - len(model)
        if wanted > 0:
            weights = torch.sigmoid(model.values["opacity_logits"])
            source = torch.multinomial(weights, wanted, replacement=True, generator=generator)
            self._share_out(model, source)
            model.copy_rows(source, source)
            model.append_rows(source)

    def _share_out(self, model: Model, source: Tensor) -> None:
        """Make each source such that it and its copies together look as it did alone (eq. 8)."""
        copies = torch.bincount(source, minlength=len(model)) + 1
        rows = torch.unique(source)
        n = copies[rows].clamp(max=MOST_COPIES)
        opacity = torch.sigmoid(model.values["opacity_logits"][rows]).double()
        shared = 1 - (1 - opacity) ** (1 / n.double())
        factor = opacity / _overlap(shared, n)
        limited = shared.clamp(self.dead, 1 - 1e-6).float()
        model.values["opacity_logits"][rows] = torch.logit(limited)
        model.values["log_scales"][rows] += factor.log().float()[:, None]

    @torch.no_grad()
    def explore(self, model: Model, learning_rate: float, generator: torch.Generator) -> None:
        """Add noise with the shape of each Gaussian, the more the less opaque it is (eq. 9).

        Differs from the paper in that no step is larger than the Gaussian itself: the noise goes
        with the square of its size, and would throw the large ones of a backdrop far away.
        """
        opacities = torch.sigmoid(model.values["opacity_logits"])
        strength = self.noise * learning_rate * torch.sigmoid(100 * (0.005 - opacities))
        scales = torch.exp(model.values["log_scales"])
        step = torch.minimum(strength[:, None] * scales.square(), scales)
        local = torch.randn(len(model), 3, generator=generator) * step
        rotations = rotation_matrices(model.values["quats"])
        model.values["means"] += (rotations * local[:, None, :]).sum(dim=2)


def _overlap(shared: Tensor, n: Tensor) -> Tensor:  # [R], [R] -> [R]
    """The double sum of eq. 8's denominator: what n coincident copies integrate to."""
    total = torch.zeros_like(shared)
    for i in range(1, int(n.max()) + 1):
        inner = torch.zeros_like(shared)
        for k in range(i):
            inner += comb(i - 1, k) * (-1) ** k * shared ** (k + 1) / (k + 1) ** 0.5
        total += torch.where(n >= i, inner, 0.0)
    return total


def rotation_matrices(quats: Tensor) -> Tensor:  # [N, 4] wxyz -> [N, 3, 3]
    """Rotation matrices of quaternions of any length."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=1).unbind(1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, dim=1).view(-1, 3, 3)
