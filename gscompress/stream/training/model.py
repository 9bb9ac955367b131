"""The residual of one frame while it is learned: latents, decoders, gates and moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stages.parameters import Parameters
from gscompress.stream.latent import LATENT_GROUPS, LatentFrame, width_of
from gscompress.stream.training.gates import expected_open, first_log_alpha, gate
from gscompress.stream.training.settings import QueenSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LatentModel", "straight_round"]


def straight_round(values: Tensor) -> Tensor:
    """Round half to even; gradients go through as if it were not there."""
    return values + (values.round() - values).detach()


class LatentModel:
    """What is learned of one frame, from nothing: latents and moves start at 0.

    Args:
        previous: The decoded frame before.
        motion: Viewspace gradient difference of each Gaussian [N].
        settings: How it is learned.
        extent: Of the cameras, in world units.
        threads: Of the native core.
    """

    def __init__(
        self,
        previous: Gaussians,
        motion: Tensor,
        settings: QueenSettings,
        extent: float,
        threads: int = 1,
    ) -> None:
        import torch

        self._previous, self._settings = previous, settings
        self._extent, self._device = extent, motion.device
        self._base = {
            name: torch.from_numpy(getattr(previous, name).copy()).to(motion.device)
            for name in ATTRIBUTES
        }
        count = len(previous)
        rows = {"moves": torch.zeros(count, 3, device=motion.device)}
        shared: dict[str, Tensor] = {}
        rng = np.random.default_rng([settings.seed, 0xDEC0DE])
        for group in self._groups():
            latents = settings.latents[group]
            shape = (latents.dims, width_of(previous, group))
            decoder = (latents.step * rng.normal(size=shape)).astype(np.float32)
            rows[f"latents_{group}"] = torch.zeros(count, latents.dims, device=motion.device)
            shared[f"decoder_{group}"] = torch.from_numpy(decoder).to(motion.device)
        if settings.gate is not None:
            shared["gates"] = first_log_alpha(motion, settings.gate)
        self._rows = Parameters(rows, damping=settings.damping, threads=threads)
        self._shared = Parameters(shared, threads=threads)

    def _groups(self) -> list[str]:
        present = [g for g in LATENT_GROUPS if g in self._settings.latents]
        return [group for group in present if width_of(self._previous, group)]

    def values(self, noise: Tensor | None = None) -> dict[str, Tensor]:
        """The attributes now; without ``noise`` gates are what they will be in the end."""
        now = dict(self._base)
        now["means"] = self._base["means"] + self._moves(noise)
        for group in self._groups():
            latents = self._rows.values[f"latents_{group}"]
            change = straight_round(latents) @ self._shared.values[f"decoder_{group}"]
            if group == "sh0":
                now["sh"] = _plus(now["sh"], change[:, None], 0)
            elif group == "shN":
                now["sh"] = _plus(now["sh"], change.view(len(change), -1, 3), 1)
            else:
                now[group] = now[group] + change.view(now[group].shape)
        return now

    def _moves(self, noise: Tensor | None) -> Tensor:  # [N, 3]
        moves, settings = self._rows.values["moves"], self._settings.gate
        if settings is None:
            return moves
        return gate(self._shared.values["gates"], settings, noise)[:, None] * moves

    def penalty(self) -> Tensor | None:
        """What is added to the loss: the price of open gates."""
        settings = self._settings.gate
        if settings is None:
            return None
        return settings.penalty * expected_open(self._shared.values["gates"], settings).mean()

    def update(self, factor: float) -> None:
        """One step along the gradients, at rates of ``factor`` times the first ones."""
        settings = self._settings
        rates = settings.rates.by_attribute(self._extent)
        by_row: dict[str, float | Tensor] = {"moves": factor * rates["means"]}
        by_entry: dict[str, float | Tensor] = {}
        for group in self._groups():
            latents = settings.latents[group]
            # All dimensions move at once, each in a random direction of about this length.
            by_row[f"latents_{group}"] = factor * rates[group] / (latents.step * latents.dims)
            by_entry[f"decoder_{group}"] = factor * settings.decoder_rate * latents.step
        if settings.gate is not None:
            by_entry["gates"] = settings.gate.rate
        self._rows.update(by_row)
        self._shared.update(by_entry)
        if settings.gate is not None:
            bound = float(np.log(settings.gate.bound))
            self._shared.values["gates"].data.clamp_(-bound, bound)

    def frame(self) -> LatentFrame:
        """What has been learned, in integers."""
        step = self._settings.move_step * self._extent
        way = _numpy(self._moves(None)).astype(np.float64)
        moves = np.rint(way / step).astype(np.int32)
        moved = np.flatnonzero(moves.any(axis=1)).astype(np.int32)
        groups = self._groups()
        return LatentFrame(
            latents={
                group: _numpy(self._rows.values[f"latents_{group}"].round()).astype(np.int32)
                for group in groups
            },
            decoders={group: _numpy(self._shared.values[f"decoder_{group}"]) for group in groups},
            moved=moved,
            moves=moves[moved],
            move_step=step,
            parents=np.zeros(0, np.int32),
        )


def _plus(sh: Tensor, change: Tensor, first: int) -> Tensor:
    """The harmonics with ``change`` added from term ``first`` on."""
    import torch

    last = first + change.shape[1]
    return torch.cat([sh[:, :first], sh[:, first:last] + change, sh[:, last:]], dim=1)


def _numpy(values: Tensor) -> np.ndarray:  # type: ignore[type-arg]
    return values.detach().cpu().numpy().copy()
