"""Other programs that read and write the formats, each with what it can do.

They know nothing of ours. A reader gives back what a file holds in the file's own axes.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gscompress.gaussians import Gaussians
from gscompress.io import load, save

ROOT = Path(__file__).parents[2]
NPM_FOLDER = Path(os.environ.get("GSCOMPRESS_NPM", ROOT / "build" / "npm"))
NPM_PACKAGES = (
    "@playcanvas/splat-transform@3",
    "@mkkellogg/gaussian-splats-3d@0.4",
    "three@0.160",
)

Reader = Callable[[Path], Gaussians]
Writer = Callable[[Gaussians, Path], None]


@dataclass(frozen=True)
class Implementation:
    """A program.

    Attributes:
        name: For people.
        missing: Why it is not here; empty where it is.
        version: Its version.
        reads: By kind of file.
        writes: By kind of file.
        highest: The highest degree of harmonics to ask for, where below 3: (kind, verb) -> degree.
        remarks: What is wrong with it, or lies with its environment: (kind, verb) -> text.
        looser: Bounds of a reader that changes what it reads: kind -> attribute -> bound.
    """

    name: str
    missing: str
    version: str
    reads: Mapping[str, Reader] = field(default_factory=dict)
    writes: Mapping[str, Writer] = field(default_factory=dict)
    highest: Mapping[tuple[str, str], int] = field(default_factory=dict)
    remarks: Mapping[tuple[str, str], str] = field(default_factory=dict)
    looser: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def degrees(self, kind: str, verb: str) -> range:
        """The degrees of harmonics to check."""
        return range(self.highest.get((kind, verb), 3) + 1)


def missing_module(*names: str) -> str:
    """Why a package of Python cannot be used; empty where it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                importlib.import_module(name)
    except ImportError as error:
        return f"needs the package {names[0]}: {error}"
    return ""


def version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-500:]} {done.stderr[-500:]}"


# gsply: Python


def from_gsply(data: Any) -> Gaussians:
    n = len(data.means)
    rest = np.zeros((n, 0, 3)) if data.shN is None else data.shN.reshape(n, -1, 3)
    sh = np.concatenate([data.sh0.reshape(n, 1, 3), rest], axis=1)
    logits = np.clip(data.opacities.reshape(n), -20, 20)
    return Gaussians(data.means, data.quats, data.scales, logits, sh)


def to_gsply(scene: Gaussians) -> Any:
    return importlib.import_module("gsply").GSData(
        means=scene.means.copy(),
        scales=scene.log_scales.copy(),
        quats=scene.unit_quats.copy(),
        opacities=scene.opacity_logits.copy(),
        sh0=scene.sh[:, 0].copy(),
        shN=scene.sh[:, 1:].copy() if scene.sh_degree else None,
    )


def gsply() -> Implementation:
    missing = missing_module("gsply")
    module = None if missing else importlib.import_module("gsply")

    def spz(path: Path) -> Gaussians:
        return from_gsply(module.read_spz(path))

    def ply(path: Path) -> Gaussians:
        return from_gsply(module.plyread(path))

    def sog(path: Path) -> Gaussians:
        return from_gsply(importlib.import_module("gsply.sog_reader").sogread(path))

    def write_spz(scene: Gaussians, path: Path, version: int) -> None:
        module.write_spz(path, to_gsply(scene), version=version)

    def write_packed(scene: Gaussians, path: Path) -> None:
        module.plywrite(path, to_gsply(scene), compressed=True)

    with_sog = {} if missing_module("imagecodecs") else {"sog": sog, "sog 1": sog}
    return Implementation(
        "gsply",
        missing,
        version_of("gsply"),
        {"spz 3": spz, "spz 4": spz, "compressed.ply": ply, **with_sog},
        {
            "spz 3": functools.partial(write_spz, version=3),
            "spz 4": functools.partial(write_spz, version=4),
            "compressed.ply": write_packed,
        },
    )


# gaussforge: C++


def gaussforge() -> Implementation:
    missing = missing_module("gaussforge")

    def read(path: Path, kind: str) -> Gaussians:
        forge = importlib.import_module("gaussforge").GaussForge()
        answer = forge.convert(path.read_bytes(), kind, "ply")
        assert "data" in answer, answer
        ply = path.with_name("forged.ply")
        ply.write_bytes(answer["data"])
        return load(ply)

    def write(scene: Gaussians, path: Path, kind: str, **options: Any) -> None:
        ply = path.with_name("source.ply")
        save(scene, ply, overwrite=True)
        forge = importlib.import_module("gaussforge").GaussForge()
        answer = forge.convert(ply.read_bytes(), "ply", kind, **options)
        assert "data" in answer, answer
        path.write_bytes(answer["data"])

    names = {"compressed.ply": "compressed.ply", "splat": "splat", "sog": "sog"}
    names |= {"spz 3": "spz", "spz 4": "spz", "ksplat": "ksplat"}
    writes = {kind: functools.partial(write, kind=name) for kind, name in names.items()}
    for version in (3, 4):
        writes[f"spz {version}"] = functools.partial(write, kind="spz", spz_version=version)
    return Implementation(
        "gaussforge",
        missing,
        version_of("gaussforge"),
        # Not .ksplat, of which it reads neither positions nor harmonics as their own library does.
        {
            kind: functools.partial(read, kind=name)
            for kind, name in names.items()
            if kind != "ksplat"
        },
        writes,
        highest={("compressed.ply", "write"): 0, ("ksplat", "write"): 1},
        remarks={
            ("compressed.ply", "write"): "mixes up harmonics",
            ("ksplat", "write"): "mixes up harmonics above degree 1",
        },
        looser={"compressed.ply": {"opacities": 1.1e-3}},  # it keeps them within 0.001..0.999
    )


# splat-transform and GaussianSplats3D: JavaScript


def _node() -> tuple[Path, Path]:
    folder = NPM_FOLDER / "node_modules"
    return folder / ".bin" / "node", folder


def splat_transform() -> Implementation:
    node, folder = _node()
    package = folder / "@playcanvas" / "splat-transform"
    here = package.is_dir() and node.exists()

    def convert(source: Path, target: Path) -> None:
        run(node, package / "bin" / "cli.mjs", "-w", "-q", "-g", "cpu", source, target)

    def read(path: Path) -> Gaussians:
        ply = path.with_name("transformed.ply")
        convert(path, ply)
        return load(ply)

    def write(scene: Gaussians, path: Path) -> None:
        ply = path.with_name("source.ply")
        save(scene, ply, overwrite=True)
        convert(ply, path)

    kinds = ("ply", "spz 3", "spz 4", "compressed.ply", "splat", "sog", "ksplat")
    return Implementation(
        "splat-transform",
        "" if here else f"needs splat-transform from npm in {NPM_FOLDER.name}",
        _npm_version(package),
        dict.fromkeys(kinds, read),
        dict.fromkeys(("ply", "spz 4", "compressed.ply", "sog", "glb"), write),
        remarks={("sog", "write"): "truncates"},
        looser={"splat": {"degrees": 1.0}},  # for it 127.5 is 0, for the format's own viewer 128
    )


def gaussian_splats_3d() -> Implementation:
    """The library that defines .ksplat."""
    node, folder = _node()
    package = folder / "@mkkellogg" / "gaussian-splats-3d"

    def write(scene: Gaussians, path: Path, level: int) -> None:
        ply = path.with_name("source.ply")
        save(scene, ply, overwrite=True)
        module = package / "build" / "gaussian-splats-3d.module.js"
        bridge = Path(__file__).with_name("ksplat_bridge.mjs")
        run(node, bridge, module, ply, path, str(level), str(scene.sh_degree))

    kinds = {"ksplat": 0, "ksplat 1": 1, "ksplat 2": 2}
    return Implementation(
        "GaussianSplats3D",
        "" if package.is_dir() and node.exists() else "needs GaussianSplats3D from npm",
        _npm_version(package),
        {},
        {kind: functools.partial(write, level=level) for kind, level in kinds.items()},
        highest={(kind, "write"): 2 for kind in kinds},  # the library has no degree 3
    )


def _npm_version(package: Path) -> str:
    file = package / "package.json"
    return str(json.loads(file.read_text())["version"]) if file.is_file() else ""


# Readers and writers of glTF and USD that know nothing of splats, or do


def pygltflib() -> Implementation:
    """A reader of glTF in general: the attributes are taken from it one by one."""

    def read(path: Path) -> Gaussians:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            document = importlib.import_module("pygltflib").GLTF2().load(str(path))
        (primitive,) = document.meshes[0].primitives
        blob = document.binary_blob()
        attributes = {k: v for k, v in vars(primitive.attributes).items() if v is not None}

        def column(name: str) -> Any:
            accessor = document.accessors[attributes[name]]
            view = document.bufferViews[accessor.bufferView]
            assert accessor.componentType == 5126
            start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
            width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor.type]
            data = np.frombuffer(blob, "<f4", accessor.count * width, start)
            return data.reshape(accessor.count, width)

        ours = "KHR_gaussian_splatting:"
        coefficients = [name for name in attributes if name.startswith(f"{ours}SH_DEGREE_")]
        opacity = column(f"{ours}OPACITY")[:, 0].astype(np.float64)
        return Gaussians(
            means=column("POSITION"),
            quats=column(f"{ours}ROTATION")[:, [3, 0, 1, 2]],
            log_scales=np.log(column(f"{ours}SCALE")),
            opacity_logits=np.log(opacity / (1 - opacity)),
            sh=np.stack([column(name) for name in sorted(coefficients)], axis=1),
        )

    missing = missing_module("pygltflib")
    return Implementation("pygltflib", missing, version_of("pygltflib"), {"glb": read})


def usd_convert_gsplat() -> Implementation:
    """NVIDIA's converter from PLY."""

    def write(scene: Gaussians, path: Path) -> None:
        ply = path.with_name("source.ply")
        save(scene, ply, overwrite=True)
        run(sys.executable, "-m", "usd_convert_gsplat", "-i", ply, "-o", path)

    missing = missing_module("usd_convert_gsplat", "pxr")
    version = version_of("usd-convert-gsplat")
    return Implementation("usd-convert-gsplat", missing, version, {}, {"usd": write})


def openusd() -> Implementation:
    """The schema's own accessors."""

    def read(path: Path) -> Gaussians:
        from pxr import Usd, UsdVol

        stage = Usd.Stage.Open(str(path))
        splats = UsdVol.ParticleField3DGaussianSplat(stage.GetDefaultPrim())
        quats = splats.GetOrientationsAttr().Get()
        degree = splats.GetRadianceSphericalHarmonicsDegreeAttr().Get()
        sh = np.array(splats.GetRadianceSphericalHarmonicsCoefficientsAttr().Get())
        opacity = np.array(splats.GetOpacitiesAttr().Get(), np.float64)
        return Gaussians(
            means=np.array(splats.GetPositionsAttr().Get()),
            quats=np.array([[q.real, *q.imaginary] for q in quats]),
            log_scales=np.log(np.array(splats.GetScalesAttr().Get())),
            opacity_logits=np.log(opacity / (1 - opacity)),
            sh=sh.reshape(len(opacity), (degree + 1) ** 2, 3),
        )

    missing = missing_module("pxr")
    return Implementation("OpenUSD", missing, version_of("usd-core"), {"usd": read})


@functools.cache
def all_implementations() -> tuple[Implementation, ...]:
    makers = (gsply, gaussforge, splat_transform, gaussian_splats_3d, pygltflib, openusd)
    return tuple(make() for make in (*makers, usd_convert_gsplat))
