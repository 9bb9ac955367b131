"""Compare several files with the scene they were made from, at the same views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath

from gscompress.errors import InputError
from gscompress.importance.coverage import coverage
from gscompress.metrics import Lpips
from gscompress.metrics.lpips import Net
from gscompress.render.base import BLACK, Background, Progress, Renderer
from gscompress.report.comparison import Comparison, short_names
from gscompress.report.histograms import histograms
from gscompress.report.measure import Bench, Method
from gscompress.report.pictures import VIEWS_SHOWN
from gscompress.report.report import Report
from gscompress.report.sources import CameraSource, SceneSource, Split, open_scene, select_cameras

__all__ = ["compare"]


def compare(
    reference: SceneSource,
    tests: Sequence[SceneSource],
    cameras: CameraSource,
    *,
    images: str | PathLike[str] | None = None,
    split: Split | None = None,
    renderer: Renderer | None = None,
    lpips: Net | Lpips | None = None,
    background: Background = BLACK,
    measure_fps: bool = False,
    measure_coverage: bool = True,
    pictures: int = VIEWS_SHOWN,
    encode_seconds: Mapping[str, float] | None = None,
    command: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Measure what each of several files lost against the scene they were made from.

    The numbers are those of `gscompress.evaluate`, but the reference is rendered once for all.
    All scenes are in memory at the same time; views are rendered one after the other.

    Args:
        reference: The original scene, or its file.
        tests: The files to compare (or scenes, which have no size).
        cameras: As `gscompress.evaluate` takes them.
        images: Folder of photos, named as the cameras are: the truth instead of the renders.
        split: Which of the cameras to use; the test cameras of a file by default.
        renderer: By default the one for the best device there is.
        lpips: Measure LPIPS with this network.
        background: RGB in 0..1, behind all scenes.
        measure_fps: Measure the frames per second of all scenes, in turns.
        measure_coverage: Measure how much of the reference the cameras see.
        pictures: Keep pictures of so many views, from the most to the least changed, for
            `Comparison.to_html`.
        encode_seconds: What it took to make a file, by its path, where that is known.
        command: The command line that asks, for the record.
        progress: Called with (views done, views in all).

    Raises:
        InputError: A file is missing or damaged (found before anything is rendered), a photo is
            missing, or the split leaves no camera.

    Example:
        >>> import os, tempfile
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> views = gs.load_cameras("scenes/cameras.json")[:1]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = [os.path.join(folder, name) for name in ("demo.gsz", "demo.spz")]
        ...     for file in files:
        ...         gs.save(scene, file)
        ...     found = gs.compare("scenes/demo.ply", files, views, pictures=0)
        >>> found.names
        ('demo.gsz', 'demo.spz')
        >>> found["demo.gsz"].bytes < found["demo.spz"].bytes
        True
    """
    if not tests:
        raise InputError("comparison", found="no files", expected="at least one")
    folder = None if images is None else fspath(images)
    method = Method.make(select_cameras(cameras, split), folder, renderer, lpips, background)
    opened = [open_scene(source, timed=True) for source in (reference, *tests)]
    (original, original_facts), scenes = opened[0], opened[1:]
    bench = Bench(original, [scene for scene, _ in scenes], method)
    views = bench.views(progress)
    rates = bench.frame_rates() if measure_fps else bench.no_frame_rates()
    protocol = method.protocol(rates.text)
    shown = bench.pictures(views, pictures)
    reports = tuple(
        Report(
            reference=original_facts,
            test=facts,
            views=views[k],
            protocol=protocol,
            device=method.renderer.device,
            fps=rates.tests[k],
            reference_fps=rates.reference,
            pictures=shown[k],
        )
        for k, (_, facts) in enumerate(scenes)
    )
    seconds = encode_seconds or {}
    seen = None
    if measure_coverage and len(original):
        seen = coverage(original, method.selection.cameras, method.renderer).to_dict()
    return Comparison(
        names=short_names([report.test.path or "in memory" for report in reports]),
        reports=reports,
        encode_seconds=tuple(seconds.get(report.test.path or "") for report in reports),
        coverage=seen,
        histograms=histograms(original, bench.tests),
        command=command,
    )
