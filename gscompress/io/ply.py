"""PLY in the layout of the INRIA trainer: one vertex per Gaussian, raw training parameters.

Properties: x y z, nx ny nz (unused, zero), f_dc_0..2, f_rest_* (channel-major: first all of red),
opacity (logit), scale_0..2 (natural log), rot_0..3 (wxyz). The rasterization mode travels in a
comment ``SplatRenderMode: mip`` or ``2dgs``, as the trainer Brush writes it; Postshot's
``antialiased 1`` is read too. 2DGS trainers write no scale_2. Mip-Splatting trainers write a
filter_3D, which is applied: the scene read is the one that they render. Colours in linear light are
said in a comment ``SplatColorSpace: linear``, which is our own.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from plyfile import PlyData, PlyElement

from gscompress.errors import InputError
from gscompress.gaussians import Array, ColourSpace, Gaussians, Mode
from gscompress.io.atomic import atomic_write
from gscompress.io.ply_header import PlyHeader, Table, read_header
from gscompress.io.ply_rows import BLOCK_ROWS, columns, read_blocks

__all__ = ["FLAT_LOG_SCALE", "OPACITY_LIMIT", "PlyFormat"]

OPACITY_LIMIT = np.float32(20)
"""Stands for an infinite opacity logit. It renders the same: in float32 its logistic function is
exactly 1, and that of its negative is 2e-9, far below the 1/255 under which nothing is drawn."""

FLAT_LOG_SCALE = np.float32(np.log(1e-6))
"""The third log-scale of Gaussians from a 2DGS file, which has none."""

_FIXED = {
    "means": ("x", "y", "z"),
    "f_dc": ("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacity_logits": ("opacity",),
    "log_scales": ("scale_0", "scale_1", "scale_2"),
    "quats": ("rot_0", "rot_1", "rot_2", "rot_3"),
}
_FILTER = "filter_3D"
_NORMALS = ("nx", "ny", "nz")
_SH_REST_COUNTS = (0, 9, 24, 45, 72)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlyFormat:
    """The INRIA layout: text or binary of either byte order, any number type, any order.

    Written as little-endian float32, normals included, since some viewers count on them.
    """

    id: ClassVar[str] = "ply"
    extensions: ClassVar[tuple[str, ...]] = (".ply",)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a PLY."""
        return re.match(rb"ply[ \t]*[\r\n]", head) is not None

    def load(self, path: Path) -> Gaussians:
        """Read a scene; needs memory for its arrays and one block of rows.

        Raises:
            InputError: Names the property and the first row at fault.
        """
        header = read_header(path)
        table = header.table("vertex")
        layout = _layout(header, table)
        blocks = read_blocks(header, table)  # checks the counts before we allocate for them
        n, k = table.count, 1 + len(layout.groups["f_rest"]) // 3
        scene = Gaussians(
            means=np.empty((n, 3), np.float32),
            quats=np.empty((n, 4), np.float32),
            log_scales=np.full((n, 3), FLAT_LOG_SCALE),
            opacity_logits=np.empty(n, np.float32),
            sh=np.empty((n, k, 3), np.float32),
            mode=layout.mode,
            colour_space=_colour_space(header),
        )
        infinite = 0
        for first, block in blocks:
            values = {
                group: columns(header, table, names, first, block)
                for group, names in layout.groups.items()
            }
            infinite += _clamp_infinite(values["opacity_logits"])
            if layout.filtered:
                _apply_filter(values)
            for group, names in layout.groups.items():
                _check_finite(header, names, first, values[group])
            _check_rotations(header, first, values["quats"])
            _store(scene, slice(first, first + len(block)), values)
        if infinite:
            _log.warning(
                "%s: property opacity: %d infinite values clamped to %g or -%g, which render alike",
                path,
                infinite,
                OPACITY_LIMIT,
                OPACITY_LIMIT,
            )
        return scene

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a scene, block by block; nothing of the size of the scene is allocated."""
        if scene.colour_space != "srgb":
            _log.warning(
                "%s: other programs will take the colours for sRGB; they are %s",
                path,
                scene.colour_space,
            )
        names = [*_FIXED["means"], *_NORMALS, *_FIXED["f_dc"]]
        names += [f"f_rest_{i}" for i in range(3 * (scene.sh.shape[1] - 1))]
        flat = scene.mode == "2dgs" and bool(np.all(scene.log_scales[:, 2] == FLAT_LOG_SCALE))
        scales = 2 if flat else 3
        names += [*_FIXED["opacity_logits"], *_FIXED["log_scales"][:scales], *_FIXED["quats"]]
        # One row, repeated without memory: only its type and count go into the header.
        row = np.zeros((), [(name, "<f4") for name in names])
        vertex = PlyElement.describe(np.broadcast_to(row, len(scene)), "vertex")
        comments = [] if scene.mode == "default" else [f"SplatRenderMode: {scene.mode}"]
        if scene.colour_space != "srgb":
            comments.append(f"SplatColorSpace: {scene.colour_space}")
        head = PlyData([vertex], byte_order="<", comments=comments).header
        with atomic_write(path, overwrite=True) as out:
            out.write(head.encode("ascii") + b"\n")
            for first in range(0, len(scene), BLOCK_ROWS):
                rows = slice(first, first + BLOCK_ROWS)
                n = len(scene.means[rows])
                parts = [
                    scene.means[rows],
                    np.zeros((n, 3), np.float32),
                    scene.sh[rows, 0],
                    scene.sh[rows, 1:].transpose(0, 2, 1).reshape(n, -1),
                    scene.opacity_logits[rows, None],
                    scene.log_scales[rows, :scales],
                    scene.quats[rows],
                ]
                out.write(np.concatenate(parts, axis=1).astype("<f4", copy=False).tobytes())


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which properties make which attribute, and the mode that the file is of."""

    groups: dict[str, tuple[str, ...]]
    mode: Mode
    filtered: bool


def _layout(header: PlyHeader, table: Table) -> _Layout:
    groups = dict(_FIXED)
    have = set(table.properties)
    if {"scale_0", "scale_1"} <= have and "scale_2" not in have:
        groups["log_scales"] = groups["log_scales"][:2]
    for names in groups.values():
        for name in names:
            if name not in have:
                raise _missing(header, table, name)
    rest = sum(re.fullmatch(r"f_rest_[0-9]+", name) is not None for name in have)
    if rest not in _SH_REST_COUNTS:
        raise InputError(
            header.path,
            "properties f_rest_*",
            found=f"{rest} of them",
            expected="0, 9, 24, 45 or 72 (SH degree 0 to 4)",
            remedy="Export the scene again with all coefficients of its degree.",
        )
    groups["f_rest"] = tuple(f"f_rest_{i}" for i in range(rest))
    for name in groups["f_rest"]:
        if name not in have:
            raise _missing(header, table, name)
    filtered = _FILTER in have and len(groups["log_scales"]) == 3
    if filtered:
        groups["filter"] = (_FILTER,)
    used = {name for names in groups.values() for name in names}
    extra = [name for name in table.properties if name not in used and name not in _NORMALS]
    extra += [f"element {other.name}" for other in header.tables if other is not table]
    if extra:
        shown = ", ".join(extra[:20]) + (", ..." if len(extra) > 20 else "")
        _log.warning("%s: left out, as no Gaussian has it: %s", header.path, shown)
    mode: Mode = "mip" if filtered else _mode(header)
    if len(groups["log_scales"]) == 2:
        mode = "2dgs"
    return _Layout(groups, mode, filtered)


def _missing(header: PlyHeader, table: Table, name: str) -> InputError:
    if name in table.lists:
        return InputError(
            header.path, f"property {name}", found="a list property", expected="a scalar property"
        )
    if "packed_position" in table.properties:
        remedy = "This is a compressed PLY of PlayCanvas that is damaged: export it again."
    elif "f_dc_0" not in table.properties:
        remedy = "This looks like a point cloud or mesh, not a trained scene of Gaussians."
    else:
        remedy = "Export the scene again in the INRIA layout."
    return InputError(
        header.path,
        f"property {name}",
        found="no such property",
        expected="one number",
        remedy=remedy,
    )


def _mode(header: PlyHeader) -> Mode:
    """The mode that the comments name; the last one counts."""
    mode: Mode = "default"
    known: dict[str, Mode] = {"mip": "mip", "antialiased": "mip", "1": "mip", "2dgs": "2dgs"}
    for comment in header.comments:
        tag = re.fullmatch(r"(SplatRenderMode\s*[:=]|antialiased\s)\s*(\S+)", comment, re.I)
        if tag is None:
            continue
        word = tag[2].lower()
        mode = known.get(word, "default")
        if word not in (*known, "default", "0"):
            _log.warning(
                "%s: unknown mode in the comment %r: taken as default", header.path, comment
            )
    return mode


def _colour_space(header: PlyHeader) -> ColourSpace:
    """What the colours are, by our own comment."""
    for comment in header.comments:
        if re.fullmatch(r"SplatColorSpace\s*:\s*linear", comment, re.I):
            return "linear"
    return "srgb"


def _clamp_infinite(logits: Array) -> int:
    """Replace infinite logits in place; returns how many there were."""
    infinite = np.isinf(logits)
    logits[infinite] = np.copysign(OPACITY_LIMIT, logits[infinite])
    return int(np.count_nonzero(infinite))


def _check_finite(header: PlyHeader, names: tuple[str, ...], first: int, values: Array) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
    raise InputError(
        header.path,
        f"property {names[column]}, row {first + row}",
        found=values[row, column],
        expected="a finite float32 number",
        remedy="Remove these Gaussians, or export the scene again.",
    )


def _check_rotations(header: PlyHeader, first: int, quats: Array) -> None:
    zero = ~quats.any(axis=1)
    if zero.any():
        raise InputError(
            header.path,
            f"properties rot_0..3, row {first + int(np.argmax(zero))}",
            found="a quaternion of length 0",
            expected="a rotation",
            remedy="Remove these Gaussians, or export the scene again.",
        )


def _apply_filter(values: dict[str, Array]) -> None:
    """Apply the 3D smoothing filter of Mip-Splatting (arXiv:2311.16493), eq. 7, in place.

    Every Gaussian is convolved with an isotropic one whose standard deviation is filter_3D, and its
    opacity lowered by the ratio of the volumes, the square root of that of the determinants.
    """
    sizes, logits = values["log_scales"].astype(np.float64), values["opacity_logits"]
    with np.errstate(all="ignore"):  # what is not finite is refused afterwards
        variance = np.exp(2 * sizes)
        smoothed = variance + values["filter"].astype(np.float64) ** 2
        log_share = np.sum(sizes - np.log(smoothed) / 2, axis=1, keepdims=True)
        # With e = exp(-logit) the opacity is 1 / (1 + e); the new e is (1 + e) / share - 1.
        e = np.expm1(np.logaddexp(0, -logits.astype(np.float64)) - log_share)
        logits[:] = np.clip(-np.log(e), -OPACITY_LIMIT, OPACITY_LIMIT)
        values["log_scales"][:] = np.log(smoothed) / 2


def _store(scene: Gaussians, rows: slice, values: dict[str, Array]) -> None:
    scene.means[rows] = values["means"]
    scene.quats[rows] = values["quats"]
    scene.log_scales[rows, : values["log_scales"].shape[1]] = values["log_scales"]
    scene.opacity_logits[rows] = values["opacity_logits"][:, 0]
    scene.sh[rows, 0] = values["f_dc"]
    rest = values["f_rest"]
    scene.sh[rows, 1:] = rest.reshape(len(rest), 3, scene.sh.shape[1] - 1).transpose(0, 2, 1)
