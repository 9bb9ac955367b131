"""SPZ (Niantic), versions 1 to 4: fixed-point attributes, one plane after the other, compressed.

Versions 1 to 3 are one gzip stream of header and planes, version 4 a plain header, a table of
contents and one Zstandard frame per plane. Specification: github.com/nianticlabs/spz.

Axes: the specification stores right-up-back, and so do we. Some converters write what a PLY holds
instead, which has right-down-front: their scenes stand on their heads here. No file says which it
is, but for those with the extension ``SPZ_ADOBE_coordinate_system``; ``axes`` says it for them.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.guidance import Sightings
from gscompress.errors import ConfigError, InputError
from gscompress.files import open_input
from gscompress.gaussians import Array, Gaussians
from gscompress.io.atomic import atomic_write
from gscompress.io.axes import OURS, check_axes, turned
from gscompress.io.quantised import (
    Bytes,
    byte_logits,
    from_smallest_three,
    morton_order,
    opacity_bytes,
    outside,
    say_losses,
    smallest_three,
    to_levels,
    with_carried,
)
from gscompress.io.seen_sh import PRICES, Levels, seen_levels
from gscompress.io.seen_shapes import SeenShapes
from gscompress.io.spz_container import (
    ANTIALIASED,
    COORDINATE_SYSTEM,
    MAGIC,
    SpzHeader,
    SpzPlanes,
    frame_sizes,
    read_planes,
    write_planes,
)

__all__ = ["RIGHT_UP_BACK", "SpzFormat", "decode_planes"]

COLOUR_SCALE = 0.15
"""f_dc times this, plus a half, is a colour in 0..1."""

RIGHT_UP_BACK = "RUB"
_FIXED_LIMIT = 2**23 - 1
_SCALE_RANGE = (-10.0, -10.0 + 255 / 16)
_DC_RANGE = (-0.5 / COLOUR_SCALE, 0.5 / COLOUR_SCALE)
_SH_RANGE = (-1.0, 127 / 128)
_XYZW, _WXYZ = [1, 2, 3, 0], [3, 0, 1, 2]

_PARTS = ("means", "opacities", "sh0", "scales", "quats", "shN")

LARGER = 1.001
"""As a share of a plain file, how large one for cameras may be."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpzFormat:
    """Reads versions 1 to 4, writes 3 or 4. SH degrees 0 to 4, mode ``mip`` as antialiased.

    Attributes:
        version: Version to write. Older readers know 3.
        sh1_bits: Bits kept of the coefficients of degree 1, 1 to 8.
        sh_rest_bits: Bits kept of those of higher degrees, 1 to 8.
        fractional_bits: Binary digits of a position after the point. Fewer are used where a
            position would not fit: its 24 bits would wrap around.
        axes: Which way those of the file point; ``RUB`` is the specification's, ``RDF`` takes and
            writes everything as a PLY has it. What a file itself says counts more.
        sightings: From where the Gaussians are seen, in the order and the axes of the scene to be
            written: colours, harmonics and opacities are then rounded so that those images change
            least, unless that makes a larger file.
    """

    id: ClassVar[str] = "spz"
    extensions: ClassVar[tuple[str, ...]] = (".spz",)

    version: int = 4
    sh1_bits: int = 5
    sh_rest_bits: int = 4
    fractional_bits: int = 12
    axes: str = RIGHT_UP_BACK
    sightings: Sightings | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("version", 3, 4),
            ("sh1_bits", 1, 8),
            ("sh_rest_bits", 1, 8),
            ("fractional_bits", 0, 23),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError("spz", name, found=value, expected=f"{low} to {high}")
        check_axes("spz", self.axes)

    def sniff(self, head: bytes) -> bool:
        """Whether ``head`` starts an SPZ; gzip streams are taken for one."""
        return head.startswith((MAGIC, b"\x1f\x8b"))

    def load(self, path: Path) -> Gaussians:
        """Read a scene.

        Raises:
            InputError: The file is cut, damaged or no SPZ.
        """
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            planes = read_planes(path, file.read(size))
        return decode_planes(path, planes, self.axes)

    def parts(self, path: Path) -> dict[str, int] | None:
        """Bytes of each attribute; up to version 3 they are one stream."""
        with open_input(path) as file:
            sizes = frame_sizes(file.read())
        return None if sizes is None else dict(zip(_PARTS, sizes, strict=False))

    def save(self, scene: Gaussians, path: Path) -> None:
        """Write a scene, in Morton order, which takes a tenth less; warns of what is lost."""
        losses: list[str] = []
        scene = turned(scene, OURS, self.axes)
        scene = with_carried(scene, 4, ("default", "mip"), losses)
        outside(scene.log_scales, *_SCALE_RANGE, "log-scales", losses)
        outside(scene.sh[:, 0], *_DC_RANGE, "colours", losses)
        outside(scene.sh[:, 1:], *_SH_RANGE, "spherical harmonics", losses)
        bits = self._fitting_bits(scene.means)
        limit = _FIXED_LIMIT / 2**bits
        outside(scene.means, -limit, limit, "positions", losses)
        say_losses(path, f"SPZ version {self.version}", losses)
        order = morton_order(scene.means)
        scene = scene.select(order)
        best = self._parts(scene, opacity_bytes(scene), bits)
        if self.sightings is not None and len(scene):
            best = self._seen_parts(scene, self._sightings_in_file(order), bits, best)
        with atomic_write(path, overwrite=True) as out:
            for part in best:
                out.write(part)

    def _parts(self, scene: Gaussians, alphas: Bytes, bits: int) -> list[bytes]:
        """The file, with opacities 0..255."""
        header = SpzHeader(
            version=self.version,
            count=len(scene),
            degree=scene.sh_degree,
            fractional_bits=bits,
            flags=ANTIALIASED if scene.mode == "mip" else 0,
        )
        colours = to_levels((scene.sh[:, 0] * COLOUR_SCALE + 0.5) * 255, 255)
        planes = SpzPlanes(
            header=header,
            positions=_encode_means(scene.means, bits),
            alphas=alphas,
            colours=colours.astype(np.uint8),
            scales=_encode_scales(scene.log_scales),
            rotations=_encode_quats(scene.quats),
            sh=self._encode_sh(scene.sh),
        )
        return list(write_planes(planes))

    def _seen_parts(
        self, scene: Gaussians, mine: Sightings, bits: int, plain: list[bytes]
    ) -> list[bytes]:
        """The file for what cameras see, unless it is larger than the plain one.

        It can be: harmonics from a palette repeat, and do so no longer when each Gaussian's are
        rounded for what is seen of it.
        """
        rounded = _decode_scales(_encode_scales(scene.log_scales))
        opacities = SeenShapes.of(scene, mine).opacities(scene, rounded)
        alphas = to_levels(opacities * 255, 255).astype(np.uint8)
        for price in PRICES:
            sh = self._seen(scene, mine, price)
            parts = self._parts(scene.replace(sh=sh), alphas, bits)
            if sum(map(len, parts)) <= LARGER * sum(map(len, plain)):
                return parts
        return plain

    def _sightings_in_file(self, order: NDArray[np.intp]) -> Sightings:
        """From where the Gaussians in an order are seen, in the axes of the file."""
        assert self.sightings is not None
        mine = self.sightings.select(order)
        # `turned` only ever changes signs, so it turns positions of cameras too.
        signs = [1.0 if a == b else -1.0 for a, b in zip(OURS, self.axes, strict=True)]
        return Sightings(mine.eyes * np.array(signs, np.float32), mine.codes)

    def _fitting_bits(self, means: Array) -> int:
        largest = float(np.abs(means).max(initial=0))
        bits = self.fractional_bits
        while bits > 0 and largest * 2**bits > _FIXED_LIMIT:
            bits -= 1
        return bits

    def _seen(self, scene: Gaussians, mine: Sightings, price: float) -> Array:  # [N, K, 3]
        """Coefficients on the levels of the file, of which the images show least."""
        levels = [Levels(1 / (255 * COLOUR_SCALE), 0, 255, origin=_DC_RANGE[0])]
        for step in self._steps(scene.sh.shape[1] - 1):
            side = int(128 / step)
            levels.append(Levels(step / 128, -side, side, top=_SH_RANGE[1]))
        return seen_levels(scene.sh, scene.means, mine, levels, price)

    def _steps(self, terms: int) -> NDArray[np.float64]:  # [terms]
        """Of the harmonics above the constant one, in 128ths."""
        bits = np.where(np.arange(terms) < 3, self.sh1_bits, self.sh_rest_bits)
        return np.asarray(2.0 ** (8 - bits))

    def _encode_sh(self, sh: Array) -> Bytes:  # [N * (K - 1) * 3]
        """Levels 0..255 on a coarser grid: the low bits are 0, which is what compresses."""
        rest = sh[:, 1:]
        step = self._steps(rest.shape[1])[:, None]
        # Rounded once: to 1/128 first and then to the step, as elsewhere, is off by half a level.
        levels = np.floor(rest * 128 / step + 0.5) * step + 128
        return np.asarray(np.clip(levels, 0, 255).astype(np.uint8).ravel())


def decode_planes(path: Path, planes: SpzPlanes, axes: str) -> Gaussians:
    """The scene that planes hold, in our axes; the file's are ``axes`` where it names no others.

    Raises:
        InputError: A position is not finite (in version 1).
    """
    header = planes.header
    scene = Gaussians(
        means=_decode_means(path, header, planes.positions),
        quats=_decode_quats(header.version, planes.rotations),
        log_scales=_decode_scales(planes.scales),
        opacity_logits=byte_logits(planes.alphas),
        sh=_decode_sh(planes),
        mode="mip" if header.flags & ANTIALIASED else "default",
    )
    system = header.extensions.get(COORDINATE_SYSTEM)
    if system is not None:
        axes = _named_axes(path, system)
    elif axes == RIGHT_UP_BACK:
        _log.info("%s: axes taken as right, up, back, as the specification of SPZ has them", path)
    return turned(scene, axes, OURS)


def _decode_means(path: Path, header: SpzHeader, data: Bytes) -> Array:  # [N, 3]
    if header.version == 1:
        means = data.view("<f2").astype(np.float32).reshape(-1, 3)
        finite = np.isfinite(means).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            raise InputError(
                path,
                f"positions, row {row}",
                found=means[row].tolist(),
                expected="finite numbers",
                remedy="The file is damaged: copy or export it again.",
            )
        return np.asarray(means)
    wide = np.zeros((3 * header.count, 4), np.uint8)
    wide[:, 1:] = data.reshape(-1, 3)
    fixed = wide.view("<i4").reshape(-1, 3) >> 8  # the shift carries the sign down
    return (fixed / 2.0**header.fractional_bits).astype(np.float32)


def _encode_means(means: Array, bits: int) -> Bytes:  # [N * 9]
    fixed = np.floor(means.astype(np.float64) * 2**bits + 0.5)
    fixed = np.clip(fixed, -_FIXED_LIMIT, _FIXED_LIMIT).astype("<i4")
    return np.ascontiguousarray(fixed.reshape(-1, 1).view(np.uint8)[:, :3]).ravel()


def _encode_scales(log_scales: Array) -> Bytes:  # [N, 3]
    return to_levels((log_scales + 10.0) * 16, 255).astype(np.uint8)


def _decode_scales(data: Bytes) -> Array:  # [N, 3]
    return (data / 16.0 - 10).astype(np.float32).reshape(-1, 3)


def _decode_quats(version: int, data: Bytes) -> Array:  # [N, 4] wxyz
    if version < 3:
        xyz = data.reshape(-1, 3) / 127.5 - 1
        w = np.sqrt(np.maximum(0, 1 - np.sum(xyz * xyz, axis=1, keepdims=True)))
        return np.asarray(np.concatenate([w, xyz], axis=1), dtype=np.float32)
    packed = data.view("<u4")
    fields = (packed[:, None] >> np.array([20, 10, 0], np.uint32)) & np.uint32(0x3FF)
    others = (fields & np.uint32(0x1FF)) / 511.0
    others[fields > 0x1FF] *= -1
    return from_smallest_three(packed >> np.uint32(30), others)[:, _WXYZ]


def _encode_quats(quats: Array) -> Bytes:  # [N * 4]
    largest, others = smallest_three(quats[:, _XYZW])
    fields = to_levels(np.abs(others) * 511, 511) | ((others < 0).astype(np.uint32) << 9)
    packed = largest.astype(np.uint32) << 30
    packed |= (fields[:, 0] << 20) | (fields[:, 1] << 10) | fields[:, 2]
    return packed.astype("<u4").view(np.uint8)


def _decode_sh(planes: SpzPlanes) -> Array:  # [N, K, 3]
    n, k = planes.header.count, (planes.header.degree + 1) ** 2
    sh = np.empty((n, k, 3), np.float32)
    sh[:, 0] = (planes.colours.reshape(-1, 3) / 255.0 - 0.5) / COLOUR_SCALE
    sh[:, 1:] = planes.sh.reshape(n, k - 1, 3)
    sh[:, 1:] -= 128
    sh[:, 1:] /= 128
    return sh


def _named_axes(path: Path, system: bytes) -> str:
    """The axes that the extension names: counted from 1, bit by bit right, up and front."""
    number = int.from_bytes(system[:4], "little") if len(system) >= 4 else 0
    if not 1 <= number <= 8:  # 9 and above exchange axes too, which no known writer does
        _log.warning("%s: coordinate system %d is unknown: axes are left as stored", path, number)
        return OURS
    bits = (number - 1 >> bit & 1 for bit in range(3))
    return "".join(pair[bit] for pair, bit in zip(("LR", "DU", "BF"), bits, strict=True))
