"""What a Stage is: Gaussians to Gaussians, and the context in which it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gscompress.cameras import Camera
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Renderer

__all__ = ["Context", "Progress", "Stage", "StageResult"]

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """What one stage did, as reports show it.

    Attributes:
        name: Id of the stage in the registry.
        gaussians_in: Number of Gaussians before.
        gaussians_out: Number of Gaussians after.
        seconds: Wall time.
    """

    name: str
    gaussians_in: int
    gaussians_out: int
    seconds: float


@dataclass(slots=True, eq=False)
class Context:
    """What a stage may use besides the scene.

    Attributes:
        cameras: The training cameras, or virtual ones; never a held-out camera.
        renderer: Renders on the device that the user asked for.
        images: The photos of ``cameras``, in their order; None when there are none. May read each
            photo on access.
        seed: Seed of every random choice.
        progress: Told how far the work is, if anybody wants to know.
        log: The results of the stages that have run, in order.
    """

    cameras: Sequence[Camera]
    renderer: Renderer
    images: Sequence[Array] | None = None  # each [H, W, 3] in 0..1
    seed: int = 0
    progress: Progress | None = None
    log: list[StageResult] = field(default_factory=list)


class Stage(Protocol):
    """Changes a scene so that it costs fewer bytes. A frozen dataclass of its parameters."""

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the changed scene; ``scene`` itself stays as it is."""
        ...
