"""``gscompress compress``: scenes to .gsz, with the proof of what it cost."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click

from gscompress.cli.compressing import Job, run
from gscompress.cli.examples import Verb
from gscompress.cli.goals import check_goal, goal_options
from gscompress.cli.session import (
    Session,
    common_options,
    device_option,
    overwrite_option,
    pass_session,
    seed_option,
)
from gscompress.cli.summary import show_all, show_one
from gscompress.errors import GscompressError, UsageError

DEFAULT_PRESET = "balanced"
BLIND_PRESETS = {"fast"}
"""Presets that promise to render nothing: no figure is measured unless one is asked for."""


_EXAMPLES = (
    (
        "gscompress scene.ply",
        "Writes scene.gsz, with the preset balanced.",
    ),
    (
        "gscompress compress *.ply --preset fast --jobs 2 -o out/",
        "Several scenes, two at a time, in seconds.",
    ),
    (
        "gscompress scene.ply --preset small --images images",
        "The smallest file, optimised on the photos.",
    ),
    (
        "gscompress scene.ply --target-size 5MB",
        "As good as 5 MB allow.",
    ),
    (
        "gscompress scene.ply --stages none --max-error means=1mm,scales=1%",
        "Every Gaussian kept, with a bound for each.",
    ),
)


@click.command(
    "compress",
    cls=Verb,
    short_help="Compress scenes to .gsz.",
    examples=_EXAMPLES,
)
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("-o", "--output", metavar="FILE|DIR", help="By default IN with the ending .gsz.")
@click.option(
    "--preset", metavar="NAME", help=f"How well and how small.  [default: {DEFAULT_PRESET}]"
)
@click.option("--config", metavar="FILE", help="A TOML configuration, instead of a preset.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Change the configuration: stages.prune.keep=0.5, attributes.sh.step=0.02. Repeatable.",
)
@click.option(
    "--stages", type=click.Choice(["none"]), help="none: the codec alone; every Gaussian is kept."
)
@goal_options
@click.option("--cameras", metavar="PATH", help="cameras.json, transforms.json, COLMAP, dataset.")
@click.option("--images", metavar="DIR", help="Photos named as the cameras are.")
@click.option(
    "--split",
    type=click.Choice(["test", "train", "all"]),
    help="Measure quality at these of the cameras.  [default: test]",
)
@click.option(
    "--eval/--no-eval",
    "measure",
    default=None,
    help="Measure PSNR and FPS at the end.  [default: yes, but not for the preset fast]",
)
@click.option("--report", metavar="FILE", help="Write the evaluation to FILE (.html or .json).")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Scenes at a time."
)
@click.option(
    "--resume",
    metavar="DIR",
    help="Keep the state of fine-tuning in DIR; the same command goes on from there.",
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(session: Session, /, inputs: tuple[str, ...], jobs: int, **options: Any) -> None:
    """Compress scenes to .gsz.

    Training cameras guide the encoder; the held-out ones measure what was lost. Cameras beside a
    scene are found by themselves, and a split.json beside them is honoured.
    """
    work = _plan([Path(name) for name in inputs], **options)
    if len(work) == 1:
        with session.progress() as progress:
            summary = run(work[0], progress)
        session.result(summary, functools.partial(show_one, session, summary))
        return
    results = _run_all(session, work, jobs)
    failed = sum("error" in result for result in results)
    session.result({"files": results}, functools.partial(show_all, session, results))
    if failed:
        raise GscompressError(f"{failed} of {len(work)} scenes failed")


def _plan(
    inputs: list[Path],
    *,
    output: str | None,
    preset: str | None,
    config: str | None,
    overrides: tuple[str, ...],
    stages: Any,
    measure: bool | None,
    cameras: str | None,
    images: str | None,
    split: str | None,
    report: str | None,
    quality: float | None,
    target_size: str | None,
    target_psnr: float | None,
    max_error: str | None,
    resume: str | None,
    **common: Any,
) -> list[Job]:
    """Check everything that can be checked before any work."""
    from gscompress.cli.measuring import check_report_name, check_targets
    from gscompress.config import load_config
    from gscompress.files import open_input
    from gscompress.render import get_renderer

    if preset and config:
        raise UsageError("--preset and --config exclude each other")
    if report and len(inputs) > 1:
        raise UsageError("--report goes with a single scene")
    if measure is False and (report or split):
        raise UsageError("--no-eval excludes --report and --split")
    goal = check_goal(quality, target_size, target_psnr, max_error)
    if measure is None:
        asked = bool(report or split or cameras or images or target_psnr)
        measure = asked or bool(config) or (preset or DEFAULT_PRESET) not in BLIND_PRESETS
    if max_error and not preset and not config:
        stages = "none"  # they change Gaussians by more than any bound
    loaded = load_config(config or preset or DEFAULT_PRESET, overrides, stages)
    if common["device"] != "auto":
        get_renderer(common["device"])  # never falls back, and says so before any work
    template = Job(
        source=Path(),
        output=Path(),
        config=loaded.to_dict(),
        goal=goal,
        cameras=Path(cameras) if cameras else None,
        images=Path(images) if images else None,
        split=split,
        measure=measure,
        report=check_report_name(report),
        resume=Path(resume) if resume else None,
        **common,
    )
    work = [
        replace(template, source=source, output=target)
        for source, target in zip(inputs, _outputs(inputs, output), strict=True)
    ]
    if len(work) == 1:
        open_input(work[0].source).close()  # of several, each reports for itself
    for job in work:
        check_targets([path for path in (job.output, job.report) if path], overwrite=job.overwrite)
    return work


def _outputs(inputs: list[Path], output: str | None) -> list[Path]:
    folder = Path(output) if output and (output.endswith("/") or Path(output).is_dir()) else None
    if output and folder is None:
        if len(inputs) > 1:
            raise UsageError(f"{len(inputs)} scenes do not fit into one file: name a folder by -o")
        if Path(output).suffix != ".gsz":
            raise UsageError(f"compress writes .gsz, not {output}: 'gscompress convert' writes all")
        return [Path(output)]
    targets = [(folder or path.parent) / f"{path.stem}.gsz" for path in inputs]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"several scenes would become {target}")
    return targets


def _run_all(session: Session, work: list[Job], jobs: int) -> list[dict[str, Any]]:
    """Compress all scenes; a failure is the result of its scene, and no other's."""
    results: dict[Path, dict[str, Any]] = {}
    with session.progress() as progress:
        for job, result in _results(work, jobs):
            if "error" in result:
                session.note(f"Error: {result['error']}")
            results[job.output] = result
            if progress is not None:
                progress("scenes", len(results), len(work))
    return [results[job.output] for job in work]


def _results(work: list[Job], jobs: int) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Each job with its result, in the order in which they are done."""
    if jobs == 1:
        for job in work:
            yield job, _run_or_fail(job)
        return
    pool = ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn"))
    try:
        futures = {pool.submit(_run_or_fail, job): job for job in work}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                yield futures[future], _failure(futures[future], "its process was killed")
    finally:
        pool.shutdown(cancel_futures=True)


def _run_or_fail(job: Job) -> dict[str, Any]:
    try:
        return run(job)
    except (GscompressError, OSError) as error:
        return _failure(job, str(error))
    except MemoryError:
        return _failure(job, f"{job.source}: not enough memory")


def _failure(job: Job, error: str) -> dict[str, Any]:
    return {"input": str(job.source), "error": error}
