"""The named streams of a scene, cut into levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gscompress import _native
from gscompress.codecs.parallel import in_parallel
from gscompress.entropy.base import Coder, Integers, Planes, RowCoder, Side, Symbols
from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.errors import CorruptFileError

__all__ = ["StreamReader", "StreamWriter", "chunk_name", "level_slices"]


def level_slices(ends: Sequence[int]) -> list[slice]:
    """What belongs to each level, by the ends of the levels."""
    return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]


def chunk_name(stream: str, level: int) -> str:
    """The chunk that holds a stream's part of a level."""
    return f"{stream}@{level}" if level else stream


class StreamWriter:
    """Collects the named streams of a scene as bytes.

    The Gaussians come in levels, the most important first. Each level has chunks of its own, so
    that the scene can be decoded up to any level; codecs need not know.

    Args:
        coder: Turns symbols into bytes.
        levels: How many Gaussians there are up to each level's end.

    Attributes:
        group: The attribute group being written, as configurations name it.
        levels: As given.
    """

    def __init__(self, coder: Coder, levels: tuple[int, ...]) -> None:
        self.coder = coder
        self.group = ""
        self.levels = levels
        self._chunks: list[dict[str, bytes]] = [{} for _ in levels]

    def copy(self) -> StreamWriter:
        """The same streams, to which others may be added."""
        other = StreamWriter(self.coder, self.levels)
        other._chunks = [dict(chunks) for chunks in self._chunks]
        return other

    @property
    def chunks(self) -> dict[str, bytes]:
        """All chunks by name, level by level."""
        return {name: data for level in self._chunks for name, data in level.items()}

    def put(self, name: str, symbols: Symbols, ends: Sequence[int] | None = None) -> None:
        """Add a stream of symbols.

        Args:
            name: The stream's name.
            symbols: One for each Gaussian, unless ``ends`` are given.
            ends: How many symbols there are up to each level's end.
        """
        for level, part in enumerate(level_slices(ends or self.levels)):
            contexts = None if symbols.contexts is None else symbols.contexts[part]
            self._add(name, level, self.coder.encode(Symbols(symbols.values[part], contexts)))

    def put_planes(
        self, name: str, values: Integers, planes: Planes, side: Side
    ) -> None:  # values [C, N]
        """Add planes of integers, modelled by their neighbourhood."""
        for level, part in enumerate(encode_planes(self.coder, values, planes, side)):
            self._add(name, level, part)

    def put_bits(
        self,
        name: str,
        values: NDArray[np.uint64],  # [n]
        widths: NDArray[np.uint8],  # [n]
        ends: Sequence[int] | None = None,
    ) -> None:
        """Add the low ``widths`` bits of each value as they are; ``ends`` as for ``put``."""
        for level, part in enumerate(level_slices(ends or self.levels)):
            self._add(name, level, _native.pack_bits(values[part], widths[part]))

    def put_parts(self, name: str, parts: Sequence[bytes]) -> None:
        """Add bytes of each level, as they are."""
        for level, part in enumerate(parts):
            self._add(name, level, part)

    def put_bytes(self, name: str, data: bytes) -> None:
        """Add bytes about the whole scene, as they are; they go with the first level."""
        self._add(name, 0, data)

    def _add(self, name: str, level: int, data: bytes) -> None:
        name = chunk_name(name, level)
        if name in self._chunks[level]:
            raise ValueError(f"stream {name!r} is written twice")
        self._chunks[level][name] = data


class StreamReader:
    """Gives the streams that a StreamWriter collected, up to some level.

    Args:
        coder: As the writer's.
        chunks: The writer's ``chunks``, at least those of the levels to be read.
        where: The file they come from, for messages.
        levels: As the writer's, up to the last level to be read.
        group: The attribute group being read, as configurations name it.
    """

    def __init__(
        self,
        coder: Coder,
        chunks: Mapping[str, bytes],
        where: str,
        levels: tuple[int, ...],
        group: str = "",
    ) -> None:
        self.coder = coder
        self.where = where
        self.group = group
        self._chunks = chunks
        self._levels = levels

    def of(self, group: str) -> StreamReader:
        """The same streams, read for an attribute group."""
        return StreamReader(self.coder, self._chunks, self.where, self._levels, group)

    def has(self, name: str) -> bool:
        """Whether there is a stream of this name."""
        return name in self._chunks

    def get(
        self,
        name: str,
        contexts: NDArray[np.uint16] | None = None,
        ends: Sequence[int] | None = None,
    ) -> NDArray[np.int32]:
        """Read a stream of symbols: one for each Gaussian, or up to ``ends``."""

        def read(level: int, part: slice) -> NDArray[np.int32]:
            with self._blame(chunk_name(name, level)):
                known = None if contexts is None else contexts[part]
                return self.coder.decode(self._part(name, level), part.stop - part.start, known)

        # Nobody else has anything to do while the positions are read, and levels are independent.
        slices = enumerate(level_slices(ends or self._levels))
        parts = in_parallel(*(partial(read, level, part) for level, part in slices))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def get_planes(self, name: str, planes: Planes, side: Side) -> NDArray[np.int32]:
        """Read planes of integers [C, N]."""
        with self._blame(name):
            return decode_planes(self.coder, self.get_parts(name), planes, side)

    @property
    def fills_rows(self) -> bool:
        """Whether ``fill_rows`` works with this coder."""
        return isinstance(self.coder, RowCoder)

    def fill_rows(
        self, name: str, planes: Planes, side: Side, rows: Sequence[NDArray[np.int32]]
    ) -> None:
        """Read planes of integers into a row [N] each, which holds zeros so far."""
        assert isinstance(self.coder, RowCoder)
        with self._blame(name):
            self.coder.decode_rows(self.get_parts(name), planes, side, rows)

    def get_bits(
        self, name: str, widths: NDArray[np.uint8], ends: Sequence[int] | None = None
    ) -> NDArray[np.uint64]:
        """Read bits as they are; ``ends`` as for ``get``."""
        values = np.empty(len(widths), np.uint64)
        for level, part in enumerate(level_slices(ends or self._levels)):
            try:
                values[part] = _native.unpack_bits(self._part(name, level), widths[part])
            except ValueError as error:
                raise self.corrupt(chunk_name(name, level), str(error)) from None
        return values

    def get_sums(self, name: str, lengths: NDArray[np.int32]) -> NDArray[np.uint64]:
        """Read the low bits of differences of these bit lengths, and give their sums by level."""

        def read(level: int, part: slice) -> NDArray[np.uint64]:
            try:
                return _native.unpack_sums(self._part(name, level), lengths[part])
            except ValueError as error:
                raise self.corrupt(chunk_name(name, level), str(error)) from None

        parts = in_parallel(
            *(partial(read, *item) for item in enumerate(level_slices(self._levels)))
        )
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def get_parts(self, name: str) -> list[bytes]:
        """Read the bytes of each level."""
        return [self._part(name, level) for level in range(len(self._levels))]

    def get_bytes(self, name: str, size: int | None = None) -> bytes:
        """Read bytes about the whole scene; ``size`` is how many there must be."""
        data = self._part(name, 0)
        if size is not None and len(data) != size:
            raise CorruptFileError(
                self.where, f"chunk {name!r}", found=f"{len(data)} bytes", expected=size
            )
        return data

    def _part(self, name: str, level: int) -> bytes:
        name = chunk_name(name, level)
        try:
            return self._chunks[name]
        except KeyError:
            raise CorruptFileError(self.where, f"chunk {name!r}", found="missing") from None

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
