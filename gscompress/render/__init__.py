"""Renderers: the native rasterizer on CPU, gsplat on CUDA."""

from __future__ import annotations

import importlib.util

from gscompress.cameras import Camera
from gscompress.errors import DeviceError, MissingDependencyError
from gscompress.gaussians import Array, Gaussians
from gscompress.registry import Registry
from gscompress.render.base import BLACK, Background, Renderer

__all__ = ["RENDERERS", "get_renderer", "render"]

RENDERERS = Registry(
    "renderer",
    "gscompress.renderers",
    {
        "cpu": "gscompress.render.cpu:CpuRenderer",
        "gsplat": "gscompress.render.gsplat:GsplatRenderer",
    },
)


def get_renderer(device: str = "auto", threads: int | None = None) -> Renderer:
    """The renderer for a device.

    Args:
        device: ``auto`` takes CUDA where torch has it and gsplat is installed, else the CPU;
            ``cpu``, ``cuda`` and ``cuda:1`` never fall back.
        threads: Number of threads on the CPU; all that this process may use if None.

    Raises:
        DeviceError: The device is unknown or not available.
        MissingDependencyError: The device needs a package that is not installed.
    """
    if device == "auto":
        device = "cuda" if _has_cuda() else "cpu"
    if device == "cpu":
        return _build("cpu", threads=threads)
    kind, _, index = device.partition(":")
    if kind != "cuda" or (index and not index.isdecimal()) or device.endswith(":"):
        raise DeviceError(f"unknown device {device!r}: expected auto, cpu, cuda or cuda:<number>")
    for package in ("torch", "gsplat"):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(package, "cuda", f"the device {device!r}")
    return _build("gsplat", device=device)


def render(
    scene: Gaussians,
    camera: Camera,
    background: Background = BLACK,
    device: str = "auto",
) -> Array:  # [H, W, 3]
    """Render one view of a scene.

    Args:
        scene: What to render.
        camera: From where, and at which size.
        background: RGB colour in 0..1 behind the scene.
        device: As in :func:`get_renderer`.

    Returns:
        Linear blend of the colours, float32 [H, W, 3]: 0..1 but for overexposed pixels.

    Example:
        >>> import numpy as np
        >>> from gscompress.cameras import Camera
        >>> from gscompress.gaussians import Gaussians
        >>> red = Gaussians(
        ...     means=np.array([[0, 0, 2]]),
        ...     quats=np.array([[1, 0, 0, 0]]),
        ...     log_scales=np.zeros((1, 3)),
        ...     opacity_logits=np.array([9]),
        ...     sh=np.array([[[1.77, -1.77, -1.77]]]),
        ... )
        >>> camera = Camera("front", 5, 5, fx=5, fy=5, cx=2.5, cy=2.5, viewmat=np.eye(4))
        >>> render(red, camera, device="cpu")[2, 2].round(2).tolist()
        [1.0, 0.0, 0.0]
    """
    return get_renderer(device).render(scene, camera, background).image


def _build(name: str, **options: object) -> Renderer:
    renderer: Renderer = RENDERERS.get(name)(**options)
    return renderer


def _has_cuda() -> bool:
    """Whether the gsplat backend works here; imports torch only if gsplat is installed."""
    if importlib.util.find_spec("gsplat") is None or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
