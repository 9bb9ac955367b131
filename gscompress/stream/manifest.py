"""The manifest of a clip: which files hold which frames, read with suspicion.

``manifest.json`` lies beside the files it names. Frames are numbered from 0 without gaps. They come
in groups, of which each decodes by itself: its first segment is a key frame (an ordinary ``.gsz``),
the others say what changed since. A clip that is still being encoded has a manifest that grows:
groups and segments are only ever appended, until ``complete`` is true.
"""

from __future__ import annotations

import bisect
import builtins
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from gscompress._header_json import parse_header
from gscompress.errors import CorruptFileError, InputError
from gscompress.files import StrPath, read_input
from gscompress.gaussians import ColourSpace, Mode
from gscompress.io.atomic import atomic_write
from gscompress.stream._order import REMEDY, check_groups

__all__ = ["MANIFEST", "MAX_BYTES", "Group", "Kind", "Manifest", "Segment", "file_state"]

MANIFEST = "manifest.json"
FORMAT = "gscompress clip"
VERSION = 1

MAX_FRAMES = 1_000_000
MAX_BYTES = 1 << 26  # of the manifest
MAX_SEGMENT = 1 << 31  # bytes
MAX_FPS = 1000
_MAX_PROVENANCE = 1 << 20  # bytes, as JSON
_LOCATED = 1 << 22  # bytes of a manifest up to which it is said which segment is wrong

_WRONG_TYPE = re.compile(r"Expected (?P<expected>.*), got (?P<found>.*)", re.DOTALL)

T = TypeVar("T")
Kind = Literal["key", "residual", "trajectory", "latent", "run"]
Frame = Annotated[int, msgspec.Meta(ge=0, lt=MAX_FRAMES)]
Frames = Annotated[int, msgspec.Meta(ge=1, le=MAX_FRAMES)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a clip.

    Attributes:
        url: Where it is, relative to the manifest: names of letters, digits and ``_.~-``, separated
            by slashes, none of which starts with a dot. So an address is a path, and leads nowhere
            else.
        kind: "key", or what kind of changes it holds; the file itself says that as well.
        first: The number of its first frame.
        frames: How many frames it holds.
        bytes: Its length.
        sha256: Of its bytes, in lower-case hexadecimal digits.
    """

    url: str
    kind: Kind
    first: Frame
    frames: Frames
    bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEGMENT)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frames that decode by themselves.

    Attributes:
        first: The number of its first frame.
        frames: How many frames it holds.
        segments: A key frame, and what changes after it, in order.
    """

    first: Frame
    frames: Frames
    segments: Annotated[tuple[Segment, ...], msgspec.Meta(min_length=1)]


class _Head(msgspec.Struct):
    """What says whether the rest can be understood."""

    format: str
    version: int


class _Document(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The JSON."""

    format: str = FORMAT
    version: int = VERSION
    fps: Annotated[float, msgspec.Meta(gt=0, le=MAX_FPS)]
    frames: Annotated[int, msgspec.Meta(ge=0, le=MAX_FRAMES)]
    sh_degree: Annotated[int, msgspec.Meta(ge=0, le=4)]
    mode: Mode
    color_space: ColourSpace
    gaussians: Count
    bytes: Count
    groups: tuple[Group, ...]
    complete: bool
    provenance: msgspec.Raw = msgspec.Raw(b"{}")


class _Groups(msgspec.Struct):
    groups: list[msgspec.Raw]


class _Segments(msgspec.Struct):
    segments: list[msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a clip consists of.

    Attributes:
        fps: Frames per second, in (0, 1000].
        sh_degree: Of the spherical harmonics, 0 to 4.
        gaussians: The most that a frame has.
        groups: All frames in their order.
        mode: The rasterization that the frames were trained for.
        color_space: What the rendered colours are.
        complete: Whether nothing will be appended.
        provenance: How the clip was made: any JSON object.
    """

    fps: float
    sh_degree: int
    gaussians: int
    groups: tuple[Group, ...]
    mode: Mode = "default"
    color_space: ColourSpace = "srgb"
    complete: bool = True
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.groups[-1].first + self.groups[-1].frames if self.groups else 0

    @property
    def bytes(self) -> int:
        """Bytes of all segments."""
        return sum(segment.bytes for segment in self.segments())

    @property
    def seconds(self) -> float:
        """Playing time."""
        return self.frames / self.fps

    def segments(self) -> Iterator[Segment]:
        """All segments, in order."""
        for group in self.groups:
            yield from group.segments

    def segments_from(self, group: int, index: int = 0) -> Iterator[tuple[int, int, Segment]]:
        """Segments from one on, each behind the indices of its group and in its group."""
        for number in range(group, len(self.groups)):
            segments = self.groups[number].segments
            for place in range(index if number == group else 0, len(segments)):
                yield number, place, segments[place]

    def group_index(self, frame: int) -> int:
        """The index of the group that holds a frame.

        Raises:
            InputError: There is no such frame.
        """
        if not 0 <= frame < self.frames:
            raise InputError(f"frame {frame}", found="no such frame", expected=self._range())
        return bisect.bisect_right(self.groups, frame, key=lambda group: group.first) - 1

    def _range(self) -> str:
        return f"0 to {self.frames - 1}" if self.frames else "none: the clip has no frames yet"

    @classmethod
    def from_json(cls, data: builtins.bytes, where: str = MANIFEST) -> Manifest:
        """Read and check a manifest. Of a key that occurs twice the last counts, as in browsers.

        Args:
            data: The JSON.
            where: The file's name, for messages.

        Raises:
            InputError: It is of a newer version.
            CorruptFileError: It is no manifest, a field is missing, unknown or out of range, or its
                sums do not agree; names the field.
        """
        if len(data) > MAX_BYTES:
            raise CorruptFileError(
                where, found=f"{len(data)} bytes", expected=f"{MAX_BYTES} at most", remedy=REMEDY
            )
        _check_head(_decode(data, _Head, where), where)
        document = _decode(data, _Document, where)
        manifest = cls(
            fps=document.fps,
            sh_degree=document.sh_degree,
            gaussians=document.gaussians,
            groups=document.groups,
            mode=document.mode,
            color_space=document.color_space,
            complete=document.complete,
            provenance=_provenance(bytes(document.provenance), where),
        )
        manifest.check(where)
        for name in ("frames", "bytes"):
            said, real = getattr(document, name), getattr(manifest, name)
            if said != real:
                raise CorruptFileError(
                    where, name, found=said, expected=f"{real}, their sum", remedy=REMEDY
                )
        return manifest

    @classmethod
    def read(cls, path: StrPath) -> Manifest:
        """Read a manifest: its file, or the one in a folder.

        Raises:
            InputError: As `from_json`; or the file cannot be read.
        """
        path = Path(path)
        path = path / MANIFEST if path.is_dir() else path
        return cls.from_json(read_input(path, MAX_BYTES), str(path))

    def to_json(self) -> builtins.bytes:
        """The manifest's file.

        Raises:
            CorruptFileError: It would not be read again; names the field.
        """
        document = _Document(
            fps=self.fps,
            frames=self.frames,
            sh_degree=self.sh_degree,
            mode=self.mode,
            color_space=self.color_space,
            gaussians=self.gaussians,
            bytes=self.bytes,
            groups=self.groups,
            complete=self.complete,
            provenance=msgspec.Raw(msgspec.json.encode(self.provenance)),
        )
        data = msgspec.json.encode(document) + b"\n"
        self.from_json(data)
        return data

    def write(self, folder: StrPath) -> Path:
        """Write ``manifest.json`` into a folder, in place of an older one; whole, or not at all.

        Raises:
            CorruptFileError: As `to_json`.
            InputError: The folder cannot be written.
        """
        path, data = Path(folder) / MANIFEST, self.to_json()
        with atomic_write(path) as file:
            file.write(data)
        return path

    def check(self, where: str = MANIFEST) -> None:
        """Refuse groups and segments that do not follow each other.

        Raises:
            CorruptFileError: Names the field.
        """
        if self.complete and not self.groups:
            raise CorruptFileError(where, "groups", found="none", expected="one, being complete")
        frames = check_groups(self.groups, where, taken=MANIFEST)
        if frames > MAX_FRAMES:
            raise CorruptFileError(where, "frames", found=frames, expected=f"{MAX_FRAMES} at most")


def file_state(path: StrPath) -> tuple[int, ...]:
    """What changes when a file is written or replaced; empty where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def _check_head(head: _Head, where: str) -> None:
    if head.format != FORMAT:
        raise CorruptFileError(
            where, "format", found=ascii(head.format)[:80], expected=repr(FORMAT), remedy=REMEDY
        )
    if head.version > VERSION:
        raise InputError(
            where,
            "version",
            found=head.version,
            expected=f"{VERSION} at most",
            remedy="The clip was made by a newer gscompress; upgrade: pip install -U gscompress",
        )
    if head.version < 1:
        raise CorruptFileError(where, "version", found=head.version, expected=VERSION)


def _decode(data: bytes, type_: type[T], where: str, place: str = "") -> T:
    """JSON as a type, with errors that name the field."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        if type_ is _Document and len(data) <= _LOCATED:
            _locate(data, where)
        text, _, path = str(error).partition(" - at `$")
        kind = _WRONG_TYPE.fullmatch(text)
        raise CorruptFileError(
            where,
            (place + path.rstrip("`")).removeprefix("."),
            found=kind["found"] if kind else text[:1].lower() + text[1:],
            expected=kind["expected"] if kind else "",
            remedy=REMEDY,
        ) from error
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise CorruptFileError(
            where, place, found=error, expected="the JSON of a clip", remedy=REMEDY
        ) from error


def _locate(data: bytes, where: str) -> None:
    """Raise the error of the first group or segment that is wrong, if one is."""
    for number, group in enumerate(_decode(data, _Groups, where).groups):
        place = f"groups[{number}]"
        for index, segment in enumerate(_decode(bytes(group), _Segments, where, place).segments):
            _decode(bytes(segment), Segment, where, f"{place}.segments[{index}]")
        _decode(bytes(group), Group, where, place)


def _provenance(data: bytes, where: str) -> dict[str, Any]:
    if len(data) > _MAX_PROVENANCE:
        found: object = f"{len(data)} bytes"
        raise CorruptFileError(
            where, "provenance", found=found, expected=f"{_MAX_PROVENANCE} at most", remedy=REMEDY
        )
    try:
        return parse_header(data, len(data), where, packed=False)
    except CorruptFileError as error:
        raise CorruptFileError(
            where, "provenance", found=error.found, expected=error.expected, remedy=REMEDY
        ) from error
