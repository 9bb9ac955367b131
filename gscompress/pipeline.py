"""Compressing a scene and getting it back: the whole way on one page.

scene --Stage*--> scene --Codec per attribute group--> streams --Coder--> bytes --Container--> .gsz
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gscompress.cameras import Camera
from gscompress.codecs.guidance import Guidance
from gscompress.config import Config, load_config
from gscompress.container import Container
from gscompress.files import StrPath
from gscompress.format import bytes_by_attribute, decode_container
from gscompress.gaussians import Array, Gaussians
from gscompress.importance.scores import look
from gscompress.io.atomic import atomic_write, refuse_existing
from gscompress.rate import Encoder, allocate, make_goal
from gscompress.stages import STAGES
from gscompress.stages.base import Context, StageResult

__all__ = ["Result", "compress", "decompress"]

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Result:
    """A compressed scene.

    Attributes:
        container: The file's content.
        summary: Counts, bytes per attribute, and per stage the Gaussians and seconds; the keys are
            those of ``gscompress compress --json``.
    """

    container: Container
    summary: dict[str, Any]

    def to_bytes(self) -> bytes:
        """The file."""
        return self.container.to_bytes()

    def save(self, path: StrPath, *, overwrite: bool = False) -> None:
        """Write the file; whole, or not at all.

        Raises:
            InputError: ``path`` exists and ``overwrite`` is false, or cannot be written.
        """
        if not overwrite:
            refuse_existing(path)
        with atomic_write(path, overwrite=overwrite) as file:
            file.write(self.to_bytes())

    def decoded(self) -> Gaussians:
        """The scene as the file gives it."""
        return decode_container(self.container)


def compress(
    scene: Gaussians,
    config: StrPath | Config = "balanced",
    *,
    cameras: Sequence[Camera] | None = None,
    images: Sequence[Array] | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
    quality: float | None = None,
    target_size: int | str | None = None,
    target_psnr: float | None = None,
    max_error: Mapping[str, float] | str | None = None,
    control: Sequence[Camera] = (),
    checkpoints: StrPath | None = None,
) -> Result:
    """Compress a scene.

    Args:
        scene: What to compress; it stays as it is.
        config: Name of a preset, path of a TOML file, or a configuration.
        cameras: The training cameras: what the scene is looked at from. Without them a preset that
            needs views looks from virtual cameras.
        images: The photos of ``cameras``, for stages that use them.
        device: Where to render: "auto", "cpu", "cuda" or "cuda:n".
        seed: Seed of every random choice; the same seed gives the same file.
        progress: Called with (what is being done, steps done, steps in all).
        quality: 1 to 100: all steps finer or coarser together. 60 is the configuration itself,
            10 more halve its steps. At most one of this and the following is given.
        target_size: Bytes that the file shall have, or up to 1 % less; or a text such as "5MB".
        target_psnr: PSNR in dB against the input's renders, or up to 0.1 dB more; measured at the
            ``control`` views.
        max_error: Largest error of every Gaussian, by quantity, or a text such as "means=1mm":
            see `gscompress.rate.bounds`.
        control: The views at which ``target_psnr`` shall hold; they decide that and nothing else.
            Without them a third of ``cameras`` is held out of everything else to stand for them.
        checkpoints: An existing folder in which long stages keep their state: the same call goes
            on from there after an interruption, and gives the same file.

    Raises:
        ConfigError: The configuration is wrong.
        InputError: The scene has values that cannot be coded, or a target cannot be reached.
        UsageError: Two targets are given.
        DeviceError: The device is not available.

    Example:
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> result = gs.compress(scene, "fast")
        >>> result.summary["ratio"] > 10
        True
    """
    started = time.perf_counter()
    scene.validate()
    config = load_config(config)
    goal = make_goal(
        quality=quality, target_size=target_size, target_psnr=target_psnr, max_error=max_error
    )
    ctx = goal.prepare(
        Context(
            scene,
            cameras,
            images,
            device,
            seed,
            progress,
            control=control,
            attributes=config.attributes,
            checkpoints=None if checkpoints is None else Path(checkpoints),
        )
    )
    steps = ctx.allocate = _Steps(config, ctx) if max_error is None else None  # else bounds decide
    changed = scene
    for stage in config.stages:
        begun = time.perf_counter()
        if steps is not None:
            steps.found = None
        before, changed = len(changed), stage.apply(changed, ctx)
        seconds = time.perf_counter() - begun
        ctx.log.append(StageResult(STAGES.id_of(stage), before, len(changed), seconds))
    if config.stages and not goal.allows(changed, ctx):
        log.warning("the stages lose too much for that target: the scene is coded as it came")
        changed, ctx.log = scene, []
        if steps is not None:
            steps.found = None
    guidance = look(changed, config.attributes, ctx)
    encoder = Encoder(scene, changed, guidance)
    if steps is not None:
        config = steps.found or allocate(config, encoder, ctx)
    encoded, rate = goal.reach(config, encoder, ctx)
    seconds = time.perf_counter() - started
    return Result(encoded.container, _summary(scene, encoded.container, ctx, rate, seconds))


@dataclass(eq=False)
class _Steps:
    """Allocates steps when a stage wants to know them: see `Context.allocate`.

    Attributes:
        config: Says whether, and where to start from.
        ctx: Gives cameras and renderer.
        found: What it gave last.
    """

    config: Config
    ctx: Context
    found: Config | None = None

    def __call__(self, scene: Gaussians, guidance: Guidance) -> Mapping[str, Any]:
        self.found = allocate(self.config, Encoder(self.ctx.scene, scene, guidance), self.ctx)
        return self.found.attributes


def decompress(source: StrPath | bytes, level: int | None = None) -> Gaussians:
    """Decode a compressed scene, with the same bits on every machine.

    Args:
        source: Path of a ``.gsz`` file, or its bytes.
        level: The last level of detail to decode; None for all. The beginning of the file, as far
            as ``gscompress info`` says that the level reaches, is enough.

    Raises:
        CorruptFileError: The file is damaged or hostile; names the chunk.
        InputError: The file cannot be read, a newer version wrote it, or it has no such level.

    Example:
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> data = gs.compress(scene, "fast").to_bytes()
        >>> len(gs.decompress(data)) == len(scene)
        True
    """
    if isinstance(source, bytes):
        return decode_container(Container.from_bytes(source, "compressed scene", level), level)
    return decode_container(Container.read(source, level), level)


def _summary(
    scene: Gaussians,
    container: Container,
    ctx: Context,
    rate: dict[str, Any] | None,
    seconds: float,
) -> dict[str, Any]:
    size = len(container.to_bytes())
    input_bytes = container.header["provenance"]["input_bytes"]
    return {
        "input_bytes": input_bytes,
        "output_bytes": size,
        "ratio": input_bytes / size,
        "gaussians_in": len(scene),
        "gaussians_out": container.header["gaussians"],
        "bytes_by_attribute": bytes_by_attribute(container),
        "rate": rate,
        "stages": [
            {
                "name": result.name,
                "gaussians_in": result.gaussians_in,
                "gaussians_out": result.gaussians_out,
                "seconds": result.seconds,
            }
            for result in ctx.log
        ],
        "seconds": seconds,
        "psnr": None,
    }
