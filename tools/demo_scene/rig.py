"""Where the cameras stand, and the cameras.json and split.json that describe them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera

__all__ = ["camera_rig", "look_at", "portrait_camera", "split", "write_cameras", "write_split"]

HOLD_EVERY = 8
"""Every 8th view is held out."""

RINGS = ((8.0, 4.6, 20), (20.0, 4.9, 24), (36.0, 4.8, 20), (58.0, 4.6, 12))
"""Elevation in degrees, distance in world units and number of cameras of each ring of the dome."""

CLOSE = (26.0, 3.3, 12)
"""A ring of closer views."""


def look_at(
    eye: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:  # [3], [3] -> [4, 4]
    """World-to-camera transform of a camera at ``eye``; up is -y."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, -1.0, 0.0])
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(forward, right), forward])
    viewmat = np.eye(4)
    viewmat[:3, :3], viewmat[:3, 3] = rows, -rows @ eye
    return viewmat


def camera_rig(width: int, height: int, seed: int) -> list[Camera]:
    """Rings of cameras on a dome around the plaza, hand-held: each slightly off its place."""
    rng = np.random.default_rng(seed)
    cameras: list[Camera] = []
    focal = 1.0 * width
    for elevation, distance, count in (*RINGS, CLOSE):
        offset = rng.uniform()
        for i in range(count):
            azimuth = 2 * np.pi * (i + offset + rng.uniform(-0.2, 0.2)) / count
            up = np.deg2rad(elevation + rng.uniform(-2.5, 2.5))
            r = distance * rng.uniform(0.93, 1.07)
            eye = r * np.array(
                [np.cos(up) * np.cos(azimuth), -np.sin(up), np.cos(up) * np.sin(azimuth)]
            )
            eye[1] -= 0.25
            target = np.array([0.0, -0.4, 0.0]) + rng.uniform(-0.15, 0.15, 3)
            cameras.append(
                Camera(
                    f"view_{len(cameras):03d}.png",
                    width,
                    height,
                    focal,
                    focal,
                    width / 2,
                    height / 2,
                    look_at(eye, target),
                )
            )
    return cameras


def portrait_camera() -> Camera:
    """The camera of the scene's picture: a little higher and further than the rings."""
    eye, target = np.array([1.8, -1.85, -4.9]), np.array([0.0, -0.42, 0.0])
    return Camera("demo.png", 960, 640, 940.0, 940.0, 480.0, 320.0, look_at(eye, target))


def split(cameras: list[Camera]) -> tuple[list[Camera], list[Camera]]:
    """Train and test cameras."""
    test = cameras[::HOLD_EVERY]
    return [c for i, c in enumerate(cameras) if i % HOLD_EVERY], test


def write_cameras(path: Path, cameras: list[Camera]) -> None:
    """Write cameras.json as the INRIA trainer does: camera-to-world rotation, and position."""
    entries = [
        {
            "id": i,
            "img_name": c.name,
            "width": c.width,
            "height": c.height,
            "position": c.position.tolist(),
            "rotation": c.viewmat[:3, :3].T.tolist(),
            "fy": c.fy,
            "fx": c.fx,
        }
        for i, c in enumerate(cameras)
    ]
    path.write_text("[\n" + ",\n".join(json.dumps(e) for e in entries) + "\n]\n")


def write_split(path: Path, train: list[Camera], test: list[Camera]) -> None:
    """Write split.json: the names of the train and of the test views."""
    names = {"train": [c.name for c in train], "test": [c.name for c in test]}
    path.write_text(json.dumps(names, indent=1) + "\n")
