"""OMG's local distinctiveness: what is important and unlike its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.cameras import Camera
from gscompress.gaussians import SH_C0, Array, Gaussians
from gscompress.render.base import Progress, Renderer

__all__ = ["local_distinctiveness", "morton_order"]

Values = NDArray[np.float64]

MORTON_BITS = 21


def local_distinctiveness(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
    *,
    power: float = 2.0,
) -> Values:  # [N]
    """Local distinctiveness (OMG, arXiv:2503.16924, section 3.3).

    I_i = Ibar_i (mean over channels of |c_i - c_prev| + |c_i - c_next|)^power, where prev and next
    are its predecessor and successor in Morton order (21 bits per axis; the ends of the order have
    one neighbour, which counts twice), and Ibar_i is the sum of w over all pixels, 0 for a Gaussian
    that is the largest contributor of none.

    The features whose differences OMG takes are learned; a trained scene has base colours instead,
    which is what they start from. OMG's public code takes the position of a Gaussian in the sorting
    permutation for its rank, which pairs it with a random other one; this is the paper's meaning.
    """
    if len(scene) == 0:
        return np.zeros(0)
    found = renderer.scores(scene, cameras, progress=progress, removal=False, occlusion=True)
    assert found.dominated is not None
    base = np.where(found.dominated > 0, found.weight_sum.astype(np.float64), 0)
    order = morton_order(scene.means)
    colors = SH_C0 * scene.sh[order, 0].astype(np.float64)
    steps = np.abs(np.diff(colors, axis=0)).mean(axis=1)  # from each to the next one
    if len(steps) == 0:
        return base
    unlike = np.empty(len(scene))
    unlike[order] = np.append(steps, steps[-1]) + np.insert(steps, 0, steps[0])
    return base * unlike**power


def morton_order(means: Array, bits: int = MORTON_BITS) -> NDArray[np.intp]:  # [N, 3] -> [N]
    """Indices along the Morton curve through the box around the positions."""
    low = means.min(axis=0, initial=np.inf).astype(np.float64)
    width = np.maximum(means.max(axis=0, initial=-np.inf) - low, 1e-30)
    cells = (means - low) / width * ((1 << bits) - 1)
    return np.argsort(_native.morton_encode(cells.astype(np.uint32)), kind="stable")
