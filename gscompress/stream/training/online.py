"""Learning a clip frame by frame, each from the decoded one before, into a folder."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import gscompress
from gscompress.config import Config, load_config
from gscompress.errors import CorruptFileError, InputError
from gscompress.files import StrPath, read_input
from gscompress.gaussians import Gaussians
from gscompress.pipeline import compress
from gscompress.render.base import Renderer
from gscompress.stages import checkpoint
from gscompress.stream.clip_writer import ClipWriter
from gscompress.stream.decoder import decode_key
from gscompress.stream.latent import apply
from gscompress.stream.latent_segment import LatentTrack, write_segment
from gscompress.stream.layout import octaves_of
from gscompress.stream.manifest import MANIFEST, MAX_SEGMENT, Kind, Manifest, Segment
from gscompress.stream.segment import Segment as LatentSegment
from gscompress.stream.training.footage import Footage
from gscompress.stream.training.frame import train_frame
from gscompress.stream.training.pictures import footage_targets, foreground, photo_psnr
from gscompress.stream.training.settings import QueenSettings

__all__ = ["ClipTrainer", "FrameReport"]

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, steps done, steps in all)."""

_TYPICAL_CLASS = 4.0
"""Octave of the typical Gaussian, of the range that classes tell apart."""


@dataclass(frozen=True)
class FrameReport:
    """What came of a frame.

    Attributes:
        frame: Its number.
        kind: Of its segment.
        bytes: Of its segment.
        gaussians: How many it has.
        moved: How many of them moved.
        changed: How many changed otherwise.
        seconds: Wall time; 0 for one that was there already.
        psnr: Against the photos of the held-out cameras, in dB; None if there are none.
    """

    frame: int
    kind: Kind
    bytes: int
    gaussians: int
    moved: int
    changed: int
    seconds: float
    psnr: float | None


@dataclass(eq=False)
class ClipTrainer:
    """Learns a clip.

    What is in the folder already is kept: the same call goes on after an interruption and gives the
    same bytes.

    Attributes:
        folder: Where the clip is written.
        footage: The photos that are learned, and masks of what moves.
        renderer: Renders, and gives gradients.
        settings: How frames are learned.
        preset: Of the key frames; its stages are left out.
        fps: Frames per second.
        device: Where the encoder of the key frames renders.
        control: Photos of held-out cameras, which only measure; None: there are none.
        progress: Told how far it is.
        gop: Frames of a group at most: what is learned of every so many is encoded as a key frame;
            0: there is no such limit.
        cut: A frame whose changes take more than this share of the last key frame's bytes is
            encoded as a key frame, too.
        reports: What came of the frames so far.
    """

    folder: Path
    footage: Footage
    renderer: Renderer
    settings: QueenSettings
    preset: StrPath | Config = "balanced"
    fps: float = 30.0
    device: str = "auto"
    control: Footage | None = None
    progress: Progress | None = None
    gop: int = 0
    cut: float = 0.5
    reports: list[FrameReport] = dataclasses.field(default_factory=list, init=False)

    def run(self, scene: Gaussians, frames: int) -> Manifest:
        """Learn frames 1 to ``frames`` - 1, of which ``scene`` is frame 0.

        Raises:
            InputError: There are too few photos, or another clip is in the folder.
            CorruptFileError: What is in the folder is damaged.
        """
        if not 1 <= frames <= len(self.footage):
            found, expected = f"{frames} frames", f"1 to {len(self.footage)}, as there are photos"
            raise InputError("frames", found=found, expected=expected)
        self._scene, self._identity = scene, self._identify(scene)
        provenance: dict[str, Any] = {
            "version": gscompress.__version__,
            "training": self._identity,
            "settings": dataclasses.asdict(self.settings),
        }
        self._writer = ClipWriter(self.folder, self.fps, provenance)
        self._most = 0
        if not self._resume():
            self._write_key(scene, time.perf_counter())
            self._write_manifest(complete=False)
        for number in range(self._writer.frames, frames):
            self._learn(number)
            self._write_manifest(complete=False)
        return self._write_manifest(complete=True)

    def _identify(self, scene: Gaussians) -> str:
        preset = self.preset if isinstance(self.preset, Config) else str(self.preset)
        masked, first = bool(self.footage.masks), list(self.footage.names[:1])
        plan = (self.settings, preset, self.fps, first, self.gop, self.cut, masked)
        return checkpoint.identity(scene, plan, self.footage.cameras)

    def _write_key(self, scene: Gaussians, started: float) -> None:
        """Begin a group with a scene."""
        number = self._writer.frames
        config = dataclasses.replace(load_config(self.preset), stages=())
        data = compress(
            scene,
            config,
            cameras=list(self.footage.cameras),
            device=self.device,
            seed=self.settings.seed,
        ).to_bytes()
        self._begin(data, f"key frame {number}")
        self._add("key", data, started)

    def _begin(self, key: bytes, where: str) -> None:
        """Go on from a key frame."""
        decoded = decode_key(key, where)
        # Octaves are relative to `visible`: with 0 they say how faint Gaussians are by themselves.
        typical = float(np.median(octaves_of(decoded, 0.0)[:, 2])) if len(decoded) else 0.0
        self._visible = _TYPICAL_CLASS - typical
        self._track = LatentTrack(decoded, self._visible)
        self._key_bytes, self._key_count = len(key), len(decoded)
        self._writer.begin_group()

    def _resume(self) -> bool:
        """Take up the clip in the folder; whether there is one."""
        path = self.folder / MANIFEST
        if not path.is_file():
            return False
        manifest = Manifest.read(path)
        found = manifest.provenance.get("training")
        if found != self._identity:
            raise InputError(
                self.folder,
                found="another clip",
                expected="one learned from this scene, these cameras and settings",
                remedy="Choose another folder, or allow overwriting (-w on the command line).",
            )
        for segment in manifest.segments():
            where = str(self.folder / segment.url)
            data = read_input(where, MAX_SEGMENT)
            if hashlib.sha256(data).hexdigest() != segment.sha256:
                raise CorruptFileError(
                    where, "sha256", found="other bytes", expected="those of the manifest"
                )
            if segment.kind == "key":
                self._begin(data, where)
            else:
                list(self._track.advance(LatentSegment.from_bytes(data, where), where))
            self._writer.keep(segment)
            self._note(segment, 0.0, 0, 0)
        log.info("%s: %d frames are there already", self.folder, self._writer.frames)
        return True

    def _learn(self, number: int) -> None:
        started = time.perf_counter()
        previous, settings = self._track.scene, self.settings
        before, now = (
            footage_targets(self.footage, t, previous, self.renderer, settings.scale)
            for t in (number - 1, number)
        )
        told = None if self.progress is None else partial(self.progress, f"frame {number}")
        frame = train_frame(
            previous,
            before,
            now,
            self.renderer,
            settings,
            told,
            foreground(self.footage, number, now.cameras),
            self._room(),
        )
        if self.gop and self._writer.frames_in_group >= self.gop:
            self._write_key(apply(previous, frame), started)
            return
        data = write_segment(self._track, frame, number, self._visible)
        if len(data) > self.cut * self._key_bytes:
            log.info("frame %d takes %d bytes: a key frame", number, len(data))
            self._write_key(self._track.scene, started)
            return
        latents = [part.any(axis=1) for part in frame.latents.values()]
        changed = int(np.any(latents, axis=0).sum()) if latents else 0
        self._add("latent", data, started, len(frame.moved), changed)

    def _room(self) -> int:
        """How many may be born until the next key frame."""
        births = self.settings.births
        most = 0 if births is None else int(births.growth * self._key_count)
        return max(0, most - len(self._track.scene))

    def _add(
        self, kind: Kind, data: bytes, started: float, moved: int = 0, changed: int = 0
    ) -> None:
        segment = self._writer.add(kind, data)
        self._note(segment, time.perf_counter() - started, moved, changed)

    def _note(self, segment: Segment, seconds: float, moved: int, changed: int) -> None:
        scene = self._track.scene
        self._most = max(self._most, len(scene))
        found = None
        if self.control is not None:
            found = photo_psnr(scene, self.control, segment.first, self.renderer)
        report = FrameReport(
            segment.first, segment.kind, segment.bytes, len(scene), moved, changed, seconds, found
        )
        log.info("%s", report)
        self.reports.append(report)

    def _write_manifest(self, *, complete: bool) -> Manifest:
        return self._writer.write_manifest(self._scene, self._most, complete=complete)
