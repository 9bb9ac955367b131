"""Calibration: codebooks, and who has which word, improved through the renderer."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

import numpy as np

from gscompress.codecs.additive import weights_of
from gscompress.codecs.assigned import Assigned
from gscompress.codecs.base import Decoded
from gscompress.codecs.guidance import Guidance, Trained
from gscompress.codecs.word_metric import DAMPING, WordMetric, refine
from gscompress.gaussians import Array, Gaussians
from gscompress.importance import pick_views
from gscompress.metrics import psnr
from gscompress.stages.base import Context, Stage
from gscompress.stages.quantizer import CodecQuantizer
from gscompress.stages.targets import Targets, render_targets

__all__ = ["Calibrate"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibrate(Stage):
    """Choose the words of harmonics so that the decoded scene's renders match the input's.

    After VQ4DiT (J. Deng et al. 2024, arXiv:2408.17131), which calibrates a codebook and who has
    which word on what the uncompressed model gives. There each vector mixes its nearest words by
    weights that learn. Here a round renders the decoded scene and takes the gradient g of the
    squared error by each Gaussian's coefficients. With M, what errors of them change in images, its
    part of the images is nearest at d = -M^-1 g / 2; of that a share is taken, because neighbours
    correct the same pixels. Words then move to where their Gaussians want to be, and each Gaussian
    takes the word that is best for it in M: the gain of a candidate in first and second order.

    Does nothing where the harmonics' codec has no words, or renders nothing (``views``). What it
    finds is for that codec as it is configured: it is lost where a target of size or quality
    changes the codec.

    Attributes:
        rounds: How often.
        views: Training cameras that a round renders, others each time.
        scale: Size of the views' sides relative to the cameras'.
        rate: Share of the step that would be right for a Gaussian alone; falls to a quarter.
        check_views: Training cameras that only tell which round was best; at most an eighth.
    """

    rounds: int = 8
    views: int = 32
    scale: float = 0.5
    rate: float = 0.3
    check_views: int = 6

    def __post_init__(self) -> None:
        for name in ("rounds", "check_views"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.views < 1:
            raise ValueError(f"views is {self.views}, expected 1 or more")
        for name in ("scale", "rate"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0 up to 1")

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the scene with the coefficients that the words stand for, in its order."""
        if len(scene) == 0 or self.rounds == 0:
            return scene
        quantizer = CodecQuantizer.of(scene, ctx)
        codec = None if quantizer is None else quantizer.codecs["sh"]
        if quantizer is None or not hasattr(codec, "assign") or codec.views == 0:
            return scene
        checked = pick_views(ctx.cameras, min(self.check_views, len(ctx.cameras) // 8))
        known = set(map(id, checked))
        learned = [camera for camera in ctx.cameras if id(camera) not in known]
        room = 1 << 30
        train = render_targets(ctx.scene, learned, ctx.renderer, self.scale, room)
        check = render_targets(ctx.scene, checked, ctx.renderer, self.scale, room)
        return _Run(self, quantizer, train, check, ctx).best_of(scene)


@dataclass(eq=False)
class _State:
    """Coefficients as they should be, and words for them."""

    scene: Gaussians
    assigned: Assigned


@dataclass(eq=False)
class _Run:
    stage: Calibrate
    quantizer: CodecQuantizer
    train: Targets
    check: Targets
    ctx: Context
    psnr: list[float] = field(default_factory=list)

    def best_of(self, scene: Gaussians) -> Gaussians:
        """The best round at the check views, the beginning included."""
        codec, guidance = self.quantizer.codecs["sh"], self.quantizer.guidance
        context = Decoded(len(scene), scene.sh_degree, scene.mode)
        context.attributes["means"] = scene.means
        metric = codec.metric("sh", context, guidance)
        weights = weights_of(context, guidance)
        assigned = codec.assign(scene.sh, "sh", weights, guidance.device, metric)
        whole = metric if metric.shares is None else self._whole(scene, guidance)
        state = best = _State(scene, assigned)
        progress = self.ctx.step("calibrate")
        for number in range(self.stage.rounds + 1):
            shown = self._shown(state)
            if self._look(shown, number):
                best = state
            if number == self.stage.rounds:
                break
            state = self._moved(state, shown, metric, whole, number)
            if progress is not None:
                progress(number + 1, self.stage.rounds)
        self.ctx.trained["sh"] = Trained(codec, best.assigned)
        return best.scene

    def _whole(self, scene: Gaussians, guidance: Guidance) -> WordMetric:
        """The metric of all coefficients."""
        assert guidance.sightings is not None
        terms = scene.sh.shape[1]
        return WordMetric.of_harmonics(scene.means, guidance.sightings, terms, DAMPING, apart=False)

    def _shown(self, state: _State) -> Gaussians:
        """The scene as it will be decoded."""
        trained = {"sh": Trained(self.quantizer.codecs["sh"], state.assigned)}
        guidance = replace(self.quantizer.guidance, trained=trained)
        offsets = CodecQuantizer(self.quantizer.codecs, guidance).offsets(state.scene)
        changed = {name: getattr(state.scene, name) + by for name, by in offsets.items()}
        return state.scene.replace(**changed)

    def _moved(
        self,
        state: _State,
        shown: Gaussians,
        metric: WordMetric,
        whole: WordMetric,
        number: int,
    ) -> _State:
        """Coefficients, words and assignments after one round."""
        rate = self.stage.rate * 0.25 ** (number / max(self.stage.rounds - 1, 1))
        change = -rate * whole.newton(self._gradient(shown, number))
        used = state.assigned.used
        used = np.ones(len(shown), bool) if used is None else used
        # Where a Gaussian has words, they say where it is; elsewhere rounding errors shall not
        # add up.
        sh = np.where(used[:, None, None], shown.sh, state.scene.sh) + change
        vectors = sh.reshape(len(sh), -1)[:, -state.assigned.axes[0].shape[1] :]
        some = refine(state.assigned.select(used), vectors[used], metric.select(used), 1)
        indices = state.assigned.indices.copy()
        indices[:, used] = some.indices
        assigned = replace(state.assigned, words=some.words, indices=indices)
        return _State(state.scene.replace(sh=sh.astype(np.float32)), assigned)

    def _gradient(self, shown: Gaussians, number: int) -> Array:  # [N, K, 3]
        """Of the squared error of all images, estimated at some views."""
        count = len(self.train)
        rng = np.random.default_rng([self.ctx.seed, number])
        views = rng.permutation(count)[: self.stage.views]
        total = np.zeros(shown.sh.shape, np.float32)
        for view in views:
            picture = self.train.array(int(view))

            def by_pixel(image: Array, picture: Array = picture) -> Array:
                return 2 * (image - picture)

            camera = self.train.cameras[view]
            total += self.ctx.renderer.pull_back(shown, camera, by_pixel).sh
        sightings = self.quantizer.guidance.sightings
        assert sightings is not None
        share = len(views) / len(sightings.eyes) * self.stage.scale**2
        return np.asarray(total / share, dtype=np.float32)

    def _look(self, shown: Gaussians, number: int) -> bool:
        """Whether it is the best so far."""
        if len(self.check) == 0:
            return True
        render = self.ctx.renderer.render
        found = [
            psnr(render(shown, camera).image, np.clip(self.check.array(view), 0, 1))
            for view, camera in enumerate(self.check.cameras)
        ]
        self.psnr.append(float(np.mean(found)))
        log.info("round %d: %.2f dB on %d check views", number, self.psnr[-1], len(found))
        return self.psnr[-1] == max(self.psnr)
