"""Open3D, large and optional: imported on first use, with an error that names the extra."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from gscompress.errors import MissingDependencyError
from gscompress.gaussians import SH_C0, Gaussians

__all__ = ["import_open3d", "point_cloud"]


def import_open3d(purpose: str) -> Any:
    """The module ``open3d``.

    Args:
        purpose: What it is needed for, for the message.

    Raises:
        MissingDependencyError: It is not installed, or a library of the system that it needs is
            missing (version 0.20 cannot be imported without libusb).
    """
    try:
        return importlib.import_module("open3d")
    except ImportError as error:
        raise MissingDependencyError("open3d", "open3d", purpose) from error
    except OSError as error:
        command = f"the package manager of your system (open3d is there, but: {error})"
        raise MissingDependencyError("open3d", "open3d", purpose, command=command) from error


def point_cloud(open3d: Any, scene: Gaussians) -> Any:
    """The means of a scene as a cloud of points in their constant colours."""
    cloud = open3d.geometry.PointCloud()
    cloud.points = open3d.utility.Vector3dVector(scene.means.astype(np.float64))
    colours = np.clip(scene.sh[:, 0].astype(np.float64) * SH_C0 + 0.5, 0, 1)
    cloud.colors = open3d.utility.Vector3dVector(colours)
    return cloud
