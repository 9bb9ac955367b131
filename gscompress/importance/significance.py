"""LightGaussian's global significance, as the paper has it and as its released code has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Gaussians
from gscompress.render.base import Progress, Renderer

__all__ = ["global_significance", "global_significance_released"]

Values = NDArray[np.float64]

BETA = 0.1
"""Power of the volume (the paper's beta, the release's v_pow)."""
QUANTILE = 0.9


def global_significance(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
    *,
    beta: float = BETA,
) -> Values:  # [N]
    """Global significance of the paper (LightGaussian, arXiv:2311.17245, section 3).

    GS_j = gamma_j sum over pixels of 1[j hits the pixel] o_j T_j, with the opacity o_j (not the
    fall-off of the footprint), the transmittance T_j in front of it, and gamma_j = V_norm^beta,
    V_norm = min(max(V / V_max90, 0), 1): V is the product of the scales, V_max90 the volume at
    90 % of the ascending volumes, so that giant background Gaussians count no more than that one.
    """
    volumes = _volumes(scene)
    if len(volumes) == 0:
        return volumes
    rank = min(int(QUANTILE * len(volumes)), len(volumes) - 1)
    normaliser = np.partition(volumes, rank)[rank]
    gamma = np.minimum(volumes / normaliser, 1) ** beta
    return np.asarray(gamma * _blended(scene, cameras, renderer, progress))


def global_significance_released(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
    *,
    beta: float = BETA,
) -> Values:  # [N]
    """Global significance as the code released with the paper computes it.

    It sorts the volumes in descending order before it takes the one at 90 %, which is therefore
    the 10 % quantile V_10, and clips nothing: GS_j = (V / V_10)^beta sum of 1[hit] o_j T_j. Giant
    Gaussians gain. (The release adds up without synchronisation, so that it loses some summands at
    random; ours does not.)
    """
    volumes = _volumes(scene)
    if len(volumes) == 0:
        return volumes
    descending = min(int(QUANTILE * len(volumes)), len(volumes) - 1)
    rank = len(volumes) - 1 - descending
    gamma = (volumes / np.partition(volumes, rank)[rank]) ** beta
    return np.asarray(gamma * _blended(scene, cameras, renderer, progress))


def _volumes(scene: Gaussians) -> Values:  # [N]
    """Products of the scales, kept within what float64 can divide."""
    return np.asarray(np.exp(np.clip(scene.log_scales.astype(np.float64).sum(axis=1), -300, 300)))


def _blended(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None,
) -> Values:  # [N]
    """Opacity times the transmittance, summed over the pixels that are hit."""
    found = renderer.scores(scene, cameras, progress=progress, removal=False, occlusion=True)
    assert found.transmittance_sum is not None
    return np.asarray(scene.opacities.astype(np.float64) * found.transmittance_sum)
