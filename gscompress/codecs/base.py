"""What a Codec is: one attribute group to integer streams and back, knowing what is decoded."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.exact_math import powers
from gscompress.codecs.parallel import threads
from gscompress.codecs.streams import StreamReader, StreamWriter, level_slices
from gscompress.entropy.base import Side
from gscompress.gaussians import Array, ColourSpace, Gaussians, Mode

__all__ = ["Codec", "Decoded", "StreamReader", "StreamWriter", "TwoStep"]

_WINDOW = 16
"""How many Gaussians back in coding order a reference is sought."""


@dataclass(eq=False)
class Decoded:
    """What both sides know while they code a scene; grows group by group in coding order.

    Attributes:
        count: Number of Gaussians N.
        sh_degree: Degree of the spherical harmonics.
        mode: Rasterization that the scene was trained for.
        colour_space: What the rendered colours are.
        attributes: The decoded groups so far, by name; exactly what the decoder will give.
        classes: Importance class of each Gaussian, 0..15; the neutral 8 until they are decoded.
        octaves: How many octaves of importance a class spans.
        levels: How many Gaussians there are up to each level's end (see `StreamWriter`); ascends to
            N. Empty: one level.
    """

    count: int
    sh_degree: int
    mode: Mode = "default"
    attributes: dict[str, Array] = field(default_factory=dict)
    classes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))  # [N]
    octaves: int = 1
    levels: tuple[int, ...] = ()
    colour_space: ColourSpace = "srgb"

    def __post_init__(self) -> None:
        self.levels = self.levels or (self.count,)
        if len(self.classes) == 0:
            self.classes = np.full(self.count, 8, np.uint8)
        # Until there are positions, the Gaussian before.
        before = np.arange(-1, self.count - 1, dtype=np.int32)
        self._neighbours = np.maximum(before, 0), np.full(self.count, 3, np.uint8)

    def copy(self) -> Decoded:
        """The same state, from which one may go on in another way."""
        other = copy.copy(self)
        other.attributes = dict(self.attributes)
        return other

    def select(self, rows: NDArray[np.intp], levels: tuple[int, ...]) -> Decoded:
        """What would be known had only some Gaussians been coded, with ``levels`` of their own.

        As after ``__init__``, there are no near Gaussians as long as no grid is set.
        """
        part = Decoded(len(rows), self.sh_degree, self.mode, levels=levels)
        part.attributes = {name: values[rows] for name, values in self.attributes.items()}
        part.classes, part.octaves = self.classes[rows], self.octaves
        part.colour_space = self.colour_space
        return part

    @property
    def side(self) -> Side:
        """References among the Gaussians, and their classes, for the coder."""
        references, nearness = self._neighbours
        return Side(references, nearness, self.classes, self.levels)

    def set_grid(self, grid: NDArray[np.uint32]) -> None:  # [N, 3]
        """Make the integer positions known: from now on references are near Gaussians."""
        references, squared = _native.nearest_before(grid, self.levels, _WINDOW, threads())
        nearness = np.zeros(self.count, np.uint8)
        for level in level_slices(self.levels):  # each by itself: a prefix has whole levels
            size = level.stop - level.start
            if size:
                ranks = [size * k // 8 for k in (1, 2, 5)]
                for limit in np.partition(squared[level], ranks)[ranks]:
                    nearness[level] += squared[level] > limit
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
        return Gaussians(**self.attributes, mode=self.mode, colour_space=self.colour_space)


class Codec(Protocol):
    """Codes one attribute group. A frozen dataclass whose fields are its parameters.

    Codecs of a group may be mixed freely. They run in three waves: means and importance; opacities
    and scales; quats and sh. A codec may look at what the waves before its own have ``decoded``,
    which is the same on both sides; the codecs of a wave run side by side.

    A codec whose decoder reads integers before it looks at attributes is a `TwoStep`.

    A codec whose encoder can use more than the values has ``encode_guided(values, decoded, streams,
    guidance)`` besides (`gscompress.codecs.guidance`); its streams are decoded all the same.
    """

    def encode(self, values: Array, decoded: Decoded, streams: StreamWriter) -> Array | None:
        """Write the group's streams; ``values`` are in coding order.

        Gives what decoding gives; in the last wave, which nobody builds on, it need not.
        """
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

    def trimmed(self, share: float) -> Codec:
        """A codec that codes a little less well, the less so the larger ``share`` (0 to 1) is.

        Quality and size are to fall evenly: no Gaussian by itself may make images jump, as it does
        where opacities, scales or positions are rounded otherwise. A codec that has no such choice
        stays as it is.
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


class TwoStep(Codec, Protocol):
    """A codec whose decoder reads all its streams knowing nothing but the positions.

    It need not wait for the waves before its own with that, unless the coder may look at
    classes that are not known yet.
    """

    def read(self, decoded: Decoded, streams: StreamReader) -> Any:
        """Read the group's streams.

        Raises:
            CorruptFileError: The streams are not what an encoder would have written.
        """
        ...

    def values(self, symbols: Any, decoded: Decoded) -> Array:
        """The group's values, from what ``read`` gave (which it may change)."""
        ...

    def decode(self, decoded: Decoded, streams: StreamReader) -> Array:
        """Read the group's streams and give its values."""
        return self.values(self.read(decoded, streams), decoded)
