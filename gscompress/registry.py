"""One generic registry: an id names a class, found among ours or through entry points.

Our own entries are data (id -> ``module:Name``), so that looking at the names imports nothing.
Other packages add theirs through the entry-point group of the registry, for example::

    [project.entry-points."gscompress.codecs"]
    mycodec = "mypackage.mycodec:MyCodec"

Compatibility policy: two classes may share an id only if each decodes what the other encodes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gscompress.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]


class Registry:
    """Classes by id, imported on first use.

    Args:
        kind: What the entries are, in the singular ("codec"); used in messages.
        group: The entry-point group through which other packages add entries.
        builtins: Our own entries, id -> ``module:Name``.
    """

    def __init__(self, kind: str, group: str, builtins: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self._builtins = dict(builtins)

    def names(self) -> list[str]:
        """All ids, ours first, each once."""
        return list(dict.fromkeys([*self._builtins, *(e.name for e in self._outside())]))

    def get(self, name: str) -> Any:
        """The class registered under ``name``.

        Raises:
            ConfigError: No entry has that id.
        """
        target = self._builtins.get(name)
        if target is not None:
            module, _, attribute = target.partition(":")
            return getattr(importlib.import_module(module), attribute)
        for entry in self._outside():
            if entry.name == name:
                return entry.load()
        raise ConfigError(
            f"{self.kind} {name!r}",
            found="no such id",
            expected="one of " + ", ".join(sorted(self.names())),
        )

    def id_of(self, component: object) -> str:
        """The id under which the class of ``component`` is registered.

        Raises:
            ConfigError: It is not registered.
        """
        cls = type(component)
        address = f"{cls.__module__}:{cls.__qualname__}"
        outside = {entry.name: entry.value for entry in self._outside()}
        for name, target in {**outside, **self._builtins}.items():
            if target == address:
                return name
        for name in self.names():  # registered through another module than the one that defines it
            if self.get(name) is cls:
                return name
        raise ConfigError(f"{self.kind} {address}", found="a class that is not registered")

    def _outside(self) -> Iterable[EntryPoint]:
        from importlib.metadata import entry_points  # slow to import

        return entry_points(group=self.group)
