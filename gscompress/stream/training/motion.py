"""What moved between two frames, told from the photos before anything is learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.pseudo_views import camera_extent
from gscompress.render.base import Renderer, is_antialiased, torch_device
from gscompress.stages.targets import Targets
from gscompress.stream.training.settings import MotionSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Motion", "find_motion", "near_cameras", "pixel_masks", "viewspace_difference"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Motion:
    """What moved.

    Attributes:
        difference: Viewspace gradient difference of each Gaussian; see `viewspace_difference`.
        masks: Per view, the pixels that dynamic Gaussians cover: bool [H, W].
        active: Gaussians that are learned, ascending; all others stay as they are: nothing moved
            where they are, or a camera is too near to them (see `near_cameras`).
    """

    difference: Tensor  # [N]
    masks: Sequence[Tensor]
    active: Tensor  # [A]


def find_motion(
    scene: Gaussians,
    before: Targets,
    now: Targets,
    renderer: Renderer,
    settings: MotionSettings,
    progress: Progress | None = None,
) -> Motion:
    """What moved between the pictures ``before``, which ``scene`` was fitted to, and ``now``."""
    import torch

    difference = viewspace_difference(scene, before, now, renderer, progress)
    masks = pixel_masks(scene, difference, now, renderer, settings)
    near = torch.from_numpy(near_cameras(scene, now.cameras, settings.near))
    active = (difference > 0) & ~near.to(difference.device)
    return Motion(difference, masks, active.nonzero()[:, 0])


def near_cameras(scene: Gaussians, cameras: Sequence[Camera], share: float) -> NDArray[np.bool_]:
    """Gaussians right before or behind a camera: nearer than a share of the cameras' extent.

    A camera does not see what is behind its near plane, and cannot object when the others push it
    there; one step over, the same Gaussian covers all it sees.
    """
    centres = np.array([camera.position for camera in cameras])
    radius = share * camera_extent(cameras)
    near = np.zeros(len(scene), bool)
    for centre in centres:
        near |= np.square(scene.means - centre).sum(axis=1) < radius * radius
    return near


def viewspace_difference(
    scene: Gaussians,
    before: Targets,
    now: Targets,
    renderer: Renderer,
    progress: Progress | None = None,
) -> Tensor:  # [N]
    """How much more each Gaussian's projection wants to move than a frame ago, over all views.

    The sum over the views of the length of the gradient of MSE(render, now) - MSE(render, before)
    by the projected mean, in units of half the image's sides as 3DGS has it (QUEEN, section 3.3).
    What the scene never got right cancels: where both pictures agree it is exactly 0.
    """
    import torch

    means, quats, scales, opacities, sh = _tensors(scene, torch_device(renderer))
    means.requires_grad_(True)  # gsplat's probe sees a gradient only where one is wanted
    total = torch.zeros(len(scene), device=means.device)
    for view, camera in enumerate(now.cameras):
        change = before.picture(view) - now.picture(view)
        if bool(change.any()):
            probe = torch.zeros(len(scene), 2, device=means.device, requires_grad=True)
            image, _ = renderer.rasterize(
                means,
                quats,
                scales,
                opacities,
                sh,
                camera,
                antialiased=is_antialiased(scene),
                means2d=probe,
            )
            # By the image, the two squared errors differ by 2 (before - now).
            image.backward(2 * change / change.numel())  # type: ignore[no-untyped-call]
            if probe.grad is not None:
                half = probe.new_tensor([camera.width / 2, camera.height / 2])
                total += (probe.grad * half).norm(dim=1)
        if progress is not None:
            progress(view + 1, len(now))
    return total


def pixel_masks(
    scene: Gaussians,
    difference: Tensor,  # [N]
    targets: Targets,
    renderer: Renderer,
    settings: MotionSettings,
) -> list[Tensor]:
    """Per view, where the dynamic Gaussians alone are opaque, and some pixels around it."""
    import torch

    dynamic = np.flatnonzero((difference > settings.dynamic).cpu().numpy())
    moving = scene.select(dynamic)
    masks = []
    for camera in targets.cameras:
        radius = max(1, round(settings.dilation * max(camera.width, camera.height)))
        alpha = torch.from_numpy(renderer.render(moving, camera).alpha)
        opaque = (alpha > settings.alpha).float()[None, None]
        grown = torch.nn.functional.max_pool2d(opaque, 2 * (radius // 2) + 1, 1, radius // 2)
        masks.append(grown[0, 0].to(difference.device) > 0)
    return masks


def _tensors(scene: Gaussians, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Activated tensors, as renderers take them."""
    import torch

    def tensor(array: Array) -> Tensor:
        return torch.from_numpy(array.copy()).to(device)

    return (
        tensor(scene.means),
        tensor(scene.quats),
        tensor(scene.scales),
        tensor(scene.opacities),
        tensor(scene.sh),
    )
