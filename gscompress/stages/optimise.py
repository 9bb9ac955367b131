"""Optimise Gaussians until their renders match pictures: the loop, without its policies."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.metrics import psnr
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.render.base import Renderer
from gscompress.stages import checkpoint
from gscompress.stages.learners import make_learner
from gscompress.stages.quantizer import Quantizer
from gscompress.stages.targets import Targets

__all__ = ["Optimiser", "Plan"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """How to optimise.

    Attributes:
        rates: First learning rate of every attribute; "sh0" and "shN" apart; means in world units.
        loss: What is made small.
        steps: Number of steps, one view each.
        seconds: Time after which to stop; 0 for no limit.
        decay: How the rates fall.
        last_rate: Last learning rates, as a share of the first.
        damping: Of Adam; see `gscompress.stages.parameters.Parameters`.
        requantize: Steps after which to ask the quantizer anew.
        check_every: Steps between two looks at the check views, at which the state is saved.
        patience: Looks without improvement after which to stop; 0 to go on.
        tolerance: How many dB worse than the first a look may be; at a worse one it stops.
        seed: Of the order of the views.
    """

    rates: Mapping[str, float]
    loss: PhotoLoss
    steps: int
    seconds: float = 0.0
    decay: Literal["cosine", "exponential"] = "cosine"
    last_rate: float = 0.1
    damping: float = 0.0
    requantize: int = 50
    check_every: int = 100
    patience: int = 0
    tolerance: float = math.inf
    seed: int = 0

    def rate_factor(self, done: float) -> float:
        """What the learning rates are multiplied by when a share of the work is done."""
        if self.decay == "exponential":
            return float(self.last_rate**done)
        return self.last_rate + (1 - self.last_rate) * (1 + math.cos(math.pi * done)) / 2


@dataclass(eq=False)
class Optimiser:
    """Gaussians on their way to the pictures.

    Attributes:
        scene: Where it starts.
        plan: How.
        train: Views that are learned.
        check: Views that only say how good it is; may be empty.
        renderer: Renders, and gives gradients.
        quantizer: Makes the renders those of the decoded scene.
        progress: Told (steps done, steps in all).
        path: Where the state is kept, to go on after an interruption.
        psnr: Mean over the check views, by step.
    """

    scene: Gaussians
    plan: Plan
    train: Targets
    check: Targets
    renderer: Renderer
    quantizer: Quantizer | None = None
    progress: Callable[[int, int], None] | None = None
    path: Path | None = None
    psnr: dict[int, float] = field(default_factory=dict, init=False)

    def run(self) -> Gaussians:
        """The scene as it was at the best look at the check views; without any, the last one."""
        if self.quantizer is not None:
            self.scene = self.quantizer.prepare(self.scene)
        self._start()
        while self._step < self.plan.steps and not self._is_time_up():
            if self._step % self.plan.check_every == 0 and self._look():
                return self._best
            self._advance()
            if self.progress is not None:
                self.progress(self._step, self.plan.steps)
        self._look()
        return self._best

    def _start(self) -> None:
        self._began = time.monotonic()
        self._learner = make_learner(self.scene, self.renderer, self.plan.damping)
        self._best, self._misses, self._loss = self.scene, 0, math.nan
        self._identity = checkpoint.identity(self.scene, self.plan, self.train.cameras)
        if self.path is not None and self.path.exists():
            state = checkpoint.load(self.path, self._identity)
            self._learner.restore(state.learner, state.step)
            self.psnr, self._misses = state.psnr, state.misses
            self._best = self.scene.replace(**state.best)

    @property
    def gained(self) -> bool:
        """Whether the check views got better than at first; true without any."""
        looks = list(self.psnr.values())
        return not looks or (max(looks) > looks[0] and not self.is_hopeless)

    @property
    def is_hopeless(self) -> bool:
        """Whether a look was worse than the first by more than the plan tolerates."""
        looks = list(self.psnr.values())
        return bool(looks) and min(looks) < looks[0] - self.plan.tolerance

    @property
    def _step(self) -> int:
        return self._learner.step

    def _is_time_up(self) -> bool:
        return 0 < self.plan.seconds <= time.monotonic() - self._began

    def _advance(self) -> None:
        plan, step = self.plan, self._step
        if step % plan.requantize == 0:
            self._quantize()
        view = self._view(step)
        done = step / plan.steps
        if plan.seconds > 0:
            done = max(done, (time.monotonic() - self._began) / plan.seconds)
        factor = plan.rate_factor(min(done, 1.0))
        rates = {name: factor * rate for name, rate in plan.rates.items()}
        camera, picture = self.train.cameras[view], self.train.array(view)
        self._loss = self._learner.learn(camera, picture, plan.loss, rates)

    def _view(self, step: int) -> int:
        """Every view once, in random order, then again in another."""
        epoch, number = divmod(step, len(self.train))
        rng = np.random.default_rng([self.plan.seed, epoch])
        return int(rng.permutation(len(self.train))[number])

    def _quantize(self) -> None:
        if self.quantizer is not None:
            self._learner.shift(self.quantizer.offsets(self._learner.scene()))

    def _look(self) -> bool:
        """Measure, keep the best, save the state; whether to stop."""
        step, now = self._step, self._learner.scene()
        if len(self.check) == 0:
            self._best = now
        elif step not in self.psnr:
            self._quantize()
            known = max(self.psnr.values(), default=-math.inf)
            self.psnr[step] = self._mean_psnr()
            better = self.psnr[step] > known
            self._misses = 0 if better else self._misses + 1
            self._best = now if better else self._best
            log.info(
                "step %d of %d: %.2f dB on %d check views, loss %.5f, %.0f s",
                *(step, self.plan.steps, self.psnr[step], len(self.check), self._loss),
                time.monotonic() - self._began,
            )
        if self.path is not None:
            state = checkpoint.State(
                step,
                self._learner.state(),
                self.psnr,
                self._misses,
                {name: getattr(self._best, name) for name in ATTRIBUTES},
            )
            checkpoint.save(self.path, self._identity, state)
        return self.is_hopeless or 0 < self.plan.patience <= self._misses

    def _mean_psnr(self) -> float:
        found = [
            psnr(self._learner.render(camera), np.clip(self.check.array(view), 0, 1))
            for view, camera in enumerate(self.check.cameras)
        ]
        return float(np.mean(found))
