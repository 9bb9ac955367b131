"""A dense reference renderer in float64: no tiles, no approximation, gradients by autograd.

Projection and spherical harmonics are gsplat's own torch functions; the blending is written here
from the definition of its image (gsplat 1.5.3): every pixel looks at every Gaussian, front to back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from gsplat.cuda._torch_impl import (
    _persp_proj,
    _quat_scale_to_covar_preci,
    _spherical_harmonics,
    _world_to_cam,
)
from torch import Tensor

from gscompress.cameras import Camera

NEAR, FAR, BLUR = 0.01, 1e10, 0.3
ALPHA_MIN, ALPHA_MAX, STOP = 1 / 255, 0.999, 1e-4

Parameters = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""means [N, 3], quats [N, 4], scales [N, 3], opacities [N], sh [N, K, 3]; float64, activated."""


@dataclass(frozen=True)
class Dense:
    """A view, with the weight of every visible Gaussian at every pixel.

    Attributes:
        image: [H, W, 3].
        alpha: [H, W].
        weights: [H, W, V], front to back.
        ids: Which Gaussians those are [V].
        colors: Their colours [V, 3].
        margin: Relative distance of each pixel from the nearest threshold (least opacity, stop)
            that decides about a Gaussian: where it is below the rounding of floats, a float
            renderer may decide otherwise [H, W].
    """

    image: Tensor
    alpha: Tensor
    weights: Tensor
    ids: Tensor
    colors: Tensor
    margin: Tensor

    def per_gaussian(self, values: Tensor, n: int) -> np.ndarray:
        """Values of the visible Gaussians [V] as an array over all n."""
        out = torch.zeros(n, dtype=values.dtype)
        out[self.ids] = values
        return out.detach().numpy()


def render(
    parameters: Parameters,
    camera: Camera,
    background: tuple[float, float, float] = (0, 0, 0),
    *,
    antialiased: bool = False,
    means2d: Tensor | None = None,
) -> Dense:
    """Render one view; ``means2d`` [N, 2] is added to the projected means."""
    means, quats, scales, opacities, sh = parameters
    viewmat, intrinsics = (torch.tensor(m) for m in (camera.viewmat, camera.intrinsics))
    depths = means.detach() @ viewmat[2, :3] + viewmat[2, 3]
    ids = ((depths >= NEAR) & (depths <= FAR)).nonzero()[:, 0]
    ids = ids[depths[ids].float().argsort(stable=True)]
    center, conic, opacity = _project(
        means[ids],
        quats[ids],
        scales[ids],
        opacities[ids],
        viewmat,
        intrinsics,
        camera,
        antialiased,
    )
    if means2d is not None:
        center = center + means2d[ids]
    degree = int(sh.shape[1] ** 0.5 + 0.5) - 1
    directions = means[ids] - torch.tensor(camera.position)
    colors = (_spherical_harmonics(degree, directions, sh[ids]) + 0.5).clamp_min(0)
    weights, left, margin = _weights(center, conic, opacity, camera.height, camera.width)
    image = weights @ colors + left[..., None] * torch.tensor(background, dtype=torch.float64)
    return Dense(image, 1 - left, weights, ids, colors, margin)


def _project(
    means: Tensor,
    quats: Tensor,
    scales: Tensor,
    opacities: Tensor,
    viewmat: Tensor,
    intrinsics: Tensor,
    camera: Camera,
    antialiased: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Centres [V, 2], conics [V, 3] and opacities [V] on the image."""
    covariances, _ = _quat_scale_to_covar_preci(quats, scales, True, False)
    in_camera, covariances = _world_to_cam(means, covariances, viewmat[None])
    center, sharp = _persp_proj(
        in_camera, covariances, intrinsics[None], camera.width, camera.height
    )
    blurred = sharp[0] + BLUR * torch.eye(2, dtype=torch.float64)
    det = torch.linalg.det(blurred)
    if antialiased:
        opacities = opacities * (torch.linalg.det(sharp[0]) / det).clamp_min(0).sqrt()
    inverse = torch.linalg.inv(blurred)
    return center[0], inverse.reshape(-1, 4)[:, [0, 1, 3]], opacities


def _weights(
    center: Tensor, conic: Tensor, opacity: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Blending weights [H, W, V], what is let through in the end [H, W], margins [H, W]."""
    ys = torch.arange(height, dtype=torch.float64)[:, None, None] + 0.5
    xs = torch.arange(width, dtype=torch.float64)[:, None] + 0.5
    dx, dy = xs - center[:, 0], ys - center[:, 1]
    a, b, c = conic.unbind(-1)
    raw = opacity * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
    alpha = torch.where(raw.detach() >= ALPHA_MIN, raw.clamp_max(ALPHA_MAX), 0)
    after = torch.cumprod(1 - alpha, -1)
    going = after.detach() > STOP
    alpha = torch.where(going, alpha, 0)
    after = torch.cumprod(1 - alpha, -1)
    before = torch.cat([torch.ones_like(after[..., :1]), after[..., :-1]], -1)
    left = after[..., -1] if after.shape[-1] else torch.ones(height, width, dtype=torch.float64)
    with torch.no_grad():
        seen = before > STOP
        to_alpha = torch.where(seen, (raw / ALPHA_MIN - 1).abs(), 1)
        ends = before * (1 - torch.where(raw >= ALPHA_MIN, raw.clamp_max(ALPHA_MAX), 0))
        to_stop = torch.where(raw >= ALPHA_MIN, (ends / STOP - 1).abs(), 1)
        margin = torch.minimum(to_alpha, to_stop)
        margin = margin.amin(-1) if margin.shape[-1] else torch.ones(height, width)
    return alpha * before, left, margin
