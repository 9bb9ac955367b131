"""Evaluate a scene: render it and its reference at the held-out cameras, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from gscompress.cameras import Camera
from gscompress.errors import MissingDependencyError
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import Lpips, psnr, ssim
from gscompress.metrics.fps import frame_rates
from gscompress.metrics.lpips import Net
from gscompress.photos import find_images, fit_camera, load_image
from gscompress.render.base import BLACK, Background, Progress, Renderer
from gscompress.report.pictures import choose, difference_gain, jpeg
from gscompress.report.report import Picture, Protocol, Report, Scores, View
from gscompress.report.sources import CameraSource, SceneSource, Split, open_scene, select_cameras

__all__ = ["evaluate"]

PROTOCOL_NAME = "gscompress-1"
PSNR_TEXT = (
    "dB; mean over views of the per-view PSNR; images clamped to 0..1, float32, not rounded to "
    "8 bits; at most 150 (identical images)"
)
SSIM_TEXT = "11x11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, valid region, mean over channels"
FPS_VIEWS = 4
FPS_REPEATS = 5
NOT_ASKED = "not measured: not asked for"


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
    selection = select_cameras(cameras, split)
    chosen = selection.cameras
    photos = None if images is None else find_images(chosen, images)
    distance, lpips_text = _load_lpips(lpips)
    reference_scene, reference_facts = open_scene(reference)
    test_scene, test_facts = open_scene(test)
    renderer = renderer or _default_renderer()
    job = _Job(reference_scene, test_scene, chosen, photos, renderer, background, distance)

    views = []
    for k in range(len(chosen)):
        views.append(job.score(k))
        if progress is not None:
            progress(k + 1, len(chosen))
    reference_fps, fps, fps_text = _frame_rates(job) if measure_fps else (None, None, NOT_ASKED)
    return Report(
        reference=reference_facts,
        test=test_facts,
        views=tuple(views),
        protocol=Protocol(
            name=PROTOCOL_NAME,
            mode="self-reference" if photos is None else "ground-truth",
            split=selection.split,
            cameras=len(chosen),
            cameras_given=selection.given,
            background=background,
            renderer=renderer.name,
            photos=None if images is None else str(images),
            psnr=PSNR_TEXT,
            ssim=SSIM_TEXT,
            lpips=lpips_text,
            fps=fps_text,
        ),
        device=renderer.device,
        fps=fps,
        reference_fps=reference_fps,
        pictures=job.pictures(views) if pictures else (),
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """Two scenes, the views, and all that it takes to compare the scenes there."""

    reference: Gaussians
    test: Gaussians
    cameras: list[Camera]
    photos: list[Path] | None
    renderer: Renderer
    background: Background
    distance: Lpips | None

    def score(self, k: int) -> View:
        """The scores of view ``k``."""
        camera, photo = self._view(k)
        original = self._render(self.reference, camera)
        tested = self._render(self.test, camera)
        if photo is None:
            scores = self._compare(tested, original)
            return View(camera.name, test=scores, render=scores, reference=None)
        return View(
            camera.name,
            test=self._compare(tested, photo),
            render=Scores(psnr(tested, original), ssim(tested, original)),
            reference=self._compare(original, photo),
        )

    def pictures(self, views: Sequence[View]) -> tuple[Picture, ...]:
        """The views that compression changed most, middling and least; one gain for all."""
        psnrs = [view.render.psnr for view in views]
        roles = choose(psnrs)
        shots = {role: self._shots(k) for role, k in roles.items()}
        gain = difference_gain([(original, tested) for _, original, tested in shots.values()])
        return tuple(
            Picture(
                role=role,
                view=views[roles[role]].name,
                render_psnr=psnrs[roles[role]],
                photo=None if photo is None else jpeg(photo),
                reference=jpeg(original),
                test=jpeg(tested),
                difference=jpeg(abs(tested - original) * gain),
                gain=gain,
            )
            for role, (photo, original, tested) in shots.items()
        )

    def _view(self, k: int) -> tuple[Camera, Array | None]:  # [H, W, 3]
        """The camera, and its photo, whose size it takes."""
        if self.photos is None:
            return self.cameras[k], None
        photo = load_image(self.photos[k], self.background)
        return fit_camera(self.cameras[k], photo, self.photos[k]), photo

    def _render(self, scene: Gaussians, camera: Camera) -> Array:  # [H, W, 3]
        return self.renderer.render(scene, camera, self.background).image

    def _compare(self, image: Array, truth: Array) -> Scores:
        distance = None if self.distance is None else self.distance(image, truth)
        return Scores(psnr(image, truth), ssim(image, truth), distance)

    def _shots(self, k: int) -> tuple[Array | None, Array, Array]:
        """Photo, reference and test image of view ``k``, the renders clamped to 0..1."""
        camera, photo = self._view(k)
        original = self._render(self.reference, camera)
        return photo, original.clip(0, 1), self._render(self.test, camera).clip(0, 1)


def _frame_rates(job: _Job) -> tuple[float, float, str]:
    """Frames per second of reference and test, and what they are."""
    step = -(-len(job.cameras) // FPS_VIEWS)
    cameras = job.cameras[::step]
    reference, test = frame_rates(
        job.renderer,
        [job.reference, job.test],
        cameras,
        background=job.background,
        repeats=FPS_REPEATS,
    )
    sizes = sorted({f"{camera.width}x{camera.height}" for camera in cameras})
    text = (
        f"median of {FPS_REPEATS} passes over {len(cameras)} views of {', '.join(sizes)} pixels "
        "after a warm-up, both scenes in turns; on a CPU only their ratio means something"
    )
    return reference, test, text


def _default_renderer() -> Renderer:
    from gscompress.render import get_renderer

    return get_renderer("auto")


def _load_lpips(lpips: Net | Lpips | None) -> tuple[Lpips | None, str]:
    """The network, if it is asked for and there; and what the number is, or why there is none."""
    if lpips is None:
        return None, NOT_ASKED
    try:
        network = lpips if isinstance(lpips, Lpips) else Lpips.load(lpips)
    except MissingDependencyError as error:
        return None, f"not measured: {error}"
    return network, network.convention
