"""The Gaussians of a scene: a frozen struct of arrays, and their activations in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError

__all__ = ["ATTRIBUTES", "SH_C0", "Array", "ColourSpace", "Gaussians", "Mode"]

Array = NDArray[np.float32]
Mode = Literal["default", "mip", "2dgs"]
ColourSpace = Literal["srgb", "linear"]

SH_C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""

ATTRIBUTES = ("means", "opacity_logits", "log_scales", "quats", "sh")
"""The attribute groups, in coding order."""

MAX_SH_DEGREE = 4

_KIND = ("sh_degree", "mode", "colour_space")


@dataclass(frozen=True, slots=True, eq=False)
class Gaussians:
    """Raw ("pre-activation") parameters of N Gaussians as trained: float32, C-contiguous.

    Attributes:
        means: Centres in world units.
        quats: Rotations as wxyz quaternions, not normalised.
        log_scales: Natural logarithm of the scales in world units.
        opacity_logits: Logit of the opacity.
        sh: Spherical-harmonics coefficients; ``sh[:, 0]`` is the constant term, and a colour is
            their sum + 0.5, clamped at 0. K = (degree + 1)^2.
        mode: The rasterization that the scene was trained for.
        colour_space: What the rendered colours are: sRGB, as trained on photos, or linear light;
            the primaries are BT.709's. Few formats can say so.
    """

    means: Array  # [N, 3]
    quats: Array  # [N, 4]
    log_scales: Array  # [N, 3]
    opacity_logits: Array  # [N]
    sh: Array  # [N, K, 3]
    mode: Mode = "default"
    colour_space: ColourSpace = "srgb"

    def __post_init__(self) -> None:
        for name in ATTRIBUTES:
            value = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, value)
        n = len(self.means)
        k = self.sh.shape[1] if self.sh.ndim == 3 else 0
        expected = {
            "means": (n, 3),
            "quats": (n, 4),
            "log_scales": (n, 3),
            "opacity_logits": (n,),
            "sh": (n, k, 3),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InputError(
                    "Gaussians", name, found=f"shape {getattr(self, name).shape}", expected=shape
                )
        if k not in [(d + 1) ** 2 for d in range(MAX_SH_DEGREE + 1)]:
            raise InputError(
                "Gaussians", "sh", found=f"{k} coefficients", expected="1, 4, 9, 16 or 25"
            )
        if self.mode not in get_args(Mode):
            raise InputError("Gaussians", "mode", found=self.mode, expected=get_args(Mode))
        if self.colour_space not in get_args(ColourSpace):
            raise InputError(
                "Gaussians",
                "colour_space",
                found=self.colour_space,
                expected=get_args(ColourSpace),
            )

    def __len__(self) -> int:
        return len(self.means)

    def __repr__(self) -> str:
        return f"Gaussians(n={len(self)}, sh_degree={self.sh_degree}, mode={self.mode!r})"

    @property
    def sh_degree(self) -> int:
        """Degree of the spherical harmonics, 0 to 4."""
        return int(self.sh.shape[1] ** 0.5 + 0.5) - 1

    @property
    def scales(self) -> Array:  # [N, 3]
        """Scales in world units: exp(log_scales)."""
        return np.asarray(np.exp(self.log_scales))

    @property
    def opacities(self) -> Array:  # [N]
        """Opacities in 0..1: the logistic function of the logits."""
        half = np.float32(0.5)
        return np.asarray(half * (1 + np.tanh(half * self.opacity_logits)), dtype=np.float32)

    @property
    def unit_quats(self) -> Array:  # [N, 4]
        """Rotations as unit wxyz quaternions."""
        norm = np.sqrt(np.sum(np.square(self.quats, dtype=np.float64), axis=1, keepdims=True))
        return np.asarray(self.quats / norm, dtype=np.float32)

    def select(self, index: NDArray[Any]) -> Gaussians:
        """The Gaussians at ``index`` (a boolean mask, or indices in the wanted order)."""
        return self.replace(**{name: getattr(self, name)[index] for name in ATTRIBUTES})

    def replace(self, **changes: Any) -> Gaussians:
        """A copy with some fields replaced."""
        return dataclasses.replace(self, **changes)

    def validate(self, where: str = "Gaussians") -> None:
        """Refuse values that cannot be rendered or coded.

        Raises:
            InputError: A value is not finite, or a quaternion has no direction; names the
                attribute and its first row.
        """
        if not len(self):
            return
        for name in ATTRIBUTES:
            finite = np.isfinite(getattr(self, name).reshape(len(self), -1)).all(axis=1)
            if not finite.all():
                row = int(np.argmin(finite))
                raise InputError(
                    where,
                    f"{name}, row {row}",
                    found=f"{np.asarray(getattr(self, name)[row]).ravel().tolist()}",
                    expected="finite numbers",
                    remedy="Remove these Gaussians, or export the scene again.",
                )
        zero = ~(np.abs(self.quats).max(axis=1, initial=0) > 0)
        if zero.any():
            raise InputError(
                where,
                f"quats, row {int(np.argmax(zero))}",
                found="a quaternion of length 0",
                expected="a rotation",
                remedy="Remove these Gaussians, or export the scene again.",
            )

    @staticmethod
    def concat(scenes: Sequence[Gaussians]) -> Gaussians:
        """All Gaussians of ``scenes``, one after the other; degree, mode and colours must agree."""
        if not scenes:
            raise InputError("Gaussians.concat", found="no scenes", expected="at least one")
        first = scenes[0]
        for scene in scenes[1:]:
            if any(getattr(scene, name) != getattr(first, name) for name in _KIND):
                raise InputError(
                    "Gaussians.concat", found=repr(scene), expected=f"the same {_KIND} as {first!r}"
                )
        return first.replace(
            **{name: np.concatenate([getattr(s, name) for s in scenes]) for name in ATTRIBUTES}
        )
