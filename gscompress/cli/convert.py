"""``gscompress convert``: any known format to any other, by the names' endings."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, overwrite_option, pass_session
from gscompress.errors import InputError, UsageError

if TYPE_CHECKING:
    from gscompress.cameras import Camera
    from gscompress.codecs.guidance import Sightings
    from gscompress.gaussians import Gaussians, Mode

VIEWS = 32
VIEW_SIDE = 400
"""Pixels of the longer side."""

_FLAGS = {
    "version": "--spz-version",
    "sh1_bits": "--sh-bits",
    "sh_rest_bits": "--sh-bits",
    "fractional_bits": "--fractional-bits",
    "palette": "--sog-palette",
    "effort": "--webp-effort",
}
"""The flag of each setting."""


def _bits(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """The two numbers of --sh-bits."""
    if value is None:
        return None
    numbers = re.fullmatch("([1-8]),([1-8])", value)
    if numbers is None:
        raise click.BadParameter(f"{value!r} is not two numbers of 1 to 8, as 6,6")
    return int(numbers[1]), int(numbers[2])


_EXAMPLES = (
    (
        "gscompress convert scene.gsz scene.spz",
        "The ending says the format.",
    ),
    (
        "gscompress convert scene.ply scene.spz --sh-bits 6,6",
        "With finer harmonics than usual.",
    ),
    (
        "gscompress convert scene.gsz coarse.ply --level 1",
        "Only the first two levels of detail.",
    ),
)


@click.command(
    "convert",
    cls=Verb,
    short_help="Convert a scene from one format to another.",
    examples=_EXAMPLES,
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--sh-degree",
    type=click.IntRange(0, 4),
    help="Keep the spherical harmonics up to this degree only.",
)
@click.option(
    "--level",
    type=click.IntRange(0),
    help="Of a .gsz, decode the levels of detail up to this one; the file may end there.",
)
@click.option(
    "--mode",
    type=click.Choice(["default", "mip", "2dgs"]),
    help="Say what rasterization the scene was trained for, where IN cannot or does not: mip is "
    "antialiased.",
)
@click.option(
    "--axes-in",
    metavar="AXES",
    help="Which way the axes of IN point, where not as its format has it: right or left, up or "
    "down, front or back, as RDF. If a .spz stands on its head, say RDF.",
)
@click.option("--axes-out", metavar="AXES", help="Which way those of OUT shall point.")
@click.option("--spz-version", "version", type=click.IntRange(3, 4), help="Version of a .spz.")
@click.option(
    "--sh-bits",
    metavar="N,N",
    callback=_bits,
    help="Bits that a .spz keeps of harmonics of degree 1, and of higher ones: 1 to 8 each; "
    "5,4 where not said.",
)
@click.option(
    "--fractional-bits",
    type=click.IntRange(0, 23),
    help="Binary digits after the point of positions in a .spz; 12 where not said.",
)
@click.option(
    "--sog-palette",
    "palette",
    type=click.IntRange(1, 65536),
    help="Most entries of the palette of harmonics in a .sog.",
)
@click.option(
    "--webp-effort", "effort", type=click.IntRange(0, 6), help="Effort to make a .sog small."
)
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="From where a .sog or .spz will be looked at: cameras.json, transforms.json, COLMAP, "
    "dataset. By default the training cameras beside IN; virtual ones where there are none.",
)
@click.option(
    "--views",
    metavar="N",
    type=click.IntRange(0),
    help="In how many of them a .sog or .spz shall look best; 0 rounds to the nearest; "
    "32 where not said.",
)
@overwrite_option
@common_options
@pass_session
def verb(
    session: Session,
    /,
    source: Path,
    target: Path,
    sh_degree: int | None,
    level: int | None,
    mode: Mode | None,
    axes_in: str | None,
    axes_out: str | None,
    cameras: Path | None,
    views: int | None,
    overwrite: bool,
    **flags: Any,
) -> None:
    """Convert the scene IN to the format that the ending of OUT names.

    What OUT cannot carry is said on stderr. A .gsz is written with the preset fast; 'gscompress
    compress' has the choice. 'gscompress info' lists the levels of a .gsz.
    """
    from gscompress.files import open_input
    from gscompress.io import format_for_name, save, scene_bytes, settings_of, with_settings
    from gscompress.io.atomic import refuse_existing
    from gscompress.io.axes import check_axes

    chosen = format_for_name(target)
    settings = _settings(flags)
    for name in settings:
        if name not in settings_of(chosen):
            raise UsageError(f"{_FLAGS[name]}: a {target.suffix} has no such setting")
    with_settings(chosen, **settings)  # wrong values are refused before any work
    for axes, flag in ((axes_in, "--axes-in"), (axes_out, "--axes-out")):
        if axes is not None:
            check_axes(flag, axes)
    if "sightings" not in settings_of(chosen) and (cameras is not None or views is not None):
        flag = "--views" if cameras is None else "--cameras"
        raise UsageError(f"{flag}: a {target.suffix} has no such setting")
    if not overwrite:
        refuse_existing(target)
    open_input(source).close()
    started = time.perf_counter()
    scene = _read(source, level, axes_in, sh_degree)
    scene = scene if mode is None else scene.replace(mode=mode)
    if "sightings" in settings_of(chosen) and views != 0 and len(scene):
        settings["sightings"] = _sightings(session, scene, source, cameras, views or VIEWS)
    save(scene, target, overwrite=overwrite, axes=axes_out, settings=settings)
    document = {
        "input": str(source),
        "output": str(target),
        "input_bytes": scene_bytes(source),
        "output_bytes": scene_bytes(target),
        "gaussians": len(scene),
        "sh_degree": scene.sh_degree,
        "mode": scene.mode,
        "seconds": time.perf_counter() - started,
    }
    text = (
        f"{target}: {len(scene):,} Gaussians, {document['input_bytes']:,} -> "
        f"{document['output_bytes']:,} bytes"
    )
    session.result(document, functools.partial(session.say, text))


def _read(source: Path, level: int | None, axes: str | None, sh_degree: int | None) -> Gaussians:
    """The scene up to a level of detail and a degree; None: all of it."""
    from gscompress.io import detect_format, load
    from gscompress.io.axes import OURS, turned
    from gscompress.pipeline import decompress

    if level is None:
        scene = load(source, axes=axes)
    elif (known := detect_format(source).id) != "gsz":
        raise InputError(
            source,
            found=f"the format {known}",
            expected="a .gsz, which alone has levels of detail",
            remedy="Leave --level out.",
        )
    else:
        scene = turned(decompress(source, level), axes or OURS, OURS)
    if sh_degree is None:
        return scene
    if sh_degree > scene.sh_degree:
        raise UsageError(
            f"--sh-degree {sh_degree}: {source} has spherical harmonics up to degree "
            f"{scene.sh_degree} only"
        )
    return scene.replace(sh=scene.sh[:, : (sh_degree + 1) ** 2])


def _sightings(
    session: Session, scene: Gaussians, source: Path, cameras: Path | None, count: int
) -> Sightings:
    """From where the Gaussians are seen: from cameras that were given, or found, or virtual."""
    from gscompress.cli.views import Views
    from gscompress.importance import pick_views
    from gscompress.importance.scores import sight
    from gscompress.render import get_renderer
    from gscompress.virtual_cameras import virtual_cameras

    found = Views.find(cameras, source)
    if found is None:
        looking = virtual_cameras(scene, count, width=VIEW_SIDE, height=VIEW_SIDE * 3 // 4)
        session.say(f"{len(looking)} virtual cameras, none being given")
    else:
        looking = [_small(camera) for camera in pick_views(found.train or found.test, count)]
    return sight(scene, looking, get_renderer("cpu"))


def _small(camera: Camera) -> Camera:
    """The camera with an image that is just large enough to see what it sees."""
    share = min(1.0, VIEW_SIDE / max(camera.width, camera.height))
    return camera.resized(*(max(1, round(side * share)) for side in (camera.width, camera.height)))


def _settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given, as fields of a format's class."""
    given = {name: value for name, value in flags.items() if value is not None}
    bits = given.pop("sh_bits", None)
    return given if bits is None else given | {"sh1_bits": bits[0], "sh_rest_bits": bits[1]}
