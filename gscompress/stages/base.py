"""What a Stage is: Gaussians to Gaussians, and the context in which it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from gscompress.cameras import Camera
from gscompress.codecs.guidance import Guidance, Trained
from gscompress.gaussians import Array, Gaussians
from gscompress.render.base import Renderer

__all__ = ["Allocate", "Context", "Progress", "Stage", "StageResult"]

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""

Allocate = Callable[[Gaussians, Guidance], Mapping[str, Any]]
"""Gives codecs by attribute group."""


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


@dataclass(eq=False)
class Context:
    """What a stage may use besides the scene.

    Attributes:
        scene: The scene as it came.
        given_cameras: The training cameras, never a held-out one; None when there are none.
        images: The photos of the cameras, in their order; None when there are none. May read each
            photo on access.
        device: Where to render.
        seed: Seed of every random choice.
        progress: Told how far the work is, if anybody wants to know.
        log: The results of the stages that have run, in order.
        control: Views that only measure what comes out; ``cameras`` has none of them.
        attributes: The codecs by attribute group, for stages that care how the scene will be coded.
        allocate: Gives the same with the steps that suit a scene, of which guidance is known; the
            file will have the steps that it gave last. None: the steps stay.
        checkpoints: Folder in which long stages keep their state, to go on after an interruption.
        trained: Codebooks that a stage has trained, by attribute group; see
            `gscompress.codecs.tuning`.
        learn_all: A stage has seen that views it holds out get worse: from now on renders of the
            input are learned, from all cameras, and no photos.
    """

    scene: Gaussians
    given_cameras: Sequence[Camera] | None = None
    images: Sequence[Array] | None = None  # each [H, W, 3] in 0..1
    device: str = "auto"
    seed: int = 0
    progress: Progress | None = None
    log: list[StageResult] = field(default_factory=list)
    control: Sequence[Camera] = ()
    attributes: Mapping[str, Any] | None = None
    allocate: Allocate | None = None
    checkpoints: Path | None = None
    trained: dict[str, Trained] = field(default_factory=dict)
    learn_all: bool = False

    @cached_property
    def cameras(self) -> Sequence[Camera]:
        """The training cameras, or a virtual set where none were given."""
        if self.given_cameras:
            return self.given_cameras
        from gscompress.virtual_cameras import virtual_cameras

        return virtual_cameras(self.scene, seed=self.seed)

    @cached_property
    def renderer(self) -> Renderer:
        """Renders on the device that the user asked for."""
        from gscompress.render import get_renderer

        return get_renderer(self.device)

    def checkpoint_path(self, name: str) -> Path | None:
        """Where the stage that is running now keeps its state, if it shall."""
        if self.checkpoints is None:
            return None
        return self.checkpoints / f"{len(self.log)}_{name}.npz"

    def step(self, what: str) -> Callable[[int, int], None] | None:
        """A callback (steps done, steps in all) for one piece of work."""
        if self.progress is None:
            return None
        return partial(self.progress, what)


class Stage(Protocol):
    """Changes a scene so that it costs fewer bytes. A frozen dataclass of its parameters."""

    def apply(self, scene: Gaussians, ctx: Context) -> Gaussians:
        """Give the changed scene; ``scene`` itself stays as it is."""
        ...
