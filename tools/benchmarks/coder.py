"""Symbols per second and bits per symbol of the entropy coders, ours and others, in one run.

Streams: integers from discretised Laplacians whose spread depends on a known context; one that is
mostly zero; one whose spread wanders, which no context tells. With --scene also real ones:
quantised attributes of a PLY in Morton order, the contexts being the magnitudes of the two values
before.

    tools/bench.py coder --n 1000000 --scene point_cloud.ply --json coder.json

The bound is the empirical entropy of the values given their contexts, tables not counted. An
adaptive coder can be below it where statistics wander. Seconds are of processor time, the least of
the repeats; all coders use one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import print_table, write_json
from gscompress import _native
from gscompress.config import component
from gscompress.entropy import CODERS
from gscompress.entropy.base import Symbols
from gscompress.errors import MissingDependencyError
from gscompress.gaussians import Gaussians
from gscompress.io import load

Decode = Callable[[bytes, Symbols], NDArray[np.int32]]

CONTEXTS = 12


@dataclass(frozen=True)
class Row:
    """One coder on one kind of stream."""

    stream: str
    coder: str
    symbols: int
    bytes: int
    bits_per_symbol: float
    entropy: float
    encode_msym_s: float
    decode_msym_s: float


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    rows = []
    for stream, parts in _streams(options):
        bound = sum(entropy_bits(part) for part in parts)
        for coder in options.coders.split(","):
            try:
                rows.append(_measure(stream, coder, parts, bound, options.repeats))
            except (MissingDependencyError, ImportError) as error:
                print(f"{coder} left out: {error}")
    columns = ["stream", "coder", "symbols", "bits/symbol", "entropy", "over", "encode, M/s"]
    print_table(
        f"One core, least of {options.repeats}", [*columns, "decode, M/s"], map(_cells, rows)
    )
    write_json(options.json, {"rows": [asdict(row) for row in rows]})
    return 0


def entropy_bits(symbols: Symbols) -> float:
    """Empirical entropy of the values given their contexts, in bits."""
    values = symbols.values
    contexts = symbols.contexts if symbols.contexts is not None else np.zeros(len(values))
    total = 0.0
    for context in np.unique(contexts):
        _, counts = np.unique(values[contexts == context], return_counts=True)
        total -= float((counts * np.log2(counts / counts.sum())).sum())
    return total


def _streams(options: argparse.Namespace) -> Iterator[tuple[str, list[Symbols]]]:
    rng = np.random.default_rng(0)
    n = options.n
    contexts = rng.integers(0, CONTEXTS, n).astype(np.uint16)
    unit = rng.laplace(0, 1, n)
    for name, low, high in (("narrow", 0.1, 0.4), ("middle", 0.3, 6), ("wide", 5, 60)):
        values = np.rint(unit * np.geomspace(low, high, CONTEXTS)[contexts]).astype(np.int32)
        yield f"{name}, {CONTEXTS} contexts", [Symbols(values, contexts)]
    skewed = np.where(rng.random(n) < 0.9, 0, np.rint(2 * unit)).astype(np.int32)
    yield "P(0) over 0.9", [Symbols(skewed)]
    spread = np.exp(np.repeat(rng.normal(0, 1.5, -(-n // 500)), 500)[:n])
    yield "wandering", [Symbols(np.rint(unit * spread).astype(np.int32))]
    if options.scene:
        for name, planes in quantised(load(options.scene)).items():
            yield name, [Symbols(plane, activity(plane)) for plane in planes]


def quantised(scene: Gaussians) -> dict[str, NDArray[np.int32]]:
    """Attributes [channels, N] at steps of a middling quality, in Morton order."""
    low, high = np.quantile(scene.means, [0.001, 0.999], axis=0)
    lattice = np.clip((scene.means - low) / (high - low).max(), 0, 1) * 65535
    scene = scene.select(np.argsort(_native.morton_encode(lattice.astype(np.uint32))))
    quats = scene.quats / np.linalg.norm(scene.quats, axis=1, keepdims=True)
    alphas = 1 / (1 + np.exp(-scene.opacity_logits.astype(np.float64)))
    attributes = {
        "log-scales, differences": (np.diff(scene.log_scales, axis=0), 0.12),
        "quats": (quats, 1 / 48),
        "opacities": (np.arcsin(np.sqrt(alphas))[:, None], 1 / 32),
        "DC, differences": (np.diff(scene.sh[:, 0], axis=0), 0.074),
        "SH bands": (scene.sh[:, 1:].reshape(len(scene), -1), 0.06),
    }
    return {
        name: np.ascontiguousarray(np.rint(values / step).T.astype(np.int32))
        for name, (values, step) in attributes.items()
        if values.size
    }


def activity(values: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Class of each value by the magnitudes of the two before it."""
    before = np.abs(np.concatenate([[0, 0], values])).astype(np.int64)
    magnitude = before[1:-1] + before[:-2]
    return np.asarray(np.minimum(2 * np.log2(1 + magnitude), CONTEXTS - 1), np.uint16)


def _measure(stream: str, coder: str, parts: list[Symbols], bound: float, repeats: int) -> Row:
    encode, decode = _coder(coder)
    size = count = 0
    seconds = np.zeros(2)
    for part in parts:
        best = np.full(2, np.inf)
        for _ in range(repeats):
            started = time.process_time()
            data = encode(part)
            encoded = time.process_time()
            decoded = decode(data, part)
            best = np.minimum(best, [encoded - started, time.process_time() - encoded])
        if not np.array_equal(decoded, part.values):
            raise SystemExit(f"{coder} does not give back the stream {stream!r}")
        size += len(data)
        count += len(part.values)
        seconds += best
    speeds = count / seconds / 1e6
    return Row(stream, coder, count, size, 8 * size / count, bound / count, *map(float, speeds))


def _coder(name: str) -> tuple[Callable[[Symbols], bytes], Decode]:
    family, _, model = name.partition(":")
    if family == "constriction":
        return _constriction_encode, _constriction_decode
    coder = component(CODERS, {"use": family, **({"model": model} if model else {})}, "coder")
    return coder.encode, lambda data, part: coder.decode(data, len(part.values), part.contexts)


# constriction: one categorical model per context, made from the counts on both sides; its tables
# are not part of the size, which flatters it, and its symbols are sorted by context.


def _constriction_models(part: Symbols) -> Iterator[tuple[object, NDArray[np.int64]]]:
    import constriction

    contexts = part.contexts if part.contexts is not None else np.zeros(len(part.values), "u2")
    low = int(part.values.min())
    for context in np.unique(contexts):
        at = np.flatnonzero(contexts == context)
        counts = np.bincount(part.values[at] - low).astype(np.float64)
        model = constriction.stream.model.Categorical(counts / counts.sum(), perfect=False)
        yield model, at


def _constriction_encode(part: Symbols) -> bytes:
    import constriction

    coder = constriction.stream.stack.AnsCoder()
    low = np.int32(part.values.min())
    for model, at in reversed(list(_constriction_models(part))):
        coder.encode_reverse(part.values[at] - low, model)
    return bytes(coder.get_compressed().tobytes())


def _constriction_decode(data: bytes, part: Symbols) -> NDArray[np.int32]:
    import constriction

    coder = constriction.stream.stack.AnsCoder(np.frombuffer(data, np.uint32).copy())
    low = np.int32(part.values.min())
    out = np.empty(len(part.values), np.int32)
    for model, at in _constriction_models(part):
        out[at] = coder.decode(model, len(at)) + low
    return out


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.py coder",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--n", type=int, default=1_000_000, help="symbols of each synthetic stream")
    parser.add_argument("--scene", type=Path, help="a PLY, for real streams")
    parser.add_argument(
        "--coders",
        default="rans:static,rans:adaptive,rans:binary,rans:auto,zstd,torchac,constriction",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    return parser.parse_args(arguments)


def _cells(row: Row) -> list[str]:
    return [
        row.stream,
        row.coder,
        f"{row.symbols:,}",
        f"{row.bits_per_symbol:.4f}",
        f"{row.entropy:.4f}",
        f"{100 * (row.bits_per_symbol / row.entropy - 1):+.2f} %",
        f"{row.encode_msym_s:.1f}",
        f"{row.decode_msym_s:.1f}",
    ]
