"""How the residuals of a frame are learned: all numbers of QUEEN in one place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gscompress.errors import InputError
from gscompress.stages.finetune import Rates
from gscompress.stream.latent import LATENT_GROUPS

__all__ = [
    "BirthSettings",
    "GateSettings",
    "LatentSettings",
    "MotionSettings",
    "QueenSettings",
]


@dataclass(frozen=True)
class LatentSettings:
    """The latents of one group.

    Attributes:
        dims: Latent dimensions per Gaussian, L.
        step: Length of each row of the first decoder: how far one unit changes the attribute.
    """

    dims: int
    step: float

    def __post_init__(self) -> None:
        if self.dims < 1 or not 0 < self.step < math.inf:
            raise InputError(
                "LatentSettings", found=self, expected="one dimension or more, and a step above 0"
            )


@dataclass(frozen=True)
class GateSettings:
    """Hard-concrete gates of the positions (Louizos et al. 2018, section 2.2), as QUEEN sets them.

    Attributes:
        temperature: Of the concrete distribution.
        low: Left end of the stretched interval (gamma), below 0.
        high: Right end (eta), above 1.
        rate: Adam's learning rate of log alpha.
        penalty: Weight of the expected share of open gates in the loss.
        resample: Steps for which noise is kept.
        bound: log alpha stays within log of 1 / bound and bound.
        settle: Share of the steps, the last ones, in which gates are deterministic as they will be
            in the end; QUEEN has none.
    """

    temperature: float = 0.5
    low: float = -0.1
    high: float = 1.1
    rate: float = 0.1
    penalty: float = 1e-3
    resample: int = 20
    bound: float = 1e3
    settle: float = 0.25

    def __post_init__(self) -> None:
        if not (self.low < 0 and self.high > 1 and self.temperature > 0 and self.bound > 1):
            raise InputError(
                "GateSettings",
                found=self,
                expected="low < 0, high > 1, a temperature above 0 and a bound above 1",
            )
        if self.resample < 1 or not 0 <= self.settle <= 1:
            raise InputError(
                "GateSettings", found=self, expected="resample 1 or more, settle 0 to 1"
            )


@dataclass(frozen=True)
class MotionSettings:
    """What counts as moving, by the viewspace gradient difference.

    Attributes:
        dynamic: A Gaussian is dynamic above this; per unit of the image's half sides.
        alpha: A pixel is dynamic where the dynamic Gaussians alone are this opaque.
        dilation: Dynamic pixels grow by this share of the image's longer side (48 px at 1352).
        masked: Share of the steps, the first ones, in which only dynamic pixels may change: the
            picture of the others is what the frame before shows. QUEEN leaves them out of the loss,
            which lets what stands still go astray.
        still: A Gaussian up to this keeps its place.
        near: One nearer to a camera than this share of the cameras' extent stays as it is.
        background: Where there are masks: how much of what changes outside of them is learned, from
            0 (what is there stays as it is) to 1.
        belongs: Where there are masks and the background stays: a Gaussian of which no more than
            this share is seen in them stays as well.
    """

    dynamic: float = 1e-3
    alpha: float = 0.5
    dilation: float = 0.0355
    masked: float = 0.3
    still: float = 3e-5
    near: float = 0.05
    background: float = 0.0
    belongs: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.background <= 1:
            raise InputError(
                "MotionSettings", "background", found=self.background, expected="0 to 1"
            )


@dataclass(frozen=True)
class BirthSettings:
    """Births where something moves: 3DGS (Kerbl et al. 2023), section 5.2, in dynamic regions only.

    A Gaussian whose projection is drawn strongly, on average over the views that see it, gets a
    child: a copy of itself where it is small; where it is large both move apart, and shrink.

    Attributes:
        share: New Gaussians of a frame are at most this share of those before.
        growth: A frame has at most this many times the Gaussians of its key frame.
        threshold: Mean length of the viewspace gradient from which on one is born; per unit of the
            image's half sides, as QUEEN has it.
        every: Births come after every so many rounds of all views.
        until: Share of the steps after which nobody is born. QUEEN has 0.8; by then our rates are
            so low that parents do not find back to where they should be.
        small: Up to this share of the cameras' extent a Gaussian is small.
        shrink: What sizes of those that move apart are divided by.
        faint: A new one that is no more opaque than this in the end is left out.
    """

    share: float = 0.01
    growth: float = 1.25
    threshold: float = 1.25e-3
    every: int = 2
    until: float = 0.5
    small: float = 0.01
    shrink: float = 1.6
    faint: float = 0.005

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and self.growth >= 1 and self.shrink >= 1 and self.every >= 1):
            raise InputError(
                "BirthSettings",
                found=self,
                expected="a share above 0 and up to 1; growth, shrink and every of 1 or more",
            )


def _default_rates() -> Rates:
    return Rates(means=6e-4, scales=1e-3, quats=1.5e-3, opacities=1e-3, sh0=4e-3, shN=4e-4)


def _default_latents() -> dict[str, LatentSettings]:
    return {
        "sh0": LatentSettings(3, 0.04),
        "shN": LatentSettings(4, 0.06),
        "quats": LatentSettings(4, 0.02),
        "log_scales": LatentSettings(3, 0.04),
        "opacity_logits": LatentSettings(1, 0.1),
    }


@dataclass(frozen=True)
class QueenSettings:
    """Everything that decides how a frame is learned; QUEEN (arXiv:2412.04469), section 3.

    Attributes:
        steps: Steps per frame, one view each.
        latents: By group; a group that is left out stays as it is.
        gate: Of the positions; None: every Gaussian may move.
        motion: What counts as moving.
        births: Of new Gaussians; None: nobody is born.
        rates: Learning rates of the attributes; latents move at rates that change their attribute
            about as fast.
        sparsity: Weight of the mean over the Gaussians of the sum of |l| in the loss; a latent that
            does less for the pictures goes back to 0. QUEEN has none.
        decoder_rate: Learning rate of the decoders, as a share of their step.
        last_rate: Last learning rates, as a share of the first.
        damping: Of Adam, see `gscompress.stages.parameters.Parameters`.
        move_step: Of positions, as a share of the extent of the cameras. QUEEN has 1e-4 world
            units; a quarter of the bytes goes for nothing that can be seen.
        ssim_share: Weight of SSIM in the loss.
        softness: Of L1, see `gscompress.metrics.photo_loss.PhotoLoss`.
        scale: Size of the views' sides relative to the photos'.
        seed: Of every random choice.
    """

    steps: int = 270
    latents: Mapping[str, LatentSettings] = field(default_factory=_default_latents)
    gate: GateSettings | None = field(default_factory=GateSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    births: BirthSettings | None = None
    rates: Rates = field(default_factory=_default_rates)
    sparsity: float = 1e-3
    decoder_rate: float = 0.01
    last_rate: float = 0.1
    damping: float = 0.5
    move_step: float = 1e-3
    ssim_share: float = 0.2
    softness: float = 0.02
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if unknown := set(self.latents) - set(LATENT_GROUPS):
            raise InputError(
                "QueenSettings", "latents", found=sorted(unknown), expected=LATENT_GROUPS
            )
        if self.steps < 0 or not 0 < self.scale <= 1:
            raise InputError("QueenSettings", found=self, expected="steps >= 0, 0 < scale <= 1")
        if not 0 < self.move_step < math.inf:
            raise InputError(
                "QueenSettings", "move_step", found=self.move_step, expected="more than 0"
            )

    def replace(self, **changes: Any) -> QueenSettings:
        """A copy with some fields replaced."""
        return dataclasses.replace(self, **changes)
