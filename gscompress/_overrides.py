"""Changes to a configuration from the command line: ``stages.prune.keep=0.5``."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from gscompress._components import nearest
from gscompress.errors import ConfigError

__all__ = ["apply_override"]


def apply_override(tables: dict[str, Any], text: str) -> None:
    where = f"--set {text}"
    path, equals, value_text = text.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise ConfigError(
            where, found=repr(text), expected="PATH=VALUE, such as stages.prune.keep=0.5"
        )
    value = _toml_value(value_text.strip(), where)
    holder: Any = tables
    for i, key in enumerate(keys[:-1]):
        holder = holder[_locate(holder, key, where, ".".join(keys[:i]))]
    last = keys[-1]
    if isinstance(holder, list):
        holder[_locate(holder, last, where, ".".join(keys[:-1]))] = value
    elif not isinstance(holder, dict):
        raise ConfigError(where, found=f"no table at {'.'.join(keys[:-1])!r}")
    elif last == "use" and value != holder.get("use"):
        holder.clear()
        holder["use"] = value
    else:
        holder[last] = value


def _toml_value(text: str, where: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        if re.fullmatch(r"[A-Za-z_][\w-]*", text):
            return text
        raise ConfigError(where, found=repr(text), expected="a TOML value") from error


def _locate(holder: Any, key: str, where: str, parent: str) -> Any:
    """The key or index of an existing entry of ``holder``."""
    if isinstance(holder, dict):
        known = list(holder)
        found: list[Any] = [key] if key in holder else []
    elif isinstance(holder, list):
        known = [str(e.get("use")) if isinstance(e, dict) else str(i) for i, e in enumerate(holder)]
        found = [i for i, use in enumerate(known) if key in (str(i), use)]
    else:
        raise ConfigError(where, found=f"no table at {parent!r}")
    if len(found) == 1:
        return found[0]
    place = f" in {parent!r}" if parent else ""
    if found:
        raise ConfigError(
            where,
            found=f"{len(found)} entries {key!r}{place}",
            expected="one",
            remedy=f"Name it by its index: {', '.join(str(i) for i in found)}.",
        )
    raise ConfigError(
        where,
        found=f"no {key!r}{place}",
        expected=f"one of {', '.join(known)}" if known else "nothing: it is empty",
        remedy=nearest(key, known),
    )
