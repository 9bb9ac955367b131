"""A whole scene through the codecs of a configuration, group by group, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Codec, Decoded, StreamReader, StreamWriter
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


def arrange(
    scene: Gaussians, importance: NDArray[np.floating] | None, codecs: Mapping[str, Codec]
) -> tuple[Gaussians, NDArray[np.floating] | None]:
    """Rewrite a scene into an equivalent one (the same images) that is cheaper to code.

    The codec of the means may choose the order of the Gaussians, any codec may choose among
    equivalent parameters.
    """
    if hasattr(codecs["means"], "order"):
        order = codecs["means"].order(scene.means)
        scene = scene.select(order)
        importance = None if importance is None else importance[order]
    for codec in codecs.values():
        if hasattr(codec, "arrange"):
            scene = codec.arrange(scene)
    return scene, importance


def encode_scene(
    scene: Gaussians,
    importance: NDArray[np.floating] | None,
    codecs: Mapping[str, Any],
    streams: StreamWriter,
) -> None:
    """Write an arranged scene; what codecs may look at is decoded right away, as in the decoder."""
    decoded = Decoded(len(scene), scene.sh_degree, scene.mode)
    reader = StreamReader(streams.coder, streams.chunks, "the scene just encoded")
    for group, name in GROUPS.items():
        decoded.group = group
        codecs[group].encode(getattr(scene, name), decoded, streams)
        if group == "sh":
            break  # nobody looks at the last group
        decoded.attributes[name] = codecs[group].decode(decoded, reader)
        if group == "means" and "importance" in codecs:
            codecs["importance"].encode(importance, decoded, streams)
        _decode_importance(group, codecs, decoded, reader)


def decode_scene(decoded: Decoded, codecs: Mapping[str, Any], streams: StreamReader) -> Gaussians:
    """Read what ``encode_scene`` wrote.

    Raises:
        CorruptFileError: A stream is not what an encoder would have written.
    """
    for group, name in GROUPS.items():
        decoded.group = group
        decoded.attributes[name] = codecs[group].decode(decoded, streams)
        _decode_importance(group, codecs, decoded, streams)
    return decoded.scene()


def _decode_importance(
    group: str, codecs: Mapping[str, Any], decoded: Decoded, streams: StreamReader
) -> None:
    """Classes are known after the means where they are coded, after the scales where guessed."""
    if group in ("means", "scales") and "importance" in codecs:
        decoded.classes = codecs["importance"].decode(decoded, streams)
        decoded.octaves = codecs["importance"].octaves
