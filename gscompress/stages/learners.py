"""Gaussians that learn from pictures: one step of the optimisation, natively or in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gscompress import _native
from gscompress.cameras import Camera
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians
from gscompress.metrics.photo_loss import PhotoLoss
from gscompress.render.base import Gradients, Renderer, is_antialiased, torch_device
from gscompress.stages.parameters import BETA1, BETA2, EPSILON, Parameters

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Learner", "NativeLearner", "TorchLearner", "make_learner", "raw_gradients"]

State = dict[str, dict[str, Array]]
"""Values and Adam's two moments, by attribute: the keys are values, first and second."""


class Learner(Protocol):
    """The parameters of N Gaussians with Adam's moments, on some device.

    Attributes:
        step: Number of steps made.
    """

    step: int

    def shift(self, offsets: Mapping[str, Array]) -> None:
        """What is added to the parameters wherever they are rendered, from now on."""
        ...

    def learn(
        self, camera: Camera, picture: Array, loss: PhotoLoss, rates: Mapping[str, float]
    ) -> float:
        """One step of Adam towards the picture [H, W, 3] of a view; the loss before it.

        Args:
            camera: The view.
            picture: How it should look.
            loss: What is made small.
            rates: Learning rates; of "sh0" and "shN" instead of "sh".
        """
        ...

    def render(self, camera: Camera) -> Array:  # [H, W, 3]
        """The image of a view."""
        ...

    def scene(self) -> Gaussians:
        """The Gaussians as they are, without what is added."""
        ...

    def state(self) -> State:
        """All that a later run needs to go on, besides ``step``."""
        ...

    def restore(self, state: Mapping[str, Mapping[str, Array]], step: int) -> None:
        """Go on from there."""
        ...


def make_learner(scene: Gaussians, renderer: Renderer, damping: float) -> Learner:
    """The learner for a renderer: the native one wherever images are made on the CPU."""
    if renderer.name == "cpu":
        return NativeLearner(scene, renderer, damping)
    return TorchLearner(scene, renderer, damping)


class NativeLearner:
    """On the CPU, by the native core alone; see `Learner`."""

    def __init__(self, scene: Gaussians, renderer: Renderer, damping: float) -> None:
        self.step = 0
        self._scene, self._renderer, self._damping = scene, renderer, damping
        self._threads = int(getattr(renderer, "threads", 1))
        self._values = {name: getattr(scene, name).copy() for name in ATTRIBUTES}
        self._first = {name: np.zeros_like(value) for name, value in self._values.items()}
        self._second = {name: np.zeros_like(value) for name, value in self._values.items()}
        self._offsets: dict[str, Array] = {}

    def shift(self, offsets: Mapping[str, Array]) -> None:
        """See Learner.shift."""
        self._offsets = dict(offsets)

    def learn(
        self, camera: Camera, picture: Array, loss: PhotoLoss, rates: Mapping[str, float]
    ) -> float:
        """See Learner.learn."""
        value = 0.0

        def weigh(image: Array) -> Array:
            nonlocal value
            value, gradient = loss.gradient(image, picture)
            return gradient

        shown = self._shown()
        self._update(raw_gradients(shown, self._renderer.pull_back(shown, camera, weigh)), rates)
        return value

    def render(self, camera: Camera) -> Array:
        """See Learner.render."""
        return self._renderer.render(self._shown(), camera).image

    def scene(self) -> Gaussians:
        """See Learner.scene."""
        return self._scene.replace(**{name: v.copy() for name, v in self._values.items()})

    def state(self) -> State:
        """See Learner.state."""
        return {"values": self._values, "first": self._first, "second": self._second}

    def restore(self, state: Mapping[str, Mapping[str, Array]], step: int) -> None:
        """See Learner.restore."""
        for kind, arrays in self.state().items():
            for name, array in arrays.items():
                array[...] = state[kind][name]
        self.step = step

    def _shown(self) -> Gaussians:
        values = dict(self._values)
        for name, offset in self._offsets.items():
            values[name] = values[name] + offset
        return self._scene.replace(**values)

    def _update(self, gradients: Mapping[str, Array], rates: Mapping[str, float]) -> None:
        self.step += 1
        correction = (1 - BETA2**self.step) ** 0.5 / (1 - BETA1**self.step)
        for name, value in self._values.items():
            by_column = _rates_by_column(name, value, rates)
            if not by_column.any():
                continue
            rows = (len(value), -1)
            _native.adam_step(
                values=value.reshape(rows),
                gradients=np.ascontiguousarray(gradients[name]).reshape(rows),
                first=self._first[name].reshape(rows),
                second=self._second[name].reshape(rows),
                rates=by_column * np.float32(correction),
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                damping=self._damping,
                threads=self._threads,
            )


def raw_gradients(scene: Gaussians, gradients: Gradients) -> dict[str, Array]:
    """Gradients by raw parameters, from those by activated ones."""
    opacities = scene.opacities
    return {
        "means": gradients.means,
        "quats": gradients.quats,
        "log_scales": gradients.scales * scene.scales,
        "opacity_logits": gradients.opacities * (opacities * (1 - opacities)),
        "sh": gradients.sh,
    }


def _rates_by_column(name: str, value: Array, rates: Mapping[str, float]) -> Array:  # [C]
    if name != "sh":
        return np.full(value[:1].size, rates[name], np.float32)
    columns = np.full(value.shape[1:], rates["shN"], np.float32)
    columns[0] = rates["sh0"]
    return columns.ravel()


class TorchLearner:
    """In torch, on the device of the renderer; see `Learner`."""

    def __init__(self, scene: Gaussians, renderer: Renderer, damping: float) -> None:
        self._scene, self._renderer = scene, renderer
        self._antialiased = is_antialiased(scene)
        self._device = torch_device(renderer)
        values = {name: self._tensor(getattr(scene, name)) for name in ATTRIBUTES}
        threads = int(getattr(renderer, "threads", 1))
        self._parameters = Parameters(values, damping=damping, threads=threads)
        self._offsets: dict[str, Tensor] = {}

    @property
    def step(self) -> int:
        """Number of steps made."""
        return self._parameters.step

    @step.setter
    def step(self, step: int) -> None:
        self._parameters.step = step

    def shift(self, offsets: Mapping[str, Array]) -> None:
        """See Learner.shift."""
        self._offsets = {name: self._tensor(offset) for name, offset in offsets.items()}

    def learn(
        self, camera: Camera, picture: Array, loss: PhotoLoss, rates: Mapping[str, float]
    ) -> float:
        """See Learner.learn."""
        value = loss(self._render(camera), self._tensor(picture))
        value.backward()  # type: ignore[no-untyped-call]
        sh = self._parameters.values["sh"]
        by_term = sh.new_full((1, sh.shape[1], 1), rates["shN"])
        by_term[:, 0] = rates["sh0"]
        self._parameters.update({**rates, "sh": by_term})
        return float(value.detach())

    def render(self, camera: Camera) -> Array:
        """See Learner.render."""
        import torch

        with torch.no_grad():
            return np.asarray(self._render(camera).cpu().numpy())

    def scene(self) -> Gaussians:
        """See Learner.scene."""
        values = self._parameters.values
        return self._scene.replace(
            **{n: v.detach().cpu().numpy().copy() for n, v in values.items()}
        )

    def state(self) -> State:
        """See Learner.state."""
        found = self._parameters
        kinds = {"values": found.values, "first": found.first, "second": found.second}
        return {
            kind: {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
            for kind, tensors in kinds.items()
        }

    def restore(self, state: Mapping[str, Mapping[str, Array]], step: int) -> None:
        """See Learner.restore."""
        import torch

        found = self._parameters
        with torch.no_grad():
            for name in ATTRIBUTES:
                found.values[name].copy_(torch.from_numpy(state["values"][name]))
                found.first[name].copy_(torch.from_numpy(state["first"][name]))
                found.second[name].copy_(torch.from_numpy(state["second"][name]))
        self.step = step

    def _render(self, camera: Camera) -> Tensor:  # [H, W, 3]
        import torch

        v = dict(self._parameters.values)
        for name, offset in self._offsets.items():
            v[name] = v[name] + offset
        image, _ = self._renderer.rasterize(
            v["means"],
            v["quats"],
            torch.exp(v["log_scales"]),
            torch.sigmoid(v["opacity_logits"]),
            v["sh"],
            camera,
            antialiased=self._antialiased,
        )
        return image

    def _tensor(self, array: Array) -> Tensor:
        import torch

        return torch.from_numpy(array.copy()).to(self._device)
