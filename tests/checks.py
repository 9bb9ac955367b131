"""Checks that every attribute codec passes, and the scenes they use."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from gscompress.codecs import CODECS
from gscompress.codecs.arcsine import Arcsine
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.classes import Classes
from gscompress.codecs.guidance import Guidance, Sightings
from gscompress.codecs.log import Log
from gscompress.codecs.morton import Morton
from gscompress.codecs.rotation24 import Rotation24
from gscompress.codecs.scene import arrange, decode_scene, encode_scene
from gscompress.codecs.ycocg import YCoCg
from gscompress.config import component, to_table
from gscompress.entropy.mix import Mix
from gscompress.gaussians import ATTRIBUTES, Gaussians

CODECS_OF_EACH_GROUP: dict[str, Any] = {
    "means": Morton(),
    "importance": Classes(),
    "opacities": Arcsine(),
    "scales": Log(adapt=1),
    "quats": Rotation24(adapt=2),
    "sh": YCoCg(),
}

MIX = Mix()


def make_scene(n: int = 500, degree: int = 2, seed: int = 0, mode: Any = "default") -> Gaussians:
    """Gaussians with the statistics of trained ones: clusters, twins, a far background."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 1, (max(1, n // 50), 3))
    means = centres[rng.integers(0, len(centres), n)] + rng.normal(0, 0.1, (n, 3))
    means[: n // 20] *= 60
    scene = Gaussians(
        means=means,
        quats=rng.normal(0, 1, (n, 4)) * rng.uniform(0.5, 2, (n, 1)),
        log_scales=rng.normal(-4, 1, (n, 3)),
        opacity_logits=rng.normal(0, 3, n),
        sh=rng.laplace(0, 0.1, (n, (degree + 1) ** 2, 3))
        + 0.3 * (np.arange((degree + 1) ** 2) == 0)[:, None],
        mode=mode,
    )
    twins = np.arange(0, n - 1, 4)
    source = np.arange(n)
    source[twins + 1] = twins
    return scene.select(source)


def importances(scene: Gaussians, seed: int = 1) -> np.ndarray:
    """Positive numbers over many octaves."""
    return np.exp(np.random.default_rng(seed).normal(0, 3, len(scene)))


def encode(
    scene: Gaussians,
    importance: np.ndarray | None = None,
    sightings: Sightings | None = None,
    shares: tuple[float, ...] = (0.1, 0.5),
    coder: Any = MIX,
    **codecs: Any,
) -> tuple[Gaussians, dict[str, bytes], tuple[int, ...]]:
    """Encode with the default codecs, some replaced: the arranged scene, the chunks, the levels.

    Each level of detail decodes, from its chunks alone, to the Gaussians that it shall have.
    """
    chosen = {**CODECS_OF_EACH_GROUP, **codecs}
    guidance = Guidance(importance, sightings)
    arranged, guidance, levels = arrange(scene, guidance, chosen, shares)
    streams = StreamWriter(coder, levels)
    encode_scene(arranged, guidance, chosen, streams)
    whole = decode(scene, streams.chunks, levels, coder, **codecs)
    for level, end in enumerate(levels):
        chunks = _up_to(streams.chunks, level)
        decoded = decode(scene, chunks, levels[: level + 1], coder, **codecs)
        for name in ATTRIBUTES:
            assert (getattr(whole, name)[:end] == getattr(decoded, name)).all(), (name, level)
    return arranged, streams.chunks, levels


def _up_to(chunks: dict[str, bytes], level: int) -> dict[str, bytes]:
    return {name: c for name, c in chunks.items() if int((name + "@0").split("@")[1]) <= level}


def decode(
    scene: Gaussians,
    chunks: dict[str, bytes],
    levels: tuple[int, ...],
    coder: Any = MIX,
    **codecs: Any,
) -> Gaussians:
    chosen = {**CODECS_OF_EACH_GROUP, **codecs}
    decoded = Decoded(levels[-1], scene.sh_degree, scene.mode, levels=levels)
    return decode_scene(decoded, chosen, StreamReader(coder, chunks, "test", levels))


def round_trip(
    scene: Gaussians,
    importance: np.ndarray | None = None,
    sightings: Sightings | None = None,
    **codecs: Any,
) -> tuple[Gaussians, Gaussians]:
    """The scene as arranged by the encoder, and as decoded."""
    arranged, chunks, levels = encode(scene, importance, sightings, **codecs)
    return arranged, decode(scene, chunks, levels, **codecs)


def digest(scene: Gaussians) -> str:
    """Of every bit of a scene."""
    bits = b"".join(getattr(scene, name).tobytes() for name in ATTRIBUTES)
    return hashlib.sha256(bits + scene.mode.encode()).hexdigest()[:32]


def check_codec(group: str, codec: Any) -> None:
    """What holds for every codec of an attribute group."""
    check_config(codec)
    for n in (0, 1, 2, 17):
        for degree in (0, 1, 3):
            scene = make_scene(n, degree)
            arranged, decoded = round_trip(scene, **{group: codec})
            assert len(decoded) == n
            for name in ATTRIBUTES:
                assert getattr(decoded, name).shape == getattr(arranged, name).shape
                assert getattr(decoded, name).dtype == np.float32
            decoded.validate()
    constant = make_scene(1, 1).select(np.zeros(100, int))
    _, decoded = round_trip(constant, **{group: codec})
    decoded.validate()
    for name in ATTRIBUTES:
        values = getattr(decoded, name)
        assert (values == values[:1]).all(), f"equal Gaussians decode to different {name}"
    scene = make_scene()
    kept = {name: getattr(scene, name).copy() for name in ATTRIBUTES}
    first, second = (encode(scene, importances(scene), **{group: codec})[1] for _ in range(2))
    assert first == second, "the same scene gives other bytes"
    for name, values in kept.items():
        assert (getattr(scene, name) == values).all(), f"the encoder changed {name}"


def check_config(codec: Any) -> None:
    """A codec is a frozen dataclass that survives the way through a configuration."""
    assert dataclasses.is_dataclass(codec)
    assert codec.__dataclass_params__.frozen
    table = to_table(codec, CODECS.id_of(codec))
    assert component(CODECS, table, "test") == codec
