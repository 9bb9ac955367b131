"""The residual of one frame while it is learned: latents, decoders, gates and moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.stages.parameters import Parameters
from gscompress.stream.latent import LATENT_GROUPS, LatentFrame, width_of
from gscompress.stream.training.gates import expected_open, first_log_alpha, gate
from gscompress.stream.training.motion import Motion
from gscompress.stream.training.settings import LatentSettings, QueenSettings

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LatentModel", "straight_round"]

_PLACES = {"sh0": ("sh", 0), "shN": ("sh", 1)}
"""Attribute and first row of the groups that are parts of one."""


def straight_round(values: Tensor) -> Tensor:
    """Round half to even; gradients go through as if it were not there."""
    return values + (values.round() - values).detach()


class LatentModel:
    """What is learned of one frame, from nothing: latents and moves start at 0.

    Args:
        previous: The decoded frame before.
        motion: What moved.
        settings: How it is learned.
        extent: Of the cameras, in world units.
        threads: Of the native core.
    """

    def __init__(
        self,
        previous: Gaussians,
        motion: Motion,
        settings: QueenSettings,
        extent: float,
        threads: int = 1,
    ) -> None:
        import torch

        self._previous, self._settings = previous, settings
        self._extent = extent
        device = motion.difference.device
        self._active = motion.active
        self._movable = (motion.difference[motion.active] > settings.motion.still).float()[:, None]
        self._base = {
            name: torch.from_numpy(getattr(previous, name).copy()).to(device) for name in ATTRIBUTES
        }
        count = len(motion.active)
        rows = {"moves": torch.zeros(count, 3, device=device)}
        shared: dict[str, Tensor] = {}
        rng = np.random.default_rng([settings.seed, 0xDEC0DE])
        for group in self._groups():
            latents = settings.latents[group]
            decoder = self.first_decoder(latents, width_of(previous, group), rng)
            rows[f"latents_{group}"] = torch.zeros(count, latents.dims, device=device)
            shared[f"decoder_{group}"] = torch.from_numpy(decoder).to(device)
        if settings.gate is not None:
            shared["gates"] = first_log_alpha(motion.difference, settings.gate)[motion.active]
        self._rows = Parameters(rows, damping=settings.damping, threads=threads)
        self._shared = Parameters(shared, threads=threads)

    def _groups(self) -> list[str]:
        present = [g for g in LATENT_GROUPS if g in self._settings.latents]
        return [group for group in present if width_of(self._previous, group)]

    def values(self, noise: Tensor | None = None) -> dict[str, Tensor]:
        """The attributes now; without ``noise`` gates are what they will be in the end."""
        now = dict(self._base)
        now["means"] = now["means"].index_add(0, self._active, self._moves(noise))
        for group in self._groups():
            latents = self.rounded(self._rows.values[f"latents_{group}"])
            change = latents @ self._shared.values[f"decoder_{group}"]
            name, first = _PLACES.get(group, (group, 0))
            shape = self._base[name].shape
            if name == "sh":
                terms = change.shape[1] // 3
                change = change.view(-1, terms, 3)
                change = _padded(change, first, shape[1] - first - terms)
            now[name] = now[name].index_add(0, self._active, change.view(-1, *shape[1:]))
        return now

    def rounded(self, latents: Tensor) -> Tensor:
        """What is decoded."""
        return straight_round(latents)

    def first_decoder(
        self, latents: LatentSettings, width: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:  # [L, d]
        """Rows of length ``step`` in random directions, as different as so many can be."""
        longer = max(latents.dims, width)
        rows = np.linalg.qr(rng.normal(size=(longer, longer)))[0][: latents.dims, :width]
        rows = latents.step * rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows, np.float32)

    def _moves(self, noise: Tensor | None) -> Tensor:  # [N, 3]
        moves, settings = self._movable * self._rows.values["moves"], self._settings.gate
        if settings is None:
            return moves
        return gate(self._shared.values["gates"], settings, noise)[:, None] * moves

    def penalty(self) -> Tensor | None:
        """What is added to the loss: the prices of latents and of open gates."""
        settings, price = self._settings, None
        if settings.sparsity > 0 and self._groups():
            sums = [self._rows.values[f"latents_{group}"].abs().sum() for group in self._groups()]
            price = settings.sparsity / len(self._previous) * sum(sums[1:], sums[0])
        if settings.gate is not None:
            opened = expected_open(self._shared.values["gates"], settings.gate).mean()
            price = settings.gate.penalty * opened + (0 if price is None else price)
        return price

    def update(self, factor: float) -> None:
        """One step along the gradients, at rates of ``factor`` times the first ones."""
        settings = self._settings
        rates = settings.rates.by_attribute(self._extent)
        by_row: dict[str, float | Tensor] = {"moves": factor * rates["means"]}
        by_entry: dict[str, float | Tensor] = {}
        for group in self._groups():
            latents = settings.latents[group]
            width = width_of(self._previous, group)
            # By Adam all L dimensions move at once, and all d of an attribute would.
            speed = rates[group] * min(1.0, width / latents.dims) ** 0.5
            by_row[f"latents_{group}"] = factor * speed / latents.step
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
        moving = moves.any(axis=1)
        active = _numpy(self._active)
        return LatentFrame(
            latents={group: self._integers(group) for group in self._groups()},
            decoders={g: _numpy(self._shared.values[f"decoder_{g}"]) for g in self._groups()},
            moved=active[moving],
            moves=moves[moving],
            move_step=step,
            parents=np.zeros(0, np.int32),
        )

    def _integers(self, group: str) -> NDArray[np.int32]:  # [N, L]
        learned = _numpy(self._rows.values[f"latents_{group}"].round())
        latents = np.zeros((len(self._previous), learned.shape[1]), np.int32)
        latents[_numpy(self._active)] = learned
        return latents


def _padded(change: Tensor, before: int, after: int) -> Tensor:  # [A, k, 3]
    """The same with zeros for the harmonics before and after."""
    import torch

    return torch.nn.functional.pad(change, (0, 0, before, after))


def _numpy(values: Tensor) -> NDArray[Any]:
    return np.array(values.detach().cpu().numpy())
