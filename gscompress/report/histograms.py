"""How the attributes of scenes are distributed, in bins that all scenes share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import SH_C0, Array, Gaussians

__all__ = ["Histogram", "histograms"]

BINS = 48
TAIL = 0.002
"""Where a range is not given by nature: the share of the reference's values beyond either end."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """One quantity of several scenes.

    Attributes:
        name: Which quantity.
        label: The same for people, with its unit.
        low: Lower end of the first bin, which also holds all that lies below.
        high: Upper end of the last bin, which also holds all that lies above.
        reference: The share of the reference's values in each bin.
        tests: The same of each test scene.
    """

    name: str
    label: str
    low: float
    high: float
    reference: tuple[float, ...]
    tests: tuple[tuple[float, ...], ...]


def histograms(reference: Gaussians, tests: Sequence[Gaussians]) -> tuple[Histogram, ...]:
    """One histogram or more for each attribute; none of a scene without Gaussians."""
    if not len(reference):
        return ()
    centre = np.median(reference.means, axis=0)

    def log_distances(scene: Gaussians) -> Array:
        distances = np.linalg.norm(scene.means - centre, axis=1)
        return np.asarray(np.log10(distances + np.float32(1e-9)))

    quantities: list[tuple[str, str, Callable[[Gaussians], Array], tuple[float, float] | None]] = [
        ("means", "distance from the median centre, log10 of world units", log_distances, None),
        ("opacities", "opacity", lambda scene: scene.opacities, (0.0, 1.0)),
        ("scales", "scales, log10 of world units", _log_scales, None),
        ("quats", "tilt of the shortest axis from world y, degrees", _tilts, (0.0, 90.0)),
        ("sh0", "constant colour, all channels", _colours, None),
        ("shN", "root mean square of the other harmonics", _detail, None),
    ]
    if reference.sh_degree == 0:
        quantities.pop()
    return tuple(
        _histogram(name, label, [function(scene) for scene in (reference, *tests)], limits)
        for name, label, function, limits in quantities
    )


def _log_scales(scene: Gaussians) -> Array:
    return np.asarray(scene.log_scales.ravel() / np.float32(np.log(10)))


def _tilts(scene: Gaussians) -> Array:
    """Of the shortest axis, which stays the same when a codec stores the axes in another order."""
    w, x, y, z = scene.unit_quats.T
    row = np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], axis=1)
    along = row[np.arange(len(scene)), np.argmin(scene.log_scales, axis=1)]
    return np.asarray(np.degrees(np.arccos(np.abs(along).clip(0, 1))))


def _colours(scene: Gaussians) -> Array:
    return np.asarray(scene.sh[:, 0].ravel() * np.float32(SH_C0) + np.float32(0.5))


def _detail(scene: Gaussians) -> Array:
    if scene.sh_degree == 0:
        return np.zeros(len(scene), np.float32)
    power = np.mean(np.square(scene.sh[:, 1:], dtype=np.float64), axis=(1, 2))
    return np.asarray(np.sqrt(power), np.float32)


def _histogram(
    name: str, label: str, values: list[Array], limits: tuple[float, float] | None
) -> Histogram:
    if limits is None:
        low, high = (float(np.quantile(values[0], q)) for q in (TAIL, 1 - TAIL))
        limits = (low, high) if high > low else (low - 0.5, low + 0.5)
    reference, *tests = (_shares(column, *limits) for column in values)
    return Histogram(name, label, *limits, reference, tuple(tests))


def _shares(values: Array, low: float, high: float) -> tuple[float, ...]:
    """The share of the values in each bin, what lies outside in the outermost."""
    counts: NDArray[np.int64]
    counts, _ = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))
    return tuple((counts / max(1, len(values))).tolist())
