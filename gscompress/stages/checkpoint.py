"""The state of an optimisation in a file, to go on after an interruption."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.gaussians import ATTRIBUTES, Array, Gaussians

__all__ = ["State", "identity", "load", "save"]


@dataclass(frozen=True, eq=False)
class State:
    """How far an optimisation is.

    Attributes:
        step: Number of steps made.
        learner: Parameters and moments; see `gscompress.stages.learners.Learner.state`.
        psnr: Mean over the check views, by step.
        misses: Looks since the best one.
        best: Attributes of the best scene.
    """

    step: int
    learner: Mapping[str, Mapping[str, Array]]
    psnr: dict[int, float]
    misses: int
    best: dict[str, Array]


def identity(scene: Gaussians, plan: Any, cameras: Sequence[Camera]) -> str:
    """A fingerprint of what is being optimised and how; a state of anything else is refused."""
    digest = hashlib.sha256(repr(plan).encode())
    for name in ATTRIBUTES:
        digest.update(getattr(scene, name).tobytes())
    for camera in cameras:
        digest.update(f"{camera.width}x{camera.height}".encode())
        digest.update(camera.viewmat.tobytes() + camera.intrinsics.tobytes())
    return digest.hexdigest()


def save(path: Path, identity: str, state: State) -> None:
    """Write a state; the file is never seen half written."""
    from gscompress.io.atomic import atomic_write

    arrays: dict[str, Any] = {
        "identity": np.array(identity),
        "step": np.array(state.step),
        "misses": np.array(state.misses),
        "psnr_steps": np.array(list(state.psnr), np.int64),
        "psnr": np.array(list(state.psnr.values()), np.float64),
    }
    for kind, values in (*state.learner.items(), ("best", state.best)):
        for name in ATTRIBUTES:
            arrays[f"{kind}_{name}"] = values[name]
    with atomic_write(path, overwrite=True) as file:
        np.savez(file, **arrays)


def load(path: Path, identity: str) -> State:
    """Read a state.

    Raises:
        InputError: The file is damaged, or of another scene, plan or set of cameras.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = str(arrays["identity"])
    except Exception as error:  # zipfile and numpy raise many kinds
        raise InputError(
            path, found=f"no state of an optimisation ({error})", remedy="Remove the file."
        ) from error
    if found != identity:
        raise InputError(
            path,
            found="the state of another optimisation",
            expected="one of this scene, these cameras and parameters",
            remedy="Remove the file to start anew.",
        )
    steps = (int(step) for step in arrays["psnr_steps"])
    return State(
        int(arrays["step"]),
        {
            kind: {name: arrays[f"{kind}_{name}"] for name in ATTRIBUTES}
            for kind in ("values", "first", "second")
        },
        dict(zip(steps, map(float, arrays["psnr"]), strict=True)),
        int(arrays["misses"]),
        {name: arrays[f"best_{name}"] for name in ATTRIBUTES},
    )
