"""Vector algebra in batches: N vectors are one float32 [3, N] array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "dot", "length", "mix", "normalize", "reflect", "smooth_minimum", "smoothstep"]

Array = NDArray[np.float32]


def dot(a: Array, b: Array) -> Array:  # [3, N], [3, N] -> [N]
    """Inner products of the columns (either side may be one [3, 1] vector)."""
    return np.asarray(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def length(*components: Array) -> Array:  # k times [N] -> [N]
    """Euclidean length of vectors given by their components."""
    total = components[0] * components[0]
    for c in components[1:]:
        total = total + c * c
    return np.asarray(np.sqrt(total))


def normalize(v: Array) -> Array:  # [3, N]
    """Unit vectors along the columns."""
    return np.asarray(v / np.maximum(length(*v), np.float32(1e-12)))


def reflect(direction: Array, normal: Array) -> Array:  # [3, N], [3, N] -> [3, N]
    """Mirror directions at surfaces with unit normals."""
    return np.asarray(direction - 2 * dot(direction, normal) * normal)


def mix(a: Array | np.float32, b: Array | np.float32, weight: Array | np.float32) -> Array:
    """Linear blend: a where the weight is 0, b where it is 1."""
    return np.asarray(a + (b - a) * weight)


def smoothstep(low: float | Array, high: float | Array, x: Array) -> Array:
    """Hermite ramp from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def smooth_minimum(a: Array, b: Array, radius: float) -> Array:
    """Minimum of two distances whose crease is rounded over ``radius``."""
    overlap = np.maximum(np.float32(radius) - np.abs(a - b), 0) / np.float32(radius)
    return np.asarray(np.minimum(a, b) - overlap * overlap * np.float32(radius / 4))
