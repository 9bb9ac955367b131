"""Other tools that compress a scene; each writes its file, and reads it with its own decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.node_tools import NodeTools, Unavailable
from gscompress.gaussians import Gaussians
from gscompress.io import load
from gscompress.io.sog import SogFormat

__all__ = ["Peer", "all_peers"]


class Peer(Protocol):
    """A tool at one setting."""

    @property
    def family(self) -> str:
        """The tool and format: settings of one family make a curve."""

    @property
    def setting(self) -> str:
        """What its user can choose; empty where there is nothing."""

    @property
    def ending(self) -> str:
        """Of the file it writes."""

    @property
    def note(self) -> str:
        """What a reader of its numbers must know."""

    @property
    def slow(self) -> bool:
        """Takes minutes for 100,000 Gaussians of degree 3."""

    @property
    def ours(self) -> bool:
        """It is a format of others, but our own program writes it."""

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        """Write ``scene``, which lies as PLY at ``ply``, to ``output``. May raise Unavailable."""
        ...

    def decode(self, path: Path) -> Gaussians:
        """Read it back."""
        ...


def all_peers(node: NodeTools, scene: Gaussians) -> Sequence[Peer]:
    """Every peer at every setting that makes a difference for a scene."""
    sh_bits = SPZ_SH_BITS if scene.sh_degree else ((5, 4),)
    palettes = [p for p in SOG_PALETTES if p <= len(scene)] if scene.sh_degree else []
    palettes = palettes or [SOG_PALETTES[0]]
    return (
        *(Spz(node, *bits) for bits in sh_bits),
        *(OurSog(palette, slow=palette > 1 << 14) for palette in palettes),
        *(SplatTransform(node, ".spz", version) for version in (3, 4)),
        SplatTransform(node, ".compressed.ply"),
        SplatTransform(node, ".sog", note="truncates where it should round", slow=True),
        *(Gsply(".spz", version, note="8/8 SH bits") for version in (3, 4)),
        Gsply(".compressed.ply"),
        *(Gaussforge(".spz", version) for version in (3, 4)),
        Gaussforge(".compressed.ply", note="its encoder scrambles the SH"),
        Gaussforge(".sog", slow=True),
    )


SPZ_SH_BITS = (
    (1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, 4), (6, 5), (6, 6), (7, 6), (7, 7), (8, 8),
)  # fmt: skip
"""SPZ's knob: bits of the harmonics of degree 1 and of the others, from 1 to 8."""

SOG_PALETTES = (1 << 10, 1 << 12, 1 << 14, 1 << 16)


@dataclass(frozen=True)
class Spz:
    """SPZ version 4 through Niantic's library, with its SH bits."""

    node: NodeTools
    sh1_bits: int
    sh_rest_bits: int
    family: str = "SPZ v4 (@adobe/spz)"
    ending: str = ".spz"
    note: str = ""
    slow: bool = False
    ours: bool = False

    @property
    def setting(self) -> str:
        return f"SH {self.sh1_bits}/{self.sh_rest_bits} bits"

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        self.node.install()
        raw = output.with_suffix(".raw")
        raw.write_bytes(_pack_raw(scene))
        self._bridge("encode", raw, output, str(self.sh1_bits), str(self.sh_rest_bits))
        raw.unlink()

    def decode(self, path: Path) -> Gaussians:
        raw = path.with_suffix(".raw")
        self._bridge("decode", path, raw)
        scene = _unpack_raw(raw.read_bytes())
        raw.unlink()
        return scene

    def _bridge(self, *arguments: str | Path) -> None:
        bridge = Path(__file__).with_name("spz_bridge.mjs")
        self.node.run(bridge, self.node.package("@adobe/spz"), *arguments)


@dataclass(frozen=True)
class OurSog:
    """SOG as we write it: rounded, with a codebook that is weighted by what is visible."""

    palette: int
    family: str = "SOG (gscompress convert)"
    ending: str = ".sog"
    note: str = "our own writer"
    slow: bool = False
    ours: bool = True

    @property
    def setting(self) -> str:
        return f"palette of {self.palette}"

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        SogFormat(palette=self.palette).save(scene, output)

    def decode(self, path: Path) -> Gaussians:
        return load(path)


@dataclass(frozen=True)
class SplatTransform:
    """PlayCanvas's command-line tool."""

    node: NodeTools
    ending: str
    version: int | None = None
    note: str = ""
    slow: bool = False
    ours: bool = False
    setting: str = ""

    @property
    def family(self) -> str:
        return f"splat-transform {self.ending}{_version(self.version)}"

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        self.node.install()
        flags = [] if self.version is None else ["--spz-version", str(self.version)]
        self._convert(ply, output, *flags)

    def decode(self, path: Path) -> Gaussians:
        ply = path.with_name(f"{path.name}.decoded.ply")
        self._convert(path, ply)
        scene = load(ply)
        ply.unlink()
        return scene

    def _convert(self, source: Path, target: Path, *flags: str) -> None:
        program = self.node.package("@playcanvas/splat-transform") / "bin" / "cli.mjs"
        self.node.run(program, "-w", "-q", "-g", "cpu", *flags, source, target)


@dataclass(frozen=True)
class Gsply:
    """The gsply package."""

    ending: str
    version: int | None = None
    note: str = ""
    slow: bool = False
    ours: bool = False
    setting: str = ""

    @property
    def family(self) -> str:
        return f"gsply {self.ending}{_version(self.version)}"

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        gsply = _module("gsply")
        data = gsply.plyread(ply)
        if self.ending == ".spz":
            gsply.write_spz(output, data, version=self.version)
        else:
            output.write_bytes(gsply.compress_to_bytes(data))

    def decode(self, path: Path) -> Gaussians:
        gsply = _module("gsply")
        data = gsply.read_spz(path) if self.ending == ".spz" else gsply.plyread(path)
        rest = np.zeros((len(data.means), 0, 3)) if data.shN is None else data.shN
        scene = Gaussians(
            means=data.means,
            quats=data.quats,
            log_scales=data.scales,
            opacity_logits=data.opacities,
            sh=np.concatenate([data.sh0.reshape(-1, 1, 3), rest.reshape(len(rest), -1, 3)], axis=1),
        )
        return _finite(scene)


@dataclass(frozen=True)
class Gaussforge:
    """The gaussforge package."""

    ending: str
    version: int | None = None
    note: str = ""
    slow: bool = False
    ours: bool = False
    setting: str = ""

    @property
    def family(self) -> str:
        return f"gaussforge {self.ending}{_version(self.version)}"

    def encode(self, ply: Path, scene: Gaussians, output: Path) -> None:
        output.write_bytes(self._convert(ply.read_bytes(), "ply", self.ending[1:]))

    def decode(self, path: Path) -> Gaussians:
        ply = path.with_name(f"{path.name}.decoded.ply")
        ply.write_bytes(self._convert(path.read_bytes(), self.ending[1:], "ply"))
        scene = load(ply)
        ply.unlink()
        return scene

    def _convert(self, data: bytes, source: str, target: str) -> bytes:
        converter = _module("gaussforge").GaussForge()
        result = converter.convert(data, source, target, spz_version=self.version or 4)
        if "data" not in result:
            raise Unavailable(f"gaussforge: {result.get('error')}")
        return bytes(result["data"])


def _version(version: int | None) -> str:
    return "" if version is None else f" v{version}"


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"pip install {name}: {error}") from error


def _finite(scene: Gaussians) -> Gaussians:
    """Fully opaque Gaussians of a quantized file decode to an infinite logit."""
    return scene.replace(opacity_logits=np.clip(scene.opacity_logits, -16, 16))


def _pack_raw(scene: Gaussians) -> bytes:
    head = np.array([len(scene), scene.sh_degree], "<i4")
    arrays = (
        scene.means,
        scene.log_scales,
        np.roll(scene.unit_quats, -1, axis=1),
        scene.opacity_logits,
        scene.sh[:, 0],
        scene.sh[:, 1:],
    )
    return b"".join([head.tobytes(), *(np.ascontiguousarray(a, "<f4").tobytes() for a in arrays)])


def _unpack_raw(data: bytes) -> Gaussians:
    n, degree = (int(x) for x in np.frombuffer(data, "<i4", 2))
    widths = (3, 3, 4, 1, 3, 3 * ((degree + 1) ** 2 - 1))
    values = np.frombuffer(data, "<f4", offset=8)
    parts = np.split(values, np.cumsum([n * width for width in widths])[:-1])
    means, log_scales, quats, logits, dc, rest = (
        part.reshape(n, width) for part, width in zip(parts, widths, strict=True)
    )
    return _finite(
        Gaussians(
            means=means,
            quats=np.roll(quats, 1, axis=1),
            log_scales=log_scales,
            opacity_logits=logits[:, 0],
            sh=np.concatenate([dc, rest], axis=1).reshape(n, -1, 3),
        )
    )
