"""One scene, encoded as often as it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gscompress.codecs.base import Decoded, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import WAVES, arrange, encode_wave
from gscompress.config import Config
from gscompress.container import Container
from gscompress.entropy.plain import Plain
from gscompress.format import decode_container, make_header
from gscompress.gaussians import Gaussians
from gscompress.rate.sample import Part, blocks, grid_of

__all__ = ["Encoded", "Encoder"]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A scene under one configuration.

    Attributes:
        config: The configuration.
        container: The file's content.
        arranged: The scene as it was coded, Gaussian by Gaussian.
    """

    config: Config
    container: Container
    arranged: Gaussians

    @cached_property
    def decoded(self) -> Gaussians:
        """What decoding gives."""
        return decode_container(self.container)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.container.to_bytes())


class Encoder:
    """Encodes a scene under configurations that differ in their steps.

    Args:
        source: The scene as it came; what is said about it goes into the files.
        scene: What is encoded: the same after all stages.
        guidance: What renders from the training cameras say about it.

    Attributes:
        source: As given.
        scene: As given.
        count: How often it has encoded.
    """

    def __init__(self, source: Gaussians, scene: Gaussians, guidance: Guidance) -> None:
        self.source = source
        self.scene = scene
        self.count = 0
        self._guidance = guidance
        self._arranged: dict[object, tuple[Gaussians, Guidance, tuple[int, ...]]] = {}
        self._begun: dict[object, tuple[Decoded, StreamWriter]] = {}

    def encode(self, config: Config) -> Encoded:
        """Encode under ``config``."""
        arranged, guidance, levels = self._arrange(config)
        decoded, streams = self._begin(config)
        for wave in WAVES[1:]:
            encode_wave(wave, arranged, guidance, config.attributes, decoded, streams)
        self.count += 1
        header = make_header(self.source, arranged, levels, config)
        container = Container(header, streams.chunks)
        return Encoded(config, container, arranged)

    def part(self, config: Config, count: int) -> Part:
        """About ``count`` of the Gaussians, to see what they cost."""
        arranged, guidance, levels = self._arrange(config)
        rows, ends = blocks(levels, count)
        begun = self._begin(config)[0].select(rows, ends)
        begun.set_grid(grid_of(begun.attributes["means"]))
        return Part(rows, arranged.select(rows), guidance.select(rows), begun, config.entropy)

    def whole(self, config: Config) -> Part:
        """All of the Gaussians, to see what becomes of them."""
        arranged, guidance, _ = self._arrange(config)
        rows = np.arange(len(arranged))
        begun = self._begin(config)[0].select(rows, (len(rows),))
        return Part(rows, arranged, guidance, begun, Plain())

    def _begin(self, config: Config) -> tuple[Decoded, StreamWriter]:
        """The first wave: where positions and importance stay as they are, so do their streams."""
        arranged, guidance, levels = self._arrange(config)
        key = _kind(config), config.entropy
        if key not in self._begun:
            self._begun.clear()
            decoded = Decoded(len(arranged), arranged.sh_degree, arranged.mode, levels=levels)
            streams = StreamWriter(config.entropy, levels)
            encode_wave(WAVES[0], arranged, guidance, config.attributes, decoded, streams)
            self._begun[key] = decoded, streams
        decoded, streams = self._begun[key]
        return decoded.copy(), streams.copy()

    def _arrange(self, config: Config) -> tuple[Gaussians, Guidance, tuple[int, ...]]:
        """Arranging depends on the kinds of the codecs and, for the order, on that of the means."""
        key = _kind(config)
        if key not in self._arranged:
            self._arranged.clear()  # one arranged scene at a time is enough
            self._arranged[key] = arrange(
                self.scene, self._guidance, config.attributes, config.levels
            )
        return self._arranged[key]


def _kind(config: Config) -> tuple[object, ...]:
    codecs = config.attributes
    kinds = tuple(type(codec) for codec in codecs.values())
    return codecs["means"], codecs.get("importance"), kinds, config.levels
