"""``gscompress stream play``: receive a clip as it would be played, and say how that went."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.render import Size, choose_cameras, is_video, write_png, write_video
from gscompress.cli.session import (
    Progress,
    Session,
    common_options,
    device_option,
    overwrite_option,
    pass_session,
)
from gscompress.errors import InputError, UsageError

if TYPE_CHECKING:
    from gscompress.cameras import Camera
    from gscompress.gaussians import Array, Gaussians
    from gscompress.stream.receiver import Receiver

Frames = Iterable[tuple[int, "Gaussians"]]


class ByteSize(click.ParamType[int]):
    """A number of bytes, such as 64MB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn ``64MB`` into 64000000."""
        from gscompress.rate import parse_size

        try:
            return parse_size(str(value))
        except InputError:
            self.fail(f"{value!r} is no size such as 800kB, 64MB or 64MiB", param, ctx)


_EXAMPLES = (
    (
        "gscompress stream play http://host:8000/",
        "Receives all of it, and says how that went.",
    ),
    (
        "gscompress stream play clip/ -o clip.mp4 --size 1280x720",
        "Renders it to a video (needs the extra video).",
    ),
)


@click.command(
    "play",
    cls=Verb,
    short_help="Receive and decode a clip; render it; measure how that goes.",
    examples=_EXAMPLES,
)
@click.argument("source", metavar="CLIP")
@click.option(
    "-o", "--output", metavar="X.mp4|DIR", type=click.Path(path_type=Path),
    help="Render each frame, to a video or to PNG images. By default nothing is rendered.",
)  # fmt: skip
@click.option(
    "--cameras",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="cameras.json, transforms.json, COLMAP, dataset. By default one that frames the scene.",
)
@click.option("--view", metavar="NAME|INDEX", help="The camera; by default the first.")
@click.option("--size", type=Size(), metavar="WxH", help="Size of the images.")
@click.option("--first", type=click.IntRange(min=0), default=0, metavar="N", help="Begin here.")
@click.option("--last", type=click.IntRange(min=0), metavar="N", help="End with this frame.")
@click.option("--realtime", is_flag=True, help="No faster than the clip's frames per second.")
@click.option(
    "--buffer",
    type=ByteSize(),
    default="128MiB",
    show_default=True,
    metavar="SIZE",
    help="Download at most so much ahead.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    metavar="N",
    help="Download so many segments at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=15.0,
    show_default=True,
    metavar="S",
    help="Seconds without a byte after which a connection is broken.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Seconds in which each segment must arrive, and a live clip must grow.",
)
@device_option
@overwrite_option
@common_options
@pass_session
def verb(session: Session, /, source: str, **options: Any) -> None:
    """Receive and decode a clip as a player does, and say how that went.

    CLIP is an http or https URL of a clip's folder or manifest.json, or the path of one. A download
    that breaks is resumed; segments that are missing or damaged are named, and the frames up to the
    next key frame skipped and counted. A live clip is followed to its end. Exits with 1 if frames
    were skipped; what was received is told, and written, all the same.
    """
    document = _play(session, source, **options)
    session.result(document, functools.partial(_show, session, document))
    if skipped := document["frames_skipped"]:
        raise InputError(
            source,
            found=f"{skipped} of {skipped + document['frames']} frames lost",
            expected="all of them",
            remedy=document["problems"][0] if document["problems"] else "",
        )


def _play(
    session: Session,
    source: str,
    *,
    output: Path | None,
    first: int,
    last: int | None,
    realtime: bool,
    buffer: int,
    connections: int,
    timeout: float,
    deadline: float,
    **drawing: Any,
) -> dict[str, Any]:
    from gscompress.stream.receiver import Receiver

    if output is None and any(drawing[name] for name in ("cameras", "view", "size", "overwrite")):
        raise UsageError("--cameras, --view, --size and -w need -o: nothing is rendered without")
    if last is not None and last < first:
        raise UsageError(f"--last {last} is before --first {first}")
    pictures = None if output is None else _Pictures(output, **drawing)
    pacer = _Pacer()
    receiver = Receiver(
        source,
        buffer_bytes=buffer,
        connections=connections,
        timeout=timeout,
        deadline=deadline,
        first=first,
        last=last,
    )
    began = time.monotonic()
    with receiver, session.progress() as progress:
        manifest = receiver.manifest()
        frames: Frames = pacer.paced(receiver, manifest.fps) if realtime else receiver
        frames = _watched(frames, receiver, first, last, progress)
        files = [] if pictures is None else pictures.write(frames, manifest.fps)
        played = sum(1 for _ in frames) if pictures is None else 0
    count = played if pictures is None else pictures.count
    seconds = time.monotonic() - began
    return {
        "clip": source,
        "fps": manifest.fps,
        "frames": count,
        "seconds": seconds,
        "frames_per_second": count / seconds,
        "late": pacer.late if realtime else None,
        "files": [str(path) for path in files],
        **receiver.statistics.as_dict(),
    }


class _Pacer:
    """Holds frames back until it is their time; what comes late moves all that follows.

    Attributes:
        late: How many frames came more than a frame's time late.
    """

    def __init__(self) -> None:
        self.late = 0

    def paced(self, frames: Frames, fps: float) -> Iterator[tuple[int, Gaussians]]:
        """The same frames, each at its time."""
        zero = None  # when frame 0 would have been due
        for number, frame in frames:
            now = time.monotonic()
            if zero is None:
                zero = now - number / fps
            wait = zero + number / fps - now
            if wait > 0:
                time.sleep(wait)
            elif wait < -1 / fps:
                self.late += 1
                zero = now - number / fps
            yield number, frame


def _watched(
    frames: Frames, receiver: Receiver, first: int, last: int | None, progress: Progress | None
) -> Iterator[tuple[int, Gaussians]]:
    for number, frame in frames:
        yield number, frame
        if progress is not None:
            end = receiver.manifest().frames if last is None else last + 1
            progress("play", number - first + 1, end - first)


class _Pictures:
    """Renders frames, and writes them as images or as a video.

    Attributes:
        count: How many frames there were.
    """

    def __init__(
        self,
        output: Path,
        *,
        cameras: Path | None,
        view: str | None,
        size: tuple[int, int] | None,
        device: str,
        overwrite: bool,
    ) -> None:
        from gscompress.cli.views import Views
        from gscompress.io.atomic import refuse_existing
        from gscompress.render import get_renderer

        self._video = is_video(output)
        if output.suffix and not self._video and not output.is_dir():
            raise UsageError(f"-o {output}: its name must end in .mp4, or be a folder")
        if self._video and not overwrite:
            refuse_existing(output)
        if view is not None and cameras is None:
            raise UsageError("--view needs --cameras")
        self.count = 0
        self._output, self._size, self._overwrite = output, size, overwrite
        self._camera: Camera | None = None
        found = Views.find(cameras) if cameras is not None else None
        if found is not None:
            self._camera = choose_cameras(found, () if view is None else (view,), None)[0]
        self._renderer = get_renderer(device)

    def write(self, frames: Frames, fps: float) -> list[Path]:
        """Write all frames.

        Raises:
            InputError: A file is there already and may not be replaced.
        """
        if self._video:
            write_video(self._output, (image for _, image in self._images(frames)), fps)
            return [self._output]
        self._output.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, image in self._images(frames):
            paths.append(self._output / f"{number:06d}.png")
            write_png(paths[-1], image, overwrite=self._overwrite)
        return paths

    def _images(self, frames: Frames) -> Iterator[tuple[int, Array]]:  # [H, W, 3]
        from gscompress.virtual_cameras import orbit

        camera = self._camera
        for number, frame in frames:
            camera = camera or orbit(frame, 1)[0]
            if self._size is not None and (camera.width, camera.height) != self._size:
                camera = camera.resized(*self._size)
            self.count += 1
            yield number, self._renderer.render(frame, camera).image


def _show(session: Session, document: dict[str, Any]) -> None:
    session.say(
        f"{document['clip']}: {document['frames']:,} frames in {document['seconds']:.2f} s, "
        f"{document['frames_per_second']:.1f} per second; {document['bytes']:,} bytes"
    )
    if (times := document["decode_ms"])["median"] is not None:
        session.say(
            f"decode     {times['median']:.1f} ms per frame, 95 % of them within "
            f"{times['p95']:.1f} ms, the longest {times['max']:.1f} ms"
        )
        session.say(f"begin      after {document['seconds_to_first_frame']:.2f} s")
    session.say(f"stalled    {document['stalls']} times, {document['seconds_stalled']:.2f} s")
    if document["late"] is not None:
        session.say(f"late       {document['late']} frames")
    session.say(
        f"network    {document['retries']} retries, {document['resumed']} of them resumed; "
        f"{document['damaged']} downloads damaged"
    )
    if document["frames_skipped"]:
        session.say(f"skipped    {document['frames_skipped']} frames")
    if document["files"]:
        first, last = document["files"][0], document["files"][-1]
        session.say(f"written    {first}" + ("" if first == last else f" to {last}"))
