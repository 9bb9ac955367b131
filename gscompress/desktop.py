"""A scene as a cloud of points in a window of the desktop, through Open3D."""

from __future__ import annotations

from typing import Any

import numpy as np

from gscompress._open3d import import_open3d, point_cloud
from gscompress.errors import DeviceError, InputError
from gscompress.extent import measure
from gscompress.gaussians import Gaussians

__all__ = ["show_points"]

ZOOMS = (0.02, 0.7)
"""The closest that Open3D goes, and where a whole scene fits the window."""

LEAST_OPACITY = 0.1
"""Fainter Gaussians are haze when they are drawn as opaque points."""


def show_points(scene: Gaussians, *, title: str = "gscompress", size: float = 2.0) -> None:
    """Show the means of a scene in a window, and return when it is closed.

    A quick look at positions and colours, without scales or view-dependent colours: the faithful
    picture is what `gscompress.render` and the browser viewer give.

    Args:
        scene: The scene; Gaussians of an opacity under 0.1 are left out.
        title: Of the window.
        size: Of a point, in pixels.

    Raises:
        MissingDependencyError: Open3D is not installed.
        DeviceError: No window can be opened here.
        InputError: Nothing in the scene could be seen.
    """
    open3d = import_open3d("A window on the desktop")
    visible = scene.select(scene.opacities >= LEAST_OPACITY)
    if not len(visible):
        raise InputError(title, found="no visible Gaussians", expected="at least one")
    window = open3d.visualization.Visualizer()
    if not window.create_window(window_name=title, width=1280, height=800):
        raise DeviceError(
            "No window can be opened here: there is no display, or it cannot do OpenGL. "
            "'gscompress view' without --desktop shows the scene in a browser."
        )
    window.add_geometry(point_cloud(open3d, visible))
    options = window.get_render_option()
    options.point_size = size
    options.background_color = (0.0, 0.0, 0.0)
    _look_at_the_detail(window.get_view_control(), visible)
    window.run()
    window.destroy_window()


def _look_at_the_detail(control: Any, scene: Gaussians) -> None:
    """Start in front of where the detail is, a little above it, not around all that there is."""
    extent = measure(scene)
    sideways = np.cross(extent.up, np.eye(3)[np.argmin(np.abs(extent.up))])
    control.set_up(extent.up)
    control.set_front(sideways / np.linalg.norm(sideways) + 0.5 * extent.up)
    control.set_lookat(extent.centre)
    whole = float(np.ptp(scene.means, axis=0).max()) or 1.0  # what zoom 1 shows
    control.set_zoom(float(np.clip(3 * extent.detail_radius / whole, *ZOOMS)))
