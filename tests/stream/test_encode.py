"""Sequences of frames to clips and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gscompress as gs
from gscompress.cli import cli
from gscompress.cli.session import Session
from gscompress.errors import GscompressError, InputError, UsageError
from gscompress.gaussians import ATTRIBUTES, Gaussians
from gscompress.metrics import psnr
from gscompress.rate.bounds import find_errors
from gscompress.stream.axes import nearest_axes
from gscompress.stream.clip import Clip
from gscompress.stream.encode import ClipEncoder, encode_clip
from gscompress.stream.layout import Steps
from gscompress.stream.settings import Settings, Trajectories
from gscompress.stream.slots import Slots
from gscompress.stream.tracking import match
from tests.stream.motions import jitter

DEMO = Path(__file__).parents[2] / "scenes" / "demo.ply"


@pytest.fixture(scope="module")
def scene() -> Gaussians:
    """Every twelfth Gaussian of the demo scene, larger for it."""
    thin = gs.load(DEMO)
    thin = thin.select(np.arange(0, len(thin), 12))
    return thin.replace(log_scales=thin.log_scales + np.float32(0.6), sh=thin.sh[:, :4])


@pytest.fixture(scope="module")
def cameras(scene: Gaussians) -> list[gs.Camera]:
    return gs.virtual_cameras(scene, 6, width=160, height=120)


def moving(scene: Gaussians, frames: int, speed: float = 0.04) -> list[Gaussians]:
    """The middle of the scene turns and rises."""
    centre = np.median(scene.means, axis=0)
    distance = np.linalg.norm(scene.means - centre, axis=1)
    part = distance < np.quantile(distance, 0.4)
    out = []
    for k in range(frames):
        angle = speed * k
        turn = np.array([np.cos(angle / 2), 0, 0, np.sin(angle / 2)])
        c, s = np.cos(angle), np.sin(angle)
        matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        means, quats = scene.means.copy(), scene.quats.copy()
        means[part] = (means[part] - centre) @ matrix.T + centre + [0, 0, speed * k]
        w, x, y, z = quats[part].T
        quats[part] = np.stack(
            [
                turn[0] * w - turn[3] * z,
                turn[0] * x - turn[3] * y,
                turn[0] * y + turn[3] * x,
                turn[0] * z + turn[3] * w,
            ],
            axis=1,
        )
        out.append(scene.replace(means=means, quats=quats))
    return out


def quality(one: Gaussians, other: Gaussians, cameras: list[gs.Camera]) -> float:
    return float(np.mean([psnr(gs.render(one, view), gs.render(other, view)) for view in cameras]))


def same(one: Gaussians, other: Gaussians) -> bool:
    return all(np.array_equal(getattr(one, a), getattr(other, a)) for a in ATTRIBUTES)


def folder(tmp_path: Path, name: str = "clip") -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


@pytest.mark.parametrize("trajectories", ["never", "always", "words", "auto"])
def test_a_rigid_motion(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path, trajectories: Trajectories
) -> None:
    frames = moving(scene, 5)
    settings = Settings(gop=5, preset="fast", trajectories=trajectories)
    manifest, reports = encode_clip(frames, folder(tmp_path), settings, cameras=cameras)
    clip = Clip.open(tmp_path / "clip")
    decoded = list(clip.frames())
    assert len(decoded) == manifest.frames == 5
    kinds = [segment.kind for segment in manifest.segments()]
    assert kinds == (["key"] + ["residual"] * 4 if trajectories == "never" else ["key", "run"])
    for k, (one, other, report) in enumerate(zip(frames, decoded, reports, strict=True)):
        found = quality(other, one, cameras)
        assert found == pytest.approx(report.psnr, abs=1e-3)
        assert found > 34
        assert same(clip.frame(k), other)
    # The last frame is far from the first, and costs little to get to.
    assert quality(decoded[0], frames[-1], cameras) < 29
    changes = sum(report.bytes for report in reports[1:]) / 4
    assert changes < (0.12 if trajectories == "never" else 0.09) * reports[0].bytes
    values = [report.psnr for report in reports[1:]]
    assert max(values) - min(values) < (1.0 if trajectories == "never" else 2.5)


def test_noise_is_coded_frame_by_frame(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path
) -> None:
    settings = Settings(gop=4, preset="fast")
    frames = jitter(scene.select(np.arange(0, len(scene), 3)), 4)
    manifest, _ = encode_clip(frames, folder(tmp_path), settings, cameras=cameras[:3])
    assert [segment.kind for segment in manifest.segments()] == ["key"] + ["residual"] * 3


def test_the_same_call_gives_the_same_files(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        encode_clip(
            moving(scene, 3), folder(tmp_path, name), Settings(preset="fast"), cameras=cameras
        )
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_births_deaths_and_order(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path
) -> None:
    """Frames are shuffled, lose Gaussians and get new ones; what is decoded looks like them."""
    rng, frames = np.random.default_rng(0), []
    for k, frame in enumerate(moving(scene, 5)):
        kept = np.flatnonzero((np.arange(len(frame)) * 7 + k) % 80 > 0)
        new = frame.select(rng.integers(0, len(frame), 10))
        new = new.replace(means=new.means + np.float32(0.1), sh=-new.sh)
        both = {a: np.concatenate([getattr(frame, a)[kept], getattr(new, a)]) for a in ATTRIBUTES}
        joined = frame.replace(**both)
        frames.append(joined.select(rng.permutation(len(joined))))
    settings = Settings(preset="fast")
    manifest, reports = encode_clip(frames, folder(tmp_path), settings, cameras=cameras)
    assert [segment.kind for segment in manifest.segments()] == ["key"] + ["residual"] * 4
    assert [report.gaussians for report in reports] == [len(frame) for frame in frames]
    assert all(report.births > 8 and report.deaths > 8 for report in reports[1:])
    clip = Clip.open(tmp_path / "clip")
    for k, (one, other) in enumerate(zip(frames, clip.frames(), strict=True)):
        assert len(one) == len(other)
        assert quality(other, one, cameras) > 33
        assert same(clip.frame(k), other)


def test_cuts_and_groups_start_with_key_frames(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path
) -> None:
    other = scene.select(np.arange(len(scene) // 2)).replace(
        means=scene.means[: len(scene) // 2] * np.float32(0.3) + np.float32(3)
    )
    frames = [*moving(scene, 5), other, other]
    manifest, _ = encode_clip(
        frames, folder(tmp_path), Settings(preset="fast", gop=3), cameras=cameras
    )
    assert [(group.first, group.frames) for group in manifest.groups] == [(0, 3), (3, 2), (5, 2)]
    assert manifest.complete
    # A frame that does not change costs next to nothing.
    assert manifest.groups[2].segments[1].bytes < 150


@pytest.mark.parametrize(("trajectories", "most"), [("never", 38.0), ("auto", 40.0)])
def test_a_target_holds_for_every_frame(
    scene: Gaussians,
    cameras: list[gs.Camera],
    tmp_path: Path,
    trajectories: Trajectories,
    most: float,
) -> None:
    frames = moving(scene, 4)
    settings = Settings(preset="fast", target_psnr=36.0, gop=4, trajectories=trajectories)
    encode_clip(frames, folder(tmp_path), settings, cameras=cameras[:3], control=cameras[3:])
    decoded = list(Clip.open(tmp_path / "clip").frames())
    found = [quality(b, a, cameras[3:]) for a, b in zip(frames, decoded, strict=True)]
    assert found[0] > 38
    for value in found[1:]:
        assert 36.0 <= value <= most  # a single one of these large Gaussians is a dB


def test_a_bit_rate_holds(scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path) -> None:
    settings = Settings(preset="fast", kbps=1500, gop=6, fps=30)
    manifest, _ = encode_clip(moving(scene, 6), folder(tmp_path), settings, cameras=cameras)
    assert 0.8 * 1500 < manifest.bytes * 8 / 1000 / (6 / 30) <= 1500


def test_bounds_hold_for_every_gaussian_of_every_frame(
    scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path
) -> None:
    frames = moving(scene, 3)
    bounds = {"means": 0.002, "scales": 0.05, "opacities": 0.02, "quats": 1.0, "sh0": 0.02}
    settings = Settings(preset="fast", max_error=bounds)
    encode_clip(frames, folder(tmp_path), settings, cameras=cameras)
    for frame, found in zip(frames, Clip.open(tmp_path / "clip").frames(), strict=True):
        rows = match(found, frame).rows
        assert (rows >= 0).all()
        errors = find_errors(nearest_axes(frame.select(rows), found), found)
        assert all(errors[name] <= bound for name, bound in bounds.items()), errors


def test_frames_must_be_alike(scene: Gaussians, cameras: list[gs.Camera], tmp_path: Path) -> None:
    encoder = ClipEncoder(folder(tmp_path), Settings(preset="fast"), cameras=cameras)
    encoder.add(scene)
    with pytest.raises(InputError, match=r"frame 1: sh_degree: found 0, expected 1"):
        encoder.add(scene.replace(sh=scene.sh[:, :1]), "frame 1")
    with pytest.raises(InputError, match="no Gaussians"):
        encoder.add(scene.select(np.zeros(0, int)))
    with pytest.raises(UsageError):
        ClipEncoder(tmp_path, Settings()).finish()


@pytest.mark.parametrize(
    "wrong",
    [
        {"fps": 0},
        {"gop": 0},
        {"quality": 101},
        {"target_psnr": -1},
        {"kbps": float("nan")},
        {"target_psnr": 40, "kbps": 100},
    ],
)
def test_wrong_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(GscompressError):
        Settings(**wrong)  # type: ignore[arg-type]


OPTIONS = ("--preset", "fast", "--device", "cpu", "--cameras", str(DEMO.with_name("cameras.json")))


def run(*arguments: str) -> dict[str, object]:
    from click.testing import CliRunner

    found = CliRunner().invoke(cli, [*arguments, "--json"], obj=Session(), catch_exceptions=False)
    assert found.exit_code == 0, found.stderr
    document: dict[str, object] = json.loads(found.stdout)
    return document


def test_the_command_line(scene: Gaussians, tmp_path: Path) -> None:
    for k, frame in enumerate(moving(scene, 2)):
        gs.save(frame, tmp_path / f"frame_{k}.ply")
    names = [str(tmp_path / f"frame_{k}.ply") for k in range(2)]
    clip = tmp_path / "clip"
    found = run("stream", "encode", *names, "-o", str(clip), *OPTIONS)
    assert found["frames"] == 2
    assert found["key_frames"] == 1
    assert found["bytes"] == sum(p.stat().st_size for p in clip.iterdir() if p.suffix != ".json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip", "frame_0.ply", "frame_1.ply"]
    with pytest.raises(InputError, match="overwrite"):
        run("stream", "encode", *names, "-o", str(clip))
    with pytest.raises(InputError, match="no clip"):
        run("stream", "encode", *names, "-o", str(tmp_path), "-w")
    with pytest.raises(InputError, match="no file"):
        run("stream", "encode", "missing.ply", "-o", str(tmp_path / "other"))
    assert Clip.open(clip).manifest.frames == 2


def test_a_real_sequence(shared_data: Path, tmp_path: Path) -> None:
    """Four frames of a tracked capture at 40 dB: at most 40 kB per 100,000 Gaussians each."""
    capture = shared_data / "basketball"
    frames = [gs.load(capture / "frames" / f"frame_000{k}.ply") for k in range(4)]
    train, test = gs.cameras.split(gs.load_cameras(capture / "cameras.json"), capture)
    settings = Settings(preset="fast", target_psnr=40.0, trajectories="never")
    _, reports = encode_clip(frames, folder(tmp_path), settings, cameras=train, control=test)
    for report in reports[1:]:
        assert 40.0 <= report.psnr <= 40.15
        assert report.bytes <= 40_000 * report.gaussians / 1e5


def test_only_clips_are_replaced(scene: Gaussians, tmp_path: Path) -> None:
    """A folder with other files in it, or with somebody else's manifest, stays as it is."""
    source, clip = tmp_path / "frame.ply", tmp_path / "clip"
    gs.save(scene, source)
    command = ("stream", "encode", str(source), "-o", str(clip), "-w", *OPTIONS)
    clip.mkdir()
    (clip / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(InputError, match=r"manifest\.json"):
        run(*command)
    (clip / "manifest.json").unlink()
    clip.rmdir()
    run(*command)
    (clip / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"found notes\.txt"):
        run(*command)
    assert (clip / "notes.txt").read_text() == "mine"
    (clip / "notes.txt").unlink()
    assert run(*command)["frames"] == 1


def test_the_same_steps_again_change_nothing(scene: Gaussians) -> None:
    """Encoder and decoder go on alike however often steps are set."""
    steps = Steps((2.0**-8,) * 6, -3.0)
    slots = Slots(scene, steps)
    channels = slots.layout.channels
    slots.move(np.arange(9, dtype=np.int32), np.full((9, channels), 33, np.int32))
    slots.rebase(steps)
    assert slots.key is scene
    assert (slots.sums(np.arange(9, dtype=np.int32)) == 33).all()
