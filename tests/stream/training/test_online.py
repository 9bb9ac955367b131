"""Learning a clip: written frame by frame, gone on with, and decoded as it was learned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import imageio.v3 as iio
import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from gscompress.cameras import Camera
from gscompress.cli import stream_train
from gscompress.cli.session import Session
from gscompress.errors import CorruptFileError, InputError, UsageError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.io import save
from gscompress.render import get_renderer
from gscompress.stream.clip import Clip
from gscompress.stream.decoder import GroupDecoder, decode_key
from gscompress.stream.latent_segment import LatentTrack
from gscompress.stream.manifest import Manifest
from gscompress.stream.receiver import Receiver
from gscompress.stream.segment import Segment
from gscompress.stream.training.footage import find_footage
from gscompress.stream.training.online import ClipTrainer
from gscompress.stream.training.settings import BirthSettings, QueenSettings
from tests.stream.training.conftest import BLOB

RENDERER = get_renderer("cpu")
QUICK = QueenSettings(steps=24, scale=0.5)
FRAMES = 3


@pytest.fixture(scope="module")
def photos(
    tmp_path_factory: pytest.TempPathFactory, scene: Gaussians, cameras: list[Camera]
) -> Path:
    """Three frames in which the blob moves on and on: <camera>/<frame>.png."""
    folder = tmp_path_factory.mktemp("photos")
    for frame in range(FRAMES):
        means = scene.means.copy()
        means[-BLOB:] += np.float32([0.1 * frame, 0, 0])
        now = scene.replace(means=means)
        for number, camera in enumerate(cameras):
            image = RENDERER.render(now, camera).image
            (folder / str(number)).mkdir(exist_ok=True)
            pixels = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
            iio.imwrite(folder / str(number) / f"{frame:03d}.png", pixels)
    return folder


def trainer(
    folder: Path,
    photos: Path,
    cameras: list[Camera],
    settings: QueenSettings = QUICK,
    **options: Any,
) -> ClipTrainer:
    folder.mkdir(exist_ok=True)
    named = [replace(camera, name=str(i)) for i, camera in enumerate(cameras)]
    train = find_footage([camera for i, camera in enumerate(named) if i % 3], photos)
    control = find_footage(named[::3], photos)
    return ClipTrainer(folder, train, RENDERER, settings, "fast", control=control, **options)


def same(one: Gaussians, other: Gaussians) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ATTRIBUTES)


def files(folder: Path) -> dict[str, str]:
    found = sorted(folder.iterdir())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module")
def clip(
    tmp_path_factory: pytest.TempPathFactory, scene: Gaussians, photos: Path, cameras: list[Camera]
) -> tuple[Path, ClipTrainer]:
    folder = tmp_path_factory.mktemp("clip")
    made = trainer(folder, photos, cameras)
    made.run(scene, FRAMES)
    return folder, made


def test_a_clip_follows_the_blob(clip: tuple[Path, ClipTrainer], scene: Gaussians) -> None:
    folder, made = clip
    manifest = Manifest.read(folder)
    assert manifest.complete
    assert (manifest.frames, manifest.gaussians) == (FRAMES, len(scene))
    kinds = [segment.kind for segment in manifest.segments()]
    assert kinds == ["key", "latent", "latent"]
    assert [r.bytes for r in made.reports] == [s.bytes for s in manifest.segments()]
    assert made.reports[1].moved > 5
    still = made._track.scene.replace(means=decode_key((folder / "000000.gsz").read_bytes()).means)
    from gscompress.stream.training.pictures import photo_psnr

    assert made.control is not None
    last = made.reports[-1].psnr
    assert last is not None
    assert last > photo_psnr(still, made.control, FRAMES - 1, RENDERER) + 1


def test_a_receiver_decodes_what_was_learned(clip: tuple[Path, ClipTrainer]) -> None:
    folder, made = clip
    key = decode_key((folder / "000000.gsz").read_bytes())
    segments = [Segment.from_bytes((folder / f"00000{k}.gsr").read_bytes()) for k in (1, 2)]
    track = LatentTrack(key, segments[0].steps.visible)
    frames = [scene for segment in segments for scene in track.advance(segment)]
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(frames[-1], name), getattr(made._track.scene, name))
    assert not np.array_equal(frames[0].means, frames[1].means)


def test_it_is_read_like_any_other_clip(clip: tuple[Path, ClipTrainer]) -> None:
    folder, made = clip
    with Clip.open(folder) as opened:
        frames = list(opened.frames())
        again = opened.frame(1)
    for name in ATTRIBUTES:
        assert np.array_equal(getattr(frames[-1], name), getattr(made._track.scene, name))
        assert np.array_equal(getattr(again, name), getattr(frames[1], name))


def test_latent_frames_do_not_mix_with_others(clip: tuple[Path, ClipTrainer]) -> None:
    folder, _ = clip
    decoder = GroupDecoder((folder / "000000.gsz").read_bytes())
    data = (folder / "000001.gsr").read_bytes()
    list(decoder.advance(data))
    other = replace(Segment.from_bytes(data), kind="residual").to_bytes()
    with pytest.raises(CorruptFileError, match=r"kind"):
        list(decoder.advance(other, "000002.gsr"))
    decoder = GroupDecoder((folder / "000000.gsz").read_bytes())
    with pytest.raises(CorruptFileError, match=r"changes|slots"):
        list(decoder.advance(other, "000001.gsr"))


def test_going_on_gives_the_same_bytes(
    clip: tuple[Path, ClipTrainer],
    tmp_path: Path,
    scene: Gaussians,
    photos: Path,
    cameras: list[Camera],
) -> None:
    whole, made = clip
    part = tmp_path / "part"
    trainer(part, photos, cameras).run(scene, 2)
    assert Manifest.read(part).frames == 2
    written = (part / "000001.gsr").stat().st_mtime_ns
    again = trainer(part, photos, cameras)
    again.run(scene, FRAMES)
    assert (part / "000001.gsr").stat().st_mtime_ns == written
    assert files(part) == files(whole)
    assert [r.psnr for r in again.reports] == [r.psnr for r in made.reports]


def test_key_frames_every_so_often(
    tmp_path: Path, scene: Gaussians, photos: Path, cameras: list[Camera]
) -> None:
    """The second group decodes by itself, is where learning goes on, and may be gone on with."""
    settings = QUICK.replace(births=BirthSettings(share=0.05, threshold=1e-5, every=1))
    whole, part = tmp_path / "whole", tmp_path / "part"
    made = trainer(whole, photos, cameras, settings, gop=2)
    manifest = made.run(scene, FRAMES)
    assert [(group.first, group.frames) for group in manifest.groups] == [(0, 2), (2, 1)]
    assert [one.kind for one in manifest.segments()] == ["key", "latent", "key"]
    assert [one.url for one in manifest.segments()][2] == "000002.gsz"
    with Clip.open(whole) as opened:
        frames = list(opened.frames())
        assert same(opened.frame(2), decode_key((whole / "000002.gsz").read_bytes()))
    assert same(frames[2], made._track.scene)
    assert manifest.gaussians == max(map(len, frames))
    with Receiver(whole, first=2) as receiver:
        ((number, frame),) = receiver
    assert number == 2
    assert same(frame, frames[2])
    for count in (2, FRAMES):
        trainer(part, photos, cameras, settings, gop=2).run(scene, count)
    assert files(part) == files(whole)
    once = int(1.05 * len(scene))
    assert [len(frame) for frame in frames] == [len(scene), once, int(1.05 * once)]
    with pytest.raises(InputError, match="another clip"):
        trainer(whole, photos, cameras, settings, gop=3).run(scene, FRAMES)


def test_where_changes_are_not_worth_it_there_is_a_key_frame(
    tmp_path: Path, scene: Gaussians, photos: Path, cameras: list[Camera]
) -> None:
    settings = QUICK.replace(steps=8)
    manifest = trainer(tmp_path / "cut", photos, cameras, settings, cut=0.0).run(scene, FRAMES)
    assert [one.kind for one in manifest.segments()] == ["key"] * FRAMES
    with Clip.open(tmp_path / "cut") as opened:
        assert [len(frame) for frame in opened.frames()] == [len(scene)] * FRAMES


def test_births_end_where_the_key_frame_says(
    tmp_path: Path, scene: Gaussians, photos: Path, cameras: list[Camera]
) -> None:
    births = BirthSettings(share=0.05, growth=1.06, threshold=1e-5, every=1)
    settings = QUICK.replace(births=births)
    made = trainer(tmp_path / "clip", photos, cameras, settings)
    made.run(scene, FRAMES)
    counts = [report.gaussians for report in made.reports]
    assert counts == [len(scene), int(1.05 * len(scene)), int(1.06 * len(scene))]


def test_another_clip_or_a_damaged_one_is_refused(
    clip: tuple[Path, ClipTrainer],
    tmp_path: Path,
    scene: Gaussians,
    photos: Path,
    cameras: list[Camera],
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in clip[0].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="another clip"):
        trainer(copy, photos, cameras, QUICK.replace(seed=3)).run(scene, FRAMES)
    with pytest.raises(InputError, match="1 to 3"):
        trainer(copy, photos, cameras).run(scene, FRAMES + 1)
    data = bytearray((copy / "000001.gsr").read_bytes())
    data[-1] ^= 1
    (copy / "000001.gsr").write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"000001\.gsr"):
        trainer(copy, photos, cameras).run(scene, FRAMES)


def test_the_command(
    tmp_path: Path,
    scene: Gaussians,
    photos: Path,
    cameras: list[Camera],
    capsys: pytest.CaptureFixture[str],
) -> None:
    save(scene, tmp_path / "first.ply")
    entries = [
        {
            "img_name": f"{number}/000.png",
            "width": camera.width,
            "height": camera.height,
            "fx": camera.fx,
            "fy": camera.fy,
            "position": camera.position.tolist(),
            "rotation": camera.viewmat[:3, :3].T.tolist(),
        }
        for number, camera in enumerate(cameras)
    ]
    (tmp_path / "cameras.json").write_text(json.dumps(entries))
    options = ["--init", tmp_path / "first.ply", "--images", photos, "-o", tmp_path / "clip"]
    options += ["--frames", 2, "--steps", 5, "--preset", "fast", "--device", "cpu", "--json"]
    arguments = [str(option) for option in options]
    command = stream_train.verb

    def run() -> dict[str, object]:
        capsys.readouterr()
        command.main(arguments, standalone_mode=False, obj=Session())
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        return document

    first = run()
    assert first["frames"] == 2
    assert first["bytes"] == sum(p.stat().st_size for p in (tmp_path / "clip").glob("0*"))
    assert isinstance(first["photo_psnr"], float)
    assert Manifest.read(tmp_path / "clip").complete
    assert run()["bytes"] == first["bytes"]
    assert first["key_frames"] == [0]
    # White masks and all of the background: as without them.
    masks = tmp_path / "masks"
    for camera in range(len(cameras)):
        (masks / str(camera)).mkdir(parents=True)
        for frame in range(FRAMES):
            iio.imwrite(masks / str(camera) / f"{frame:03d}.png", np.full((8, 32), 255, np.uint8))
    arguments[arguments.index("-o") + 1] = str(tmp_path / "other")
    with pytest.raises(UsageError, match="--masks"):
        command.main([*arguments, "--background", "0"], standalone_mode=False, obj=Session())
    more = ["--masks", masks, "--background", "1", "--gop", "1", "--births", "0.5"]
    arguments += map(str, more)
    with pytest.raises(InputError, match="proportions"):
        run()
    for path in masks.rglob("*.png"):
        iio.imwrite(path, np.full((cameras[0].height, cameras[0].width), 255, np.uint8))
    other = run()
    assert other["key_frames"] == [0, 1]
    settings = Manifest.read(tmp_path / "other").provenance["settings"]
    assert settings["motion"]["background"] == 1
    assert settings["births"]["share"] == 0.5
    arguments[arguments.index("-o") + 1] = str(tmp_path / "clip")
    (tmp_path / "clip" / "manifest.json").unlink()
    with pytest.raises(InputError, match="no clip"):
        command.main(arguments, standalone_mode=False, obj=Session())
    with pytest.raises(click.UsageError, match="images"):
        command.main(["--init", "x", "-o", "y"], standalone_mode=False, obj=Session())
