"""Evaluate a scene: render it and its reference at the held-out cameras, and compare."""

from __future__ import annotations

from os import PathLike, fspath

from gscompress.metrics import Lpips
from gscompress.metrics.lpips import Net
from gscompress.render.base import BLACK, Background, Progress, Renderer
from gscompress.report.measure import Bench, Method
from gscompress.report.pictures import VIEWS_SHOWN
from gscompress.report.report import Report
from gscompress.report.sources import CameraSource, SceneSource, Split, open_scene, select_cameras

__all__ = ["evaluate"]


def evaluate(
    reference: SceneSource,
    test: SceneSource,
    cameras: CameraSource,
    *,
    images: str | PathLike[str] | None = None,
    split: Split | None = None,
    renderer: Renderer | None = None,
    lpips: Net | Lpips | None = None,
    background: Background = BLACK,
    measure_fps: bool = False,
    pictures: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Measure what the scene ``test`` lost against ``reference``.

    Without ``images`` the truth is the render of the reference: the loss of compression alone. With
    them the truth is the photos, and the reference is measured against them too. Views are rendered
    one after the other; memory does not grow with their number.

    Args:
        reference: The original scene, or its file.
        test: The scene under test, or its file: then its length and SHA-256 are reported.
        cameras: Where to look from: the file or folder that holds a scene's cameras, of which the
            test cameras are used; or cameras, which are used as they are (a `Selection` says in
            the report how they were chosen).
        images: Folder of photos, named as the cameras are; views are rendered at their size.
        split: Use "test", "train" or "all" cameras of those given. A split.json beside the file
            decides; else every 8th by name is test. Only test cameras, which no encoder has used,
            give an honest number.
        renderer: By default the one for the best device there is.
        lpips: Measure LPIPS with this network; about a second per view on a CPU. Where its weights
            are not installed there is no number and the report says why.
        background: RGB in 0..1, behind both scenes.
        measure_fps: Measure the frames per second of both scenes.
        pictures: Keep pictures of the views that changed most, middling and least, for
            `Report.to_html`.
        progress: Called with (views done, views in all).

    Raises:
        InputError: A file is missing or damaged, a photo is missing, or the split leaves no camera.

    Example:
        >>> import gscompress as gs
        >>> scene = gs.load("scenes/demo.ply")
        >>> back = gs.decompress(gs.compress(scene, "fast").to_bytes())
        >>> report = gs.evaluate(scene, back, "scenes/cameras.json", pictures=False)
        >>> report.psnr > 30
        True
    """
    method = Method.make(
        select_cameras(cameras, split),
        None if images is None else fspath(images),
        renderer,
        lpips,
        background,
    )
    reference_scene, reference_facts = open_scene(reference)
    test_scene, test_facts = open_scene(test)
    bench = Bench(reference_scene, [test_scene], method)
    views = bench.views(progress)
    rates = bench.frame_rates() if measure_fps else bench.no_frame_rates()
    return Report(
        reference=reference_facts,
        test=test_facts,
        views=views[0],
        protocol=method.protocol(rates.text),
        device=method.renderer.device,
        fps=rates.tests[0],
        reference_fps=rates.reference,
        pictures=bench.pictures(views, VIEWS_SHOWN)[0] if pictures else (),
    )
