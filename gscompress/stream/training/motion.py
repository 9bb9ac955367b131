"""What moved between two frames, told from the photos before anything is learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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

__all__ = [
    "Motion",
    "find_motion",
    "foreground_shares",
    "near_cameras",
    "pixel_masks",
    "viewspace_difference",
]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Motion:
    """What moved.

    Attributes:
        difference: Viewspace gradient difference of each Gaussian; see `viewspace_difference`.
        masks: Per view, the pixels that dynamic Gaussians cover, and those of the foreground: bool
            [H, W].
        active: Gaussians that are learned, ascending; all others stay as they are: nothing moved
            where they are, or a camera is too near to them (see `near_cameras`), or they are part
            of a background that stays.
        dynamic: Gaussians that move, or are part of the foreground: bool [N].
        foreground: Per view, the pixels in or near given masks; None: there are none.
    """

    difference: Tensor  # [N]
    masks: Sequence[Tensor]
    active: Tensor  # [A]
    dynamic: Tensor  # [N]
    foreground: Sequence[Tensor] | None = None


def find_motion(
    scene: Gaussians,
    before: Targets,
    now: Targets,
    renderer: Renderer,
    settings: MotionSettings,
    progress: Progress | None = None,
    foreground: Sequence[Array] | None = None,  # per view: [H, W]
) -> Motion:
    """What moved between the pictures ``before``, which ``scene`` was fitted to, and ``now``.

    Args:
        scene: The frame before.
        before: Its pictures.
        now: Those of the next frame, of the same cameras.
        renderer: Renders, and gives gradients.
        settings: What counts as moving.
        progress: Told how far it is.
        foreground: What is said to move, in these pictures: above 0 where it does.
    """
    import torch

    difference = viewspace_difference(scene, before, now, renderer, progress)
    dynamic = difference > settings.dynamic
    near = torch.from_numpy(near_cameras(scene, now.cameras, settings.near))
    active = (difference > 0) & ~near.to(difference.device)
    if foreground is None:
        masks = pixel_masks(scene, dynamic, now, renderer, settings)
        return Motion(difference, masks, active.nonzero()[:, 0], dynamic)
    shares = foreground_shares(scene, now.cameras, foreground, renderer)
    belongs = torch.from_numpy(shares).to(difference.device)
    if settings.background == 0:
        active &= belongs > settings.belongs
    dynamic |= belongs > 0.5
    grown = [_grown(torch.from_numpy(mask > 0), settings) for mask in foreground]
    grown = [mask.to(difference.device) for mask in grown]
    moving = pixel_masks(scene, dynamic, now, renderer, settings)
    masks = [mask | given for mask, given in zip(moving, grown, strict=True)]
    return Motion(difference, masks, active.nonzero()[:, 0], dynamic, grown)


def foreground_shares(
    scene: Gaussians,
    cameras: Sequence[Camera],
    foreground: Sequence[Array],  # per camera: [H, W]
    renderer: Renderer,
) -> Array:  # [N]
    """Which share of a Gaussian's blending weights, over all views, lies in the foreground.

    The weights are the gradients of the image by a colour: of a grey scene, so that none is cut off
    at black. A Gaussian that no view sees has a share of 0.
    """
    grey = scene.replace(sh=np.zeros((len(scene), 1, 3), np.float32))
    inside, everywhere = np.zeros(len(scene)), np.zeros(len(scene))
    for camera, mask in zip(cameras, foreground, strict=True):
        weights = np.stack([mask > 0, mask >= 0, mask < 0], axis=2).astype(np.float32)
        by_colour = renderer.pull_back(grey, camera, partial(_given, weights)).sh[:, 0]
        inside += by_colour[:, 0]
        everywhere += by_colour[:, 1]
    shares = np.divide(inside, everywhere, out=np.zeros(len(scene)), where=everywhere > 0)
    return shares.astype(np.float32)


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


def _given(weights: Array, _: Array) -> Array:
    return weights


def pixel_masks(
    scene: Gaussians,
    dynamic: Tensor,  # [N]
    targets: Targets,
    renderer: Renderer,
    settings: MotionSettings,
) -> list[Tensor]:
    """Per view, where the dynamic Gaussians alone are opaque, and some pixels around it."""
    import torch

    moving = scene.select(np.flatnonzero(dynamic.cpu().numpy()))
    masks = []
    for camera in targets.cameras:
        alpha = torch.from_numpy(renderer.render(moving, camera).alpha)
        masks.append(_grown(alpha > settings.alpha, settings).to(dynamic.device))
    return masks


def _grown(mask: Tensor, settings: MotionSettings) -> Tensor:  # bool [H, W]
    """The pixels of a mask, and some around it."""
    import torch

    radius = max(1, round(settings.dilation * max(mask.shape)))
    one = mask.float()[None, None]
    return torch.nn.functional.max_pool2d(one, 2 * (radius // 2) + 1, 1, radius // 2)[0, 0] > 0


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
