"""Strict configuration: TOML <-> stages, codecs and coder.

A configuration is a table of components. Each says which registered class it is (``use``) and gives
that class's parameters::

    [[stages]]
    use = "prune"
    keep = 0.45

    [attributes]
    means = { use = "morton", bits = 14 }
    opacities = { use = "scalar", step = 0.02 }
    ...

    [entropy]
    use = "rans"

``levels = [0.05, 0.25]`` at the top cuts the file into levels of detail, and ``allocate = 12`` lets
the encoder look at the scene from twelve views to find the steps that suit it.

Nothing is guessed: an unknown key, a missing one or a value of another type is a ConfigError that
names its place. Ranges are checked by the classes themselves.
"""

from __future__ import annotations

import itertools
import os
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gscompress._components import (
    Table,
    check_keys,
    check_present,
    component,
    kind_of,
    nearest,
    table_at,
    to_table,
)
from gscompress._overrides import apply_override
from gscompress.errors import ConfigError
from gscompress.registry import Registry

if TYPE_CHECKING:
    from gscompress.codecs.base import Codec
    from gscompress.entropy.base import Coder
    from gscompress.stages.base import Stage

__all__ = [
    "ATTRIBUTE_KEYS",
    "Config",
    "component",
    "load_config",
    "preset_names",
    "to_table",
]

ATTRIBUTE_KEYS = ("means", "importance", "opacities", "scales", "quats", "sh")
"""The attribute groups as configurations name them, in coding order."""

_TOP_KEYS = ("levels", "allocate")
_OPTIONAL_KEYS = ("importance",)


@dataclass(frozen=True)
class Config:
    """How a scene is compressed.

    Attributes:
        stages: What changes the scene, in order.
        attributes: The codec of each attribute group, in coding order.
        entropy: What turns the codecs' integers into bytes.
        levels: About which share of the Gaussians, the most important first, a decoder has at the
            end of each level but the last; see `gscompress.codecs.levels`. Empty: one level.
        allocate: From how many views the encoder finds out how fine each attribute of the scene
            deserves to be; see `gscompress.rate.allocation`. 0 takes the steps as they are.
    """

    stages: tuple[Stage, ...]
    attributes: Mapping[str, Codec]
    entropy: Coder
    levels: tuple[float, ...] = ()
    allocate: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The whole configuration, defaults included, as JSON-able tables."""
        stages, codecs, coders = _registries()
        return {
            "stages": [to_table(stage, stages.id_of(stage)) for stage in self.stages],
            "attributes": {
                key: to_table(codec, codecs.id_of(codec)) for key, codec in self.attributes.items()
            },
            "entropy": to_table(self.entropy, coders.id_of(self.entropy)),
            "levels": list(self.levels),
            "allocate": self.allocate,
        }

    @classmethod
    def from_dict(cls, tables: Table, where: str = "config") -> Config:
        """Build the configuration that ``tables`` describe.

        Args:
            tables: As read from TOML or JSON.
            where: Where they come from, for messages.

        Raises:
            ConfigError: A field is unknown, missing, of another type or out of range.
        """
        stages, codecs, coders = _registries()
        check_keys(tables, (*_TOP_KEYS, "stages", "attributes", "entropy"), where)
        check_present(tables, ("attributes", "entropy"), where)
        attributes = table_at(tables["attributes"], f"{where}: attributes")
        check_keys(attributes, ATTRIBUTE_KEYS, f"{where}: attributes")
        required = [key for key in ATTRIBUTE_KEYS if key not in _OPTIONAL_KEYS]
        check_present(attributes, required, f"{where}: attributes")
        listed = tables.get("stages", [])
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ConfigError(
                f"{where}: stages", found=kind_of(listed), expected="a list of tables"
            )
        return cls(
            stages=tuple(
                component(stages, table, f"{where}: stages[{i}]") for i, table in enumerate(listed)
            ),
            attributes=types.MappingProxyType(
                {
                    key: component(codecs, attributes[key], f"{where}: attributes.{key}")
                    for key in ATTRIBUTE_KEYS
                    if key in attributes
                }
            ),
            entropy=component(coders, tables["entropy"], f"{where}: entropy"),
            levels=_shares(tables.get("levels", []), f"{where}: levels"),
            allocate=_views(tables.get("allocate", 0), f"{where}: allocate"),
        )


def load_config(
    source: str | os.PathLike[str] | Config,
    overrides: Iterable[str] = (),
    stages: Literal["none"] | None = None,
) -> Config:
    """Load a configuration.

    Args:
        source: Name of a preset, path of a TOML file, or a configuration.
        overrides: Changes such as ``stages.prune.keep=0.5`` or ``attributes.sh.step=0.02``. A stage
            is named by its id or its index; values are TOML, and a bare word is a string. Setting
            ``use`` to another id forgets the other fields of that component.
        stages: "none" drops all stages.

    Raises:
        ConfigError: No such preset or file, or something in it is wrong.
    """
    if isinstance(source, Config):
        tables, where = source.to_dict(), "config"
    else:
        path, where = _find(source)
        tables = _read(path, where)
    for text in overrides:
        apply_override(tables, text)
    if stages == "none":
        tables["stages"] = []
    elif stages is not None:
        raise ConfigError("stages", found=repr(stages), expected="'none'")
    return Config.from_dict(tables, where)


def preset_names() -> list[str]:
    """The names of the presets that come with gscompress."""
    return sorted(path.stem for path in _preset_folder().glob("*.toml"))


def _registries() -> tuple[Registry, Registry, Registry]:
    from gscompress.codecs import CODECS
    from gscompress.entropy import CODERS
    from gscompress.stages import STAGES

    return STAGES, CODECS, CODERS


def _preset_folder() -> Path:
    """Beside this file once installed, at the top of the repository in a checkout."""
    here = Path(__file__).parent
    installed = here / "configs"
    return installed if installed.is_dir() else here.parent / "configs"


def _find(source: str | os.PathLike[str]) -> tuple[Path, str]:
    name, presets = os.fspath(source), preset_names()
    if name in presets:
        return _preset_folder() / f"{name}.toml", f"preset {name!r}"
    path = Path(name)
    if path.is_file():
        return path, name
    if path.suffix == ".toml" or os.sep in name:
        found = "a directory" if path.is_dir() else "no such file"
        raise ConfigError(name, found=found, expected="a TOML configuration")
    raise ConfigError(
        f"preset {name!r}",
        found="no such preset",
        expected="one of " + ", ".join(presets),
        remedy=nearest(name, presets),
    )


def _views(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= 1024:
        raise ConfigError(where, found=kind_of(value), expected="a number of views, 0 to 1024")
    return value


def _shares(value: object, where: str) -> tuple[float, ...]:
    expected = "up to 15 shares between 0 and 1, ascending"
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ConfigError(where, found=kind_of(value), expected=expected)
    numbers = all(isinstance(share, float) for share in value)
    if not numbers or any(a >= b for a, b in itertools.pairwise([0.0, *value, 1.0])):
        raise ConfigError(where, found=list(value), expected=expected)
    if len(value) > 15:
        raise ConfigError(where, found=f"{len(value)} shares", expected=expected)
    return tuple(value)


def _read(path: Path, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(where, found=str(error), expected="a readable TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(where, f"not valid TOML: {error}") from error
