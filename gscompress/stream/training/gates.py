"""Hard-concrete gates: zero or one in the end, differentiable on the way there.

Louizos, Welling and Kingma, "Learning sparse neural networks through L0 regularization" (2018),
eq. 10 to 12. Gates are given as log alpha; low and high are the ends of the stretched interval.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gscompress.stream.training.settings import GateSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["expected_open", "first_log_alpha", "gate", "logistic_noise"]


def gate(
    log_alpha: Tensor,  # [N]
    settings: GateSettings,
    noise: Tensor | None = None,  # [N]
) -> Tensor:  # [N]
    """Gates in 0..1: a sample with the logistic ``noise``, without it what they will be."""
    import torch

    logits = log_alpha if noise is None else log_alpha + noise
    stretched = torch.sigmoid(logits / settings.temperature) * (settings.high - settings.low)
    return (stretched + settings.low).clamp(0, 1)


def expected_open(log_alpha: Tensor, settings: GateSettings) -> Tensor:  # [N] each
    """Probability that a sampled gate is not 0: what the L0 penalty is the mean of."""
    import torch

    shift = settings.temperature * math.log(-settings.low / settings.high)
    return torch.sigmoid(log_alpha - shift)


def first_log_alpha(motion: Tensor, settings: GateSettings) -> Tensor:  # [N] each
    """Gates that are open with probability m / (m + median): QUEEN, section 3.3.

    Args:
        motion: Viewspace gradient difference m of each Gaussian, 0 or more.
        settings: Bounds of log alpha.
    """
    seen = motion[motion > 0]
    middle = seen.median() if len(seen) else motion.new_tensor(1.0)
    bound = math.log(settings.bound)
    return (motion.clamp_min(1e-30) / middle).log().clamp(-bound, bound)


def logistic_noise(count: int, seed: tuple[int, ...]) -> Tensor:  # [N]
    """Log u - log(1 - u) of uniform u; the same for the same seed, on every device."""
    import numpy as np
    import torch

    u = np.random.default_rng(seed).random(count)
    u = np.clip(u, 1e-7, 1 - 1e-7)
    return torch.from_numpy((np.log(u) - np.log1p(-u)).astype(np.float32))
