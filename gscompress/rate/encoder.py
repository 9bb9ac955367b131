"""One scene, encoded as often as it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gscompress.codecs.base import StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import arrange, encode_scene
from gscompress.config import Config
from gscompress.container import Container
from gscompress.format import decode_container, make_header
from gscompress.gaussians import Gaussians

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

    def encode(self, config: Config) -> Encoded:
        """Encode under ``config``."""
        arranged, guidance, levels = self._arrange(config)
        streams = StreamWriter(config.entropy, levels)
        encode_scene(arranged, guidance, config.attributes, streams)
        self.count += 1
        header = make_header(self.source, arranged, levels, config)
        container = Container(header, streams.chunks)
        return Encoded(config, container, arranged)

    def _arrange(self, config: Config) -> tuple[Gaussians, Guidance, tuple[int, ...]]:
        """Arranging depends on the kinds of the codecs and, for the order, on that of the means."""
        kinds = tuple(type(codec) for codec in config.attributes.values())
        key = (config.attributes["means"], kinds, config.levels)
        if key not in self._arranged:
            self._arranged.clear()  # one arranged scene at a time is enough
            self._arranged[key] = arrange(
                self.scene, self._guidance, config.attributes, config.levels
            )
        return self._arranged[key]
