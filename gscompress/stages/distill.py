"""Distillation: fewer spherical harmonics that look like all of them did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gscompress.errors import InputError
from gscompress.gaussians import Array, Gaussians
from gscompress.importance.scores import look
from gscompress.stages.base import Context, Stage
from gscompress.stages.finetune import Finetune, Rates
from gscompress.stages.harmonics import refit

__all__ = ["Distill"]

_MEANS_AND_COLOURS = Rates(scales=0.0, quats=0.0, opacities=0.0)


@dataclass(frozen=True)
class Distill(Stage):
    """Lower the degree of the harmonics, of all Gaussians or of those that do not need it.

    First in closed form: each Gaussian's remaining coefficients are fitted to what the dropped ones
    showed in the directions from which cameras see it (least squares in the metric of the images).
    Then, with ``steps``, by gradient as LightGaussian does (arXiv:2311.17245, section 3.2): renders
    of the input scene are the teacher, from cameras and from pseudo-views moved by a jitter; means
    and harmonics learn, opacities are frozen. Unlike there, half of the pseudo-views lie between
    cameras, scales and rotations are frozen too, and the student starts from the closed form.

    Attributes:
        sh_degree: Largest degree that is left.
        tolerance: Bands of a Gaussian are set to zero, the highest first, as long as the error of
            its colour (root mean square over the views, relative to a Gaussian of median
            visibility, in units of 0..1) stays below this; 0 leaves every Gaussian ``sh_degree``.
            Codecs code harmonics that are all zero for almost nothing.
        views: From how many training cameras it is found out where Gaussians are seen from.
        damping: How much views from everywhere count besides; more is safer far from the cameras.
        steps: Steps of the iterative distillation; 0 for the closed form alone.
        pseudo: Pseudo-views per camera: 2 is the published share.
        jitter: As in `gscompress.pseudo_views`.
        every: As in `gscompress.stages.finetune.Finetune`.
        rates: First learning rates of the iterative distillation.
    """

    sh_degree: int = 2
    tolerance: float = 0.0
    views: int = 64
    damping: float = 1.0
    steps: int = 0
    pseudo: float = 2.0
    jitter: float = 0.01
    every: int = 1
    rates: Rates = _MEANS_AND_COLOURS

    def __post_init__(self) -> None:
        if not 0 <= self.sh_degree <= 4:
            raise ValueError(f"sh_degree is {self.sh_degree}, expected 0 to 4")
        if self.views < 1:
            raise ValueError(f"views is {self.views}, expected 1 or more")
        for name in ("tolerance", "damping"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        self._finetune()

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the scene with fewer harmonics, in the order of ``scene``.

        Raises:
            InputError: There are no cameras to see it from.
        """
        degree = min(self.sh_degree, scene.sh_degree)
        lower = degree < scene.sh_degree
        if len(scene) == 0 or not (lower or (self.tolerance and degree) or self.steps):
            return scene
        if lower or self.tolerance:
            scene = scene.replace(sh=self._fitted(scene, ctx, degree))
        return self._finetune().apply(scene, ctx) if self.steps else scene

    def _fitted(self, scene: Gaussians, ctx: Context, degree: int) -> Array:  # [N, K, 3]
        sightings = look(scene, {"sh": self}, ctx).sightings  # as a codec would that has views
        if sightings is None:
            raise InputError("stage distill", found="no cameras", expected="at least one")
        best, _ = refit(scene.sh, scene.means, sightings, (degree + 1) ** 2, self.damping)
        if self.tolerance == 0:
            return best
        visibility = sightings.visibility()
        seen = visibility > 0
        typical = np.median(visibility[seen]) if seen.any() else 1.0
        limit = self.tolerance**2 * 3 * typical
        undecided = np.ones(len(scene), bool)
        for lowest in range(degree):
            terms = (lowest + 1) ** 2
            fitted, left = refit(scene.sh, scene.means, sightings, terms, self.damping)
            chosen = undecided & (left <= limit)
            best[chosen, :terms], best[chosen, terms:] = fitted[chosen], 0
            undecided &= ~chosen
        return best

    def _finetune(self) -> Finetune:
        return Finetune(
            steps=self.steps,
            every=self.every,
            pseudo=self.pseudo,
            jitter=self.jitter,
            rates=self.rates,
            requantize=0,
            check_views=0,  # the closed form was fitted to them: nothing beats it there
        )
