"""A whole scene through the codecs of a configuration, group by group, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.levels import split_levels
from gscompress.codecs.parallel import in_parallel
from gscompress.entropy.base import PlaneCoder
from gscompress.gaussians import Gaussians

__all__ = [
    "GROUPS",
    "WAVES",
    "arrange",
    "coding_order",
    "decode_scene",
    "encode_group",
    "encode_scene",
    "encode_wave",
]

GROUPS = {
    "means": "means",
    "opacities": "opacity_logits",
    "scales": "log_scales",
    "quats": "quats",
    "sh": "sh",
}
"""Attribute groups in coding order, as configurations name them: the field of Gaussians of each."""

WAVES = (("means",), ("opacities", "scales"), ("quats", "sh"))
"""Groups of a wave look only at what the waves before have decoded."""


def arrange(
    scene: Gaussians,
    guidance: Guidance,
    codecs: Mapping[str, Codec],
    shares: Sequence[float] = (),
) -> tuple[Gaussians, Guidance, tuple[int, ...]]:
    """Rewrite a scene into an equivalent one (the same images) that is cheaper to code.

    The levels are brought in order. Within a level the codec of the means may choose the order of
    the Gaussians, any codec may choose among equivalent parameters.

    Args:
        scene: What is to be coded.
        guidance: What is known of it.
        codecs: By attribute group.
        shares: As for `gscompress.codecs.levels.split_levels`.

    Returns:
        The arranged scene, its guidance, and how many Gaussians there are up to each level's end.
    """
    order, ends = coding_order(scene, guidance, codecs, shares)
    scene, guidance = scene.select(order), guidance.select(order)
    for codec in codecs.values():
        if hasattr(codec, "arrange"):
            scene = codec.arrange(scene)
    return scene, guidance, ends


def coding_order(
    scene: Gaussians,
    guidance: Guidance,
    codecs: Mapping[str, Codec],
    shares: Sequence[float] = (),
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """In which order `arrange` brings the Gaussians [N], and how many are up to each level."""
    level = split_levels(scene, guidance, codecs, shares)
    order = np.arange(len(scene))
    if hasattr(codecs["means"], "order"):
        order = codecs["means"].order(scene.means)
    order = order[np.argsort(level[order], kind="stable")]
    ends = np.cumsum(np.bincount(level, minlength=1))
    return order, tuple(ends.tolist())


def encode_scene(
    scene: Gaussians,
    guidance: Guidance,
    codecs: Mapping[str, Any],
    streams: StreamWriter,
) -> None:
    """Write an arranged scene."""
    decoded = Decoded(len(scene), scene.sh_degree, scene.mode, levels=streams.levels)
    for wave in WAVES:
        encode_wave(wave, scene, guidance, codecs, decoded, streams)


def encode_wave(
    wave: Sequence[str],
    scene: Gaussians,
    guidance: Guidance,
    codecs: Mapping[str, Any],
    decoded: Decoded,
    streams: StreamWriter,
) -> None:
    """Write the groups of one wave, and tell ``decoded`` what their decoder will know."""
    values = {
        GROUPS[group]: encode_group(group, scene, guidance, codecs[group], decoded, streams)
        for group in wave
    }
    decoded.attributes.update(values)
    if wave != WAVES[-1] and "importance" in codecs:
        codec = codecs["importance"]
        decoded.classes = codec.encode(guidance.importance, decoded, streams)
        decoded.octaves = codec.octaves


def encode_group(
    group: str,
    scene: Gaussians,
    guidance: Guidance,
    codec: Any,
    decoded: Decoded,
    streams: StreamWriter,
) -> Any:
    """Write one group; gives what its codec's ``encode`` gives."""
    streams.group = group
    values = getattr(scene, GROUPS[group])
    if hasattr(codec, "encode_guided"):
        return codec.encode_guided(values, decoded, streams, guidance)
    return codec.encode(values, decoded, streams)


def decode_scene(decoded: Decoded, codecs: Mapping[str, Any], streams: StreamReader) -> Gaussians:
    """Read what ``encode_scene`` wrote, up to the last level of ``decoded``.

    Raises:
        CorruptFileError: A stream is not what an encoder would have written.
    """
    first, *others = WAVES
    _decode_wave(first, decoded, codecs, streams, {})
    symbols = _read_ahead(decoded, codecs, streams)
    for wave in others:
        _decode_wave(wave, decoded, codecs, streams, symbols)
    return decoded.scene()


def _decode_wave(
    wave: Sequence[str],
    decoded: Decoded,
    codecs: Mapping[str, Any],
    streams: StreamReader,
    symbols: dict[str, Any],
) -> None:
    """Decode the groups of a wave, from ``symbols`` where they have been read."""
    if symbols:  # values are made by all cores
        values = [codecs[group].values(symbols.pop(group), decoded) for group in wave]
    else:
        tasks = [partial(codecs[group].decode, decoded, streams.of(group)) for group in wave]
        values = in_parallel(*tasks)
    decoded.attributes.update(zip((GROUPS[group] for group in wave), values, strict=True))
    if wave != WAVES[-1] and "importance" in codecs:
        decoded.classes = codecs["importance"].decode(decoded, streams)
        decoded.octaves = codecs["importance"].octaves


def _read_ahead(
    decoded: Decoded, codecs: Mapping[str, Any], streams: StreamReader
) -> dict[str, Any]:
    """What the groups of all waves but the first can read side by side; none if not all can."""
    groups = [group for wave in WAVES[:0:-1] for group in wave[::-1]]  # the longest first
    if not all(hasattr(codecs[group], "read") for group in groups):
        return {}
    settled = "importance" not in codecs or codecs["importance"].settled(streams)
    if not settled and isinstance(streams.coder, PlaneCoder):
        return {}
    tasks = [partial(codecs[group].read, decoded, streams.of(group)) for group in groups]
    return dict(zip(groups, in_parallel(*tasks), strict=True))
