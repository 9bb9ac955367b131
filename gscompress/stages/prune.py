"""Remove the Gaussians that matter least to what the cameras see."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import Gaussians
from gscompress.importance import SCORES, score
from gscompress.stages._reduction import (
    check_limits,
    judge,
    make_rule,
    most_that_may_go,
    round_step,
)
from gscompress.stages.base import Context, Stage

__all__ = ["Prune"]

log = logging.getLogger(__name__)

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Prune(Stage):
    """Remove the least important Gaussians, in rounds, and nothing else: no parameter changes.

    How many go is said in one of three ways:

    - ``keep``: this share of the Gaussians stays (LightGaussian, arXiv:2311.17245, prunes by
      ratio). After round r of R the share keep^(r/R) is left.
    - ``tau``: the smallest set stays whose importance is this share of all importance (OMG,
      arXiv:2503.16924, section 3.3). Round r of R has dropped at most r/R of the rest.
    - ``min_psnr``: as few stay as give this PSNR in dB against renders of the scene that the
      context holds, in the mean over control views. These are the context's, or held out of its
      cameras, up to 12. Round r of R may reach r/R of the squared error; bisection finds the share.

    Removing Gaussians changes the scores of others, so that more rounds are better: on bonsai at
    keep = 0.4, PSNR is 28.0, 30.2, 31.1 and 31.6 dB with 1, 2, 4 and 8. `Merge` loses less at the
    same count.

    Gaussians of which the cameras say nothing (`gscompress.importance.evidence`) are never removed.
    Where they are so many that the others would have to pay for them, a ``keep`` is refused (see
    ``beyond``) and the other two remove less.

    Attributes:
        keep: Share of the Gaussians, above 0 and at most 1.
        tau: Share of the importance, above 0 and at most 1.
        min_psnr: In dB.
        score: Id of the importance (`gscompress.importance`).
        rounds: How often it is measured anew, at least 1.
        views: From how many cameras it is measured, evenly spread over those there are.
        beyond: Where the cameras judge too few Gaussians for ``keep``: refuse, or stop where they
            can tell no more.
    """

    keep: float | None = None
    tau: float | None = None
    min_psnr: float | None = None
    score: str = "removal_effect"
    rounds: int = 4
    views: int = 64
    beyond: Literal["refuse", "stop"] = "refuse"

    def __post_init__(self) -> None:
        check_limits(self.rounds, self.views, self.min_psnr, keep=self.keep, tau=self.tau)
        if self.score not in SCORES.names():
            expected = ", ".join(SCORES.names())
            raise ValueError(f"score is {self.score!r}, expected one of {expected}")

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the scene without what was removed; the order of the others stays.

        Raises:
            InputError: The cameras cannot tell what could be removed to keep only ``keep``, and
                ``beyond`` is to refuse.
        """
        if len(scene) == 0 or self.keep == 1 or self.tau == 1:
            return scene
        cameras, rule = make_rule(ctx, keep=self.keep, tau=self.tau, min_psnr=self.min_psnr)
        chosen, known = judge(scene, cameras, self.views, ctx)
        strict = self.keep if self.beyond == "refuse" else None
        most = most_that_may_go("prune", known, strict, cameras)
        left: Indices = np.arange(len(scene))
        for number in range(1, self.rounds + 1):
            part = scene.select(left)
            step = round_step(ctx, "prune", number, self.rounds)
            values = score(part, chosen, ctx.renderer, self.score, step)
            order = np.argsort(np.where(known[left], values, np.inf), kind="stable")
            room = min(most - (len(scene) - len(left)), int(known[left].sum()), len(left) - 1)
            going = _Removals(part, order, values[order], len(scene), room, number / self.rounds)
            left = left[np.sort(order[rule.count(going) :])]
        log.info("prune: %d of %d Gaussians stay", len(left), len(scene))
        return scene.select(left)


@dataclass(eq=False)
class _Removals:
    """One round: what could go, the least important first; see `_reduction.Round`."""

    scene: Gaussians
    order: Indices
    costs: NDArray[np.float64]
    whole: int
    room: int
    fraction: float

    def after(self, count: int) -> Gaussians:
        """The scene when so many go."""
        return self.scene.select(np.sort(self.order[count:]))
