"""gsplat on CUDA. torch and gsplat are imported when a renderer is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gscompress.cameras import Camera
from gscompress.errors import DeviceError, MissingDependencyError
from gscompress.gaussians import Array, Gaussians
from gscompress.render._pair_scores import ScoreSums
from gscompress.render.base import (
    BLACK,
    Background,
    Gradients,
    Progress,
    Render,
    Scores,
    is_antialiased,
)

if TYPE_CHECKING:
    from torch import Tensor

    Tensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]

__all__ = ["GsplatRenderer"]

KEPT_SCENES = 2
"""Scenes that stay on the device, so that comparing two does not copy them for every view."""


class GsplatRenderer:
    """Renders with gsplat on a CUDA device; there is no CPU path in it.

    Args:
        device: ``cuda`` or ``cuda:<number>``.

    Raises:
        DeviceError: torch does not see that device.
        MissingDependencyError: torch or gsplat is not installed.
    """

    name = "gsplat"

    def __init__(self, device: str = "cuda") -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingDependencyError("torch", "cuda", "rendering on CUDA") from error
        if not torch.cuda.is_available():
            raise DeviceError(f"{device}: torch {torch.__version__} finds no CUDA device here")
        try:
            import gsplat
        except ImportError as error:
            raise MissingDependencyError("gsplat", "cuda", "rendering on CUDA") from error
        self._torch, self._gsplat = torch, gsplat
        self._device = torch.device(device)
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        if index >= torch.cuda.device_count():
            raise DeviceError(f"{device}: there are {torch.cuda.device_count()} CUDA devices here")
        self.device = f"cuda:{index} ({torch.cuda.get_device_name(index)})"
        self._scenes: dict[int, tuple[Gaussians, Tensors]] = {}

    def render(self, scene: Gaussians, camera: Camera, background: Background = BLACK) -> Render:
        """Render one view.

        Raises:
            InputError: The scene is of a mode that this renderer does not know.
        """
        antialiased = is_antialiased(scene)
        with self._torch.no_grad():
            image, alpha = self.rasterize(
                *self._upload(scene), camera, background, antialiased=antialiased
            )
        return Render(image.cpu().numpy(), alpha.cpu().numpy())

    def scores(
        self,
        scene: Gaussians,
        cameras: Sequence[Camera],
        background: Background = BLACK,
        progress: Progress | None = None,
        *,
        removal: bool = True,
        occlusion: bool = False,
    ) -> Scores:
        """Accumulate the scores of every Gaussian over the cameras, in double precision.

        All scores come from one list of pairs: leaving some out saves nothing here.
        """
        antialiased = is_antialiased(scene)
        with self._torch.no_grad():
            means, quats, scales, opacities, sh = self._upload(scene)
            sums = ScoreSums(len(scene), self._device)
            for done, camera in enumerate(cameras, start=1):
                if len(scene):
                    image, _, info = self._rasterization(
                        (means, quats, scales, opacities, sh), camera, background, antialiased
                    )
                    colors = self._colors(means, sh, camera)
                    self._score_view(sums, image, colors, info)
                if progress:
                    progress(done, len(cameras))
            return sums.result(occlusion=occlusion)

    def rasterize(
        self,
        means: Tensor,  # [N, 3]
        quats: Tensor,  # [N, 4]
        scales: Tensor,  # [N, 3] activated
        opacities: Tensor,  # [N] activated
        sh: Tensor,  # [N, K, 3]
        camera: Camera,
        background: Background = BLACK,
        antialiased: bool = False,
        means2d: Tensor | None = None,  # [N, 2]
    ) -> tuple[Tensor, Tensor]:
        """Differentiable rendering of tensors on this device; see Renderer.rasterize."""
        if len(means) == 0:
            color = means.new_tensor(background)
            image = color.expand(camera.height, camera.width, 3).clone()
            return image, means.new_zeros(camera.height, camera.width)
        image, alpha, info = self._rasterization(
            (means, quats, scales, opacities, sh), camera, background, antialiased
        )
        if means2d is not None and info["means2d"].requires_grad:
            info["means2d"].register_hook(_Probe(means2d))
        return image, alpha

    def pull_back(
        self, scene: Gaussians, camera: Camera, weigh: Callable[[Array], Array]
    ) -> Gradients:
        """Gradients of a weighted image; see Renderer.pull_back."""
        if len(scene) == 0:  # the image does not depend on anything
            shapes = ((0, 3), (0, 4), (0, 3), (0,), scene.sh.shape)
            return Gradients(*(np.zeros(shape, np.float32) for shape in shapes))
        tensors = [tensor.clone().requires_grad_() for tensor in self._upload(scene)]
        means, quats, scales, opacities, sh = tensors
        image, _ = self.rasterize(
            means, quats, scales, opacities, sh, camera, antialiased=is_antialiased(scene)
        )
        weights = self._float(weigh(image.detach().cpu().numpy()))
        found = self._torch.autograd.grad(image, tensors, weights)
        return Gradients(*(gradient.cpu().numpy() for gradient in found))

    def synchronize(self) -> None:
        """Wait until everything asked of the device is done."""
        self._torch.cuda.synchronize(self._device)

    def _upload(self, scene: Gaussians) -> Tensors:
        """Activated tensors of the scene on the device."""
        kept = self._scenes.get(id(scene))
        if kept is None:
            arrays = (scene.means, scene.quats, scene.scales, scene.opacities, scene.sh)
            means, quats, scales, opacities, sh = (self._float(a) for a in arrays)
            kept = scene, (means, quats, scales, opacities, sh)
            while len(self._scenes) >= KEPT_SCENES:
                self._scenes.pop(next(iter(self._scenes)))
            self._scenes[id(scene)] = kept
        return kept[1]

    def _rasterization(
        self,
        scene: Tensors,
        camera: Camera,
        background: Background,
        antialiased: bool,
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        means, quats, scales, opacities, sh = scene
        image, alpha, info = self._gsplat.rasterization(
            means=means,
            quats=quats,
            scales=scales,
            opacities=opacities,
            colors=sh,
            viewmats=self._float(camera.viewmat)[None],
            Ks=self._float(camera.intrinsics)[None],
            width=camera.width,
            height=camera.height,
            eps2d=camera.blur,
            sh_degree=int(sh.shape[1] ** 0.5 + 0.5) - 1,
            packed=False,
            backgrounds=self._float(background)[None],
            rasterize_mode="antialiased" if antialiased else "classic",
        )
        return image[0], alpha[0, ..., 0], info

    def _colors(self, means: Tensor, sh: Tensor, camera: Camera) -> Tensor:  # [N, 3]
        degree = int(sh.shape[1] ** 0.5 + 0.5) - 1
        directions = means - self._float(camera.position)
        colors: Tensor = self._gsplat.spherical_harmonics(degree, directions, sh)
        return (colors + 0.5).clamp_min(0)

    def _score_view(
        self, sums: ScoreSums, image: Tensor, colors: Tensor, info: dict[str, Any]
    ) -> None:
        height, width = image.shape[:2]
        ids, pixels, _ = self._gsplat.rasterize_to_indices_in_range(
            0,
            int(1e9),
            self._torch.ones((1, height, width), device=self._device),
            info["means2d"],
            info["conics"],
            info["opacities"],
            width,
            height,
            info["tile_size"],
            info["isect_offsets"],
            info["flatten_ids"],
        )
        splats = info["means2d"][0], info["conics"][0], info["opacities"][0], colors
        sums.add(ids, pixels, splats, image)

    def _float(self, values: Any) -> Tensor:
        return self._torch.tensor(np.asarray(values), dtype=self._torch.float32).to(self._device)


class _Probe:
    """Hands the gradient of the projected means to the caller's tensor."""

    def __init__(self, target: Tensor) -> None:
        self._target = target

    def __call__(self, gradient: Tensor) -> None:
        mine = gradient.detach().reshape(self._target.shape).to(self._target.dtype)
        self._target.grad = mine if self._target.grad is None else self._target.grad + mine
