"""Tables to components and back: a frozen dataclass is its own schema.

Strict: an unknown key, a missing one or a value of another type is a ConfigError with its place.
Ranges are checked by the classes themselves, in ``__post_init__``.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from gscompress.errors import ConfigError, InputError
from gscompress.registry import Registry

__all__ = [
    "Table",
    "check_keys",
    "check_present",
    "component",
    "kind_of",
    "nearest",
    "table_at",
    "to_table",
]

Table = Mapping[str, Any]


def component(registry: Registry, table: object, where: str) -> Any:
    """Build the component that ``table`` describes.

    Args:
        registry: Where its class is looked up, under ``table["use"]``.
        table: ``use`` and the fields of that frozen dataclass.
        where: Its place, for messages: ``balanced.toml: stages[0]``.

    Raises:
        ConfigError: A field is unknown, missing, of another type or out of range; its text has
            the place, and the nearest name where a name is unknown.
    """
    fields = dict(table_at(table, where))
    check_present(fields, ("use",), where)
    name = fields.pop("use")
    try:
        cls = registry.get(name) if isinstance(name, str) else None
    except ConfigError:
        cls = None
    if cls is None:
        known = sorted(registry.names())
        raise ConfigError(
            where,
            found=f"unknown {registry.kind} {name!r}",
            expected=f"one of {', '.join(known)}" if known else f"no {registry.kind} at all",
            remedy=nearest(name, known),
        )
    return _build(cls, fields, where)


def to_table(component: Any, name: str) -> dict[str, Any]:
    """The table from which ``component`` would be built: ``use`` and every field, JSON-able."""
    return {"use": name, **_plain(component)}


def _build(cls: type, table: Table, where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    check_keys(table, fields, where)
    required = [
        name
        for name, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    check_present(table, required, where)
    hints = typing.get_type_hints(cls)
    values = {name: _value(hints[name], value, where, name) for name, value in table.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise ConfigError(
            where,
            error.field,
            found=error.found,
            expected=error.expected,
            remedy=error.remedy,
        ) from error
    except ValueError as error:
        raise ConfigError(where, str(error)) from error


def _value(hint: Any, value: object, where: str, name: str) -> Any:
    place = f"{where}.{name}"
    arguments = typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, table_at(value, place), place)
    if typing.get_origin(hint) is tuple and dataclasses.is_dataclass(arguments[0]):
        if not isinstance(value, list | tuple):
            raise ConfigError(place, found=kind_of(value), expected="a list of tables")
        return tuple(_value(arguments[0], v, where, f"{name}[{i}]") for i, v in enumerate(value))
    if isinstance(hint, types.UnionType) and isinstance(value, Mapping):
        for option in arguments:
            if dataclasses.is_dataclass(option):
                return _value(option, value, where, name)
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        text, _, inner = str(error).partition(" - at `$")
        choices = [repr(a) for a in arguments] if typing.get_origin(hint) is Literal else []
        raise ConfigError(
            place + inner.rstrip("`"),
            found=kind_of(value),
            expected=f"one of {', '.join(choices)}" if choices else _expected(text),
            remedy=nearest(value, [str(a) for a in arguments]) if choices else "",
        ) from None


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = ((f, getattr(value, f.name)) for f in dataclasses.fields(value) if f.init)
        # TOML has no null: a field that is None by default is left out.
        return {f.name: _plain(v) for f, v in fields if not (v is None and f.default is None)}
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def table_at(value: object, where: str) -> Table:
    if not isinstance(value, Mapping):
        raise ConfigError(where, found=kind_of(value), expected="a table")
    return value


def check_keys(table: Table, known: Iterable[str], where: str) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            expected = f"one of {', '.join(names)}" if names else "no fields"
            raise ConfigError(
                where,
                found=f"unknown field {key!r}",
                expected=expected,
                remedy=nearest(key, names),
            )


def check_present(table: Table, required: Iterable[str], where: str) -> None:
    for key in required:
        if key not in table:
            raise ConfigError(where, found="no such field", expected=f"a field {key!r}")


def nearest(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else ""


def kind_of(value: object) -> str:
    """A value and its TOML type, for messages."""
    for cls, kind in (
        (bool, "boolean"),
        (int, "integer"),
        (float, "float"),
        (str, "string"),
        (Mapping, "table"),
        (Sequence, "list"),
    ):
        if isinstance(value, cls):
            text = repr(value)
            return f"the {kind} {text}" if len(text) <= 40 and kind != "table" else f"a {kind}"
    return repr(value)


def _expected(text: str) -> str:
    """What msgspec expected, in TOML's words: "Expected `int | null`, got `str`" -> integer."""
    match = re.match(r"Expected `([^`]*)`(.*)", text)
    if not match:
        return text[:1].lower() + text[1:]
    words = {
        "int": "integer",
        "str": "string",
        "bool": "boolean",
        "array": "list",
        "object": "table",
    }
    kinds = [words.get(kind, kind) for kind in match[1].split(" | ") if kind != "null"]
    detail = "" if match[2].startswith(", got `") else match[2].split(", got ")[0]
    return " or ".join(kinds) + detail
