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
        self._active = self._origin = motion.active
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
        gates: dict[str, Tensor] = {}
        if settings.gate is not None:
            gates["gates"] = first_log_alpha(motion.difference, settings.gate)[motion.active]
        self._rows = Parameters(rows, damping=settings.damping, threads=threads)
        self._gates = Parameters(gates, threads=threads)
        self._shared = Parameters(shared, threads=threads)

    @property
    def active(self) -> Tensor:  # [A]
        """The number of the Gaussian that each row is of: those before, then the new ones."""
        return self._active

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
        return gate(self._gates.values["gates"], settings, noise)[:, None] * moves

    def penalty(self) -> Tensor | None:
        """What is added to the loss: the prices of latents and of open gates."""
        settings, price = self._settings, None
        if settings.sparsity > 0 and self._groups():
            sums = [self._rows.values[f"latents_{group}"].abs().sum() for group in self._groups()]
            price = settings.sparsity / len(self._previous) * sum(sums[1:], sums[0])
        if settings.gate is not None:
            opened = expected_open(self._gates.values["gates"], settings.gate).mean()
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
        self._rows.update(by_row)
        self._shared.update(by_entry)
        if settings.gate is not None:
            self._gates.update({"gates": settings.gate.rate})
            bound = float(np.log(settings.gate.bound))
            self._gates.values["gates"].data.clamp_(-bound, bound)

    def grow(self, rows: Tensor, ways: Tensor) -> None:
        """Let Gaussians be born.

        A child is what its row is now. Where ``ways`` is not 0, both move by it, to opposite sides,
        and shrink.

        Args:
            rows: Of the parents [B], ascending.
            ways: How far both move, in world units [B, 3].
        """
        import torch

        origin, first = self._origin[rows], len(self._base["means"])
        self._base = {n: torch.cat([value, value[origin]]) for n, value in self._base.items()}
        born = torch.arange(first, first + len(rows), device=rows.device)
        self._active = torch.cat([self._active, born])
        self._origin = torch.cat([self._origin, origin])
        self._movable = torch.cat([self._movable, self._movable[rows]])
        children = self._rows.append_rows(rows)
        if self._settings.gate is not None:
            self._gates.append_rows(rows)
        apart = ways.any(dim=1)
        self._part(rows[apart], children[apart], ways[apart])

    def _part(self, parents: Tensor, children: Tensor, ways: Tensor) -> None:
        """Move rows apart, through open gates, and let them shrink as far as latents can tell."""
        import torch

        both, gates = torch.cat([parents, children]), self._settings.gate
        with torch.no_grad():
            moves = self._rows.values["moves"]
            moves[both] = self._moves(None)[both] + torch.cat([-ways, ways])
            if gates is not None:
                self._gates.values["gates"][both] = float(np.log(gates.bound))
            if self._settings.births is not None and "log_scales" in self._groups():
                decoder = _numpy(self._shared.values["decoder_log_scales"])
                less = np.full(decoder.shape[1], -np.log(self._settings.births.shrink))
                units = np.asarray(less @ np.linalg.pinv(decoder.astype(np.float64)), np.float32)
                latents = self._rows.values["latents_log_scales"]
                latents[both] += torch.from_numpy(units).to(latents.device)

    def frame(self) -> LatentFrame:
        """What has been learned, in integers; new Gaussians in the order of their parents."""
        step, old = self._settings.move_step * self._extent, len(self._previous)
        rows, parents = self._kept()
        slots = _numpy(self._active[rows])
        slots[len(slots) - len(parents) :] = old + np.arange(len(parents))
        way = _numpy(self._moves(None)[rows]).astype(np.float64)
        moves = np.rint(way / step).astype(np.int32)
        moving = moves.any(axis=1)
        latents = {}
        for group in self._groups():
            learned = _numpy(self._rows.values[f"latents_{group}"][rows].round())
            latents[group] = np.zeros((old + len(parents), learned.shape[1]), np.int32)
            latents[group][slots] = learned
        return LatentFrame(
            latents=latents,
            decoders={g: _numpy(self._shared.values[f"decoder_{g}"]) for g in self._groups()},
            moved=slots[moving],
            moves=moves[moving],
            move_step=step,
            parents=parents,
        )

    def _kept(self) -> tuple[Tensor, NDArray[np.int32]]:
        """Rows of what was there before, then of new Gaussians that can be seen; their parents."""
        import torch

        active = self._active
        is_new = active >= len(self._previous)
        old, new = (~is_new).nonzero()[:, 0], is_new.nonzero()[:, 0]
        if self._settings.births is not None:
            opacities = torch.sigmoid(self.values()["opacity_logits"].detach())[active[new]]
            new = new[opacities > self._settings.births.faint]
        new = new[self._origin[new].argsort(stable=True)]
        return torch.cat([old, new]), np.asarray(_numpy(self._origin[new]), np.int32)


def _padded(change: Tensor, before: int, after: int) -> Tensor:  # [A, k, 3]
    """The same with zeros for the harmonics before and after."""
    import torch

    return torch.nn.functional.pad(change, (0, 0, before, after))


def _numpy(values: Tensor) -> NDArray[Any]:
    return np.array(values.detach().cpu().numpy())
