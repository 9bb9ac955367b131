"""Codebooks fine-tuned through a renderer: words that get gradients, with fixed assignments.

For a stage that optimises a scene (torch, encoder side only)::

    words = {group: TrainableWords(codec, group, values, weights) for each codec with words}
    loop:
        sh = words["sh"](parameters["sh"])      # what will be decoded; gradients reach the words
        ... render, loss.backward(), step the optimiser over words["sh"].parameters() too
    ctx.trained["sh"] = words["sh"].trained()   # the encoder uses these words and assignments

Gaussians that keep their own values (those of vectree) get their gradients themselves. The rows of
``values`` are those of the scene that the stage gives back, after ``codec.arrange``; words trained
for another codec or another number of Gaussians are ignored by the encoder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.assigned import Assigned
from gscompress.codecs.guidance import Trained
from gscompress.gaussians import Array

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Quantised", "TrainableWords", "WordCodec"]


class Quantised(Protocol):
    """An attribute as a decoder will give it, as a function that gradients go through."""

    def __call__(self, values: Tensor) -> Tensor:
        """The values after quantization, in the shape of ``values`` [N, ...]."""
        ...

    def parameters(self) -> list[Tensor]:
        """What an optimiser may change besides the values."""
        ...


class WordCodec(Protocol):
    """A codec with codebooks: vectree, svq, rvq."""

    def assign(
        self, values: Array, group: str, weights: NDArray[np.float64], device: str = "cpu"
    ) -> Assigned:
        """Make codebooks for values [N, ...] and choose each Gaussian's words."""
        ...


class TrainableWords(Quantised):
    """The words of one codec as torch parameters.

    Rotations are not normalised: renderers do that, and so does the decoder.

    Args:
        codec: The codec.
        group: The attribute group that it codes.
        values: The group's values [N, ...], N > 0.
        weights: How much the errors of each Gaussian count when words are assigned.
        device: Where the words live.
    """

    def __init__(
        self,
        codec: WordCodec,
        group: str,
        values: Array,
        weights: NDArray[np.float64],
        device: str = "cpu",
    ) -> None:
        import torch

        self.codec = codec
        self._assigned = assigned = codec.assign(values, group, weights, device)
        dims = int(np.prod(values.shape[1:], dtype=np.int64))
        self._skipped = dims - assigned.axes[0].shape[1]
        used = np.ones(len(values), bool) if assigned.used is None else assigned.used
        self._rows = torch.from_numpy(np.flatnonzero(used)).to(device)
        chosen = assigned.indices[:, used].astype(np.int64)
        self._indices = [torch.from_numpy(index).to(device) for index in chosen]
        self._axes = [torch.from_numpy(a.astype(np.float32)).to(device) for a in assigned.axes]
        self._words = [
            torch.from_numpy(words.copy()).to(device).requires_grad_(True)
            for words in assigned.words
        ]

    def parameters(self) -> list[Tensor]:
        """The words of each codebook [W, L]."""
        return list(self._words)

    def __call__(self, values: Tensor) -> Tensor:
        """The values [N, ...] with the words of those Gaussians that have some."""
        import torch

        parts = [
            torch.nn.functional.embedding(index, words) @ axes
            for words, axes, index in zip(self._words, self._axes, self._indices, strict=True)
        ]
        worded = torch.stack(parts).sum(dim=0)
        flat = values.reshape(len(values), -1)
        rows = flat[self._rows]
        rows = torch.cat([rows[:, : self._skipped], worded], dim=1)
        return flat.index_copy(0, self._rows, rows).reshape(values.shape)

    def trained(self) -> Trained:
        """The words as they are now, for the encoder."""
        words = tuple(words.detach().cpu().numpy().copy() for words in self._words)
        return Trained(self.codec, replace(self._assigned, words=words))
