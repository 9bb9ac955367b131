"""What the stages that reduce the number of Gaussians share: how many go, and who has to stay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.importance import pick_views
from gscompress.importance.evidence import judged, least_keep
from gscompress.metrics import psnr
from gscompress.render.base import Renderer
from gscompress.stages.base import Context

__all__ = [
    "ByDistortion",
    "ByImportance",
    "ByShare",
    "Round",
    "Rule",
    "check_limits",
    "judge",
    "make_rule",
    "most_that_may_go",
    "round_step",
]

log = logging.getLogger(__name__)

EVIDENCE_VIEWS = 128
EVIDENCE_SIDE = 400
"""Longest side, in pixels, of the views that say who can be judged: whether something is seen shows
at any size."""

CONTROL_VIEWS = 12
FINE, COARSE = 256, 64
"""The share that goes is found to one part in so many: in the last round, and in those before."""

Values = NDArray[np.float64]


class Round(Protocol):
    """Changes that could be made now, each of which takes away one Gaussian.

    Attributes:
        scene: What is left before them.
        costs: What each costs, ascending.
        whole: How many Gaussians there were before the first round.
        room: How many changes may be made at most.
        fraction: How much of what may be lost in all may be lost after this round; 1 is the last.
    """

    scene: Gaussians
    costs: Values
    whole: int
    room: int
    fraction: float

    def after(self, count: int) -> Gaussians:
        """The scene when the first ``count`` changes are made."""
        ...


class Rule(Protocol):
    """Says how many changes are made in a round."""

    def count(self, going: Round) -> int: ...


@dataclass(frozen=True)
class ByShare:
    """After round r of R the share keep^(r/R) is left."""

    keep: float

    def count(self, going: Round) -> int:
        stay = max(1, round(going.whole * self.keep**going.fraction))
        return int(np.clip(len(going.scene) - stay, 0, going.room))


@dataclass
class ByImportance:
    """Round r of R has dropped at most r/R of the importance that need not be kept."""

    tau: float
    total: float | None = None
    dropped: float = 0.0

    def count(self, going: Round) -> int:
        if self.total is None:
            self.total = float(going.costs.sum())
        allowed = (1 - self.tau) * self.total * going.fraction - self.dropped
        sums = np.cumsum(going.costs[: going.room])
        count = int(np.searchsorted(sums, allowed, side="right"))
        self.dropped += float(sums[count - 1]) if count else 0.0
        return count


@dataclass
class ByDistortion:
    """Round r of R may reach r/R of the squared error; bisection finds how many changes do."""

    min_psnr: float
    renderer: Renderer
    cameras: Sequence[Camera]
    images: Sequence[Array]
    step: Callable[[int, int], None] | None

    def count(self, going: Round) -> int:
        target = self.min_psnr - 10 * np.log10(going.fraction)
        if self._psnr(going.scene) < target:
            return 0
        good, bad = 0, going.room + 1
        tolerance = max(1, len(going.scene) // (FINE if going.fraction == 1 else COARSE))
        while bad - good > tolerance:
            trial = (good + bad) // 2
            if self._psnr(going.after(trial)) >= target:
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


def check_limits(rounds: int, views: int, min_psnr: float | None, **shares: float | None) -> None:
    """Refuse parameters out of range.

    Args:
        rounds: At least 1.
        views: At least 1.
        min_psnr: In dB.
        shares: By name, above 0 and at most 1; exactly one of these and ``min_psnr`` is given.

    Raises:
        ValueError: One is.
    """
    given = [v for v in (*shares.values(), min_psnr) if v is not None]
    if len(given) != 1:
        *names, last = [*shares, "min_psnr"]
        listed = f"{', '.join(names)} and {last}"
        raise ValueError(f"{len(given)} of {listed} are given, expected one")
    for name, value in shares.items():
        if value is not None and not 0 < value <= 1:
            raise ValueError(f"{name} is {value}, expected above 0 and at most 1")
    if min_psnr is not None and not 0 < min_psnr < 150:
        raise ValueError(f"min_psnr is {min_psnr}, expected above 0 and below 150 dB")
    for name, number in (("rounds", rounds), ("views", views)):
        if number < 1:
            raise ValueError(f"{name} is {number}, expected at least 1")


def make_rule(
    ctx: Context, *, keep: float | None, tau: float | None = None, min_psnr: float | None
) -> tuple[Sequence[Camera], Rule]:
    """The cameras to measure importance from, and what says how many go."""
    if keep is not None:
        return ctx.cameras, ByShare(keep)
    if tau is not None:
        return ctx.cameras, ByImportance(tau)
    assert min_psnr is not None
    cameras, control = _hold_out(ctx)
    images = [ctx.renderer.render(ctx.scene, camera).image for camera in control]
    return cameras, ByDistortion(min_psnr, ctx.renderer, control, images, ctx.step("control"))


def judge(
    scene: Gaussians, cameras: Sequence[Camera], views: int, ctx: Context
) -> tuple[Sequence[Camera], NDArray[np.bool_]]:
    """The ``views`` cameras to measure importance from, and which Gaussians [N] they can judge.

    See `gscompress.importance.evidence`; some of the other cameras are witnesses.
    """
    chosen = pick_views(cameras, views)
    taken = {id(camera) for camera in chosen}
    others = [camera for camera in cameras if id(camera) not in taken]
    room = max(0, EVIDENCE_VIEWS - len(chosen))
    witnesses = pick_views(others, room) if room else []
    small, more = ([_shrunk(camera) for camera in part] for part in (chosen, witnesses))
    return chosen, judged(scene, small, ctx.renderer, ctx.step("cover"), more)


def most_that_may_go(
    name: str, known: NDArray[np.bool_], keep: float | None, cameras: Sequence[Camera]
) -> int:
    """The largest number of Gaussians that may go.

    Args:
        name: Id of the stage, for messages.
        known: Which Gaussians are judged.
        keep: The share that shall stay, if that is what was asked for.
        cameras: Those that judge.

    Raises:
        InputError: ``keep`` asks for more than the cameras can tell.
    """
    share = float(known.mean())
    least = least_keep(share)
    if keep is not None and keep < least:
        raise InputError(
            name,
            "keep",
            found=f"{keep:g}, but the {len(cameras)} cameras say nothing about "
            f"{1 - share:.1%} of the {len(known):,} Gaussians",
            expected=f"{np.ceil(1e3 * least) / 1e3:g} or more",
            remedy="Give more cameras, from all sides of the scene, or keep more.",
        )
    if keep is None and least > 0.5:
        log.warning(
            "%s: the %d cameras say nothing about %.1f %% of the Gaussians, "
            "so at least %.1f %% of all stay",
            name,
            len(cameras),
            100 * (1 - share),
            100 * least,
        )
    return int((1 - least) * len(known))


def round_step(
    ctx: Context, name: str, number: int, rounds: int
) -> Callable[[int, int], None] | None:
    """Progress over the views of all rounds, for those of round ``number``."""
    step = ctx.step(name)
    if step is None:
        return None
    return lambda done, views: step((number - 1) * views + done, rounds * views)


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
