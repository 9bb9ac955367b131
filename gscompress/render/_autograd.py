"""The native rasterizer as a torch function."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gscompress import _native
from gscompress.errors import InputError
from gscompress.render.base import Background

if TYPE_CHECKING:
    from torch import Tensor

    from gscompress.render.cpu import CpuRenderer, Pose

    Inputs = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | None]

__all__ = ["rasterize"]

NAMES = ("means", "quats", "scales", "opacities", "sh", "means2d")
GEOMETRY = 4
"""The first inputs: all that shapes a Gaussian but for its colour."""


def rasterize(
    renderer: CpuRenderer,
    inputs: Inputs,
    pose: Pose,
    shape: tuple[int, int],
    background: Background,
    *,
    antialiased: bool,
) -> tuple[Tensor, Tensor]:
    """Render activated tensors.

    Args:
        renderer: Whose rasterizers do the work.
        inputs: Means [N, 3], quaternions [N, 4], scales [N, 3], opacities [N], harmonics
            [N, K, 3] and None or the probe for gradients by the projected means [N, 2].
        pose: World-to-camera matrix and intrinsics.
        shape: Height and width of the image.
        background: RGB colour.
        antialiased: Whether opacities are compensated for the blur.

    Returns:
        Image [H, W, 3] and alpha [H, W].

    Raises:
        InputError: A tensor is not float32 on the CPU, or shapes disagree.
    """
    n = len(inputs[0])
    sizes = ((n, 3), (n, 4), (n, 3), (n,), (n, *inputs[4].shape[1:2], 3), (n, 2))
    for name, tensor, size in zip(NAMES, inputs, sizes, strict=True):
        if tensor is not None:
            _check(name, tensor, size)
    image, alpha = _function().apply(renderer, pose, shape, background, antialiased, *inputs)
    return image, alpha


def _check(name: str, tensor: Tensor, size: tuple[int, ...]) -> None:
    import torch

    if tensor.device.type != "cpu" or tensor.dtype != torch.float32 or tensor.shape != size:
        raise InputError(
            "rasterize",
            name,
            found=f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}",
            expected=f"torch.float32 {size} on cpu",
        )


class _Lease:
    """A rasterizer that keeps the lists of one view until its gradients are no longer wanted."""

    def __init__(self, renderer: CpuRenderer) -> None:
        self._renderer = renderer
        self.rasterizer: _native.Rasterizer = renderer.take()

    def __del__(self) -> None:
        self._renderer.give_back(self.rasterizer)


@cache
def _function() -> Any:
    """The torch function; made when it is first wanted, because torch is imported lazily."""
    import torch
    from torch.autograd.function import once_differentiable

    class Rasterize(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *arguments: Any) -> Any:
            return _forward(ctx, *arguments)

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, *by_outputs: Any) -> Any:
            return _backward(ctx, *by_outputs)

    return Rasterize


def _forward(
    ctx: Any,
    renderer: CpuRenderer,
    pose: Pose,
    shape: tuple[int, int],
    background: Background,
    antialiased: bool,
    *inputs: Tensor,
) -> tuple[Tensor, Tensor]:
    import torch

    scene = [tensor.detach().contiguous() for tensor in inputs[:5]]
    image, alpha = torch.empty(*shape, 3), torch.empty(shape)
    ctx.lease = _Lease(renderer)
    ctx.lease.rasterizer.forward(
        *(tensor.numpy() for tensor in scene),
        *pose,
        background=background,
        antialiased=antialiased,
        image=image.numpy(),
        alpha=alpha.numpy(),
    )
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*scene, image, alpha)
    return image, alpha


def _backward(ctx: Any, *by_outputs: Tensor | None) -> tuple[Tensor | None, ...]:
    import torch

    by_image, by_alpha = by_outputs
    *scene, image, alpha = ctx.saved_tensors
    needed = ctx.needs_input_grad[-len(NAMES) :]
    by_image = torch.zeros_like(image) if by_image is None else by_image.contiguous()
    geometry = any(needed[:GEOMETRY]) or needed[-1]
    out: list[Tensor | None] = [
        torch.empty_like(tensor) if geometry or name == "sh" else None
        for name, tensor in zip(NAMES[:-1], scene, strict=True)
    ]
    out.append(torch.empty(len(scene[0]), 2) if needed[-1] else None)
    ctx.lease.rasterizer.backward(
        *(tensor.numpy() for tensor in (*scene, image, alpha, by_image)),
        None if by_alpha is None else by_alpha.contiguous().numpy(),
        **{
            f"by_{name}": None if tensor is None else tensor.numpy()
            for name, tensor in zip(NAMES, out, strict=True)
        },
    )
    gradients = (tensor if need else None for tensor, need in zip(out, needed, strict=True))
    return (None,) * (len(ctx.needs_input_grad) - len(NAMES)) + tuple(gradients)
