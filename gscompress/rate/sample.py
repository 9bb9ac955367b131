"""A part of a scene from which is seen what steps do to the whole.

What a change of steps does to bytes and images is a sum over the Gaussians: some blocks of them,
spread over the scene, say as much as all. Each group is encoded by itself, as if the others had the
steps that the configuration gives them; the Gaussians outside the part stay as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.cameras import Camera
from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import GROUPS, WAVES, encode_group
from gscompress.config import Config
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Renderer

__all__ = ["Coded", "Part", "Views", "blocks", "grid_of"]

_CELLS = 2**20 - 1

BLOCK = 512
"""Neighbours in coding order that are taken together, so that they still predict each other."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some Gaussians of an arranged scene, ready to be encoded under many configurations.

    Attributes:
        rows: Which Gaussians of the scene.
        scene: They.
        guidance: What is known of them.
        begun: What is known once the positions are coded; the same under every configuration.
    """

    rows: NDArray[np.intp]
    scene: Gaussians
    guidance: Guidance
    begun: Decoded

    def code(self, config: Config) -> Coded:
        """Encode all groups."""
        return Coded(self, config)

    def code_means(self, config: Config) -> tuple[int, Array]:
        """Bytes and decoded positions; other codecs than that of ``begun`` order them anew."""
        codec: Any = config.attributes["means"]
        levels = self.begun.levels
        level = np.searchsorted(levels, np.arange(len(self.rows)), side="right")
        order = np.arange(len(self.rows))
        if hasattr(codec, "order"):
            order = codec.order(self.scene.means)
        order = order[np.argsort(level[order], kind="stable")]
        streams = StreamWriter(config.entropy, levels)
        decoded = Decoded(len(order), self.scene.sh_degree, self.scene.mode, levels=levels)
        coded = encode_group(
            "means", self.scene.select(order), self.guidance, codec, decoded, streams
        )
        means = np.empty_like(coded)
        means[order] = coded
        return sum(map(len, streams.chunks.values())), means


class Coded:
    """A part under one configuration.

    Attributes:
        bytes: Of each group.
        values: The decoded values of each group.
    """

    def __init__(self, part: Part, config: Config) -> None:
        self._part = part
        self._config = config
        self._known: dict[str, Decoded] = {}
        self.bytes: dict[str, int] = {}
        self.values: dict[str, Array] = {}
        self.bytes["means"], self.values["means"] = part.code_means(config)
        state = part.begun
        for wave in WAVES[1:]:
            self._known |= dict.fromkeys(wave, state)
            for group in wave:
                self.bytes[group], self.values[group] = self.trial(group, config)
            state = self._after(wave, state)

    def trial(self, group: str, config: Config) -> tuple[int, Array]:
        """Bytes and decoded values of a group under another configuration of it alone."""
        if group == "means":
            return self._part.code_means(config)
        state, codec = self._known[group], config.attributes[group]
        streams = StreamWriter(config.entropy, state.levels)
        encode_group(group, self._part.scene, self._part.guidance, codec, state.copy(), streams)
        chunks = streams.chunks
        reader = StreamReader(config.entropy, chunks, "a trial", state.levels, group)
        return sum(map(len, chunks.values())), codec.decode(state.copy(), reader)

    def _after(self, wave: Sequence[str], state: Decoded) -> Decoded:
        state = state.copy()
        state.attributes |= {GROUPS[group]: self.values[group] for group in wave}
        if wave != WAVES[-1] and "importance" in self._config.attributes:
            codec: Any = self._config.attributes["importance"]
            nowhere = StreamWriter(self._config.entropy, state.levels)
            state.classes = codec.encode(self._part.guidance.importance, state, nowhere)
        return state


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
    """Images of a scene of which a part is exchanged.

    Args:
        scene: The scene; it stays as it is.
        rows: Which Gaussians will be exchanged.
        cameras: From where it is looked at.
        renderer: Renders it.
    """

    def __init__(
        self,
        scene: Gaussians,
        rows: NDArray[np.intp],
        cameras: Sequence[Camera],
        renderer: Renderer,
    ) -> None:
        self._scene = scene.replace(
            **{name: getattr(scene, name).copy() for name in GROUPS.values()}
        )
        self._rows = rows
        self._cameras = cameras
        self._renderer = renderer
        self._truth = [renderer.render(scene, camera).image for camera in cameras]

    def put(self, values: Mapping[str, Array]) -> Views:
        """Exchange the values of some groups."""
        for group, new in values.items():
            getattr(self._scene, GROUPS[group])[self._rows] = new
        return self

    def errors(self) -> NDArray[np.float64]:  # [V]
        """Mean squared error of each image as things are now."""
        return np.array(
            [
                np.mean(np.square(self._renderer.render(self._scene, camera).image - image))
                for camera, image in zip(self._cameras, self._truth, strict=True)
            ]
        )
