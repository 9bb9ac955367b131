"""Calibration: codebooks, and who has which word, improved through the renderer."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np

from gscompress.codecs.additive import as_vectors, weights_of
from gscompress.codecs.base import Decoded
from gscompress.codecs.guidance import Trained
from gscompress.codecs.scene import GROUPS
from gscompress.codecs.tuning import TrainableWords
from gscompress.codecs.word_metric import WordMetric
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import psnr
from gscompress.stages.base import Context, Stage
from gscompress.stages.learners import raw_gradients
from gscompress.stages.quantizer import CodecQuantizer
from gscompress.stages.targets import Targets, parts, render_targets

__all__ = ["Calibrate"]

log = logging.getLogger(__name__)

_ROOM = 1 << 30
"""Bytes of pictures to keep."""


@dataclass(frozen=True)
class Calibrate(Stage):
    """Train the codebooks of codecs that have some on renders of the input scene.

    Every step renders one view of the decoded scene; a word gets the sum of the gradients of its
    Gaussians (Compact 3DGS, arXiv:2311.13681, trains its codebooks so). From time to time, as
    VQ4DiT does (arXiv:2408.17131), Gaussians choose among the words anew. There every vector mixes
    its nearest words by weights that learn. Here the gain of a candidate is known in first and
    second order: from the gradient g since the last time, and from M, what errors of coefficients
    change in images. Neighbours correct the same pixels, so only a share of the step -M^-1 g / 2
    is believed. Of harmonics only: M is known for them (codecs with ``views``).

    To be the last stage: words are for the Gaussians as they are now, and for codecs as they are
    configured; where a target of size or quality changes these, they are made anew.

    Attributes:
        steps: Number of steps, one view each.
        every: A step looks at one pixel of each ``every`` x ``every`` of a view, as those of
            `gscompress.stages.finetune` do.
        rate: First learning rate, as a share of the errors that words make; falls to a tenth.
        reassign: Steps after which Gaussians choose anew; 0 for never.
        belief: Share of the step that would be right for a Gaussian alone.
        together: Whether one affine map of all words of a codebook learns, as in SimVQ
            (arXiv:2411.02038), or each word by itself.
        check_views: Training cameras that only tell when it was best; at most an eighth.
        check_every: Steps between two looks at them.
    """

    steps: int = 300
    every: int = 2
    rate: float = 0.1
    reassign: int = 25
    belief: float = 0.1
    together: bool = False
    check_views: int = 6
    check_every: int = 50

    def __post_init__(self) -> None:
        for name in ("steps", "reassign", "check_views"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        for name in ("every", "check_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 or more")
        for name in ("rate", "belief"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected more than 0 up to 1")

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the scene as the codecs arrange it; what was trained is left in ``ctx.trained``."""
        quantizer = CodecQuantizer.of(scene, ctx) if len(scene) and self.steps else None
        if quantizer is None or not any(hasattr(c, "assign") for c in quantizer.codecs.values()):
            return scene
        scene = quantizer.prepare(scene)
        whole = parts(ctx.cameras, self.every)
        checks = min(self.check_views, len(whole) // 8)
        checked = [int((i + 0.5) * len(whole) / checks) for i in range(checks)]
        learned = [view for view in range(len(whole)) if view not in checked]
        look = [whole[view][number % len(whole[view])] for number, view in enumerate(checked)]
        learn = [part for view in learned for part in whole[view]]
        train, check = (
            render_targets(ctx.scene, [part.camera for part in some], ctx.renderer, _ROOM)
            for some in (learn, look)
        )
        run = _Run(self, ctx, train, check, *_start(scene, quantizer, self.together))
        ctx.trained.update(run.best())
        return scene


def _start(
    scene: Gaussians, quantizer: CodecQuantizer, together: bool
) -> tuple[Gaussians, dict[str, TrainableWords], WordMetric | None]:
    """The scene as decoded, words by group, and the metric of harmonics, where known."""
    offsets = quantizer.offsets(scene)
    shown = scene.replace(**{name: getattr(scene, name) + by for name, by in offsets.items()})
    guidance = quantizer.guidance
    context = Decoded(len(scene), scene.sh_degree, scene.mode)
    context.attributes["means"] = scene.means
    classes = quantizer.codecs.get("importance")
    if classes is not None and guidance.importance is None:  # as the encoder will guess
        context.classes, context.octaves = classes.guessed(scene), classes.octaves
    weights, found, metric = weights_of(context, guidance), {}, None
    for group, codec in quantizer.codecs.items():
        if not hasattr(codec, "assign"):
            continue
        values = getattr(scene, GROUPS[group])
        own = codec.metric(group, context, guidance)
        metric = own if group == "sh" else metric
        assigned = codec.assign(values, group, weights, guidance.device, own)
        dims = assigned.axes[0].shape[1]
        vectors = as_vectors(values, group)
        vectors = vectors[:, vectors.shape[1] - dims :]
        found[group] = TrainableWords.fit(codec, vectors, assigned, together)
    return shown, found, metric


@dataclass(eq=False)
class _Run:
    """Words being trained.

    Attributes:
        base: The scene as decoded; words take the place of its attributes.
        words: By attribute group.
        metric: Of harmonics, where it is known.
        psnr: Mean over the check views, by step.
    """

    stage: Calibrate
    ctx: Context
    train: Targets
    check: Targets
    base: Gaussians
    words: dict[str, TrainableWords]
    metric: WordMetric | None
    psnr: dict[int, float] = field(default_factory=dict, init=False)

    def best(self) -> dict[str, Trained]:
        """The words as they were at the best look at the check views, by group."""
        stage, progress = self.stage, self.ctx.step("calibrate")
        best = self._trained()
        since: list[Array] = []
        for step in range(stage.steps + 1):
            if step % stage.check_every == 0 or step == stage.steps:
                best = self._trained() if self._look(step) else best
            if step == stage.steps:
                break
            gradient = self._learn(step)
            if stage.reassign and self.metric is not None:
                since = [since[0] + gradient] if since else [gradient]
                if (step + 1) % stage.reassign == 0:
                    self._reassign(since.pop() / np.float32(stage.reassign))
            if progress is not None:
                progress(step + 1, stage.steps)
        return best

    def _trained(self) -> dict[str, Trained]:
        return {group: words.trained() for group, words in self.words.items()}

    def _shown(self) -> Gaussians:
        values = {
            GROUPS[group]: words.shown(getattr(self.base, GROUPS[group]))
            for group, words in self.words.items()
        }
        return self.base.replace(**values)

    def _learn(self, step: int) -> Array:  # [N, D]
        """One step; gives the gradients by what the words of harmonics add up to."""
        epoch, number = divmod(step, len(self.train))
        rng = np.random.default_rng([self.ctx.seed, epoch])
        view = int(rng.permutation(len(self.train))[number])
        picture, shown = self.train.array(view), self._shown()

        def by_pixel(image: Array) -> Array:
            return 2 * (image - picture)

        found = self.ctx.renderer.pull_back(shown, self.train.cameras[view], by_pixel)
        gradients = raw_gradients(shown, found)
        rate = self.stage.rate * 0.1 ** (step / self.stage.steps)
        own = np.zeros((0, 0), np.float32)
        for group, words in self.words.items():
            mine = words.own(gradients[GROUPS[group]])
            words.learn(mine, rate)
            own = mine if group == "sh" else own
        return own

    def _reassign(self, gradient: Array) -> None:
        """New words where the mean gradient of a view says that they are better."""
        assert self.metric is not None
        words, metric = self.words["sh"], self.metric
        split = gradient.reshape(len(gradient), metric.terms, -1)
        step = metric.newton(split * np.float32(metric.views * self.stage.every**2))
        wanted = words.assigned.vectors() - self.stage.belief * step.reshape(gradient.shape)
        changed = words.reassign(wanted, metric)
        log.info("%d of %d Gaussians have other words", changed, len(gradient))

    def _look(self, step: int) -> bool:
        """Whether it is the best so far."""
        shown, render = self._shown(), self.ctx.renderer.render
        found = [
            psnr(render(shown, camera).image, np.clip(self.check.array(view), 0, 1))
            for view, camera in enumerate(self.check.cameras)
        ]
        self.psnr[step] = float(np.mean(found)) if found else float(step)
        log.info("step %d: %.2f dB on %d check views", step, self.psnr[step], len(found))
        return self.psnr[step] == max(self.psnr.values())
