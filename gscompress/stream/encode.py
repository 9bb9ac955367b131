"""Encoding a sequence of frames into a clip.

frame --match--> moment --GroupEncoder, at a price--> segment --Manifest--> a folder for any host
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import gscompress
from gscompress.cameras import Camera
from gscompress.config import load_config
from gscompress.errors import InputError, UsageError
from gscompress.files import StrPath
from gscompress.gaussians import Array, Gaussians
from gscompress.rate.bounds import check_bounds, find_errors
from gscompress.render import get_renderer
from gscompress.stages.base import Context, Progress
from gscompress.stream.attempt import Moment
from gscompress.stream.axes import nearest_axes
from gscompress.stream.clip_writer import ClipWriter
from gscompress.stream.group import GroupEncoder
from gscompress.stream.keyframe import KeyFrame, encode_key
from gscompress.stream.layout import Layout
from gscompress.stream.manifest import Kind, Manifest
from gscompress.stream.pricing import Budget, Found, Goal, Nominal, Quality, nominal_price
from gscompress.stream.run_search import Way, choose_way, find_run, learn_run, probed
from gscompress.stream.settings import FrameReport, Settings, Trajectories
from gscompress.stream.tracking import Matches, match
from gscompress.stream.views import Control, Views
from gscompress.virtual_cameras import virtual_cameras

__all__ = ["ClipEncoder", "encode_clip"]

log = logging.getLogger(__name__)

_VIRTUAL_VIEWS = 24
_CUT_MATCHES = 0.5
"""Share of the Gaussians that must be found again for a frame to be a change."""
_CUT_BYTES = 0.5
"""Of the key frame: a change that takes more is sent as a key frame itself."""
_RUN = 16
"""Frames of a run at most."""
_RUN_VALUES = 1 << 28
"""Values of all frames of a run at most: 1 GB of coefficients."""
_RUN_PRICE = 3.0
"""By how much the price of a run of the same quality is higher, to begin with."""
_WAYS: dict[Trajectories, tuple[Way, ...]] = {
    "auto": ("frames", "coefficients", "words"),
    "always": ("coefficients",),
    "words": ("words",),
}


@dataclass
class _Open:
    """The group that is being written."""

    key: KeyFrame
    encoder: GroupEncoder
    learned: bool


class ClipEncoder:
    """Encodes frames as they come.

    The manifest in the folder tells at any time what is there so far.

    Args:
        folder: Where to write; exists and is empty.
        settings: How.
        cameras: From where the frames will be looked at; virtual ones around the first frame if
            there are none.
        control: Views at which quality is measured; some of the cameras if there are none.
        device: Where to render.
        seed: Of every random choice.
        progress: Told of what the encoder of key frames does.

    Attributes:
        reports: What came of the frames so far.
    """

    def __init__(
        self,
        folder: StrPath,
        settings: Settings | None = None,
        *,
        cameras: Sequence[Camera] = (),
        control: Sequence[Camera] = (),
        device: str = "auto",
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.reports: list[FrameReport] = []
        self._config = replace(load_config(self.settings.preset), stages=())
        made = {**asdict(self.settings), "preset": self._config.to_dict()}
        provenance = {"gscompress": gscompress.__version__, "settings": made}
        self._writer = ClipWriter(Path(folder), self.settings.fps, provenance)
        self._renderer = get_renderer(device)
        self._device, self._seed, self._progress = device, seed, progress
        self._cameras, self._given_control = list(cameras), list(control)
        self._open: _Open | None = None
        self._before: Gaussians | None = None
        self._waiting: list[Moment] = []
        self._goal: Goal | None = None
        self._last_run: Goal | None = None

    def add(self, scene: Gaussians, name: str = "frame") -> None:
        """Encode the next frame; with trajectories it may have to wait for others.

        Args:
            scene: The frame.
            name: What errors call it.

        Raises:
            InputError: It cannot be coded, or is of another degree or mode than those before.
        """
        scene.validate(name)
        if not len(scene):
            raise InputError(name, found="no Gaussians", expected="at least one")
        before, self._before = self._before, scene
        if before is None:
            self._start(scene)
            self._key(scene, None)
            return
        _check_kind(scene, before, name)
        matches = match(before, scene)
        kept = np.count_nonzero(matches.rows >= 0)
        if kept < _CUT_MATCHES * max(len(before), len(scene)):
            self._flush()
            self._key(scene, None)
        elif self._frames_in_group() == self.settings.gop:
            self._flush()
            self._key(scene, matches)
        else:
            self._change(Moment(scene, matches))

    def finish(self) -> Manifest:
        """Write what is left, and say that the clip is complete.

        Raises:
            UsageError: There was no frame.
        """
        if self._open is None:
            raise UsageError("a clip needs at least one frame")
        self._flush()
        return self._write_manifest(complete=True)

    @property
    def control(self) -> list[Camera]:
        """The views at which quality is measured."""
        return [] if self._open is None else self._control.cameras

    def _start(self, scene: Gaussians) -> None:
        if not self._cameras:
            self._cameras = virtual_cameras(scene, _VIRTUAL_VIEWS, seed=self._seed)
        self._views = Views(self._cameras, self._renderer)
        self._control = Control(self._given_control or self._cameras, self._renderer)

    def _frames_in_group(self) -> int:
        return len(self._waiting) + self._writer.frames_in_group

    def _change(self, moment: Moment) -> None:
        """Code a frame as what changed, at once or as part of a run."""
        if self.settings.trajectories == "never" or moment.turns_over:
            self._flush()
            self._residual(moment)
            return
        self._waiting.append(moment)
        values = len(moment.scene) * Layout(moment.scene.sh_degree).channels
        if len(self._waiting) >= min(_RUN, max(1, _RUN_VALUES // values)):
            self._flush()

    def _key(self, scene: Gaussians, matches: Matches | None) -> None:
        """Start a group.

        Args:
            scene: The frame.
            matches: How the frame before belongs to it; None after a cut.
        """
        started = time.perf_counter()
        ctx = Context(
            scene,
            self._cameras,
            None,
            self._device,
            self._seed,
            self._progress,
            control=self._control.cameras,
            attributes=self._config.attributes,
        )
        key = encode_key(scene, self._config, self.settings, ctx)
        factors = None
        if self._open is not None and self._open.learned and matches is not None:
            factors = self._open.encoder.factors_of(matches, len(scene))
        encoder = GroupEncoder(key.scene, key.rows, self._views, self.settings.max_error, factors)
        self._open = _Open(key, encoder, learned=factors is not None)
        self._writer.begin_group()
        if self._goal is None or matches is None:
            self._goal, self._last_run = self._make_goal(len(scene)), None
        self._write("key", [scene], [key.scene], [len(scene)], key.data, started)

    def _residual(self, moment: Moment) -> None:
        """Code one frame as what changed; as a key frame, if that takes about as much."""
        assert self._open is not None
        started = time.perf_counter()
        encoder, first = self._open.encoder, len(self.reports)
        pictures = self._views.pictures(moment.scene)
        self._look_ahead(moment, pictures)
        goal = self._goal
        assert goal is not None
        self._budgeted(goal, 1)
        found = goal.find(
            lambda price: encoder.attempt(moment, price, first),
            lambda one: self._control.psnr(one.scenes[0], moment.scene),
        )
        self._check(found, [moment])
        data = found.attempt.segment.to_bytes()
        if self.settings.kbps is None and len(data) > _CUT_BYTES * len(self._open.key.data):
            self._key(moment.scene, moment.matches)
            return
        encoder.accept(found.attempt)
        encoder.learn(moment, pictures)
        one = found.attempt
        self._write(
            "residual", [moment.scene], one.scenes, one.changed, data, started, [one.turnover]
        )

    def _flush(self) -> None:
        """Code the frames that wait: one by one, or as a run where that is better."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        assert self._open is not None
        encoder, first, started = self._open.encoder, len(self.reports), time.perf_counter()
        goal = self._goal_of_run(waiting)
        numbers = probed(len(waiting))
        pictures = [(k, self._views.pictures(waiting[k].scene)) for k in numbers]
        learn_run(encoder, waiting, goal.price, pictures, fresh=not self._open.learned)
        self._open.learned = True
        way = choose_way(encoder, waiting, goal.price, _WAYS[self.settings.trajectories])
        if way == "frames":
            for moment in waiting:
                self._residual(moment)
            return
        found = find_run(encoder, waiting, first, goal, self._control, way)
        self._check(found, waiting)
        encoder.accept(found.attempt)
        scenes, one = [moment.scene for moment in waiting], found.attempt
        self._write("run", scenes, one.scenes, one.changed, one.segment.to_bytes(), started)

    def _goal_of_run(self, waiting: Sequence[Moment]) -> Goal:
        """What a run should be; the price is its own, as the same quality costs less."""
        assert self._open is not None
        goal, moment = self._goal, waiting[0]
        assert goal is not None
        if isinstance(goal, Quality) and math.isnan(goal.psnr):
            self._look_ahead(moment, self._views.pictures(moment.scene))
            one = self._open.encoder.attempt(moment, goal.price, 0)
            goal.begin(self._control.psnr(one.scenes[0], moment.scene))
        if self._last_run is None:
            self._last_run = replace(goal, price=_RUN_PRICE * goal.price)
        self._budgeted(self._last_run, len(waiting))
        return self._last_run

    def _look_ahead(self, moment: Moment, pictures: Sequence[Array]) -> None:
        """Find out which errors of a frame will show, by coding it for nothing else."""
        assert self._open is not None
        assert self._goal is not None
        trial = self._open.encoder.fork()
        trial.accept(trial.attempt(moment, self._goal.price, len(self.reports)))
        trial.learn(moment, pictures, fresh=not self._open.learned)
        self._open.encoder.adopt_factors(trial)
        self._open.learned = True

    def _budgeted(self, goal: Goal, frames: int) -> None:
        """Give a budget what is left of the group's bytes for so many frames."""
        if isinstance(goal, Budget):
            left = self.settings.group_bytes - self._writer.bytes_in_group
            coming = self.settings.gop - self._writer.frames_in_group
            goal.bytes = max(left / max(coming, 1), 64.0) * frames

    def _check(self, found: Found, moments: Sequence[Moment]) -> None:
        """Tell of a target that is missed, and refuse a bound that is."""
        target = self.settings.target_psnr
        if target is not None and found.psnr < target - 0.005:
            log.warning("frame %d: %.2f dB is all it comes to", len(self.reports), found.psnr)
        if self.settings.max_error is not None:
            for moment, scene, rows in zip(
                moments, found.attempt.scenes, found.attempt.rows, strict=True
            ):
                meant = nearest_axes(moment.scene.select(rows), scene)
                check_bounds(self.settings.max_error, find_errors(meant, scene))

    def _make_goal(self, gaussians: int) -> Goal:
        settings, price = self.settings, nominal_price(self.settings.quality, gaussians)
        if settings.target_psnr is not None:
            return Quality(price, settings.target_psnr)
        if settings.kbps is not None:
            return Budget(price)
        if settings.max_error is not None:
            return Nominal(price)
        return Quality(price)

    def _write(
        self,
        kind: Kind,
        scenes: Sequence[Gaussians],
        decoded: Sequence[Gaussians],
        changed: Sequence[int],
        data: bytes,
        started: float,
        turnover: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Write a segment, and tell of it."""
        count = len(scenes)
        first = self._writer.add(kind, data, count).first
        quality = [self._control.psnr(b, a) for a, b in zip(scenes, decoded, strict=True)]
        seconds = time.perf_counter() - started
        for k, scene in enumerate(decoded):
            births, deaths = turnover[k] if turnover else (0, 0)
            self.reports.append(
                FrameReport(
                    first + k,
                    kind,
                    len(data) / count,
                    len(scene),
                    changed[k],
                    births,
                    deaths,
                    quality[k],
                    seconds / count,
                )
            )
        self._write_manifest(complete=False)

    def _write_manifest(self, *, complete: bool) -> Manifest:
        assert self._open is not None
        most = max(report.gaussians for report in self.reports)
        return self._writer.write_manifest(self._open.key.scene, most, complete=complete)


def encode_clip(
    frames: Iterable[Gaussians], folder: StrPath, settings: Settings | None = None, **options: Any
) -> tuple[Manifest, list[FrameReport]]:
    """Encode frames into a folder that exists; the options are those of `ClipEncoder`.

    Example:
        >>> import gscompress as gs, tempfile
        >>> scene = gs.load("scenes/demo.ply")
        >>> moved = scene.replace(means=scene.means + 0.01)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest, reports = encode_clip([scene, moved], folder, Settings(preset="fast"))
        >>> manifest.frames, reports[1].kind
        (2, 'residual')
    """
    encoder = ClipEncoder(folder, settings, **options)
    for number, frame in enumerate(frames):
        encoder.add(frame, f"frame {number}")
    return encoder.finish(), encoder.reports


def _check_kind(scene: Gaussians, before: Gaussians, name: str) -> None:
    for field in ("sh_degree", "mode", "colour_space"):
        found, expected = getattr(scene, field), getattr(before, field)
        if found != expected:
            raise InputError(
                name,
                field,
                found=found,
                expected=f"{expected}, as the frames before",
                remedy="Convert all frames alike first, for example with gscompress convert.",
            )
