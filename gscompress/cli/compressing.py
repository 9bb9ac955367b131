"""One scene compressed for ``gscompress compress``, and what it cost."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gscompress.cli.session import Progress, with_views
from gscompress.errors import InputError, UsageError

__all__ = ["Job", "run"]


@dataclass(frozen=True)
class Job:
    """One scene to compress; plain data, so that another process can do it."""

    source: Path
    output: Path
    config: dict[str, Any]
    goal: dict[str, Any]
    cameras: Path | None
    images: Path | None
    split: str | None
    measure: bool
    report: Path | None
    device: str
    seed: int
    overwrite: bool
    resume: Path | None


def run(job: Job, progress: Progress | None = None) -> dict[str, Any]:
    """Compress one scene; gives the document of ``--json``."""
    from gscompress.cli.views import Views
    from gscompress.config import Config
    from gscompress.io import load
    from gscompress.photos import Photos, find_images
    from gscompress.pipeline import compress

    config = Config.from_dict(job.config)
    views = Views.find(job.cameras, job.source)
    if views is None and (job.images or job.split):
        option = "--images" if job.images else "--split"
        raise UsageError(f"{option} needs cameras, and there are none: give --cameras")
    train = views.train if views else []
    scene = load(job.source)
    result = compress(
        scene,
        config,
        cameras=train or None,
        images=Photos(find_images(train, job.images)) if job.images else None,
        device=job.device,
        seed=job.seed,
        progress=progress,
        control=_control(job, views, scene),
        checkpoints=_checkpoints(job),
        **job.goal,
    )
    result.save(job.output, overwrite=job.overwrite)
    summary = {"input": str(job.source), "output": str(job.output), **result.summary}
    summary["input_bytes"] = job.source.stat().st_size
    summary["ratio"] = summary["input_bytes"] / summary["output_bytes"]
    summary["evaluation"] = None
    if job.measure and len(scene) and result.summary["gaussians_out"]:
        seen = None
        if views is None:
            views = Views.virtual(scene, job.seed)
            seen = _coverage(job, views, scene, progress)
        del scene, result  # what is measured is the file
        _measure(job, views, summary, progress)
        summary["evaluation"]["coverage"] = seen
    return summary


def _checkpoints(job: Job) -> Path | None:
    """The folder for the states of this scene's stages, made where there is none."""
    if job.resume is None:
        return None
    folder = job.resume / job.output.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            folder, found=f"no folder can be made ({error.strerror})", remedy="Give another DIR."
        ) from error
    return folder


def _control(job: Job, views: Any, scene: Any) -> list[Any]:
    """The views at which a target PSNR shall hold: those at which it will be measured."""
    from gscompress.cli.views import Views

    if "target_psnr" not in job.goal or len(scene) == 0:
        return []
    control: list[Any] = (views or Views.virtual(scene, job.seed)).control(job.images)
    return control


def _coverage(job: Job, views: Any, scene: Any, progress: Progress | None) -> dict[str, float]:
    """How much of a scene the virtual cameras see: nobody chose them."""
    from gscompress.importance.coverage import coverage
    from gscompress.render import get_renderer

    told = None if progress is None else functools.partial(progress, "cover")
    return coverage(scene, views.test, get_renderer(job.device), progress=told).to_dict()


def _measure(job: Job, views: Any, summary: dict[str, Any], progress: Progress | None) -> None:
    """Evaluate the written file against its source, into ``summary``."""
    from gscompress.cli.measuring import write_report
    from gscompress.render import get_renderer
    from gscompress.report import evaluate

    split = job.split or "test"
    selection = views.select(split)
    report = evaluate(
        job.source,
        job.output,
        selection,
        images=job.images,
        renderer=get_renderer(job.device),
        measure_fps=True,
        pictures=job.report is not None,
        progress=with_views(progress, "measure"),
    )
    if job.report is not None:
        write_report(report, job.report, overwrite=job.overwrite)
    summary["psnr"] = report.render_scores.psnr
    summary["evaluation"] = {
        "cameras": views.describe(split, len(selection.cameras)),
        "psnr": report.render_scores.psnr,
        "psnr_worst": min(view.render.psnr for view in report.views),
        "ssim": report.render_scores.ssim,
        "photo_psnr": None if report.reference_scores is None else report.psnr,
        "photo_psnr_drop": report.psnr_drop,
        "fps": report.fps,
        "reference_fps": report.reference_fps,
        "device": report.device,
    }
