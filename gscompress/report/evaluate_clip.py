"""Evaluate a clip: decode it in order and by itself, render its frames, and compare."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from gscompress.errors import InputError
from gscompress.files import StrPath
from gscompress.render.base import BLACK, Background, Progress, Renderer
from gscompress.report.clip_looks import FrameBench
from gscompress.report.clip_passes import DecodedFrame, decode_by_itself, decode_in_order
from gscompress.report.frame_photos import FramePhotos
from gscompress.report.frames import FrameFacts, FramePicture, FrameView
from gscompress.report.pictures import VIEWS_SHOWN
from gscompress.report.report import SceneFacts
from gscompress.report.sources import CameraSource, Split, file_sha256, open_scene
from gscompress.report.stream import ClipReport
from gscompress.stream.clip import Clip
from gscompress.stream.manifest import Manifest
from gscompress.stream.source import open_source
from gscompress.stream.transfer import Patience, Transfer

__all__ = ["evaluate_clip"]


def evaluate_clip(
    clip: StrPath,
    originals: Sequence[StrPath] = (),
    cameras: CameraSource | None = None,
    *,
    images: StrPath | None = None,
    photo_pattern: str | None = None,
    split: Split | None = None,
    renderer: Renderer | None = None,
    background: Background = BLACK,
    check_access: bool = False,
    pictures: int = VIEWS_SHOWN,
    encode_seconds: Sequence[float] | None = None,
    camera_file: StrPath | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> ClipReport:
    """Measure a clip, frame by frame; one frame is in memory at a time.

    Args:
        clip: Its folder, its manifest, or an http or https URL of either.
        originals: The files of the frames that it was made from, all of them or none.
        cameras: As `gscompress.evaluate` takes them; None: nothing is rendered.
        images: Folder of photos of every frame.
        photo_pattern: How they are named; see `gscompress.report.frame_photos.FramePhotos`.
        split: Which of the cameras to use; the test cameras of a file by default.
        renderer: By default the one for the best device there is.
        background: RGB in 0..1, behind all scenes.
        check_access: Whether to decode each frame by itself as well.
        pictures: Keep pictures of so many frames, evenly chosen, for `ClipReport.to_html`.
        encode_seconds: What encoding each frame took, where that is known.
        camera_file: Where the cameras are from, for the record; by default ``cameras``.
        command: The command line that asks, for the record.
        progress: Called with (frames done, frames in all) of each kind of work.

    Raises:
        InputError: There are not as many originals as frames, a file is missing, or there are
            photos but no cameras.
        CorruptFileError: The clip is damaged.

    Example:
        >>> import gscompress as gs, tempfile
        >>> from gscompress.stream.encode import encode_clip
        >>> from gscompress.stream.settings import Settings
        >>> scene = gs.load("scenes/demo.ply")
        >>> moved = scene.replace(means=scene.means + 0.01)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = encode_clip([scene, moved], folder, Settings(preset="fast"))
        ...     report = evaluate_clip(folder, check_access=True)
        >>> report.changes[0].bytes < report.frames[0].bytes, report.inaccessible
        (True, [])
    """
    opened, digest = _open(clip)
    with opened:
        count = opened.manifest.frames
        _check_counts(str(clip), count, originals, encode_seconds)
        if images is not None and cameras is None:
            raise InputError(images, found="no cameras", expected="those that took the photos")
        source = None if images is None else FramePhotos(Path(images), photo_pattern)
        bench = None
        if cameras is not None and (originals or source is not None):
            bench = FrameBench.make(
                cameras,
                source,
                count,
                split=split,
                renderer=renderer,
                background=background,
                pictures=pictures,
            )
        decoded = decode_in_order(opened, progress)
        access = _access(opened, decoded) if check_access else [None] * count
        facts, seen, shown = _look(opened, originals, bench, progress)
        frames = tuple(
            _facts(one, access[k], seen[k], encode_seconds[k] if encode_seconds else None)
            for k, one in enumerate(decoded)
        )
    if camera_file is None and isinstance(cameras, str | PathLike):
        camera_file = cameras
    return ClipReport(
        path=os.fspath(clip),
        sha256=digest,
        manifest=opened.manifest,
        frames=frames,
        originals=facts,
        photos=bench.photo_facts() if bench else None,
        cameras=_file_facts(Path(camera_file)) if bench and camera_file is not None else None,
        protocol=bench.protocol(len(originals)) if bench else None,
        device=bench.method.renderer.device if bench else None,
        command=command,
        pictures=shown,
    )


def _open(place: StrPath) -> tuple[Clip, str]:
    """A clip, and the SHA-256 of its manifest."""
    patience = Patience()
    source = open_source(place, patience.timeout)
    transfer = Transfer(source, patience)
    data = transfer.manifest() or b""
    clip = Clip(Manifest.from_json(data, source.where), transfer)
    return clip, hashlib.sha256(data).hexdigest()


def _check_counts(
    clip: str, count: int, originals: Sequence[StrPath], seconds: Sequence[float] | None
) -> None:
    if not count:
        raise InputError(clip, found="no frames yet", expected="at least one")
    for what, values in (("original frames", originals), ("encode seconds", seconds or ())):
        if values and len(values) != count:
            raise InputError(
                clip,
                what,
                found=len(values),
                expected=f"{count}, one for each frame of the clip",
            )


def _access(clip: Clip, decoded: Sequence[DecodedFrame]) -> list[bool | None]:
    """Whether each frame is the same when it is decoded by itself."""
    return [decode_by_itself(clip, one.frame) == one.sha256 for one in decoded]


def _look(
    clip: Clip, originals: Sequence[StrPath], bench: FrameBench | None, progress: Progress | None
) -> tuple[tuple[SceneFacts, ...], list[tuple[FrameView, ...]], tuple[FramePicture, ...]]:
    """Which files the originals are, the scores of each frame, and pictures of some."""
    count = clip.manifest.frames
    if bench is None:
        return tuple(open_scene(path)[1] for path in originals), [()] * count, ()
    facts, seen, pictures = [], [], []
    for frame, decoded in enumerate(clip.frames()):
        original = None
        if originals:
            original, fact = open_scene(originals[frame])
            facts.append(fact)
        views, picture = bench.look(frame, decoded, original)
        seen.append(views)
        if picture is not None:
            pictures.append(picture)
        if progress is not None:
            progress(frame + 1, count)
    return tuple(facts), seen, tuple(pictures)


def _facts(
    one: DecodedFrame, access: bool | None, views: tuple[FrameView, ...], seconds: float | None
) -> FrameFacts:
    return FrameFacts(
        frame=one.frame,
        group=one.group,
        kind=one.segment.kind,
        bytes=one.segment.bytes / one.segment.frames,
        gaussians=one.gaussians,
        changes=one.changes,
        decode_ms=one.ms,
        sha256=one.sha256,
        access=access,
        views=views,
        encode_seconds=seconds,
    )


def _file_facts(path: Path) -> dict[str, str | None]:
    """A file, and its SHA-256; a folder has none."""
    return {"path": str(path), "sha256": file_sha256([path]) if path.is_file() else None}
