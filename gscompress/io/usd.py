"""OpenUSD: prims of the schema ParticleField3DGaussianSplat (OpenUSD 26.03). Needs ``usd-core``.

Attributes are activated: linear scales, opacities from 0 to 1. Axes are right, up, back where the
stage's up axis is Y; a stage whose up axis is Z is turned. The mode travels in the prim's custom
data, for ourselves.

The file is parsed by the OpenUSD library, which may open other files that it names, and whose time
and memory we cannot bound: open what you trust.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError, MissingDependencyError
from gscompress.files import open_input
from gscompress.gaussians import Array, Gaussians, Mode
from gscompress.io.atomic import atomic_write
from gscompress.io.axes import OURS, check_axes, moved, turned
from gscompress.io.gltf import SMALLEST_LOG_SCALE
from gscompress.io.ply import OPACITY_LIMIT
from gscompress.io.quantised import say_losses, with_carried

__all__ = ["UsdFormat"]

SCHEMA = "ParticleField3DGaussianSplat"
MODE_KEY = "gscompress:mode"
_COEFFICIENTS = "radiance:sphericalHarmonicsCoefficients"
_DEGREE = "radiance:sphericalHarmonicsDegree"
_Z_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float64)
"""Turns what has Z up to what has Y up."""


@dataclass(frozen=True)
class UsdFormat:
    """SH degrees 0 to 4, all float32; half precision is read too.

    Attributes:
        axes: Which way those of the file point, where its up axis is Y.
    """

    id: ClassVar[str] = "usd"
    extensions: ClassVar[tuple[str, ...]] = (".usdc", ".usda", ".usd", ".usdz")

    axes: str = "RUB"

    def __post_init__(self) -> None:
        check_axes(self.id, self.axes)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts a text, binary or zipped USD."""
        zipped = head.startswith(b"PK\3\4") and b".usd" in head[:300]
        return zipped or head.startswith((b"#usda 1.0", b"PXR-USDC"))

    def load(self, path: Path) -> Gaussians:
        """Read all Gaussian splats of a stage, in one scene.

        Raises:
            InputError: It is no USD, or its splats make no sense.
            MissingDependencyError: ``usd-core`` is not installed.
        """
        open_input(path).close()
        modules = _modules()
        try:
            stage = modules.Usd.Stage.Open(str(path))
            stage.Reload()  # the library keeps what it read from a file of that name before
        except modules.Tf.ErrorException as error:
            text = str(error).strip().splitlines()[0]
            raise InputError(path, found=text, expected="a stage of OpenUSD") from error
        time = modules.Usd.TimeCode.EarliestTime()
        cache = modules.UsdGeom.XformCache(time)
        up = str(modules.UsdGeom.GetStageUpAxis(stage))
        parts = []
        for prim in stage.Traverse():
            if str(prim.GetTypeName()) != SCHEMA:
                continue
            placement = np.array(cache.GetLocalToWorldTransform(prim), np.float64).T
            placement = _Z_UP @ placement if up == "Z" else placement
            part = _read(path, prim, time)
            part.validate(f"{path}: {prim.GetPath()}")
            try:
                parts.append(moved(part, placement))
            except ValueError as error:
                found = f"a placement of splats that is {error}"
                expected = "rotation, uniform scale and shift"
                raise InputError(
                    path, str(prim.GetPath()), found=found, expected=expected
                ) from error
        if not parts:
            raise InputError(path, found="no prim of that kind", expected=SCHEMA)
        most = max(part.sh.shape[1] for part in parts)
        grown = [
            part.replace(
                sh=np.pad(part.sh, ((0, 0), (0, most - part.sh.shape[1]), (0, 0))),
                mode=parts[0].mode,
            )
            for part in parts
        ]
        scene = turned(Gaussians.concat(grown), self.axes, OURS)
        scene.validate(str(path))
        return scene

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a stage with one prim; warns of what the format cannot carry.

        Raises:
            InputError: ``path`` is a .usdz, which is not written.
            MissingDependencyError: ``usd-core`` is not installed.
        """
        if path.name.lower().endswith(".usdz"):
            raise InputError(path, found="a .usdz to be written", expected=".usdc, .usda or .usd")
        losses: list[str] = []
        scene = with_carried(scene, 4, get_args(Mode), losses)
        say_losses(path, "USD", losses)
        stage = _stage(turned(scene, OURS, self.axes))
        # The library writes by name only; what it wrote is put in place as a whole.
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / f"scene{path.suffix.lower()}"
            stage.GetRootLayer().Export(str(written))
            with atomic_write(path, overwrite=True) as out:
                out.write(written.read_bytes())


def _modules() -> Any:
    try:
        import pxr
        from pxr import Gf, Tf, Usd, UsdGeom, UsdVol, Vt  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError("pxr", "usd", "Reading and writing USD") from error
    return pxr


def _read(path: Path, prim: Any, time: Any) -> Gaussians:
    """One prim, in the axes of the stage."""

    def column(name: str, width: int) -> Array | None:
        for spelling in (name, name + "h"):  # float32 is preferred to half precision
            attribute = prim.GetAttribute(spelling)
            values = attribute.Get(time) if attribute else None
            if values is not None:
                return np.asarray(values, np.float32).reshape(-1, width)
        return None

    def rows(name: str, width: int, otherwise: float) -> Array:
        """As the schema says: what is too long is cut, what is too short does not count."""
        values = column(name, width)
        if values is None or len(values) < n:
            return np.full((n, width), otherwise, np.float32)
        return values[:n]

    means = column("positions", 3)
    means = np.zeros((0, 3), np.float32) if means is None else means
    n = len(means)
    quats = rows("orientations", 4, 0.0)
    if not quats.any():
        quats[:, 3] = 1  # an array of the library has the real part last
    scales = rows("scales", 3, 1.0)
    if not (scales >= 0).all():
        row = int(np.argmin((scales >= 0).all(axis=1)))
        raise InputError(
            path,
            f"{prim.GetPath()}, scales, row {row}",
            found=scales[row].tolist(),
            expected="0 or more",
        )
    degree = prim.GetAttribute(_DEGREE).Get(time)
    degree = 3 if degree is None else int(degree)
    if not 0 <= degree <= 4:
        raise InputError(path, f"{prim.GetPath()}, {_DEGREE}", found=degree, expected="0 to 4")
    width = (degree + 1) ** 2
    sh = column(_COEFFICIENTS, 3)
    if sh is None or len(sh) < n * width:
        sh, width = np.zeros((n, 3), np.float32), 1  # grey, as the schema says
    opacities = np.clip(rows("opacities", 1, 1.0)[:, 0].astype(np.float64), 0, 1)
    with np.errstate(divide="ignore"):
        logits = np.log(opacities) - np.log1p(-opacities)
        log_scales = np.log(scales)
    mode = prim.GetCustomDataByKey(MODE_KEY)
    return Gaussians(
        means=means,
        quats=quats[:, [3, 0, 1, 2]],
        log_scales=np.maximum(log_scales, SMALLEST_LOG_SCALE),
        opacity_logits=np.clip(logits, -OPACITY_LIMIT, OPACITY_LIMIT),
        sh=sh[: n * width].reshape(n, width, 3),
        mode=mode if mode in get_args(Mode) else "default",
    )


def _stage(scene: Gaussians) -> Any:
    """A stage with one prim, of a scene in the stage's axes."""
    modules = _modules()
    vt = modules.Vt
    stage = modules.Usd.Stage.CreateInMemory()
    modules.UsdGeom.SetStageUpAxis(stage, modules.UsdGeom.Tokens.y)
    modules.UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    splats = modules.UsdVol.ParticleField3DGaussianSplat.Define(stage, "/Splats")
    stage.SetDefaultPrim(splats.GetPrim())

    def contiguous(values: NDArray[Any]) -> Array:
        return np.ascontiguousarray(values, np.float32)

    scales = np.exp(np.clip(scene.log_scales.astype(np.float64), SMALLEST_LOG_SCALE, 88))
    reach = 3 * scales.max(axis=1, keepdims=True)
    logits = scene.opacity_logits.astype(np.float64)
    splats.CreatePositionsAttr(vt.Vec3fArray.FromNumpy(scene.means))
    splats.CreateOrientationsAttr(
        vt.QuatfArray.FromNumpy(contiguous(scene.unit_quats[:, [1, 2, 3, 0]]))
    )
    splats.CreateScalesAttr(vt.Vec3fArray.FromNumpy(contiguous(scales)))
    splats.CreateOpacitiesAttr(
        vt.FloatArray.FromNumpy(contiguous(0.5 * (1 + np.tanh(0.5 * logits))))
    )
    splats.CreateRadianceSphericalHarmonicsDegreeAttr(scene.sh_degree)
    splats.CreateRadianceSphericalHarmonicsCoefficientsAttr(
        vt.Vec3fArray.FromNumpy(contiguous(scene.sh.reshape(-1, 3)))
    )
    if len(scene):
        low, high = (scene.means - reach).min(axis=0), (scene.means + reach).max(axis=0)
        splats.CreateExtentAttr(vt.Vec3fArray.FromNumpy(contiguous(np.stack([low, high]))))
    if scene.mode != "default":
        splats.GetPrim().SetCustomDataByKey(MODE_KEY, scene.mode)
    return stage
