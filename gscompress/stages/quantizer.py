"""What the codecs will make of a scene while it is still being optimised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.base import Decoded, StreamReader, StreamWriter
from gscompress.codecs.guidance import Guidance
from gscompress.codecs.scene import arrange, decode_scene, encode_scene
from gscompress.entropy.plain import Plain
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians
from gscompress.importance.scores import look
from gscompress.stages.base import Context

__all__ = ["CodecQuantizer", "Quantizer"]


class Quantizer(Protocol):
    """Says by how much decoding will change each parameter."""

    def prepare(self, scene: Gaussians) -> Gaussians:
        """An equivalent scene, row by row, in the form in which it will be coded."""
        ...

    def offsets(self, scene: Gaussians) -> dict[str, Array]:
        """Decoded minus given values by attribute; without those that do not change."""
        ...


@dataclass(frozen=True, eq=False)
class CodecQuantizer(Quantizer):
    """Runs the configuration's own codecs, whatever they are, without the entropy coding.

    Added to the parameters as constants, the offsets make an optimiser see the decoded scene while
    its gradients go straight through to the parameters.

    Attributes:
        codecs: The configuration's, by attribute group.
        guidance: What the encoder will know; it hardly changes while a scene is fine-tuned.
    """

    codecs: Mapping[str, Any]
    guidance: Guidance

    @staticmethod
    def of(scene: Gaussians, ctx: Context) -> CodecQuantizer | None:
        """For a scene about to be optimised; None where nobody said how it will be coded.

        Where steps are to suit the scene, they are looked for now, and stay as they are found.
        """
        if ctx.attributes is None:
            return None
        attributes, guidance = ctx.attributes, look(scene, ctx.attributes, ctx)
        if ctx.allocate is not None:
            attributes = ctx.allocate(scene, guidance)
        return CodecQuantizer(attributes, guidance)

    def prepare(self, scene: Gaussians) -> Gaussians:
        """Choose among equivalent parameters as the codecs do."""
        for codec in self.codecs.values():
            if hasattr(codec, "arrange"):
                scene = codec.arrange(scene)
        return scene

    def offsets(self, scene: Gaussians) -> dict[str, Array]:
        """Decoded minus given values.

        A Gaussian whose rotation now has a nearer equivalent keeps its own rotation and scales: the
        two sets of parameters cannot be subtracted.
        """
        arranged, guidance, levels = arrange(scene, self.guidance, self.codecs)
        streams = StreamWriter(Plain(), levels)
        encode_scene(arranged, guidance, self.codecs, streams)
        reader = StreamReader(Plain(), streams.chunks, "the scene being optimised", levels)
        context = Decoded(len(scene), scene.sh_degree, scene.mode, levels=levels)
        decoded = decode_scene(context, self.codecs, reader)
        order = self._order(scene)
        own = scene.select(order)
        same = np.abs(np.sum(arranged.quats * own.unit_quats, axis=1)) > 1 - 1e-4
        changes = {}
        for name in ATTRIBUTES:
            change = getattr(decoded, name) - getattr(own, name)
            if name in ("quats", "log_scales"):
                change[~same] = 0
            if np.any(change):
                changes[name] = np.empty_like(change)
                changes[name][order] = change
        return changes

    def _order(self, scene: Gaussians) -> NDArray[np.intp]:
        means = self.codecs["means"]
        if hasattr(means, "order"):
            return np.asarray(means.order(scene.means), np.intp)
        return np.arange(len(scene))
