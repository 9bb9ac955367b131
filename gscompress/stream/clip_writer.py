"""Writing a clip: segments into a folder, and the manifest that tells of them at any time."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from gscompress.gaussians import Gaussians
from gscompress.io.atomic import atomic_write
from gscompress.stream.manifest import Group, Kind, Manifest, Segment

__all__ = ["ClipWriter"]


class ClipWriter:
    """Segments in their order, in groups.

    Args:
        folder: Where to write; exists.
        fps: Frames per second.
        provenance: How the clip was made.
    """

    def __init__(self, folder: Path, fps: float, provenance: dict[str, Any]) -> None:
        self._folder, self._fps, self._provenance = folder, fps, provenance
        self._groups: list[list[Segment]] = []

    @property
    def frames(self) -> int:
        """Frames so far."""
        return sum(segment.frames for group in self._groups for segment in group)

    @property
    def frames_in_group(self) -> int:
        """Those of the group that is being written."""
        return sum(segment.frames for segment in self._group)

    @property
    def bytes_in_group(self) -> int:
        """Of the segments of the group that is being written."""
        return sum(segment.bytes for segment in self._group)

    @property
    def _group(self) -> list[Segment]:
        return self._groups[-1] if self._groups else []

    def begin_group(self) -> None:
        """What is added from now on belongs to a new group."""
        self._groups.append([])

    def add(self, kind: Kind, data: bytes, frames: int = 1) -> Segment:
        """Write the next segment, and tell what the manifest says of it."""
        first = self.frames
        url = f"{first:06d}.{'gsz' if kind == 'key' else 'gsr'}"
        with atomic_write(self._folder / url) as file:
            file.write(data)
        digest = hashlib.sha256(data).hexdigest()
        segment = Segment(url, kind, first, frames, len(data), digest)
        self.keep(segment)
        return segment

    def keep(self, segment: Segment) -> None:
        """Go on after a segment that is in the folder already."""
        self._groups[-1].append(segment)

    def write_manifest(self, scene: Gaussians, gaussians: int, *, complete: bool) -> Manifest:
        """Tell what is there so far.

        Args:
            scene: A frame: all are of its degree, mode and colour space.
            gaussians: The most that a frame has.
            complete: Whether no more will come.
        """
        manifest = Manifest(
            fps=self._fps,
            sh_degree=scene.sh_degree,
            gaussians=gaussians,
            groups=tuple(
                Group(group[0].first, sum(segment.frames for segment in group), tuple(group))
                for group in self._groups
            ),
            mode=scene.mode,
            color_space=scene.colour_space,
            complete=complete,
            provenance=self._provenance,
        )
        manifest.write(self._folder)
        return manifest
