"""``gscompress render``: PNG images of a scene, or a video."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from gscompress.cli.examples import Verb
from gscompress.cli.session import (
    Progress,
    Session,
    common_options,
    device_option,
    overwrite_option,
    pass_session,
    seed_option,
)
from gscompress.errors import InputError, MissingDependencyError, UsageError

if TYPE_CHECKING:
    from gscompress.cameras import Camera
    from gscompress.cli.views import Views
    from gscompress.gaussians import Array, Gaussians
    from gscompress.render.base import Renderer

VIDEO_ENDINGS = {".mp4"}
FRAMES_PER_SECOND = 30


class Size(click.ParamType[tuple[int, int]]):
    """WIDTHxHEIGHT in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn ``640x360`` into (640, 360)."""
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", str(value))
        if not match:
            self.fail(f"{value!r} is no size such as 1280x720", param, ctx)
        return int(match[1]), int(match[2])


_EXAMPLES = (
    (
        "gscompress render scene.gsz --view 0",
        "The first camera beside it, to scene.png.",
    ),
    (
        "gscompress render scene.gsz --split test -o views/",
        "All held-out cameras, to a folder.",
    ),
    (
        "gscompress render scene.gsz -o orbit.mp4 --size 1280x720",
        "A video around the scene (needs the extra video).",
    ),
)


@click.command(
    "render",
    cls=Verb,
    short_help="Render a scene to PNG images or a video.",
    examples=_EXAMPLES,
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="X.png|DIR|X.mp4", help="By default FILE's name with .png.")
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="cameras.json, transforms.json, COLMAP, dataset. By default those beside FILE.",
)
@click.option("--view", "views", multiple=True, metavar="NAME|INDEX", help="This camera only.")
@click.option("--split", type=click.Choice(["test", "train", "all"]), help="Only these cameras.")
@click.option("--size", type=Size(), metavar="WxH", help="Size of the images, instead of theirs.")
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=240,
    show_default=True,
    help="Frames of a video that circles the scene.",
)
@device_option
@seed_option
@overwrite_option
@common_options
@pass_session
def verb(session: Session, /, file: Path, output: str | None, **options: Any) -> None:
    """Render a scene: one view to X.png, all views to DIR, or a video.

    A video follows the given cameras in their order; without --cameras it circles the scene.
    """
    target = Path(output) if output else Path(f"{file.stem}.png")
    written = _render(session, file, target, **options)
    document = {"input": str(file), "files": [str(path) for path in written]}
    text = str(target) if len(written) == 1 else f"{target}: {len(written)} images"
    session.result(document, functools.partial(session.say, text))


def _render(
    session: Session,
    file: Path,
    target: Path,
    *,
    cameras: Path | None,
    views: tuple[str, ...],
    split: Any,
    size: tuple[int, int] | None,
    frames: int,
    device: str,
    seed: int,
    overwrite: bool,
) -> list[Path]:
    from gscompress.cli.views import Views
    from gscompress.files import open_input
    from gscompress.io import load
    from gscompress.io.atomic import refuse_existing
    from gscompress.render import get_renderer

    video = is_video(target)
    single = target.suffix.lower() == ".png"
    if target.suffix and not (video or single or target.is_dir()):
        raise UsageError(f"-o {target}: its name must end in .png or .mp4, or be a folder")
    if (video or single) and not overwrite:
        refuse_existing(target)
    open_input(file).close()
    renderer = get_renderer(device)
    found = Views.find(cameras, file)
    scene = load(file)
    if video and cameras is None and not views and not split:
        from gscompress.virtual_cameras import orbit

        chosen = orbit(scene, frames)
    else:
        chosen = choose_cameras(found or Views.virtual(scene, seed), views, split)
        chosen = chosen[:1] if single else chosen
    if size is not None:
        chosen = [camera.resized(*size) for camera in chosen]
    with session.progress() as progress:
        images = _images(renderer, scene, chosen, progress)
        if video:
            if len({(camera.width, camera.height) for camera in chosen}) > 1:
                raise UsageError("the cameras have several sizes: give one with --size")
            write_video(target, images, FRAMES_PER_SECOND)
            return [target]
        paths = [target] if single else _image_paths(target, chosen, overwrite=overwrite)
        for path, image in zip(paths, images, strict=True):
            write_png(path, image, overwrite=overwrite)
    return paths


def is_video(target: Path) -> bool:
    """Whether a file's name is that of a video.

    Raises:
        MissingDependencyError: It is, and none can be written.
    """
    video = target.suffix.lower() in VIDEO_ENDINGS
    if video and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise MissingDependencyError("imageio_ffmpeg", "video", "Writing a video")
    return video


def write_png(path: Path, image: Array, *, overwrite: bool) -> None:  # image: [H, W, 3]
    """Write an image as an 8-bit PNG."""
    import imageio.v3 as iio

    from gscompress.io.atomic import atomic_write

    with atomic_write(path, overwrite=overwrite) as file:
        file.write(iio.imwrite("<bytes>", to_bytes(image), extension=".png"))


def to_bytes(image: Array) -> np.ndarray[Any, np.dtype[np.uint8]]:  # [H, W, 3]
    """Colours in 0..1 as 8-bit values, rounded to nearest; what is brighter than white is white."""
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), dtype=np.uint8)


def choose_cameras(found: Views, names: tuple[str, ...], split: Any) -> list[Camera]:
    """The cameras of the split that ``names`` names, by name or index; all of them without any."""
    cameras = found.part(split or "all")
    if split is None:
        cameras = sorted(cameras, key=lambda camera: camera.name)
    chosen = []
    for name in names:
        matching = [camera for camera in cameras if name in (camera.name, Path(camera.name).stem)]
        if not matching and name.isdecimal() and int(name) < len(cameras):
            matching = [cameras[int(name)]]
        if not matching:
            raise InputError(
                found.source or "virtual cameras",
                f"view {name!r}",
                found="no such camera",
                expected=f"a name such as {cameras[0].name!r}, or 0 to {len(cameras) - 1}",
            )
        chosen.append(matching[0])
    return chosen or cameras


def _images(
    renderer: Renderer, scene: Gaussians, cameras: Sequence[Camera], progress: Progress | None
) -> Iterator[Array]:
    for done, camera in enumerate(cameras, start=1):
        yield renderer.render(scene, camera).image
        if progress is not None:
            progress("render", done, len(cameras))


def _image_paths(folder: Path, cameras: Sequence[Camera], *, overwrite: bool) -> list[Path]:
    """A file for each camera; names come from outside and must not lead out of the folder."""
    from gscompress.io.atomic import refuse_existing

    paths: list[Path] = []
    for camera in cameras:
        name = re.sub(r"[^\w.-]+", "_", os.path.splitext(camera.name)[0]).lstrip(".") or "view"
        taken = sum(path.name == f"{name}.png" for path in paths)
        paths.append(folder / (f"{name}_{len(paths)}.png" if taken else f"{name}.png"))
    if not overwrite:
        for path in paths:
            refuse_existing(path)
    folder.mkdir(parents=True, exist_ok=True)
    return paths


def write_video(target: Path, images: Iterable[Array], fps: float) -> None:
    """Write images [H, W, 3] of one size as an .mp4; whole, or not at all."""
    import imageio.v2 as imageio

    partial = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        options: Any = {"codec": "libx264", "quality": 8, "macro_block_size": 2}
        output: Any = imageio.get_writer(partial, fps=fps, **options)
        with output:
            for image in images:
                height, width = (side // 2 * 2 for side in image.shape[:2])  # H.264 wants even ones
                output.append_data(to_bytes(image)[:height, :width])
        os.replace(partial, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
