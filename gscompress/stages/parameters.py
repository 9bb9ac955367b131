"""Tensors being optimised, one row per Gaussian, with their Adam moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gscompress import _native
from gscompress.render.base import Renderer

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["BETA1", "BETA2", "EPSILON", "Parameters", "one_torch_thread"]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-15


@dataclass
class Parameters:
    """Raw parameters of N Gaussians and their optimiser state; rows can be added and overwritten.

    Attributes:
        values: Tensors [N, ...] by name.
        first: Running mean of the gradients (Adam's m), one tensor per name.
        second: Running mean of their squares (Adam's v).
        step: Number of updates made.
        damping: What is added to every denominator, as a share of its mean over the tensor. Adam
            moves a parameter that hardly matters as far as any other, with the noise of single
            views; a scene that is nearly right already loses more by that than it gains. 0 is Adam.
        threads: Of the native core; they change no bit.
    """

    values: dict[str, Tensor]
    first: dict[str, Tensor] = field(init=False)
    second: dict[str, Tensor] = field(init=False)
    step: int = 0
    damping: float = 0.0
    threads: int = 1

    def __post_init__(self) -> None:
        import torch

        self.first = {k: torch.zeros_like(v) for k, v in self.values.items()}
        self.second = {k: torch.zeros_like(v) for k, v in self.values.items()}
        for value in self.values.values():
            value.requires_grad_(True)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def update(self, rates: Mapping[str, float | Tensor]) -> None:
        """One Adam step (Kingma and Ba 2015, algorithm 1) along the gradients, which it clears.

        On the CPU by the native core, in a third of the time that torch takes.

        Args:
            rates: Learning rates by name; a tensor is broadcast against the values of a row.
        """
        import torch

        self.step += 1
        correction = (1 - BETA2**self.step) ** 0.5 / (1 - BETA1**self.step)
        with torch.no_grad():
            for name, value in self.values.items():
                if value.grad is None:
                    continue
                rate = torch.as_tensor(rates[name], dtype=value.dtype, device=value.device)
                by_column = (rate * correction).expand(1, *value.shape[1:]).reshape(-1)
                self._move(name, value, value.grad, by_column)
                value.grad = None

    def _move(self, name: str, value: Tensor, gradient: Tensor, rates: Tensor) -> None:
        m, v = self.first[name], self.second[name]
        if value.device.type == "cpu":
            rows = len(value), len(rates)
            _native.adam_step(
                values=value.detach().view(rows).numpy(),
                gradients=gradient.contiguous().view(rows).numpy(),
                first=m.view(rows).numpy(),
                second=v.view(rows).numpy(),
                rates=rates.contiguous().numpy(),
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                damping=self.damping,
                threads=self.threads,
            )
            return
        m.lerp_(gradient, 1 - BETA1)
        v.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        scale = v.sqrt()
        scale.add_(EPSILON + self.damping * scale.mean())
        value.sub_((m / scale).mul_(rates.view(1, *value.shape[1:])))

    def copy_rows(self, source: Tensor, target: Tensor) -> None:
        """Overwrite the rows ``target`` by the rows ``source``; both forget their moments."""
        import torch

        with torch.no_grad():
            for name, value in self.values.items():
                value[target] = value[source]
                for moments in (self.first[name], self.second[name]):
                    moments[source] = 0
                    moments[target] = 0

    def append_rows(self, source: Tensor) -> Tensor:
        """Add copies of the rows ``source`` at the end, without moments; the new row numbers."""
        import torch

        count = len(self)
        for name, value in self.values.items():
            grown = torch.cat([value.detach(), value.detach()[source]])
            self.values[name] = grown.requires_grad_(True)
            for moments in (self.first, self.second):
                blank = torch.zeros_like(grown[count:])
                moments[name] = torch.cat([moments[name], blank])
        return torch.arange(count, len(self), device=source.device)


@contextmanager
def one_torch_thread(renderer: Renderer) -> Iterator[None]:
    """Torch's threads spin while they wait, and would starve those of the native rasterizer."""
    import torch

    before = torch.get_num_threads()
    if renderer.name == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
