"""Cameras: a pinhole with its pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera"]


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera. Axes are OpenCV's: x right, y down, z forward.

    Attributes:
        name: Name of the view; the photo's file name where there is one.
        width: Image width in pixels.
        height: Image height in pixels.
        fx: Focal length in pixels along x.
        fy: Focal length in pixels along y.
        cx: Principal point; the centre of the leftmost pixel is at 0.5.
        cy: Principal point along y.
        viewmat: World-to-camera transform.
    """

    name: str
    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    viewmat: NDArray[np.float64]  # [4, 4]

    @property
    def intrinsics(self) -> NDArray[np.float64]:  # [3, 3]
        """The matrix K."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def position(self) -> NDArray[np.float64]:  # [3]
        """The centre of projection in world units."""
        return np.asarray(-self.viewmat[:3, :3].T @ self.viewmat[:3, 3])
