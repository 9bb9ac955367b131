"""What ``eval`` and ``compare`` share: the options that say where to look, and the reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gscompress.errors import InputError, UsageError

if TYPE_CHECKING:
    from gscompress.report import ClipReport, Comparison, Report, Selection

__all__ = [
    "check_report_name",
    "check_targets",
    "measuring_options",
    "select_views",
    "view_options",
    "write_csv",
    "write_report",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def view_options(images: str, cameras: str) -> Callable[[Command], Command]:
    """From where, and against which photos.

    Args:
        images: What the photos are, for the help.
        cameras: Where cameras are from by default, for the help.
    """

    def decorate(command: Command) -> Command:
        for option in (
            click.option(
                "--split",
                type=click.Choice(["test", "train", "all"]),
                help="Measure at these of the cameras.  [default: test]",
            ),
            click.option("--images", metavar="DIR", type=click.Path(path_type=Path), help=images),
            click.option(
                "--cameras",
                metavar="PATH",
                type=click.Path(path_type=Path),
                help=f"cameras.json, transforms.json, COLMAP, dataset. {cameras}",
            ),
        ):
            command = option(command)
        return command

    return decorate


def measuring_options(command: Command) -> Command:
    """From where, against what, and what besides PSNR and SSIM."""
    for decorate in (
        click.option("--fps", is_flag=True, help="Measure frames per second as well."),
        click.option(
            "--lpips", type=click.Choice(["alex", "vgg"]), help="Measure LPIPS as well (slow)."
        ),
    ):
        command = decorate(command)
    return view_options(
        "Photos named as the cameras are: the truth, instead of the renders of REF.",
        "By default those beside REF or TEST; virtual ones where there are none.",
    )(command)


def select_views(
    scenes: Sequence[Path],
    cameras: Path | None,
    images: Path | None,
    split: Any,
    seed: int,
) -> tuple[Selection, str]:
    """The views that the options mean, and what they are, for people.

    Args:
        scenes: The files, the reference first; they must be there.
        cameras: Where the cameras are; None: beside the scenes, else virtual.
        images: The photos, which need cameras.
        split: Which of the cameras, which it needs.
        seed: Of virtual cameras.

    Raises:
        UsageError: Photos or a split, but no cameras.
    """
    from gscompress.cli.views import Views
    from gscompress.files import open_input
    from gscompress.io import load

    for path in scenes:
        open_input(path).close()
    views = Views.find(cameras, *scenes)
    if views is None and (images or split):
        option = "--images" if images else "--split"
        raise UsageError(f"{option} needs cameras, and there are none: give --cameras")
    split = split or "test"
    views = views or Views.virtual(_not_empty(load(scenes[0]), scenes[0]), seed)
    chosen = views.select(split)
    return chosen, views.describe(split, len(chosen.cameras))


def check_report_name(name: str | None, option: str = "--report") -> Path | None:
    """The path of a report, whose ending says its kind."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix not in (".html", ".json"):
        raise UsageError(f"{option} {name}: its name must end in .html or .json")
    return path


def check_targets(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse, before any work, what could not be written."""
    from gscompress.io.atomic import refuse_existing

    for path in paths:
        if not overwrite:
            refuse_existing(path)
        if not path.parent.is_dir():
            raise InputError(path.parent, found="no such folder", expected="one to write to")


def write_csv(found: Comparison | ClipReport, path: Path, *, overwrite: bool) -> None:
    """Write the table of a report."""
    from gscompress.io.atomic import atomic_write

    with atomic_write(path, overwrite=overwrite) as file:
        file.write(found.to_csv().encode())


def write_report(report: Report | Comparison | ClipReport, path: Path, *, overwrite: bool) -> None:
    """Write a report, as HTML or as JSON."""
    from gscompress.io.atomic import atomic_write

    if path.suffix == ".html":
        report.to_html(path, overwrite=overwrite)
        return
    with atomic_write(path, overwrite=overwrite) as file:
        file.write(report.to_json().encode())


def _not_empty(scene: Any, path: Path) -> Any:
    if len(scene) == 0:
        raise InputError(path, found="no Gaussians", expected="a scene that can be seen")
    return scene
