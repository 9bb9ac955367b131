"""The .splat format (antimatter15): 32 bytes per Gaussian, no header, constant colours.

Three float32 of position, three of linear scale, then bytes: colour and opacity, and the rotation
(wxyz, 128 is zero).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import open_input
from gscompress.gaussians import SH_C0, Gaussians
from gscompress.io.atomic import atomic_write
from gscompress.io.quantised import (
    byte_logits,
    opacity_bytes,
    outside,
    say_losses,
    to_levels,
    with_carried,
)

__all__ = ["SplatFormat"]

_ROW = np.dtype([("means", "<f4", 3), ("scales", "<f4", 3), ("rgba", "u1", 4), ("quats", "u1", 4)])
_SMALLEST = np.finfo(np.float32).tiny
"""Stands for a scale of 0, which has no logarithm."""

_LOG_SCALE_RANGE = (-87.0, 88.0)
_DC_LIMIT = 0.5 / SH_C0


@dataclass(frozen=True)
class SplatFormat:
    """SH degree 0 only. Written with the most visible Gaussians first, as viewers expect."""

    id: ClassVar[str] = "splat"
    extensions: ClassVar[tuple[str, ...]] = (".splat",)

    def sniff(self, head: bytes) -> bool:
        """Nothing marks such a file but its name."""
        return False

    def load(self, path: Path) -> Gaussians:
        """Read a scene.

        Raises:
            InputError: The length is no multiple of 32 bytes, or a value is impossible.
        """
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size % _ROW.itemsize:
                raise InputError(
                    path,
                    found=f"{size} bytes",
                    expected=f"a multiple of {_ROW.itemsize}",
                    remedy="The file is cut short, or no .splat.",
                )
            rows = np.frombuffer(file.read(size), _ROW)
        scales = rows["scales"]
        quats = rows["quats"].astype(np.float32) - 128
        _check(path, "position", rows["means"], np.isfinite(rows["means"]), "finite numbers")
        good = np.isfinite(scales) & (scales >= 0)
        _check(path, "scale", scales, good, "finite numbers of 0 or more")
        _check(path, "rotation", rows["quats"], (quats != 0).any(axis=1)[:, None], "a rotation")
        return Gaussians(
            means=rows["means"],
            quats=quats / np.linalg.norm(quats, axis=1, keepdims=True),
            log_scales=np.log(np.maximum(scales, _SMALLEST)),
            opacity_logits=byte_logits(rows["rgba"][:, 3]),
            sh=((rows["rgba"][:, None, :3] / 255.0 - 0.5) / SH_C0).astype(np.float32),
        )

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a scene; warns of what the format cannot carry."""
        losses: list[str] = []
        scene = with_carried(scene, 0, ("default",), losses)
        outside(scene.sh[:, 0], -_DC_LIMIT, _DC_LIMIT, "colours", losses)
        outside(scene.log_scales, *_LOG_SCALE_RANGE, "log-scales", losses)
        say_losses(path, ".splat", losses)
        areas = np.sum(np.sort(scene.log_scales.astype(np.float64), axis=1)[:, 1:], axis=1)
        visible = areas + np.log(scene.opacities.astype(np.float64) + 1e-30)
        scene = scene.select(np.argsort(-visible, kind="stable"))
        rows = np.empty(len(scene), _ROW)
        rows["means"] = scene.means
        rows["scales"] = np.exp(np.clip(scene.log_scales.astype(np.float64), *_LOG_SCALE_RANGE))
        rows["rgba"][:, :3] = to_levels((scene.sh[:, 0] * SH_C0 + 0.5) * 255, 255)
        rows["rgba"][:, 3] = opacity_bytes(scene)
        rows["quats"] = to_levels(scene.unit_quats * np.float64(128) + 128, 255)
        with atomic_write(path, overwrite=True) as out:
            out.write(rows.tobytes())


def _check(
    path: Path, field: str, values: NDArray[Any], good: NDArray[np.bool_], expected: str
) -> None:
    rows = good.all(axis=1)
    if not rows.all():
        row = int(np.argmin(rows))
        raise InputError(
            path,
            f"{field}, row {row}",
            found=values[row].tolist(),
            expected=expected,
            remedy="The file is damaged, or no .splat.",
        )
