"""The coder ``torchac``: the arithmetic coder that most published systems use, as a yardstick.

torchac wants one row of cumulative frequencies per symbol, so symbols are coded in chunks of
bounded size, with integer tables that are stored in the stream. It compiles itself with PyTorch
and ninja when it is first imported (about a minute, once), hence the late import.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from gscompress.entropy.base import Symbols
from gscompress.errors import ConfigError, CorruptFileError, MissingDependencyError
from gscompress.files import decompress_exactly

__all__ = ["Torchac"]

_WHERE = "torchac stream"
_HEAD = struct.Struct("<IIIIII")  # CRC-32 of the values, count, contexts, tokens, table, raw bytes
_DIRECT_BITS = 7
_DIRECT = 1 << _DIRECT_BITS  # numbers below are tokens of their own
_MAX_TOKENS = _DIRECT + 2 * (32 - _DIRECT_BITS)
_MAX_CONTEXTS = 1 << 16
_PRECISION = 1 << 16


@dataclass(frozen=True)
class Torchac:
    """Arithmetic coding with one static table per context (``pip install gscompress[torchac]``).

    Values are zigzag-folded to u. A token is u itself below 128, else the place of the leading bit
    and the bit after it; the bits below are stored as they are.

    Stream: head (six uint32), Zstandard frame of the frequencies [contexts, tokens] (uint16), the
    stored bits, then for each chunk its size (uint32) and torchac's bytes.

    Attributes:
        chunk: Symbols coded at a time. Memory is about ``360 * chunk`` bytes at most.
    """

    chunk: int = 1 << 16

    def __post_init__(self) -> None:
        if not 1 <= self.chunk <= 1 << 20:
            raise ConfigError("coder 'torchac'", "chunk", found=self.chunk, expected="1 to 2^20")

    def encode(self, symbols: Symbols) -> bytes:
        """Encode all symbols; see ``gscompress.entropy.base.Coder``."""
        values = np.ascontiguousarray(symbols.values)
        if not values.size:
            return b""
        contexts = symbols.contexts if symbols.contexts is not None else _zeros(values.size)
        folded = ((values << 1) ^ (values >> 31)).view(np.uint32)
        tokens = _tokens(folded)
        kinds = int(contexts.max()) + 1
        used = max(2, int(tokens.max()) + 1)
        freqs = _frequencies(tokens, contexts, kinds, used)
        table = zstandard.ZstdCompressor(level=19).compress(freqs.astype("<u2").tobytes())
        raw = _pack_raw(folded, tokens)
        torch, torchac = _import()
        cdf = _cumulative(freqs)
        parts = [
            _HEAD.pack(_crc(values), values.size, kinds, used, len(table), len(raw)),
            struct.pack("<I", self.chunk),
            table,
            raw,
        ]
        for start in range(0, values.size, self.chunk):
            part = slice(start, start + self.chunk)
            rows = torch.from_numpy(cdf[contexts[part]])
            coded = torchac.encode_int16_normalized_cdf(rows, torch.from_numpy(tokens[part]))
            parts += [struct.pack("<I", len(coded)), coded]
        return b"".join(parts)

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        """Decode ``count`` symbols; see ``gscompress.entropy.base.Coder``.

        Raises:
            CorruptFileError: The bytes are no stream of ``count`` symbols in these contexts.
            MissingDependencyError: torchac is not installed.
        """
        if count == 0 and not data:
            return np.zeros(0, np.int32)
        try:
            crc, stored, kinds, used, table_size, raw_size = _HEAD.unpack_from(data)
            (chunk,) = struct.unpack_from("<I", data, _HEAD.size)
        except struct.error as error:
            raise _corrupt("head", found=str(error)) from error
        _check("count", stored, count, count)
        _check("contexts", kinds, 1, _MAX_CONTEXTS)
        _check("tokens", used, 2, _MAX_TOKENS)
        _check("chunk", chunk, 1, 1 << 20)
        position = _HEAD.size + 4
        _check("size", table_size + raw_size, 0, len(data) - position)
        if contexts is None:
            contexts = _zeros(count)
        _check("largest context", int(contexts.max(initial=0)), 0, kinds - 1)
        raw = data[position + table_size : position + table_size + raw_size]
        table = decompress_exactly(data[position : position + table_size], 2 * kinds * used, _WHERE)
        freqs = np.frombuffer(table, "<u2").reshape(kinds, used)
        if not (freqs.min() > 0 and (freqs.sum(1, dtype=np.int64) == _PRECISION).all()):
            raise _corrupt("table", found="frequencies that do not sum to 2^16")
        chunks = _read_chunks(data, position + table_size + raw_size, -(-count // chunk))
        torch, torchac = _import()
        cdf = _cumulative(freqs)
        tokens = np.empty(count, np.int16)
        for start, coded in zip(range(0, count, chunk), chunks, strict=True):
            part = slice(start, start + chunk)
            rows = torch.from_numpy(cdf[contexts[part]])
            tokens[part] = torchac.decode_int16_normalized_cdf(rows, coded).numpy()
        folded = _unpack_raw(tokens, raw)
        values = ((folded >> 1) ^ (0 - (folded & 1))).astype(np.uint32).view(np.int32)
        if _crc(values) != crc:
            raise _corrupt("values", found="a wrong CRC")
        return values


def _import() -> tuple[Any, Any]:
    """Torch and torchac; what their compilation prints goes to stderr."""
    torch = _import_one("torch")
    if "torchac" in sys.modules:
        return torch, sys.modules["torchac"]
    with _stdout_to_stderr():
        return torch, _import_one("torchac")


def _import_one(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # RuntimeError: no ninja or no compiler
        raise MissingDependencyError(name, "torchac", "The coder 'torchac'") from error


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Standard output may be a JSON document: keep a compiler's chatter out of it."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _corrupt(field: str, *, found: object, expected: object = "") -> CorruptFileError:
    return CorruptFileError(_WHERE, field, found=found, expected=expected)


def _check(field: str, found: int, low: int, high: int) -> None:
    if not low <= found <= high:
        raise _corrupt(field, found=found, expected=f"{low} to {high}")


def _zeros(count: int) -> NDArray[np.uint16]:
    return np.zeros(count, np.uint16)


def _crc(values: NDArray[np.int32]) -> int:
    return zlib.crc32(values.astype("<i4").tobytes())


def _exponents(folded: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Place of the leading one bit; exact, as float64 holds every uint32."""
    exponents: NDArray[np.int64] = np.frexp(folded.astype(np.float64))[1].astype(np.int64)
    return exponents - 1


def _tokens(folded: NDArray[np.uint32]) -> NDArray[np.int16]:
    tokens = folded.astype(np.int64)
    large = folded >= _DIRECT
    exponents = _exponents(folded[large])
    after = (folded[large].astype(np.int64) >> (exponents - 1)) & 1
    tokens[large] = _DIRECT + 2 * (exponents - _DIRECT_BITS) + after
    return tokens.astype(np.int16)


def _raw_widths(tokens: NDArray[np.int16]) -> NDArray[np.int64]:
    """How many bits each of these tokens (all of large numbers) leaves to be stored."""
    return (tokens.astype(np.int64) - _DIRECT) // 2 + _DIRECT_BITS - 1


def _pack_raw(folded: NDArray[np.uint32], tokens: NDArray[np.int16]) -> bytes:
    large = tokens >= _DIRECT
    bits = np.unpackbits(folded[large].astype(">u4").view(np.uint8)).reshape(-1, 32)
    kept = np.arange(32) >= 32 - _raw_widths(tokens[large])[:, None]
    return np.packbits(bits[kept]).tobytes()


def _unpack_raw(tokens: NDArray[np.int16], raw: bytes) -> NDArray[np.uint32]:
    folded = tokens.astype(np.uint32)
    large = tokens >= _DIRECT
    widths = _raw_widths(tokens[large])
    total = int(widths.sum())
    _check("stored bits", len(raw), (total + 7) // 8, (total + 7) // 8)
    bits = np.zeros((widths.size, 32), np.uint8)
    kept = np.arange(32) >= 32 - widths[:, None]
    bits[kept] = np.unpackbits(np.frombuffer(raw, np.uint8), count=total)
    low = np.packbits(bits).view(">u4").astype(np.uint32)
    head = 2 + (tokens[large].astype(np.uint32) & 1)
    folded[large] = head << widths.astype(np.uint32) | low
    return folded


def _frequencies(
    tokens: NDArray[np.int16], contexts: NDArray[np.uint16], kinds: int, used: int
) -> NDArray[np.int64]:
    """Of each token in each context: at least 1, in sum 2^16."""
    flat = contexts.astype(np.int64) * used + tokens
    counts = np.bincount(flat, minlength=kinds * used).reshape(kinds, used)
    total = np.maximum(counts.sum(1, keepdims=True), 1)
    freqs: NDArray[np.int64] = 1 + counts * (_PRECISION - used) // total
    freqs[np.arange(kinds), counts.argmax(1)] += _PRECISION - freqs.sum(1)
    return freqs


def _cumulative(freqs: NDArray[Any]) -> NDArray[np.int16]:
    """[contexts, tokens + 1], 16 bits that wrap around, as torchac wants them."""
    cdf = np.zeros((freqs.shape[0], freqs.shape[1] + 1), np.int64)
    np.cumsum(freqs, axis=1, out=cdf[:, 1:])
    return cdf.astype(np.uint16).view(np.int16)


def _read_chunks(data: bytes, position: int, count: int) -> list[bytes]:
    chunks = []
    for _ in range(count):
        if len(data) - position < 4:
            raise _corrupt("chunk", found="the end of the stream")
        (size,) = struct.unpack_from("<I", data, position)
        position += 4
        _check("chunk", size, 0, len(data) - position)
        chunks.append(data[position : position + size])
        position += size
    if position != len(data):
        raise _corrupt("end", found=f"{len(data) - position} bytes left over")
    return chunks
