"""Hard bounds on the error of every Gaussian: what they mean, steps that hold them, the check.

| quantity  | error of a Gaussian                                                        | unit    |
|-----------|----------------------------------------------------------------------------|---------|
| means     | distance between the positions                                             | world   |
| scales    | largest relative change of a scale, abs(decoded / scale - 1)               | 1       |
| opacities | change of the opacity (not of its logit)                                   | 1       |
| quats     | angle between the rotations                                                | degrees |
| sh0       | largest change of red, green or blue of the constant colour, on 0..1       | 1       |
| shN       | largest change of a coefficient above the constant one                     | 1       |

A Gaussian may be written in 24 ways with its axes renamed. The one that is coded, which is the same
Gaussian as the input's, is compared with the decoded one.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.exact import Exact
from gscompress.codecs.scene import GROUPS
from gscompress.config import Config
from gscompress.errors import InputError
from gscompress.gaussians import SH_C0, Gaussians

__all__ = ["QUANTITIES", "bounded", "check_bounds", "find_errors", "lossless", "parse_bounds"]

QUANTITIES = {
    "means": "means",
    "scales": "scales",
    "opacities": "opacities",
    "quats": "quats",
    "sh0": "sh",
    "shN": "sh",
}
"""What can be bounded, and the attribute group that codes it."""

_UNITS: dict[str, dict[str, float]] = {
    "means": {"": 1, "m": 1, "cm": 1e-2, "mm": 1e-3, "um": 1e-6},
    "scales": {"": 1, "%": 0.01},
    "opacities": {"": 1, "%": 0.01},
    "quats": {"deg": 1, "": 1, "rad": math.degrees(1)},
    "sh0": {"": 1},
    "shN": {"": 1},
}
_EXAMPLE = "such as means=1mm,scales=1%,opacities=0.01,quats=0.5deg,sh=0.02"
_NUMBER = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*([a-z%]*)")


def parse_bounds(text: str) -> dict[str, float]:
    """Read bounds as the command line gives them: ``means=1mm,scales=1%,quats=0.5deg,sh=0.02``.

    Units may be left out: world units, fractions and degrees. A length with a metric unit counts
    one world unit as a metre. ``sh`` stands for both sh0 and shN.

    Raises:
        InputError: A quantity, number or unit is none.
    """
    bounds: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        names = ["sh0", "shN"] if name == "sh" else [name]
        match = _NUMBER.fullmatch(value)
        if not equals or names[0] not in QUANTITIES or match is None:
            raise InputError("max error", found=repr(part), expected=_EXAMPLE)
        number, unit = match.groups()
        units = _UNITS[names[0]]
        if unit not in units:
            known = ", ".join(known for known in units if known) or "no unit"
            raise InputError("max error", name, found=f"the unit {unit!r}", expected=known)
        try:
            limit = float(number) * units[unit]
        except ValueError:
            raise InputError("max error", found=repr(part), expected=_EXAMPLE) from None
        for quantity in names:
            if quantity in bounds:
                raise InputError("max error", found=f"{quantity} twice", expected="each once")
            bounds[quantity] = limit
    _check_positive(bounds)
    return bounds


def bounded(config: Config, scene: Gaussians, bounds: Mapping[str, float]) -> Config:
    """The configuration whose codecs hold the bounds on a scene, as cheaply as they can.

    A codec that cannot hold its bound is replaced by the lossless one. Attributes without a bound
    are coded as configured.

    Raises:
        InputError: A quantity is unknown, or a bound is no positive number.
    """
    _check_positive(bounds)
    attributes: dict[str, Any] = dict(config.attributes)
    for group, codec in config.attributes.items():
        limits = {name: limit for name, limit in bounds.items() if QUANTITIES[name] == group}
        if limits and not isinstance(codec, Exact):
            values = getattr(scene, GROUPS[group])
            attributes[group] = codec.bounded(values, limits) or Exact()
    return replace(config, attributes=types.MappingProxyType(attributes))


def lossless(config: Config, quantities: Iterable[str]) -> Config:
    """The configuration that codes the attribute groups of some quantities without loss."""
    groups = dict.fromkeys((QUANTITIES[name] for name in quantities), Exact())
    attributes = types.MappingProxyType({**config.attributes, **groups})
    return replace(config, attributes=attributes)


def find_errors(scene: Gaussians, decoded: Gaussians) -> dict[str, float]:
    """The largest error of each quantity over all Gaussians, in float64."""
    if len(scene) == 0:
        return dict.fromkeys(QUANTITIES, 0.0)
    first, second = ({name: f(one) for name, f in _VALUES.items()} for one in (scene, decoded))
    difference = {name: first[name] - second[name] for name in first}
    relative = np.expm1(-difference["scales"])
    turned = np.linalg.norm(difference["quats"], axis=1)
    turned = np.minimum(turned, np.linalg.norm(first["quats"] + second["quats"], axis=1))
    angle = 4 * np.arcsin(np.minimum(turned / 2, 1))  # |q - p| = 2 sin(angle / 4)
    return {
        "means": float(np.linalg.norm(difference["means"], axis=1).max()),
        "scales": _largest(relative),
        "opacities": _largest(difference["opacities"]),
        "quats": math.degrees(float(angle.max())),
        "sh0": _largest(difference["sh"][:, :1]) * SH_C0,
        "shN": _largest(difference["sh"][:, 1:]),
    }


def check_bounds(bounds: Mapping[str, float], reached: Mapping[str, float]) -> None:
    """Refuse a result that breaks a bound.

    Raises:
        InputError: Names the quantity and the bound that can be held.
    """
    for quantity, limit in bounds.items():
        if not reached[quantity] <= limit:
            raise InputError(
                "max error",
                quantity,
                found=f"{limit:g}",
                expected=f"a bound that can be held: {reached[quantity]:.6g} or more",
            )


def _check_positive(bounds: Mapping[str, float]) -> None:
    if not bounds:
        raise InputError("max error", found="no bound", expected=_EXAMPLE)
    for quantity, limit in bounds.items():
        if quantity not in QUANTITIES:
            raise InputError(
                "max error", found=repr(quantity), expected=f"one of {', '.join(QUANTITIES)}"
            )
        if not (math.isfinite(limit) and limit > 0):
            raise InputError("max error", quantity, found=limit, expected="a positive number")


def _opacities(scene: Gaussians) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(scene.opacity_logits.astype(np.float64) / 2))


def _rotations(scene: Gaussians) -> NDArray[np.float64]:
    quats = scene.quats.astype(np.float64)
    return np.asarray(quats / np.linalg.norm(quats, axis=1, keepdims=True))


_VALUES: dict[str, Any] = {
    "means": lambda scene: scene.means.astype(np.float64),
    "scales": lambda scene: scene.log_scales.astype(np.float64),
    "opacities": _opacities,
    "quats": _rotations,
    "sh": lambda scene: scene.sh.astype(np.float64),
}


def _largest(error: NDArray[np.float64]) -> float:
    return float(np.abs(error).max(initial=0))
