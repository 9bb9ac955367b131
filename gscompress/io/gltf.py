"""glTF and GLB with KHR_gaussian_splatting, as ratified by the Khronos Group in 2026.

A primitive of points with attributes POSITION and, after the name of the extension, ROTATION
(xyzw), SCALE (linear), OPACITY (0 to 1) and SH_DEGREE_l_COEF_n (as the trainers have them, colour
inner). Axes are glTF's: left, up, front. Every placed primitive of the scene is read, in one scene;
a node that turns it turns its harmonics too. Primitives whose splats are an SPZ
(KHR_gaussian_splatting_compression_spz_2, a draft) are read as well.

glTF has no word for antialiased or 2D splats: the mode travels in ``extras``, for ourselves.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError
from gscompress.files import open_input
from gscompress.gaussians import SH_C0, Array, ColourSpace, Gaussians, Mode
from gscompress.io.atomic import atomic_write
from gscompress.io.axes import OURS, check_axes, moved, turned
from gscompress.io.gltf_files import MAGIC, GltfFiles, Primitive, Splats, glb, placed
from gscompress.io.ply import OPACITY_LIMIT
from gscompress.io.quantised import check_count, opacity_bytes, say_losses, to_levels, with_carried
from gscompress.io.spz import RIGHT_UP_BACK, decode_planes
from gscompress.io.spz_container import read_planes

__all__ = ["LEFT_UP_FRONT", "GltfFormat"]

LEFT_UP_FRONT = "LUF"
FLOAT, BYTE = 5126, 5121
POINTS = 0
ARRAY_BUFFER = 34962
SMALLEST_LOG_SCALE = float(np.log(np.finfo(np.float32).tiny))
"""Stands for a scale of 0, which has no logarithm."""

_SPACES: dict[str, ColourSpace] = {
    "srgb_rec709_display": "srgb",
    "lin_rec709_display": "linear",
}
_KNOWN = {
    Splats.NAME,
    "KHR_gaussian_splatting_compression_spz_2",
    "KHR_gaussian_splatting_compression_spz",
    "KHR_mesh_quantization",
}
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GltfFormat:
    """SH degrees 0 to 3, all float32. ``.glb`` is one binary file; ``.gltf`` is JSON, also one.

    Attributes:
        axes: Which way those of the file point; ``LUF`` is the specification's.
    """

    id: ClassVar[str] = "gltf"
    extensions: ClassVar[tuple[str, ...]] = (".glb", ".gltf")

    axes: str = LEFT_UP_FRONT

    def __post_init__(self) -> None:
        check_axes(self.id, self.axes)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a .glb, or JSON that has splats."""
        return head.startswith(MAGIC) or (
            head.lstrip().startswith(b"{") and Splats.NAME.encode() in head
        )

    def files(self, path: Path) -> list[Path]:
        """The file and the buffers beside it."""
        with open_input(path) as file:
            whole = file.read(len(MAGIC)) == MAGIC
        return [path] if whole else [path, *GltfFiles(path).buffer_paths()]

    def load(self, path: Path) -> Gaussians:
        """Read all splats of the scene that the file shows.

        Raises:
            InputError: Names the part of the file at fault.
        """
        files = GltfFiles(path)
        unknown = set(files.document.extensionsRequired) - _KNOWN
        if unknown:
            raise InputError(
                path,
                "extensionsRequired",
                found=", ".join(sorted(unknown)),
                expected="none but " + ", ".join(sorted(_KNOWN)),
                remedy="Export the scene without that compression.",
            )
        parts: list[Gaussians] = []
        places = list(placed(files))
        # A mesh may be placed many times: what that makes is looked at before anything is read.
        total = sum(_declared(files, primitive) for _, primitive, _ in places)
        check_count(path, "accessors, count", total, files.size)
        for where, primitive, placement in places:
            part = _read(files, where, primitive)
            total += 0 if _declared(files, primitive) else len(part)
            check_count(path, where, total, files.size)
            part.validate(f"{path}: {where}")
            try:
                parts.append(moved(part, placement))
            except ValueError as error:
                found = f"a placement of splats that is {error}"
                raise files.damaged(where, found, "rotation, uniform scale and shift") from error
        if not parts:
            raise InputError(
                path,
                found="no primitive with KHR_gaussian_splatting",
                expected="Gaussian splats",
                remedy="This looks like meshes or points, not a trained scene of Gaussians.",
            )
        scene = turned(_joined(parts), self.axes, OURS)
        scene.validate(str(path))
        return scene

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a scene; warns of what the format cannot carry.

        Raises:
            InputError: The scene is empty, or larger than a .glb can be.
        """
        if len(scene) == 0:
            raise InputError(path, found="no Gaussians", expected="one, as glTF demands")
        losses: list[str] = []
        scene = with_carried(scene, 3, get_args(Mode), losses, get_args(ColourSpace))
        say_losses(path, "glTF", losses)
        attributes = _attributes(turned(scene, OURS, self.axes))
        document, buffer = _document(scene, attributes)
        text = path.name.lower().endswith(".gltf")
        if text:
            uri = "data:application/octet-stream;base64,"
            document["buffers"][0]["uri"] = uri + base64.b64encode(b"".join(buffer)).decode()
        encoded = msgspec.json.encode(document)
        with atomic_write(path, overwrite=True) as out:
            for part in [encoded] if text else glb(path, encoded, buffer):
                out.write(part)


def _declared(files: GltfFiles, primitive: Primitive) -> int:
    """How many Gaussians a primitive says that it has; 0 where only its SPZ knows."""
    splats = primitive.extensions.splats
    assert splats is not None
    index = primitive.attributes.get("POSITION")
    if index is None or splats.extensions.spz_2 or splats.extensions.spz:
        return 0
    count: int = files.item("accessors", index).count
    return count


def _read(files: GltfFiles, where: str, primitive: Primitive) -> Gaussians:
    """One primitive, in the axes of glTF."""
    splats = primitive.extensions.splats
    assert splats is not None
    if primitive.mode != POINTS:
        raise files.damaged(where, f"mode {primitive.mode}", "points (0)")
    if splats.kernel != "ellipse":
        _log.warning("%s: kernel %r is unknown: taken for ellipse", files.path, splats.kernel)
    if splats.colorSpace not in _SPACES:
        _log.warning(
            "%s: colour space %r is unknown: taken for sRGB", files.path, splats.colorSpace
        )
    compressed = splats.extensions.spz_2 or splats.extensions.spz
    if compressed is not None:
        planes = read_planes(files.path, bytes(files.view(compressed.bufferView)))
        scene = decode_planes(files.path, planes, RIGHT_UP_BACK)
        scene = turned(scene, OURS, LEFT_UP_FRONT)
    else:
        scene = _from_attributes(files, where, primitive.attributes)
    space = _SPACES.get(splats.colorSpace, "srgb")
    modes: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}
    return scene.replace(mode=modes.get(splats.mode, scene.mode), colour_space=space)


def _from_attributes(files: GltfFiles, where: str, attributes: Mapping[str, int]) -> Gaussians:
    def column(name: str, width: int, count: int | None) -> Array:
        if name not in attributes:
            raise files.damaged(f"{where}, attribute {name}", "no such attribute", "one")
        return files.numbers(attributes[name], width, count)

    def check(name: str, good: Any, values: Array, expected: str) -> None:
        if not good.all():
            row = int(np.argmin(good))
            found = values[row].tolist()
            raise files.damaged(f"{where}, attribute {name}, row {row}", found, expected)

    means = column("POSITION", 3, None)
    n = len(means)
    quats = column(f"{Splats.NAME}:ROTATION", 4, n)
    scales = column(f"{Splats.NAME}:SCALE", 3, n)
    opacities = column(f"{Splats.NAME}:OPACITY", 1, n)
    check("SCALE", (scales >= 0).all(axis=1), scales, "0 or more")
    check("OPACITY", ((opacities >= -1e-3) & (opacities <= 1.001))[:, 0], opacities, "0 to 1")
    degree = max(
        d for d in range(4) if d == 0 or f"{Splats.NAME}:SH_DEGREE_{d}_COEF_0" in attributes
    )
    sh = np.empty((n, (degree + 1) ** 2, 3), np.float32)
    names = ((band, order) for band in range(degree + 1) for order in range(2 * band + 1))
    for k, (band, order) in enumerate(names):
        sh[:, k] = column(f"{Splats.NAME}:SH_DEGREE_{band}_COEF_{order}", 3, n)
    wide = np.clip(opacities[:, 0].astype(np.float64), 0, 1)
    with np.errstate(divide="ignore"):
        logits = np.log(wide) - np.log1p(-wide)
        log_scales = np.log(scales)
    return Gaussians(
        means=means,
        quats=quats[:, [3, 0, 1, 2]],
        log_scales=np.maximum(log_scales, SMALLEST_LOG_SCALE),
        opacity_logits=np.clip(logits, -OPACITY_LIMIT, OPACITY_LIMIT),
        sh=sh,
    )


def _joined(parts: list[Gaussians]) -> Gaussians:
    """Several primitives as one scene of the highest degree among them."""
    most = max(part.sh.shape[1] for part in parts)
    first = parts[0]
    whole = [
        part.replace(
            sh=np.pad(part.sh, ((0, 0), (0, most - part.sh.shape[1]), (0, 0))),
            mode=first.mode,
            colour_space=first.colour_space,
        )
        for part in parts
    ]
    return Gaussians.concat(whole)


def _attributes(scene: Gaussians) -> dict[str, NDArray[Any]]:
    """The attributes by name, as they are written."""
    base = np.clip(scene.sh[:, 0].astype(np.float64) * SH_C0 + 0.5, 0, 1)
    if scene.colour_space == "srgb":  # COLOR_0 is linear
        base = np.where(base <= 0.04045, base / 12.92, ((base + 0.055) / 1.055) ** 2.4)
    fallback = np.empty((len(scene), 4), np.uint8)
    fallback[:, :3] = to_levels(base * 255, 255)
    fallback[:, 3] = opacity_bytes(scene)
    logits = scene.opacity_logits.astype(np.float64)
    log_scales = np.clip(scene.log_scales.astype(np.float64), SMALLEST_LOG_SCALE, 88)
    columns: dict[str, NDArray[Any]] = {
        "POSITION": scene.means,
        "COLOR_0": fallback,
        f"{Splats.NAME}:ROTATION": scene.unit_quats[:, [1, 2, 3, 0]],
        f"{Splats.NAME}:SCALE": np.exp(log_scales),
        f"{Splats.NAME}:OPACITY": 0.5 * (1 + np.tanh(0.5 * logits)),
    }
    for band in range(scene.sh_degree + 1):
        for order in range(2 * band + 1):
            name = f"{Splats.NAME}:SH_DEGREE_{band}_COEF_{order}"
            columns[name] = scene.sh[:, band * band + order]
    return {
        name: column if column.dtype == np.uint8 else column.astype("<f4")
        for name, column in columns.items()
    }


def _document(
    scene: Gaussians, attributes: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, Any], list[bytes]]:
    """The JSON, and the parts of the buffer."""
    buffer = [np.ascontiguousarray(values).tobytes() for values in attributes.values()]
    offsets = np.cumsum([0, *(len(part) for part in buffer)]).tolist()
    accessors: list[dict[str, Any]] = []
    for view, values in enumerate(attributes.values()):
        small = values.dtype == np.uint8
        accessor = {
            "bufferView": view,
            "componentType": BYTE if small else FLOAT,
            "count": len(scene),
            "type": _TYPES[values.shape[1] if values.ndim == 2 else 1],
        }
        accessors.append(accessor | ({"normalized": True} if small else {}))
    positions = attributes["POSITION"]
    accessors[0] |= {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()}
    names = {space: name for name, space in _SPACES.items()}
    splats: dict[str, Any] = {"kernel": "ellipse", "colorSpace": names[scene.colour_space]}
    if scene.mode != "default":
        splats["extras"] = {"mode": scene.mode}
    primitive = {
        "attributes": {name: index for index, name in enumerate(attributes)},
        "mode": POINTS,
        "extensions": {Splats.NAME: splats},
    }
    views = [
        {"buffer": 0, "byteOffset": at, "byteLength": len(part), "target": ARRAY_BUFFER}
        for at, part in zip(offsets, buffer, strict=False)
    ]
    document = {
        "asset": {"version": "2.0", "generator": "gscompress"},
        "extensionsUsed": [Splats.NAME],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": offsets[-1]}],
    }
    return document, buffer
