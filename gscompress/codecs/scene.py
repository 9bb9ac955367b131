"""A whole scene through the codecs of a configuration, group by group, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.parallel import in_parallel
from gscompress.gaussians import Gaussians

__all__ = ["GROUPS", "arrange", "decode_scene", "encode_scene"]

GROUPS = {
    "means": "means",
    "opacities": "opacity_logits",
    "scales": "log_scales",
    "quats": "quats",
    "sh": "sh",
}
"""Attribute groups in coding order, as configurations name them: the field of Gaussians of each."""

_WAVES = (("means",), ("opacities", "scales"), ("quats", "sh"))


def arrange(
    scene: Gaussians, guidance: Guidance, codecs: Mapping[str, Codec]
) -> tuple[Gaussians, Guidance]:
    """Rewrite a scene into an equivalent one (the same images) that is cheaper to code.

    The codec of the means may choose the order of the Gaussians, any codec may choose among
    equivalent parameters.
    """
    if hasattr(codecs["means"], "order"):
        order = codecs["means"].order(scene.means)
        scene = scene.select(order)
        guidance = guidance.select(order)
    for codec in codecs.values():
        if hasattr(codec, "arrange"):
            scene = codec.arrange(scene)
    return scene, guidance


def encode_scene(
    scene: Gaussians,
    guidance: Guidance,
    codecs: Mapping[str, Any],
    streams: StreamWriter,
) -> Gaussians:
    """Write an arranged scene; gives what ``decode_scene`` will give."""
    decoded = Decoded(len(scene), scene.sh_degree, scene.mode)
    for wave in _WAVES:
        values = {}
        for group in wave:
            streams.group = group
            source = getattr(scene, GROUPS[group])
            codec = codecs[group]
            if hasattr(codec, "encode_guided"):
                values[GROUPS[group]] = codec.encode_guided(source, decoded, streams, guidance)
            else:
                values[GROUPS[group]] = codec.encode(source, decoded, streams)
        decoded.attributes.update(values)
        if wave == ("means",) and "importance" in codecs:
            codecs["importance"].encode(guidance.importance, decoded, streams)
        reader = StreamReader(streams.coder, streams.chunks, "the scene being encoded")
        _decode_importance(wave, codecs, decoded, reader)
    return decoded.scene()


def decode_scene(decoded: Decoded, codecs: Mapping[str, Any], streams: StreamReader) -> Gaussians:
    """Read what ``encode_scene`` wrote.

    Raises:
        CorruptFileError: A stream is not what an encoder would have written.
    """
    for wave in _WAVES:
        tasks = [partial(codecs[group].decode, decoded, streams.of(group)) for group in wave]
        values = in_parallel(*tasks)
        decoded.attributes.update(zip((GROUPS[group] for group in wave), values, strict=True))
        _decode_importance(wave, codecs, decoded, streams)
    return decoded.scene()


def _decode_importance(
    wave: tuple[str, ...], codecs: Mapping[str, Any], decoded: Decoded, streams: StreamReader
) -> None:
    """Classes are known after the means where they are coded, after the scales where guessed."""
    if "quats" not in wave and "importance" in codecs:
        decoded.classes = codecs["importance"].decode(decoded, streams)
        decoded.octaves = codecs["importance"].octaves
