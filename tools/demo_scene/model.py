"""The Gaussians being optimised, with their Adam moments; rows can be added and overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gscompress.gaussians import SH_C0, Gaussians

__all__ = ["Model", "initial_model"]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15


@dataclass
class Model:
    """Raw parameters of N Gaussians, and their optimiser state.

    Attributes:
        values: means [N, 3], log_scales [N, 3], quats [N, 4], opacity_logits [N],
            sh_dc [N, 1, 3] and sh_rest [N, K - 1, 3].
        first: Running mean of the gradients (Adam's m), one tensor per attribute.
        second: Running mean of their squares (Adam's v).
        step: Number of updates made.
    """

    values: dict[str, Tensor]
    first: dict[str, Tensor] = field(init=False)
    second: dict[str, Tensor] = field(init=False)
    step: int = 0

    def __post_init__(self) -> None:
        self.first = {k: torch.zeros_like(v) for k, v in self.values.items()}
        self.second = {k: torch.zeros_like(v) for k, v in self.values.items()}
        for value in self.values.values():
            value.requires_grad_(True)

    def __len__(self) -> int:
        return len(self.values["means"])

    @torch.no_grad()
    def update(self, rates: Mapping[str, float]) -> None:
        """One Adam step (Kingma and Ba 2015, algorithm 1) along the gradients, which it clears."""
        self.step += 1
        correction = (1 - BETA2**self.step) ** 0.5 / (1 - BETA1**self.step)
        for name, value in self.values.items():
            gradient = value.grad
            if gradient is None:
                continue
            m, v = self.first[name], self.second[name]
            m.lerp_(gradient, 1 - BETA1)
            v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            value.addcdiv_(m, v.sqrt().add_(EPSILON), value=-rates[name] * correction)
            value.grad = None

    @torch.no_grad()
    def copy_rows(self, source: Tensor, target: Tensor) -> None:
        """Overwrite the rows ``target`` by the rows ``source``; both forget their moments."""
        for name, value in self.values.items():
            value[target] = value[source]
            for moments in (self.first[name], self.second[name]):
                moments[source] = 0
                moments[target] = 0

    @torch.no_grad()
    def append_rows(self, source: Tensor) -> Tensor:
        """Add copies of the rows ``source`` at the end, without moments; the new row numbers."""
        count = len(self)
        for name, value in self.values.items():
            self.values[name] = torch.cat([value.detach(), value[source]]).requires_grad_(True)
            for moments in (self.first, self.second):
                blank = torch.zeros_like(value[source])
                moments[name] = torch.cat([moments[name], blank])
        return torch.arange(count, len(self))

    def gaussians(self) -> Gaussians:
        """The scene as it is now."""
        v = {name: value.detach() for name, value in self.values.items()}
        return Gaussians(
            means=v["means"].numpy().copy(),
            quats=v["quats"].numpy().copy(),
            log_scales=v["log_scales"].numpy().copy(),
            opacity_logits=v["opacity_logits"].numpy().copy(),
            sh=torch.cat([v["sh_dc"], v["sh_rest"]], dim=1).numpy(),
        )


def initial_model(
    points: Tensor,  # [N, 3]
    colours: Tensor,  # [N, 3] in 0..1
    sh_degree: int,
    generator: torch.Generator,
    opacity: float = 0.5,
) -> Model:
    """Round Gaussians at points, as large as the distance to their three nearest neighbours."""
    count = len(points)
    nearest = torch.cdist(points, points).topk(4, largest=False).values[:, 1:]
    spacing = nearest.square().mean(dim=1).sqrt().clamp_min(1e-4)
    values = {
        "means": points.clone(),
        "log_scales": (0.5 * spacing).log()[:, None].repeat(1, 3),
        "quats": torch.randn(count, 4, generator=generator),
        "opacity_logits": torch.logit(torch.full((count,), opacity)),
        "sh_dc": ((colours - 0.5) / SH_C0)[:, None],
        "sh_rest": torch.zeros(count, (sh_degree + 1) ** 2 - 1, 3),
    }
    return Model(values)
