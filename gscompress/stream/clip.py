"""Reading a clip: any frame, or one after the other, from a folder or over HTTP.

Every segment's length and SHA-256 are checked before it is decoded, and no more than one segment is
in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gscompress.errors import CorruptFileError, InputError
from gscompress.files import StrPath
from gscompress.gaussians import Gaussians
from gscompress.stream.decoder import GroupDecoder
from gscompress.stream.manifest import Group, Manifest, Segment
from gscompress.stream.slots import Slots
from gscompress.stream.source import open_source
from gscompress.stream.transfer import Patience, Transfer

__all__ = ["Clip", "SegmentDecoder"]


class SegmentDecoder:
    """Turns the segments of a clip, given in order, into frames; each key starts anew."""

    def __init__(self) -> None:
        self._group: GroupDecoder | None = None

    @property
    def slots(self) -> Slots | None:
        """The state of the last frame, to look at; None at a key frame."""
        return None if self._group is None else self._group.slots

    def decode(
        self, segment: Segment, data: bytes, manifest: Manifest, where: str
    ) -> Iterator[Gaussians]:
        """The frames of a segment.

        Args:
            segment: What the manifest says about it.
            data: Its bytes.
            manifest: What it belongs to.
            where: Its name, for messages.

        Raises:
            CorruptFileError: It is damaged, or not as the manifest says; names the segment.
        """
        if segment.kind == "key":
            self._group = None  # the one before is not needed any more
            self._group = GroupDecoder(data, where)
            _check_key(self._group.current, manifest, where)
            yield self._group.current
            return
        if self._group is None:
            raise CorruptFileError(where, found="no key frame before it", expected="one")
        count = 0
        for frame in self._group.advance(data, where):
            count += 1
            if count > segment.frames:
                break
            yield frame
        if count != segment.frames:
            more = "more than " if count > segment.frames else ""
            found = f"{more}{min(count, segment.frames)}"
            raise CorruptFileError(where, "frames", found=found, expected=segment.frames)


def _check_key(frame: Gaussians, manifest: Manifest, where: str) -> None:
    for name, found, expected in (
        ("sh_degree", frame.sh_degree, manifest.sh_degree),
        ("mode", frame.mode, manifest.mode),
        ("color_space", frame.colour_space, manifest.color_space),
    ):
        if found != expected:
            raise CorruptFileError(where, name, found=found, expected=f"{expected}, as the clip")


@dataclass(frozen=True)
class Clip:
    """A clip that is opened.

    Attributes:
        manifest: What it consists of, as it was when opened.
        transfer: What gets its files.

    Example:
        clip = Clip.open("clip/")
        for scene in clip.frames(30, 59):
            ...
    """

    manifest: Manifest
    transfer: Transfer

    @classmethod
    def open(cls, place: StrPath, patience: Patience | None = None) -> Clip:
        """Open a clip.

        Args:
            place: Its folder, its manifest, or an http or https URL of either.
            patience: How long to wait for a host.

        Raises:
            InputError: There is none, or its manifest is of a newer version.
            CorruptFileError: Its manifest is damaged.
            TransferError: The host does not give the manifest.
        """
        patience = patience or Patience()
        source = open_source(place, patience.timeout)
        transfer = Transfer(source, patience)
        return cls(Manifest.from_json(transfer.manifest() or b"", source.where), transfer)

    def segment(self, segment: Segment) -> bytes:
        """The bytes of a segment, checked.

        Raises:
            CorruptFileError: They are not those that the manifest says; names the segment.
            InputError: They cannot be read.
        """
        return self.transfer.segment(segment)

    def frame(self, number: int) -> Gaussians:
        """One frame; decodes its group up to it.

        Raises:
            InputError: There is no such frame, or a segment cannot be read.
            CorruptFileError: A segment is damaged; names it.
        """
        return next(self.frames(number, number))

    def frames(self, first: int = 0, last: int | None = None) -> Iterator[Gaussians]:
        """The frames ``first`` to ``last``, which is included; None: to the end.

        Raises:
            InputError: There are no such frames, or a segment cannot be read.
            CorruptFileError: A segment is damaged; names it.
        """
        last = self.manifest.frames - 1 if last is None else last
        begin, end = self.manifest.group_index(first), self.manifest.group_index(last)
        if last < first:
            raise InputError(f"frames {first} to {last}", found="none", expected="at least one")
        return self._frames(self.manifest.groups[begin : end + 1], first, last)

    def _frames(self, groups: tuple[Group, ...], first: int, last: int) -> Iterator[Gaussians]:
        decoder = SegmentDecoder()
        for segment in (segment for group in groups for segment in group.segments):
            if segment.first > last:
                return
            where = self.transfer.source.name(segment.url)
            frames = decoder.decode(segment, self.segment(segment), self.manifest, where)
            for number, frame in enumerate(frames, start=segment.first):
                if number > last:
                    return
                if number >= first:
                    yield frame

    def close(self) -> None:
        """Let go of connections."""
        self.transfer.source.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
