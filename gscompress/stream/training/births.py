"""Who has children while a frame is learned: what is drawn strongly where something moves."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gscompress.cameras import Camera
from gscompress.stream.training.motion import Motion
from gscompress.stream.training.settings import QueenSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Births", "GrowingModel"]

log = logging.getLogger(__name__)


class GrowingModel(Protocol):
    """Gaussians that are learned, one row each, of which more can be made."""

    @property
    def active(self) -> Tensor:  # [A]
        """The number of the Gaussian in each row."""
        ...

    def values(self, noise: Tensor | None = None) -> dict[str, Tensor]:
        """Attributes of all Gaussians, raw."""
        ...

    def grow(self, rows: Tensor, ways: Tensor) -> None:
        """Give rows [B] a child each; both move by ways [B, 3], to opposite sides."""
        ...


class Births:
    """Watches gradients, and lets Gaussians be born after every few rounds of the views.

    Args:
        model: What grows.
        motion: What moved.
        settings: How; with births.
        extent: Of the cameras, in world units.
        views: How many there are.
        room: How many may be born at most.
    """

    def __init__(
        self,
        model: GrowingModel,
        motion: Motion,
        settings: QueenSettings,
        extent: float,
        views: int,
        room: int,
    ) -> None:
        assert settings.births is not None
        self._model, self._births = model, settings.births
        self._small = settings.births.small * extent
        self._seed = settings.seed
        self._every = settings.births.every * views
        self._end = settings.births.until * settings.steps
        self._left = max(room, 0)
        self._fertile = motion.dynamic[motion.active]
        self._reset()

    def probe(self, step: int, count: int) -> Tensor | None:  # [N, 2]
        """What is to collect gradients by ``count`` projections in this step; None: nothing is."""
        if self._left == 0 or step >= self._end:
            return None
        return self._sum.new_zeros(count, 2).requires_grad_(True)

    def watch(self, step: int, probe: Tensor | None, camera: Camera) -> None:
        """Take what the probe has collected in a step, and let some be born if it is time."""
        if probe is None:
            return
        if probe.grad is not None:
            half = probe.new_tensor([camera.width / 2, camera.height / 2])
            pull = (probe.grad * half).norm(dim=1)[self._model.active]
            self._sum += pull
            self._seen += pull > 0
        if (step + 1) % self._every == 0 and step + 1 < self._end:
            self._bear(step)

    def _bear(self, step: int) -> None:
        import torch

        mean = self._sum / self._seen.clamp_min(1)
        wanting = (self._fertile & (mean > self._births.threshold)).nonzero()[:, 0]
        strongest = mean[wanting].argsort(descending=True, stable=True)[: self._left]
        rows = wanting[strongest].sort().values
        if len(rows):
            self._model.grow(rows, self._ways(rows, step))
            self._fertile = torch.cat([self._fertile, self._fertile[rows]])
            self._left -= len(rows)
        log.info("step %d: %d of %d that want to are born", step + 1, len(rows), len(wanting))
        self._reset()

    def _ways(self, rows: Tensor, step: int) -> Tensor:  # [B, 3]
        """How far rows and their children move apart: a sample of the Gaussian; 0 if it is small.

        3DGS samples both places; with opposite ones the middle stays where it is.
        """
        import torch

        with torch.no_grad():
            values = self._model.values()
            who = self._model.active[rows]
            scales, quats = values["log_scales"][who].exp(), values["quats"][who]
            rng = np.random.default_rng((self._seed, 0xB1F7, step))
            sample = torch.from_numpy(rng.standard_normal((len(rows), 3)).astype(np.float32))
            w, x, y, z = torch.nn.functional.normalize(quats, dim=1).unbind(1)
            local = sample.to(scales.device) * scales
            axis = torch.stack([x, y, z], dim=1)
            turn = 2 * torch.linalg.cross(axis, local)
            ways = local + w[:, None] * turn + torch.linalg.cross(axis, turn)
            large = scales.amax(dim=1, keepdim=True) > self._small
            return torch.where(large, ways, torch.zeros_like(ways))

    def _reset(self) -> None:
        active = self._model.active
        self._sum = active.new_zeros(len(active)).float()
        self._seen = active.new_zeros(len(active))
