"""Remove the Gaussians that matter least to what the cameras see."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.importance import SCORES, pick_views, score
from gscompress.importance.coverage import coverage
from gscompress.importance.evidence import judged, least_keep
from gscompress.metrics import psnr
from gscompress.render.base import Renderer
from gscompress.stages.base import Context, Stage

__all__ = ["Prune"]

log = logging.getLogger(__name__)

EVIDENCE_VIEWS = 128
EVIDENCE_SIDE = 400
"""Longest side, in pixels, of the views that say who can be judged: whether something is seen shows
at any size."""

CONTROL_VIEWS = 12
FINE, COARSE = 256, 64
"""The share removed is found to one part in so many: in the last round, and in those before."""

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
    keep = 0.4, PSNR is 28.0, 30.2, 31.1 and 31.6 dB with 1, 2, 4 and 8.

    Gaussians of which the cameras say nothing (`gscompress.importance.evidence`) are never removed.
    Where they are so many that the others would have to pay for them, a ``keep`` is refused and the
    other two remove less.

    Attributes:
        keep: Share of the Gaussians, above 0 and at most 1.
        tau: Share of the importance, above 0 and at most 1.
        min_psnr: In dB.
        score: Id of the importance (`gscompress.importance`).
        rounds: How often it is measured anew, at least 1.
        views: From how many cameras it is measured, evenly spread over those there are.
    """

    keep: float | None = None
    tau: float | None = None
    min_psnr: float | None = None
    score: str = "removal_effect"
    rounds: int = 4
    views: int = 64

    def __post_init__(self) -> None:
        given = [v for v in (self.keep, self.tau, self.min_psnr) if v is not None]
        if len(given) != 1:
            raise ValueError(f"{len(given)} of keep, tau and min_psnr are given, expected one")
        for name in ("keep", "tau"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} is {value}, expected above 0 and at most 1")
        if self.min_psnr is not None and not 0 < self.min_psnr < 150:
            raise ValueError(f"min_psnr is {self.min_psnr}, expected above 0 and below 150 dB")
        if self.score not in SCORES.names():
            expected = ", ".join(SCORES.names())
            raise ValueError(f"score is {self.score!r}, expected one of {expected}")
        for name in ("rounds", "views"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the scene without what was removed; the order of the others stays.

        Raises:
            InputError: The cameras cannot tell what could be removed to keep only ``keep``.
        """
        if len(scene) == 0 or self.keep == 1 or self.tau == 1:
            return scene
        cameras, rule = self._divide(ctx)
        known = self._judge(scene, cameras, ctx)
        most = self._most(scene, known, len(cameras))
        cameras = pick_views(cameras, self.views)
        left: Indices = np.arange(len(scene))
        for number in range(1, self.rounds + 1):
            part = scene.select(left)
            values = score(part, cameras, ctx.renderer, self.score, self._step(ctx, number))
            order = np.argsort(np.where(known[left], values, np.inf), kind="stable")
            room = min(most - (len(scene) - len(left)), int(known[left].sum()), len(left) - 1)
            going = _Round(part, order, values[order], len(scene), room, number / self.rounds)
            left = left[np.sort(order[rule.count(going) :])]
        log.info("prune: %d of %d Gaussians stay", len(left), len(scene))
        return scene.select(left)

    def _divide(self, ctx: Context) -> tuple[Sequence[Camera], _Rule]:
        """The cameras to measure importance from, and what says how many go."""
        if self.keep is not None:
            return ctx.cameras, _ByShare(self.keep)
        if self.tau is not None:
            return ctx.cameras, _ByImportance(self.tau)
        assert self.min_psnr is not None
        cameras, control = _hold_out(ctx)
        images = [ctx.renderer.render(ctx.scene, camera).image for camera in control]
        rule = _ByDistortion(self.min_psnr, ctx.renderer, control, images, ctx.step("control"))
        return cameras, rule

    def _judge(
        self, scene: Gaussians, cameras: Sequence[Camera], ctx: Context
    ) -> NDArray[np.bool_]:
        """Which Gaussians the cameras say enough about."""
        small = [_shrunk(camera) for camera in pick_views(cameras, EVIDENCE_VIEWS)]
        counts = coverage(scene, small, ctx.renderer, progress=ctx.step("cover")).counts
        return judged(scene, small, counts)

    def _most(self, scene: Gaussians, known: NDArray[np.bool_], views: int) -> int:
        """The largest number of Gaussians that may go."""
        share = float(known.mean())
        least = least_keep(share)
        if self.keep is not None and self.keep < least:
            raise InputError(
                "prune",
                "keep",
                found=f"{self.keep:g}, but the {views} cameras say nothing about "
                f"{1 - share:.1%} of the {len(scene):,} Gaussians",
                expected=f"{np.ceil(1e3 * least) / 1e3:g} or more",
                remedy="Give more cameras, from all sides of the scene, or keep more.",
            )
        if self.keep is None and least > 0.5:
            log.warning(
                "prune: the %d cameras say nothing about %.1f %% of the Gaussians, "
                "so at least %.1f %% stay",
                views,
                100 * (1 - share),
                100 * least,
            )
        return int((1 - least) * len(scene))

    def _step(self, ctx: Context, number: int) -> Callable[[int, int], None] | None:
        """Progress over the views of all rounds."""
        step = ctx.step("prune")
        if step is None:
            return None
        return lambda done, views: step((number - 1) * views + done, self.rounds * views)


@dataclass(frozen=True, eq=False)
class _Round:
    """One round: what could go, the least important first.

    Attributes:
        scene: What is left before it.
        order: Indices, ascending by importance [n].
        values: Their importance [n].
        whole: How many there were before the first round.
        room: How many may go at most.
        fraction: How much of what may be lost in all may be lost after this round; 1 is the last.
    """

    scene: Gaussians
    order: Indices
    values: NDArray[np.float64]
    whole: int
    room: int
    fraction: float

    def without(self, count: int) -> Gaussians:
        """The scene when so many go."""
        return self.scene.select(np.sort(self.order[count:]))


class _Rule(Protocol):
    """Says how many go in a round."""

    def count(self, going: _Round) -> int: ...


@dataclass(frozen=True)
class _ByShare:
    keep: float

    def count(self, going: _Round) -> int:
        stay = max(1, round(going.whole * self.keep**going.fraction))
        return int(np.clip(len(going.scene) - stay, 0, going.room))


@dataclass
class _ByImportance:
    tau: float
    total: float | None = None
    dropped: float = 0.0

    def count(self, going: _Round) -> int:
        if self.total is None:
            self.total = float(going.values.sum())
        allowed = (1 - self.tau) * self.total * going.fraction - self.dropped
        sums = np.cumsum(going.values[: going.room])
        count = int(np.searchsorted(sums, allowed, side="right"))
        self.dropped += float(sums[count - 1]) if count else 0.0
        return count


@dataclass
class _ByDistortion:
    min_psnr: float
    renderer: Renderer
    cameras: Sequence[Camera]
    images: Sequence[Array]
    step: Callable[[int, int], None] | None
    trials: int = field(default=0, init=False)

    def count(self, going: _Round) -> int:
        target = self.min_psnr - 10 * np.log10(going.fraction)
        if self._psnr(going.scene) < target:
            return 0
        good, bad = 0, going.room + 1
        tolerance = max(1, len(going.scene) // (FINE if going.fraction == 1 else COARSE))
        while bad - good > tolerance:
            trial = (good + bad) // 2
            if self._psnr(going.without(trial)) >= target:
                good = trial
            else:
                bad = trial
        return good

    def _psnr(self, scene: Gaussians) -> float:
        """Mean over the control views, in dB."""
        found = []
        for camera, image in zip(self.cameras, self.images, strict=True):
            found.append(psnr(self.renderer.render(scene, camera).image, image))
            if self.step is not None:
                self.step(len(found), len(self.cameras))
        return float(np.mean(found))


def _hold_out(ctx: Context) -> tuple[Sequence[Camera], Sequence[Camera]]:
    """Cameras to measure importance from, and others for control, where there are enough."""
    cameras = ctx.cameras
    if ctx.control:
        return cameras, pick_views(ctx.control, CONTROL_VIEWS)
    count = min(CONTROL_VIEWS, len(cameras) // 4)
    if count == 0:
        return cameras, cameras
    picked = set(((np.arange(count) + 0.5) * len(cameras) / count).astype(int).tolist())
    rest = [camera for i, camera in enumerate(cameras) if i not in picked]
    return rest, [cameras[i] for i in sorted(picked)]


def _shrunk(camera: Camera) -> Camera:
    factor = min(1.0, EVIDENCE_SIDE / max(camera.width, camera.height))
    return camera.resized(
        max(1, round(camera.width * factor)), max(1, round(camera.height * factor))
    )
