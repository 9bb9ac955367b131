"""What a .gsz says about itself, and how a container becomes a scene again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import gscompress
from gscompress.codecs import CODECS
from gscompress.codecs.base import Decoded, StreamReader
from gscompress.codecs.levels import MAX_LEVELS
from gscompress.codecs.scene import GROUPS, decode_scene
from gscompress.config import Config, component
from gscompress.container import Container, group_bytes
from gscompress.entropy import CODERS
from gscompress.errors import ConfigError, CorruptFileError, InputError
from gscompress.gaussians import MAX_SH_DEGREE, ColourSpace, Gaussians, Mode

__all__ = ["bytes_by_attribute", "decode_container", "level_ends", "make_header"]

_GAUSSIANS_PER_BYTE = 256
"""A file that claims more Gaussians than that has been made to exhaust memory: the cheapest
possible scene, all Gaussians the same, takes several bits per hundred of them."""
_GAUSSIANS_FREE = 1 << 16


def make_header(
    scene: Gaussians, coded: Gaussians, levels: Sequence[int], config: Config
) -> dict[str, Any]:
    """The header of a file.

    Args:
        scene: What was to be compressed.
        coded: What was coded, after all stages.
        levels: How many Gaussians there are up to each level's end.
        config: How.
    """
    return {
        "gaussians": len(coded),
        "levels": list(levels),
        "sh_degree": coded.sh_degree,
        "mode": coded.mode,
        "colour_space": coded.colour_space,
        "config": config.to_dict(),
        "provenance": {
            "gscompress": gscompress.__version__,
            "input_gaussians": len(scene),
            "input_sh_degree": scene.sh_degree,
            "input_bytes": ply_bytes(scene),
        },
    }


def ply_bytes(scene: Gaussians) -> int:
    """Bytes of a scene's attributes as an INRIA PLY of float32 with normals."""
    return int(len(scene) * 4 * (3 + 3 + 3 * scene.sh.shape[1] + 1 + 3 + 4))


def bytes_by_attribute(container: Container) -> dict[str, int]:
    """Bytes of each attribute group's chunks, and of the framing around them."""
    sizes = group_bytes({name: len(data) for name, data in container.chunks.items()})
    return {**sizes, "container": len(container.to_bytes()) - sum(sizes.values())}


def decode_container(container: Container, level: int | None = None) -> Gaussians:
    """Decode all attributes.

    Args:
        container: The file; the chunks up to ``level`` are enough.
        level: The last level to decode; None for all.

    Raises:
        CorruptFileError: The header or a chunk makes no sense.
        InputError: The file has no such level.
    """
    where = container.where or "compressed scene"
    header = container.header
    size = sum(map(len, container.chunks.values()))
    levels = level_ends(header, where)
    if level is not None:
        if not 0 <= level < len(levels):
            raise InputError(
                where, "level", found=level, expected=f"0 to {len(levels) - 1}, as the file has"
            )
        levels = levels[: level + 1]
    limit = size * _GAUSSIANS_PER_BYTE + _GAUSSIANS_FREE
    if levels[-1] > limit:
        raise CorruptFileError(
            where, "header, 'levels'", found=levels[-1], expected=f"at most {limit}"
        )
    decoded = Decoded(
        count=levels[-1],
        sh_degree=_integer(header, "sh_degree", MAX_SH_DEGREE, where),
        mode=cast(Mode, _one_of(get_args(Mode), header, "mode", where)),
        colour_space=cast(
            ColourSpace, _one_of(get_args(ColourSpace), header, "colour_space", where)
        ),
        levels=levels,
    )
    codecs, coder = _components(header, where)
    return decode_scene(decoded, codecs, StreamReader(coder, container.chunks, where, levels))


def level_ends(header: Mapping[str, Any], where: str) -> tuple[int, ...]:
    """How many Gaussians there are up to each level's end.

    Raises:
        CorruptFileError: The header's levels do not ascend to the number of Gaussians.
    """
    count = _integer(header, "gaussians", 2**31 - 1, where)
    ends = header.get("levels")
    if (
        not isinstance(ends, list)
        or not 1 <= len(ends) <= MAX_LEVELS
        or not all(type(end) is int for end in ends)
        or ends[-1] != count
        or any(a >= b for a, b in zip([-1, *ends], ends, strict=False))
    ):
        raise CorruptFileError(
            where, "header, 'levels'", found=ends, expected=f"numbers that ascend to {count}"
        )
    return tuple(ends)


def _integer(header: Mapping[str, Any], key: str, limit: int, where: str) -> int:
    value = header.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise CorruptFileError(
            where, f"header, {key!r}", found=value, expected=f"an integer from 0 to {limit}"
        )
    return value


def _one_of(known: tuple[str, ...], header: Mapping[str, Any], key: str, where: str) -> str:
    value = header.get(key)
    if not isinstance(value, str) or value not in known:
        raise CorruptFileError(where, f"header, {key!r}", found=value, expected=known)
    return value


def _components(header: Mapping[str, Any], where: str) -> tuple[dict[str, Any], Any]:
    config = header.get("config")
    tables = config.get("attributes") if isinstance(config, dict) else None
    if (
        not isinstance(config, dict)
        or not isinstance(tables, dict)
        or not set(GROUPS) <= set(tables)
    ):
        raise CorruptFileError(where, "header, 'config'", found="not all attributes and entropy")
    try:
        codecs = {
            key: component(CODECS, table, f"{where}: header, {key!r}")
            for key, table in tables.items()
        }
        return codecs, component(CODERS, config.get("entropy"), f"{where}: header, 'entropy'")
    except ConfigError as error:
        raise CorruptFileError(
            error.where, error.field, found=error.found, expected=error.expected
        ) from error
