"""The Gaussians of the trainer; rows can be added and overwritten."""

from __future__ import annotations

import torch
from torch import Tensor

from gscompress.gaussians import SH_C0, Gaussians
from gscompress.stages.parameters import Parameters

__all__ = ["Model", "initial_model"]


class Model(Parameters):
    """Means, log_scales [N, 3], quats [N, 4], opacity_logits [N], sh_dc and sh_rest [N, K, 3]."""

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
