"""The exceptions that gscompress raises on purpose.

GscompressError                     anything below; the CLI prints its text and exits 1
├── InputError                      a file or value the user gave is wrong
│   ├── CorruptFileError            a .gsz (or a chunk of it) is truncated, damaged or hostile
│   ├── ConfigError                 a configuration has an unknown, missing or ill-typed field
│   └── TransferError               something on another host, or a part of it, does not arrive
├── UsageError                      options that contradict each other (exit code 2)
├── QualityGateError                a --min-psnr like gate was missed (exit code 3)
├── DeviceError                     the requested device is not available
└── MissingDependencyError          an optional dependency is needed; names the extra to install
"""

from __future__ import annotations

import os

__all__ = [
    "ConfigError",
    "CorruptFileError",
    "DeviceError",
    "GscompressError",
    "InputError",
    "MissingDependencyError",
    "QualityGateError",
    "TransferError",
    "UsageError",
]


class GscompressError(Exception):
    """Base of every error that gscompress raises on purpose."""

    exit_code = 1


class InputError(GscompressError):
    """A file or value from outside is wrong.

    Args:
        where: The file (or option) at fault.
        field: The part of it: a property, a key, a chunk. Empty when the whole is at fault.
        found: What was found there.
        expected: What was expected.
        remedy: What the user can do about it.
    """

    def __init__(
        self,
        where: str | os.PathLike[str],
        field: str = "",
        *,
        found: object = "",
        expected: object = "",
        remedy: str = "",
    ) -> None:
        self.where = os.fspath(where)
        self.field = field
        self.found = str(found)
        self.expected = str(expected)
        self.remedy = remedy
        head = ": ".join(part for part in (self.where, field) if part)
        facts = ", ".join(
            f"{label} {text}"
            for label, text in (("found", self.found), ("expected", self.expected))
            if text
        )
        text = f"{head}: {facts}" if facts else head
        super().__init__(f"{text}. {remedy}" if remedy else text)


class CorruptFileError(InputError):
    """A compressed file is truncated, damaged or hostile."""


class ConfigError(InputError):
    """A configuration has an unknown, missing or ill-typed field."""


class TransferError(InputError):
    """Something on another host, or a part of it, does not arrive."""


class UsageError(GscompressError):
    """Options that contradict each other or make no sense."""

    exit_code = 2


class QualityGateError(GscompressError):
    """A quality gate such as ``--min-psnr`` was missed."""

    exit_code = 3


class DeviceError(GscompressError):
    """The requested device is not available."""


class MissingDependencyError(GscompressError):
    """An optional dependency is needed.

    Args:
        package: The import name that is missing.
        extra: The extra of gscompress that brings it.
        purpose: What it is needed for.
        command: How to install it, where the extra alone does not bring it.
    """

    def __init__(self, package: str, extra: str, purpose: str, *, command: str = "") -> None:
        self.package = package
        self.extra = extra
        command = command or f"pip install 'gscompress[{extra}]'"
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: {command}"
        )
