"""What a Codec is: one attribute group to integer streams and back, knowing what is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.exact_math import powers
from gscompress.entropy.base import Coder, Planes, Side, Symbols
from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.errors import CorruptFileError
from gscompress.gaussians import Array, Gaussians, Mode

__all__ = ["Codec", "Decoded", "StreamReader", "StreamWriter"]

_WINDOW = 16
"""How many Gaussians back in coding order a reference is sought."""


@dataclass(eq=False)
class Decoded:
    """What both sides know while they code a scene; grows group by group in coding order.

    Attributes:
        count: Number of Gaussians N.
        sh_degree: Degree of the spherical harmonics.
        mode: Rasterization that the scene was trained for.
        attributes: The decoded groups so far, by name; exactly what the decoder will give.
        classes: Importance class of each Gaussian, 0..15; the neutral 8 until they are decoded.
        octaves: How many octaves of importance a class spans.
    """

    count: int
    sh_degree: int
    mode: Mode = "default"
    attributes: dict[str, Array] = field(default_factory=dict)
    classes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))  # [N]
    octaves: int = 1

    def __post_init__(self) -> None:
        if len(self.classes) == 0:
            self.classes = np.full(self.count, 8, np.uint8)
        # Until there are positions, the two Gaussians before.
        before = np.arange(self.count, dtype=np.int32)[:, None] - np.array([1, 2], np.int32)
        self._neighbours = np.maximum(before, 0), np.full(self.count, 3, np.uint8)

    @property
    def side(self) -> Side:
        """References among the Gaussians, and their classes, for the coder."""
        references, nearness = self._neighbours
        return Side(references, nearness, self.classes)

    def set_grid(self, grid: NDArray[np.uint32]) -> None:  # [N, 3]
        """Make the integer positions known: from now on references are the nearest Gaussians."""
        references, squared = _native.nearest_before(grid, _WINDOW)
        nearness = np.zeros(0, np.uint8)
        if self.count:
            ranks = [self.count * k // 8 for k in (1, 2, 5)]
            limits = np.partition(squared, ranks)[ranks]
            nearness = np.searchsorted(limits, squared, side="left").astype(np.uint8)
        self._neighbours = references, nearness

    def step_factors(self, eighths: int) -> NDArray[np.float64]:  # [N]
        """What each Gaussian's quantization step is multiplied by.

        The step shrinks with importance w as w^(-eighths/8), and is 1 for class 8. By square roots
        and multiplications only, so that it has the same bits everywhere.
        """
        per_class = powers(float(np.sqrt(np.sqrt(np.sqrt(0.5)))), eighths * self.octaves + 1)[-1]
        table = np.concatenate([1 / powers(per_class, 9)[:0:-1], powers(per_class, 8)])
        return np.asarray(table[self.classes])

    def shape(self, group: str) -> tuple[int, ...]:
        """Shape of a group's values."""
        n, k = self.count, (self.sh_degree + 1) ** 2
        shapes = {"means": (n, 3), "opacities": (n,), "scales": (n, 3), "quats": (n, 4)}
        return shapes.get(group, (n, k, 3))

    def scene(self) -> Gaussians:
        """The whole decoded scene, once every group is there."""
        return Gaussians(**self.attributes, mode=self.mode, colour_space="srgb")


class StreamWriter:
    """Collects the named streams of a scene as bytes.

    Args:
        coder: Turns symbols into bytes.

    Attributes:
        group: The attribute group being written, as configurations name it.
    """

    def __init__(self, coder: Coder) -> None:
        self.coder = coder
        self.group = ""
        self.chunks: dict[str, bytes] = {}

    def put(self, name: str, symbols: Symbols) -> None:
        """Add a stream of symbols."""
        self.put_bytes(name, self.coder.encode(symbols))

    def put_planes(
        self, name: str, values: NDArray[np.int32], planes: Planes, side: Side
    ) -> None:  # values [C, N]
        """Add planes of integers, modelled by their neighbourhood."""
        self.put_bytes(name, encode_planes(self.coder, values, planes, side))

    def put_bytes(self, name: str, data: bytes) -> None:
        """Add a stream of bytes as they are."""
        if name in self.chunks:
            raise ValueError(f"stream {name!r} is written twice")
        self.chunks[name] = data


class StreamReader:
    """Gives the streams that a StreamWriter collected.

    Args:
        coder: As the writer's.
        chunks: The writer's ``chunks``.
        where: The file they come from, for messages.
        group: The attribute group being read, as configurations name it.
    """

    def __init__(
        self, coder: Coder, chunks: Mapping[str, bytes], where: str, group: str = ""
    ) -> None:
        self.coder = coder
        self.where = where
        self.group = group
        self._chunks = chunks

    def of(self, group: str) -> StreamReader:
        """The same streams, read for an attribute group."""
        return StreamReader(self.coder, self._chunks, self.where, group)

    def get(
        self, name: str, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Read a stream of symbols."""
        with self._blame(name):
            return self.coder.decode(self.get_bytes(name), count, contexts)

    def get_planes(self, name: str, planes: Planes, side: Side) -> NDArray[np.int32]:
        """Read planes of integers [C, N]."""
        with self._blame(name):
            return decode_planes(self.coder, self.get_bytes(name), planes, side)

    def get_bytes(self, name: str, size: int | None = None) -> bytes:
        """Read a stream of bytes; ``size`` is what it must have."""
        try:
            data = self._chunks[name]
        except KeyError:
            raise CorruptFileError(self.where, f"chunk {name!r}", found="missing") from None
        if size is not None and len(data) != size:
            raise CorruptFileError(
                self.where, f"chunk {name!r}", found=f"{len(data)} bytes", expected=size
            )
        return data

    def corrupt(self, name: str, found: str, expected: str = "") -> CorruptFileError:
        """The error to raise where a stream's content makes no sense."""
        return CorruptFileError(self.where, f"chunk {name!r}", found=found, expected=expected)

    def _blame(self, name: str) -> _Blame:
        return _Blame(self.where, name)


class _Blame:
    """Adds the file and chunk to the errors of coders, which know neither."""

    def __init__(self, where: str, name: str) -> None:
        self.where = where
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CorruptFileError) and error.where != self.where:
            raise CorruptFileError(
                self.where,
                f"chunk {self.name!r}",
                found=error.found or str(error),
                expected=error.expected,
            ) from error


class Codec(Protocol):
    """Codes one attribute group. A frozen dataclass whose fields are its parameters.

    Codecs of a group may be mixed freely. They run in three waves: means and importance; opacities
    and scales; quats and sh. A codec may look at what the waves before its own have ``decoded``,
    which is the same on both sides; the codecs of a wave run side by side.

    A codec whose encoder can use more than the values has ``encode_guided(values, decoded, streams,
    guidance)`` besides (`gscompress.codecs.guidance`); its streams are decoded all the same.
    """

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array:
        """Write the group's streams; ``values`` are in coding order. Gives what decoding gives."""
        ...

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Read the group's streams and give its values.

        Raises:
            CorruptFileError: The streams are not what an encoder would have written.
        """
        ...

    def scaled(self, factor: float) -> Codec:
        """The same codec with its steps multiplied by ``factor``, as far as its limits let it.

        It orders and arranges scenes as this one does. One without steps stays as it is.
        """
        return self

    def bounded(self, values: Array, limits: Mapping[str, float]) -> Codec | None:
        """The cheapest variant of this codec whose error on ``values`` stays within ``limits``.

        Args:
            values: What will be coded, in any order.
            limits: Largest error by quantity, as `gscompress.rate.bounds` defines them; those of
                this codec's attribute group, at least one.

        Returns:
            None where it has no such variant.
        """
        return None
