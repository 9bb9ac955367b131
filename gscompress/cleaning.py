"""Remove what does not belong to a scene: floaters, faint or huge Gaussians, what lies outside."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress._open3d import import_open3d, point_cloud
from gscompress.errors import InputError
from gscompress.gaussians import Gaussians
from gscompress.stages.base import StageResult

__all__ = [
    "Box",
    "Cleaner",
    "Opacity",
    "Radius",
    "Scale",
    "Sphere",
    "Statistical",
    "clean",
]

Mask = NDArray[np.bool_]


class Cleaner(Protocol):
    """Says which Gaussians of a scene stay. A frozen dataclass of its parameters."""

    def keep(self, scene: Gaussians) -> Mask:  # [N]
        """True for each Gaussian that stays."""
        ...


@dataclass(frozen=True)
class Box:
    """Keep what has its mean in a box, its faces included.

    Attributes:
        low: Corner of the smallest coordinates, in world units.
        high: Corner of the largest coordinates.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(low <= high for low, high in zip(self.low, self.high, strict=True)):
            raise InputError("box", found=f"{self.low} to {self.high}", expected="low <= high")

    def keep(self, scene: Gaussians) -> Mask:
        """True inside."""
        inside = (scene.means >= np.array(self.low)) & (scene.means <= np.array(self.high))
        return np.asarray(inside.all(axis=1))


@dataclass(frozen=True)
class Sphere:
    """Keep what has its mean in a ball, its surface included.

    Attributes:
        centre: In world units.
        radius: In world units.
    """

    centre: tuple[float, float, float]
    radius: float

    def __post_init__(self) -> None:
        _positive("sphere, radius", self.radius)

    def keep(self, scene: Gaussians) -> Mask:
        """True inside."""
        offsets = scene.means.astype(np.float64) - self.centre
        return np.asarray(np.linalg.norm(offsets, axis=1) <= self.radius)


@dataclass(frozen=True)
class Opacity:
    """Keep what is opaque enough.

    Attributes:
        least: Smallest opacity that stays, 0 to 1.
    """

    least: float

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise InputError("opacity", found=self.least, expected="0 to 1")

    def keep(self, scene: Gaussians) -> Mask:
        """True from ``least`` on."""
        return np.asarray(scene.opacities >= self.least)


@dataclass(frozen=True)
class Scale:
    """Keep what is not too large along any of its axes.

    Attributes:
        most: Largest scale (standard deviation) that stays, in world units.
    """

    most: float

    def __post_init__(self) -> None:
        _positive("scale", self.most)

    def keep(self, scene: Gaussians) -> Mask:
        """True up to ``most``."""
        return np.asarray(scene.log_scales.max(axis=1, initial=-np.inf) <= np.log(self.most))


@dataclass(frozen=True)
class Radius:
    """Keep what has company. Needs Open3D.

    Attributes:
        radius: How far away another mean may be, in world units.
        neighbours: How many others there must be.
    """

    radius: float
    neighbours: int = 20

    def __post_init__(self) -> None:
        _positive("radius", self.radius)
        _positive("neighbours", self.neighbours)

    def keep(self, scene: Gaussians) -> Mask:
        """True for means with ``neighbours`` others within ``radius``."""
        cloud = _cloud(scene, "Removing floaters")
        # Open3D counts the point itself, and wants more than nb_points.
        _, kept = cloud.remove_radius_outlier(nb_points=self.neighbours, radius=self.radius)
        return _mask(len(scene), kept)


@dataclass(frozen=True)
class Statistical:
    """Keep what is about as close to its neighbours as is usual in the scene. Needs Open3D.

    The mean distance to the nearest means, the Gaussian's own among them, is compared with the
    mean and the standard deviation of that distance over the scene.

    Attributes:
        deviations: How many standard deviations above the mean a distance may lie.
        neighbours: To how many means, its own included, the distance is taken.
    """

    deviations: float
    neighbours: int = 20

    def __post_init__(self) -> None:
        _positive("deviations", self.deviations)
        _positive("neighbours", self.neighbours)

    def keep(self, scene: Gaussians) -> Mask:
        """True for what lies at usual distances."""
        cloud = _cloud(scene, "Removing floaters")
        _, kept = cloud.remove_statistical_outlier(
            nb_neighbors=self.neighbours, std_ratio=self.deviations
        )
        # Open3D takes a distance of 0, which is that of many at one place, for none at all.
        _, place, count = np.unique(scene.means, axis=0, return_inverse=True, return_counts=True)
        return _mask(len(scene), kept) | (count[place.ravel()] >= self.neighbours)


def clean(
    scene: Gaussians, cleaners: Sequence[tuple[str, Cleaner]]
) -> tuple[Gaussians, tuple[StageResult, ...]]:
    """Remove what the cleaners do not keep, one after the other.

    Args:
        scene: The scene.
        cleaners: Each with a name for the report; one sees what those before it have left.

    Returns:
        What is left, in its order, and the counts before and after each cleaner.

    Raises:
        MissingDependencyError: A cleaner needs Open3D, which is not installed.
        InputError: Nothing is left.
    """
    left = scene
    log = []
    for name, cleaner in cleaners:
        started = time.perf_counter()
        before, left = len(left), left.select(cleaner.keep(left)) if len(left) else left
        log.append(StageResult(name, before, len(left), time.perf_counter() - started))
    if len(scene) and not len(left):
        last = next(result for result in log if result.gaussians_out == 0)
        raise InputError(
            last.name,
            found=f"none of {last.gaussians_in} Gaussians kept",
            expected="at least one",
            remedy="Check the units: positions and scales are in those of the scene's file.",
        )
    return left, tuple(log)


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise InputError(name, found=value, expected="a positive number")


def _cloud(scene: Gaussians, purpose: str) -> Any:
    return point_cloud(import_open3d(purpose), scene)


def _mask(count: int, kept: Sequence[int]) -> Mask:
    mask = np.zeros(count, bool)
    mask[np.asarray(kept, np.int64)] = True
    return mask
