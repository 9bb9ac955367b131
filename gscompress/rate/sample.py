"""What steps do to bytes and images, tried without encoding the scene again and again.

Bytes are a sum over the Gaussians: some blocks of them, spread over the scene, say as much as all.
Images are not: a few Gaussians that are seen much make most of the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import GROUPS, WAVES, encode_group
from gscompress.config import Config
from gscompress.entropy.base import Coder
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Renderer

__all__ = ["Coded", "Part", "Views", "blocks", "grid_of"]

_CELLS = 2**20 - 1

BLOCK = 512
"""Neighbours in coding order that are taken together, so that they still predict each other."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some Gaussians of an arranged scene, ready to be coded under many configurations.

    Attributes:
        rows: Which Gaussians of the scene.
        scene: They.
        guidance: What is known of them.
        begun: What is known once the positions are coded; the same under every configuration.
        coder: Turns symbols into bytes.
    """

    rows: NDArray[np.intp]
    scene: Gaussians
    guidance: Guidance
    begun: Decoded
    coder: Coder

    def under(self, config: Config) -> Coded:
        """Under a configuration."""
        return Coded(self, config)

    def means(self, config: Config) -> tuple[int, Array]:
        """Bytes and decoded positions; other codecs than that of ``begun`` order them anew."""
        codec: Any = config.attributes["means"]
        levels = self.begun.levels
        level = np.searchsorted(levels, np.arange(len(self.rows)), side="right")
        order = np.arange(len(self.rows))
        if hasattr(codec, "order"):
            order = codec.order(self.scene.means)
        order = order[np.argsort(level[order], kind="stable")]
        streams = StreamWriter(self.coder, levels)
        streams.group = "means"
        decoded = Decoded(len(order), self.scene.sh_degree, self.scene.mode, levels=levels)
        coded = codec.encode(self.scene.means[order], decoded, streams)
        means = np.empty_like(coded)
        means[order] = coded
        return _size(streams), means


class Coded:
    """A part under one configuration; nothing is coded before it is asked for."""

    def __init__(self, part: Part, config: Config) -> None:
        self._part = part
        self._config = config
        self._done: dict[str, tuple[int, Array]] = {}
        self._states = [part.begun]

    def group(self, group: str) -> tuple[int, Array]:
        """Bytes and decoded values of a group."""
        if group not in self._done:
            self._done[group] = self.trial(group, self._config)
        return self._done[group]

    def trial(self, group: str, config: Config) -> tuple[int, Array]:
        """The same, were it under another configuration, but nothing else."""
        if group == "means":
            return self._part.means(config)
        part, codec = self._part, config.attributes[group]
        state = self._state(next(k for k, wave in enumerate(WAVES) if group in wave))
        streams = StreamWriter(part.coder, state.levels)
        encode_group(group, part.scene, part.guidance, codec, state.copy(), streams)
        reader = StreamReader(part.coder, streams.chunks, "a trial", state.levels, group)
        return _size(streams), codec.decode(state.copy(), reader)

    def bytes(self) -> int:
        """Of all groups."""
        return sum(self.group(group)[0] for group in GROUPS)

    def _state(self, number: int) -> Decoded:
        """What is known before a wave."""
        if number > len(self._states):
            wave, state = WAVES[number - 1], self._state(number - 1).copy()
            state.attributes |= {GROUPS[group]: self.group(group)[1] for group in wave}
            if "importance" in self._config.attributes:
                codec: Any = self._config.attributes["importance"]
                nowhere = StreamWriter(self._part.coder, state.levels)
                state.classes = codec.encode(self._part.guidance.importance, state, nowhere)
            self._states.append(state)
        return self._states[number - 1]


def _size(streams: StreamWriter) -> int:
    return sum(map(len, streams.chunks.values()))


def blocks(levels: Sequence[int], count: int) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """Rows of about ``count`` Gaussians in blocks evenly spread over each level, and its levels.

    Args:
        levels: How many Gaussians there are up to each level's end.
        count: How many rows are wanted; all, where there are no more.
    """
    share = min(1.0, count / max(levels[-1], 1))
    kept, ends = [], []
    for begin, end in zip([0, *levels], levels, strict=False):
        number = np.arange(end - begin) // BLOCK
        taken = np.floor((number + 1) * share) > np.floor(number * share)
        kept.append(begin + np.flatnonzero(taken))
        ends.append(sum(map(len, kept)))
    return np.concatenate(kept), tuple(ends)


def grid_of(means: Array) -> NDArray[np.uint32]:  # [N, 3] -> [N, 3]
    """Cells of positions, fine enough to tell who is near."""
    low = means.min(axis=0)
    extent = float((means.max(axis=0) - low).max()) or 1.0
    return np.asarray((means - low) * (_CELLS / extent), dtype=np.uint32)


class Views:
    """Images of a scene in which some values are exchanged.

    Args:
        scene: The scene; it stays as it is.
        cameras: From where it is looked at.
        renderer: Renders it.
    """

    def __init__(self, scene: Gaussians, cameras: Sequence[Camera], renderer: Renderer) -> None:
        self._scene = scene
        self._cameras = cameras
        self._renderer = renderer
        self._truth = [renderer.render(scene, camera).image for camera in cameras]

    def errors(
        self, group: str, rows: NDArray[np.intp], values: Array
    ) -> NDArray[np.float64]:  # [V]
        """Mean squared error of each image where some Gaussians have other values of a group."""
        name = GROUPS[group]
        changed = values
        if len(rows) < len(self._scene):
            changed = getattr(self._scene, name).copy()
            changed[rows] = values
        scene = self._scene.replace(**{name: changed})
        return np.array(
            [
                np.mean(np.square(self._renderer.render(scene, camera).image - image))
                for camera, image in zip(self._cameras, self._truth, strict=True)
            ]
        )
