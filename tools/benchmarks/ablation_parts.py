"""The parts of the codec, and how to do without each: from outside, with what is public.

A variant is a configuration with other parameters, or a coder that is shown less than it could be.
"""

from __future__ import annotations

import dataclasses
import itertools
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.wrapped import Wrapped
from benchmarks.zero_flags import ZeroFlags
from gscompress.codecs import CODECS
from gscompress.codecs.rotation24 import Rotation24
from gscompress.config import Config
from gscompress.entropy.base import Planes, Side, Symbols
from gscompress.entropy.mix import Mix
from gscompress.entropy.planes import decode_planes, encode_planes
from gscompress.entropy.rans import Rans
from gscompress.entropy.torchac import Torchac
from gscompress.entropy.zstd import Zstd
from gscompress.gaussians import Gaussians

__all__ = ["Blinkered", "OrderZero", "SignOnly", "Variant", "variants"]


@dataclass(frozen=True)
class Variant:
    """The codec without a part, or with another in its place.

    Attributes:
        part: What is ablated.
        name: What is there instead.
        config: How the scene is encoded; its entropy coder may be one that no file names.
        skipped: Why it cannot be had.
    """

    part: str
    name: str
    config: Config | None
    skipped: str = ""


@dataclass(frozen=True)
class Blinkered(Wrapped):
    """A coder that is shown less than both sides know.

    Attributes:
        references: Which Gaussian may predict: a near one, the one before, or none.
        classes: Whether importance classes are a context.
        nearness: Whether the distance of the reference is a context.
        partners: Whether other planes of the same Gaussian are a context.
    """

    references: Literal["nearest", "previous", "none"] = "nearest"
    classes: bool = True
    nearness: bool = True
    partners: bool = True

    def encode_planes(
        self, values: NDArray[np.int32], planes: Planes, side: Side
    ) -> Sequence[bytes]:
        return encode_planes(self.coder, values, self._planes(planes), self._side(side))

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        return decode_planes(self.coder, parts, self._planes(planes), self._side(side))

    def _planes(self, planes: Planes) -> Planes:
        if self.references == "none":
            planes = replace(planes, trust=-1)
        return planes if self.partners else replace(planes, partners=(-1,) * len(planes))

    def _side(self, side: Side) -> Side:
        if self.references != "nearest":
            behind = 1 if self.references == "previous" else len(side)
            before = np.maximum(np.arange(len(side)) - behind, 0).astype(np.int32)
            side = replace(side, references=before)
        if self.references != "nearest" or not self.nearness:
            side = replace(side, nearness=np.zeros_like(side.nearness))
        if not self.classes:
            side = replace(side, classes=np.full_like(side.classes, 8))
        return side


@dataclass(frozen=True)
class OrderZero:
    """Every plane for itself, without prediction and context: what a naive coder does."""

    coder: Any = field(default_factory=lambda: Rans("static"))

    def encode(self, symbols: Symbols) -> bytes:
        return bytes(self.coder.encode(Symbols(symbols.values)))

    def decode(
        self, data: bytes, count: int, contexts: NDArray[np.uint16] | None = None
    ) -> NDArray[np.int32]:
        return np.asarray(self.coder.decode(data, count))

    def encode_planes(
        self, values: NDArray[np.int32], planes: Planes, side: Side
    ) -> Sequence[bytes]:
        levels = []
        for begin, end in itertools.pairwise([0, *side.levels]):
            slices = [np.ascontiguousarray(plane[begin:end], np.int32) for plane in values]
            parts = [self.encode(Symbols(part)) for part in slices]
            sizes = np.array([len(part) for part in parts], "<u4")
            levels.append(sizes.tobytes() + b"".join(parts))
        return levels

    def decode_planes(
        self, parts: Sequence[bytes], planes: Planes, side: Side
    ) -> NDArray[np.int32]:
        values = np.empty((len(planes), len(side)), np.int32)
        head = 4 * len(planes)
        for data, (begin, end) in zip(parts, itertools.pairwise([0, *side.levels]), strict=True):
            ends = head + np.cumsum(np.frombuffer(data, "<u4", len(planes)).astype(int))
            for plane, piece in zip(values, itertools.pairwise([head, *ends]), strict=True):
                plane[begin:end] = self.decode(data[slice(*piece)], end - begin)
        return values


@dataclass(frozen=True)
class SignOnly(Rotation24):
    """Rotations as the input has them, but for their sign: axes keep their names."""

    def arrange(self, scene: Gaussians) -> Gaussians:
        quats = scene.unit_quats
        return scene.replace(quats=np.where(quats[:, :1] < 0, -quats, quats))


def variants(base: Config) -> Iterator[Variant]:
    """Everything that is switched off, each on its own."""
    for make in (_prediction, _contexts, _coders, _steps, _harmonics, _geometry):
        yield from make(base)


def _prediction(base: Config) -> Iterator[Variant]:
    part = "neighbour prediction"
    coder = base.entropy
    yield _coded(part, "the Gaussian before instead", base, Blinkered(coder, "previous"))
    yield _coded(part, "none", base, Blinkered(coder, "none"))


def _contexts(base: Config) -> Iterator[Variant]:
    part, coder = "contexts", base.entropy
    yield _coded(part, "without importance classes", base, Blinkered(coder, classes=False))
    yield _coded(part, "without the reference's nearness", base, Blinkered(coder, nearness=False))
    yield _coded(part, "without the other channels", base, Blinkered(coder, partners=False))
    bare = Blinkered(coder, "none", classes=False, nearness=False, partners=False)
    yield _coded(part, "none of them, no prediction", base, bare)


def _coders(base: Config) -> Iterator[Variant]:
    part = "mixing"
    coders: dict[str, Any] = {
        "mix": Mix(),
        "rans, the smallest of its models": Rans("smallest"),
        "rans, adaptive tables": Rans("adaptive"),
        "rans, static tables": Rans("static"),
        "torchac, static tables": Torchac(),
        "zstd": Zstd(),
    }
    for name, coder in coders.items():
        if coder != base.entropy:
            yield _coded(part, name, base, coder)
    yield _coded(f"{part}, prediction and contexts", "order 0, static tables", base, OrderZero())


def _steps(base: Config) -> Iterator[Variant]:
    part = "adaptive steps"
    for group in ("scales", "quats", "sh"):
        yield _changed(part, f"equal steps of {group}", base, group, adapt=0)
    yield _variant(part, "equal steps of all", base, lambda: _equal_steps(base))
    yield _variant(part, "no importance at all", base, lambda: _without(base, "importance"))
    yield _changed(part, "importance guessed, not rendered", base, "importance", views=0)
    for score in ("weight_sq_sum", "weight_max", "removal_effect"):
        yield _changed(part, f"importance is {score}", base, "importance", score=score)


def _harmonics(base: Config) -> Iterator[Variant]:
    part = "SH compaction"
    yield _changed(part, "nearest integers", base, "sh", views=0)
    yield _changed(part, "nearest, dead zone 0.42", base, "sh", views=0, rounding=0.42)
    yield _changed(part, "nearest, dead zone 0.35", base, "sh", views=0, rounding=0.35)
    yield _changed(part, "visible error only, bits cost nothing", base, "sh", compaction=0.0)
    yield _changed(part, "undamped", base, "sh", damping=0.0)
    part, coder = "SH zeros", base.entropy
    degrees, bands = ZeroFlags(coder, "degree"), ZeroFlags(coder, "band")
    yield _coded(part, "also flags of each channel's degree", base, degrees)
    yield _coded(part, "also flags of each channel's bands", base, bands)
    yield _changed("chroma steps", "as luma", base, "sh", chroma=1.0)


def _geometry(base: Config) -> Iterator[Variant]:
    yield _variant("levels of detail", "none", base, lambda: replace(base, levels=()))
    part = "contraction"
    yield _changed(part, "none, as many bits", base, "means", quantile=1.0)
    bits = getattr(base.attributes["means"], "bits", 16)
    for more in (1, 2, 3):
        name = f"none, {more} more bit{'s' if more > 1 else ''}"
        yield _changed(part, name, base, "means", quantile=1.0, bits=bits + more)
    for use in ("octree", "morton"):
        yield _variant("order of positions", use, base, partial(_positions, base, use))
    rotations: Any = base.attributes["quats"]
    yield _variant(
        "24 equivalent rotations",
        "only the sign is chosen",
        base,
        lambda: _with(base, "quats", SignOnly(rotations.step, rotations.adapt)),
    )
    yield _changed("flat Gaussians", "as thin as they are", base, "scales", flatness=0.0)


def _coded(part: str, name: str, base: Config, coder: Any) -> Variant:
    return Variant(part, name, replace(base, entropy=coder))


def _changed(part: str, name: str, base: Config, group: str, **parameters: Any) -> Variant:
    def change() -> Config:
        codec: Any = base.attributes[group]
        missing = set(parameters) - {f.name for f in dataclasses.fields(codec)}
        if missing:
            raise ValueError(f"{group} has no {', '.join(sorted(missing))}")
        return _with(base, group, replace(codec, **parameters))

    return _variant(part, name, base, change)


def _variant(part: str, name: str, base: Config, make: Callable[[], Config]) -> Variant:
    try:
        config = make()
    except (ValueError, KeyError, AttributeError) as error:
        return Variant(part, name, None, str(error))
    if config == base:
        return Variant(part, name, None, "as it is")
    return Variant(part, name, config)


def _with(base: Config, group: str, codec: Any) -> Config:
    return replace(base, attributes=types.MappingProxyType({**base.attributes, group: codec}))


def _without(base: Config, group: str) -> Config:
    kept = {name: codec for name, codec in base.attributes.items() if name != group}
    return replace(base, attributes=types.MappingProxyType(kept))


def _equal_steps(base: Config) -> Config:
    for group in ("scales", "quats", "sh"):
        codec: Any = base.attributes[group]
        base = _with(base, group, replace(codec, adapt=0))
    return base


def _positions(base: Config, use: str) -> Config:
    """Another codec of positions with those of its parameters that it shares."""
    if use not in CODECS.names():
        raise ValueError(f"there is no codec {use!r}")
    kind: Any = CODECS.get(use)
    now: Any = base.attributes["means"]
    if type(now) is kind:
        return base
    mine = {f.name: getattr(now, f.name) for f in dataclasses.fields(now)}
    shared = {f.name: mine[f.name] for f in dataclasses.fields(kind) if f.name in mine}
    return _with(base, "means", kind(**shared))
