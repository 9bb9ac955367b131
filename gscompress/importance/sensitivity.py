"""How strongly the images react to moving and scaling a Gaussian, from gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.errors import MissingDependencyError
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Progress, Renderer, is_antialiased

__all__ = ["sensitivity"]

Values = NDArray[np.float64]

_PAIRS = [(i, j) for i in range(6) for j in range(i, 6)]
DAMPING = 1e-3


def sensitivity(
    scene: Gaussians,
    cameras: Sequence[Camera],
    renderer: Renderer,
    progress: Progress | None = None,
    *,
    probes: int = 1,
    seed: int = 0,
) -> Values:  # [N]
    """Sensitivity of the images to position and scale (PUP 3D-GS, arXiv:2406.10219).

    PUP ranks by log det F_i with the 6x6 Fisher matrix F_i = sum over pixels and channels of
    g g^T, g = dI / d(mean, log scale) of the Gaussian. We give det(F_i)^(1/6), which ranks alike,
    is at least 0 and adds up as squared errors do.

    A backward pass gives no per-pixel gradients, so F_i is estimated: for an image v of random
    signs, u = d(v . I) / d(mean, log scale) has E[u u^T] = F_i (Hutchinson, 1990). Every view takes
    ``probes`` such passes. The estimate is of rank views x probes; 1e-3 of its mean eigenvalue is
    added to the diagonal.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    fisher = np.zeros((len(_PAIRS), len(scene)))
    for done, view in enumerate(cameras, start=1):
        for gradient in _probe(scene, view, renderer, probes, (seed, done)):
            for k, (i, j) in enumerate(_PAIRS):
                fisher[k] += gradient[i] * gradient[j]
        if progress is not None:
            progress(done, len(cameras))
    return _mean_eigenvalue(fisher / probes)


def _probe(
    scene: Gaussians,
    camera: Camera,
    renderer: Renderer,
    probes: int,
    seed: tuple[int, int],
) -> Iterator[Values]:
    """Gradients [6, N] of the view by means and log scales, for images of random signs."""
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("torch", "torch", "the score sensitivity") from error

    rng = np.random.default_rng(seed)
    device = renderer.device.split()[0]

    def tensor(values: Array) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    means = tensor(scene.means).requires_grad_()
    log_scales = tensor(scene.log_scales).requires_grad_()
    image, _ = renderer.rasterize(
        means,
        tensor(scene.quats),
        log_scales.exp(),
        tensor(scene.opacities),
        tensor(scene.sh),
        camera,
        antialiased=is_antialiased(scene),
    )
    for probe in range(probes):
        signs = rng.integers(0, 2, image.shape, np.int8) * np.float32(2) - 1
        found = torch.autograd.grad(
            image, (means, log_scales), tensor(signs), retain_graph=probe + 1 < probes
        )
        yield torch.cat(found, dim=1).T.cpu().numpy().astype(np.float64)


def _mean_eigenvalue(fisher: Values) -> Values:  # [21, N] -> [N]
    """Geometric mean of the eigenvalues, damped."""
    out = np.zeros(fisher.shape[1])
    for begin in range(0, len(out), 1 << 16):
        block = fisher[:, begin : begin + (1 << 16)]
        matrix = np.empty((block.shape[1], 6, 6))
        for k, (i, j) in enumerate(_PAIRS):
            matrix[:, i, j] = matrix[:, j, i] = block[k]
        scale = np.trace(matrix, axis1=1, axis2=2) / 6
        seen = scale > 0
        unit = matrix[seen] / scale[seen, None, None] + DAMPING * np.eye(6)
        _, log_det = np.linalg.slogdet(unit)
        out[begin : begin + block.shape[1]][seen] = scale[seen] * np.exp(log_det / 6)
    return out
