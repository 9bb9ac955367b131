"""Rendering scenes and their reference at the same cameras, and scoring what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gscompress.cameras import Camera
from gscompress.errors import MissingDependencyError
from gscompress.gaussians import Array, Gaussians
from gscompress.metrics import Lpips, psnr, ssim
from gscompress.metrics.fps import frame_rates
from gscompress.metrics.lpips import Net
from gscompress.photos import find_images, fit_camera, load_image
from gscompress.render.base import Background, Progress, Renderer
from gscompress.report.pictures import choose, difference_gain, jpeg, pixels_each
from gscompress.report.report import Picture, Protocol, Scores, View
from gscompress.report.sources import Selection

__all__ = ["Bench", "Method", "Rates"]

PROTOCOL_NAME = "gscompress-1"
PSNR_TEXT = (
    "dB; mean over views of the per-view PSNR; images clamped to 0..1, float32, not rounded to "
    "8 bits; at most 150 (identical images)"
)
SSIM_TEXT = "11x11 Gaussian window, sigma 1.5, K1 0.01, K2 0.03, valid region, mean over channels"
FPS_VIEWS = 4
FPS_REPEATS = 5
NOT_ASKED = "not measured: not asked for"


class Rates(NamedTuple):
    """Frames per second, and what they are; None: not measured."""

    reference: float | None
    tests: list[float | None]
    text: str


class _Shots(NamedTuple):
    """The images of one view; the renders are clamped to 0..1."""

    photo: Array | None  # [H, W, 3]
    reference: Array  # [H, W, 3]
    tests: list[Array]  # each [H, W, 3]


@dataclass(frozen=True, slots=True)
class Method:
    """How to measure, whatever the scenes are.

    Attributes:
        selection: The cameras, and how they were chosen.
        photos: The photo of each camera; None: the truth is the reference's renders.
        folder: Where the photos are, for the report.
        renderer: Renders all scenes.
        background: RGB in 0..1, behind all scenes.
        distance: LPIPS, where it is measured.
        lpips_text: Which LPIPS that is, or why there is none.
    """

    selection: Selection
    photos: list[Path] | None
    folder: str | None
    renderer: Renderer
    background: Background
    distance: Lpips | None
    lpips_text: str

    @classmethod
    def make(
        cls,
        selection: Selection,
        images: str | None,
        renderer: Renderer | None,
        lpips: Net | Lpips | None,
        background: Background,
    ) -> Method:
        """Find the photos, the renderer and the network, before any work.

        Raises:
            InputError: A photo is missing.
        """
        photos = None if images is None else find_images(selection.cameras, images)
        distance, text = _load_lpips(lpips)
        renderer = renderer or _default_renderer()
        return cls(selection, photos, images, renderer, background, distance, text)

    def view(self, k: int) -> tuple[Camera, Array | None]:  # [H, W, 3]
        """The camera ``k``, and its photo, whose size it takes."""
        camera, photos = self.selection.cameras[k], self.photos
        if photos is None:
            return camera, None
        photo = load_image(photos[k], self.background)
        return fit_camera(camera, photo, photos[k]), photo

    def render(self, scene: Gaussians, camera: Camera) -> Array:  # [H, W, 3]
        """A scene's image."""
        return self.renderer.render(scene, camera, self.background).image

    def compare(self, image: Array, truth: Array) -> Scores:
        """An image against another."""
        distance = None if self.distance is None else self.distance(image, truth)
        return Scores(psnr(image, truth), ssim(image, truth), distance)

    def protocol(self, fps_text: str) -> Protocol:
        """What the numbers are, for the report."""
        selection = self.selection
        return Protocol(
            name=PROTOCOL_NAME,
            mode="self-reference" if self.photos is None else "ground-truth",
            split=selection.split,
            cameras=len(selection.cameras),
            cameras_given=selection.given,
            every=selection.every,
            sizes=_sizes(selection.cameras) if self.photos is None else "those of the photos",
            background=self.background,
            renderer=self.renderer.name,
            photos=self.folder,
            psnr=PSNR_TEXT,
            ssim=SSIM_TEXT,
            lpips=self.lpips_text,
            fps=fps_text,
        )


@dataclass(frozen=True, slots=True)
class Bench:
    """A reference, the scenes to be measured against it, and how."""

    reference: Gaussians
    tests: Sequence[Gaussians]
    method: Method

    def views(self, progress: Progress | None) -> list[tuple[View, ...]]:
        """For each test scene the scores of all views, which are rendered one after the other."""
        count = len(self.method.selection.cameras)
        columns = []
        for k in range(count):
            columns.append(self._score(k))
            if progress is not None:
                progress(k + 1, count)
        return list(zip(*columns, strict=True))

    def frame_rates(self) -> Rates:
        """Frames per second of all scenes at a few of the views, the scenes in turns."""
        given = self.method.selection.cameras
        cameras = given[:: -(-len(given) // FPS_VIEWS)]
        reference, *tests = frame_rates(
            self.method.renderer,
            [self.reference, *self.tests],
            cameras,
            background=self.method.background,
            repeats=FPS_REPEATS,
        )
        text = (
            f"median of {FPS_REPEATS} passes over {len(cameras)} views of {_sizes(cameras)} pixels "
            f"after a warm-up, {'both' if len(tests) == 1 else 'all'} scenes in turns; on a CPU "
            "only their ratio means something"
        )
        return Rates(reference, list(tests), text)

    def no_frame_rates(self) -> Rates:
        """The same where nobody asked."""
        return Rates(None, [None] * len(self.tests), NOT_ASKED)

    def pictures(self, views: Sequence[Sequence[View]], count: int) -> list[tuple[Picture, ...]]:
        """Pictures of ``count`` views for each test scene, from the most to the least changed.

        All have one gain. Together they have a bounded number of pixels.

        Args:
            views: What `views` gave.
            count: How many views; 0: none.
        """
        psnrs = [sum(v.render.psnr for v in column) for column in zip(*views, strict=True)]
        roles = choose(psnrs, count)
        shots = {role: self._shots(k) for role, k in roles.items()}
        pairs = [(s.reference, test) for s in shots.values() for test in s.tests]
        gain = difference_gain(pairs) if pairs else 1
        most = pixels_each(len(shots) * (2 * len(self.tests) + 2))
        result: list[list[Picture]] = [[] for _ in self.tests]
        for role, shot in shots.items():
            photo = None if shot.photo is None else jpeg(shot.photo, most)
            reference = jpeg(shot.reference, most)
            for pictures, test, scores in zip(result, shot.tests, views, strict=True):
                picture = Picture(
                    role=role,
                    view=scores[roles[role]].name,
                    render_psnr=scores[roles[role]].render.psnr,
                    photo=photo,
                    reference=reference,
                    test=jpeg(test, most),
                    difference=jpeg(abs(test - shot.reference) * gain, most),
                    gain=gain,
                )
                pictures.append(picture)
        return [tuple(pictures) for pictures in result]

    def _score(self, k: int) -> list[View]:
        """The scores of view ``k``, of each test scene."""
        camera, photo = self.method.view(k)
        original = self.method.render(self.reference, camera)
        reference = None if photo is None else self.method.compare(original, photo)
        views = []
        for scene in self.tests:
            image = self.method.render(scene, camera)
            if photo is None:
                scores = render = self.method.compare(image, original)
            else:
                scores = self.method.compare(image, photo)
                render = Scores(psnr(image, original), ssim(image, original))
            views.append(View(camera.name, test=scores, render=render, reference=reference))
        return views

    def _shots(self, k: int) -> _Shots:
        camera, photo = self.method.view(k)
        original, *tests = (
            self.method.render(scene, camera).clip(0, 1) for scene in (self.reference, *self.tests)
        )
        return _Shots(photo, original, tests)


def _sizes(cameras: Sequence[Camera]) -> str:
    """``800x533, 640x480``."""
    return ", ".join(sorted({f"{camera.width}x{camera.height}" for camera in cameras}))


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
