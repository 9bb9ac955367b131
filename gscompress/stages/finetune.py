"""Fine-tuning: what pruning and coding lose is won back by gradient."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.photos import fit_camera
from gscompress.pseudo_views import camera_extent, pseudo_views
from gscompress.stages.base import Context, Stage
from gscompress.stages.optimise import Optimiser, Plan
from gscompress.stages.quantizer import CodecQuantizer
from gscompress.stages.targets import Targets, parts, photo_targets, render_targets

__all__ = ["Finetune", "Rates"]

log = logging.getLogger(__name__)

MEGABYTE = 1 << 20

MIN_CHECKABLE = 8
"""Training cameras of which one can be held out to check what photos of the others teach."""

TOLERANCE = 1.5
"""dB that views held out may lose on the way; high rates that heal later cost less."""

GENTLE_MEANS, GENTLE_DAMPING = 0.1, 10.0
"""Where views held out got worse: what rates of means are multiplied by, and the least damping.

Cameras may then stand among Gaussians. One that crosses the near plane of a camera that is not
learned from hides all from it, and the noise of single views takes it there in time.
"""


@dataclass(frozen=True)
class Rates:
    """First learning rates of Adam. 0 freezes an attribute.

    Attributes:
        means: As a share of the radius of the cameras.
        scales: Of log-scales.
        quats: Of the components of unit quaternions.
        opacities: Of opacity logits.
        sh0: Of the constant harmonics.
        shN: Of the others.
    """

    means: float = 2.5e-5
    scales: float = 5e-3
    quats: float = 1.5e-3
    opacities: float = 1.5e-2
    sh0: float = 4e-3
    shN: float = 4e-4

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{field.name} is {value}, expected 0 or more")

    def by_attribute(self, extent: float) -> dict[str, float]:
        """By the names of Gaussians' fields; means in world units, harmonics in two."""
        return {
            "means": self.means * extent,
            "log_scales": self.scales,
            "quats": self.quats,
            "opacity_logits": self.opacities,
            "sh0": self.sh0,
            "shN": self.shN,
        }


@dataclass(frozen=True)
class Finetune(Stage):
    """Optimise all Gaussians so that their renders match the input scene's, or the photos.

    The loss is that of 3DGS, L1 and SSIM (Kerbl et al. 2023, eq. 7), one view a step, with Adam.
    Without photos the input scene is the teacher (self-distillation), from the training cameras and
    from pseudo-views near them. Renders are those of the decoded scene: the offsets of the
    configuration's quantizers are added to the parameters, and gradients go straight through.
    The same seed gives the same bytes on a CPU, for any number of threads, unless ``seconds`` ends
    it.

    Views held out can get worse, however well the others are learned. Few photos are learned by
    heart, each with its own exposure. And where cameras see each other, all but one show the body
    of that one: what grows there hides everything from it, be it learned from photos or renders.
    So a look that finds the views held out much worse than at the start ends the attempt, and with
    ``target`` auto also photos that have improved no look. Then, and in all later stages, renders
    of the input are learned from all cameras, and means hardly move.

    Attributes:
        target: What is matched: renders of the input scene; the photos, whatever comes of it; or
            auto: the photos where there are any, as long as they help. Of fewer than eight cameras
            none is held out to tell, and auto means renders, unless ``check_views`` is 0.
        steps: Number of steps.
        seconds: Wall time after which to stop, whatever the steps; 0 for no limit. What a run gives
            then depends on the machine.
        every: A step looks at one pixel of each ``every`` x ``every`` of a view: 2 is almost four
            times as fast as 1. All of a view's pixels get their turn.
        pseudo: Pseudo-views per training camera. With photos, what they show is still rendered from
            the input: that holds the scene where no photo was taken.
        jitter: How far pseudo-views are moved; see `gscompress.pseudo_views`.
        ssim_share: Weight of SSIM in the loss.
        softness: Differences well below this count by their squares, as PSNR has them; larger ones
            by their size. 0 is the loss as published.
        rates: First learning rates.
        damping: Of Adam, for parameters that hardly matter; 0 is Adam as published. See
            `gscompress.stages.parameters.Parameters`.
        decay: How they fall.
        last_rate: Last learning rates, as a share of the first.
        requantize: Steps after which the quantizers' offsets are found anew; 0 trains without
            regard to the codecs.
        check_views: Training cameras held out to tell how good the scene is; the best scene is
            what comes out, the one that came in included. At most an eighth of the cameras.
        check_every: Steps between two looks at them.
        patience: Looks without improvement after which to stop; 0 to do all steps.
        cache: Megabytes of pictures to keep.
    """

    target: Literal["auto", "renders", "photos"] = "renders"
    steps: int = 1000
    seconds: float = 0.0
    every: int = 1
    pseudo: float = 0.5
    jitter: float = 0.01
    ssim_share: float = 0.2
    softness: float = 0.02
    rates: Rates = Rates()
    damping: float = 0.5
    decay: Literal["cosine", "exponential"] = "cosine"
    last_rate: float = 0.1
    requantize: int = 50
    check_views: int = 6
    check_every: int = 100
    patience: int = 4
    cache: int = 1024

    def __post_init__(self) -> None:
        for name in ("steps", "requantize", "check_views", "patience", "cache"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("seconds", "pseudo", "jitter", "softness", "damping"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if not 0 < self.last_rate <= 1:
            raise ValueError(f"last_rate is {self.last_rate}, expected more than 0 up to 1")
        if not 0 <= self.ssim_share <= 1:
            raise ValueError(f"ssim_share is {self.ssim_share}, expected 0 to 1")
        for name in ("every", "check_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the fine-tuned scene, in the order of ``scene``.

        Raises:
            InputError: Photos are wanted and there are none, or there is nothing to see.
        """
        photos = self._uses_photos(ctx)
        if len(scene) == 0 or self.steps == 0:
            return scene
        optimiser = self._optimiser(scene, ctx, photos=photos)
        found = optimiser.run()
        helped = optimiser.gained if photos else not optimiser.is_hopeless
        if helped or self.target == "photos":
            return found
        log.warning("views held out get worse: now renders from all cameras are learned")
        ctx.learn_all = True
        return self._optimiser(found, ctx, photos=False).run()

    def _optimiser(self, scene: Gaussians, ctx: Context, *, photos: bool) -> Optimiser:
        plan = self._plan(ctx, camera_extent(ctx.cameras))
        if self.target != "photos" and not ctx.learn_all:
            plan = dataclasses.replace(plan, tolerance=TOLERANCE)
        train, check = self._targets(ctx, photos=photos)
        return Optimiser(
            scene,
            plan,
            train,
            check,
            ctx.renderer,
            CodecQuantizer.of(scene, ctx) if self.requantize else None,
            ctx.step("fine-tune"),
            ctx.checkpoint_path("finetune_all" if ctx.learn_all else "finetune"),
        )

    def _uses_photos(self, ctx: Context) -> bool:
        has = ctx.images is not None and bool(ctx.given_cameras)
        if self.target == "photos" and not has:
            raise InputError(
                "stage finetune",
                "target",
                found="photos, but there are none",
                expected="the photos of the training cameras",
                remedy="Give them (--images with --cameras), or set target to renders.",
            )
        if self.target == "auto":
            checkable = self.check_views == 0 or len(ctx.cameras) >= MIN_CHECKABLE
            return has and checkable and not ctx.learn_all
        return self.target == "photos"

    def _plan(self, ctx: Context, extent: float) -> Plan:
        threads = getattr(ctx.renderer, "threads", 1)
        rates, damping = self.rates, self.damping
        if ctx.learn_all:
            rates = dataclasses.replace(rates, means=GENTLE_MEANS * rates.means)
            damping = max(damping, GENTLE_DAMPING)
        return Plan(
            rates=rates.by_attribute(extent),
            steps=self.steps,
            seconds=self.seconds,
            damping=damping,
            decay=self.decay,
            last_rate=self.last_rate,
            loss=PhotoLoss(self.ssim_share, self.softness, threads),
            requantize=self.requantize or self.steps,
            check_every=self.check_every,
            patience=self.patience,
            seed=ctx.seed,
        )

    def _targets(self, ctx: Context, *, photos: bool) -> tuple[Targets, Targets]:
        """Views to learn, and views to check, in parts."""
        cameras, renderer, room = ctx.cameras, ctx.renderer, self.cache * MEGABYTE
        if photos:
            assert ctx.images is not None  # _uses_photos has seen them
            cameras = [fit_camera(c, ctx.images[i], c.name) for i, c in enumerate(cameras)]
        whole = parts(cameras, self.every)
        checked, learned = _divide(len(cameras), self.check_views)
        if ctx.learn_all:
            learned = list(range(len(cameras)))
        look = [whole[view][number % len(whole[view])] for number, view in enumerate(checked)]
        learn = [part for view in learned for part in whole[view]]
        pseudo = self._pseudo([cameras[view] for view in learned], ctx)
        others = [part.camera for each in parts(pseudo, self.every) for part in each]
        if not photos:
            shown = [part.camera for part in learn] + others
            return (
                render_targets(ctx.scene, shown, renderer, room),
                render_targets(ctx.scene, [part.camera for part in look], renderer, room),
            )
        assert ctx.images is not None
        return (
            photo_targets(ctx.images, learn, renderer, room).followed_by(
                render_targets(ctx.scene, others, renderer, 0)
            ),
            photo_targets(ctx.images, look, renderer, room),
        )

    def _pseudo(self, cameras: Sequence[Camera], ctx: Context) -> list[Camera]:
        count = round(self.pseudo * len(cameras))
        return pseudo_views(cameras, count, jitter=self.jitter, seed=ctx.seed)


def _divide(count: int, wanted: int) -> tuple[list[int], list[int]]:
    """Numbers of the views to check, spread evenly, and of the others."""
    checks = min(wanted, count // 8)
    checked = {int((i + 0.5) * count / checks) for i in range(checks)}
    return sorted(checked), [i for i in range(count) if i not in checked]
