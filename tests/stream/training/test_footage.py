"""Photos of a dynamic scene: which file is of which camera and frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.stream.training.footage import find_footage, with_masks
from gscompress.stream.training.pictures import foreground
from tests.render.scenes import make_camera


def named(*names: str) -> list[Camera]:
    return [replace(make_camera(4, 3), name=name) for name in names]


def fill(folder: Path, camera: str, *frames: str) -> None:
    (folder / camera).mkdir(exist_ok=True)
    for k, frame in enumerate(frames):
        iio.imwrite(folder / camera / frame, np.full((3, 4, 3), 10 * k, np.uint8))


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    fill(tmp_path, "7", "frame_2.png", "frame_10.png", "frame_1.png")
    fill(tmp_path, "b", "frame_10.png", "frame_1.png", "frame_2.png")
    footage = find_footage(named("7/frame_1.png", "b.png"), tmp_path)
    assert list(footage.names) == ["frame_1", "frame_2", "frame_10"]
    assert len(footage) == 3
    photos = footage.frame(2)
    assert [path.parent.name for path in photos.paths] == ["7", "b"]
    assert [round(255 * float(photo.max())) for photo in photos] == [10, 0]
    assert photos[0].shape == (3, 4, 3)
    assert len(photos[:2]) == 2


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "a", "0.png", "1.png")
    fill(tmp_path, "b", "0.png")
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="'1' is not there for all"):
        find_footage(named("a", "b"), tmp_path)
    with pytest.raises(InputError, match="no photos"):
        find_footage(named("a", "c"), tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_footage(named("a", "d"), tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_footage(named("a"), tmp_path / "nowhere")
    with pytest.raises(InputError, match="no cameras"):
        find_footage([], tmp_path)
    fill(tmp_path, "a", "1.jpg")
    with pytest.raises(InputError, match="two photos 1"):
        find_footage(named("a"), tmp_path)


def test_masks_are_of_the_same_frames(tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for folder, ending in ((photos, "png"), (masks, "png")):
        folder.mkdir()
        for camera in ("a", "b"):
            fill(folder, camera, *(f"{k}.{ending}" for k in range(3)))
    footage = find_footage(named("a", "b"), photos)
    assert footage.mask(0) is None
    fill(masks, "a", "3.png")  # more than there are photos of
    found = with_masks(footage, masks).mask(1)
    assert found is not None
    assert [path.relative_to(masks).as_posix() for path in found.paths] == ["a/1.png", "b/1.png"]
    (masks / "b" / "2.png").unlink()
    with pytest.raises(InputError, match="no mask '2'"):
        with_masks(footage, masks)
    with pytest.raises(InputError, match="no such folder"):
        with_masks(footage, tmp_path / "nowhere")


def test_the_foreground_is_what_is_in_the_mask_of_now_or_before(tmp_path: Path) -> None:
    """At the size that is learned: a pixel counts if any part of it does."""
    camera = replace(make_camera(8, 6), name="a")
    for folder in ("photos", "masks"):
        (tmp_path / folder / "a").mkdir(parents=True)
    for frame in range(2):
        iio.imwrite(tmp_path / "photos" / "a" / f"{frame}.png", np.zeros((6, 8, 3), np.uint8))
        mask = np.zeros((6, 8), np.uint8)
        mask[2 * frame, 4 * frame] = 255
        mask[5, 7] = 100  # below a half: black
        iio.imwrite(tmp_path / "masks" / "a" / f"{frame}.png", mask)
    footage = find_footage([camera], tmp_path / "photos")
    small = camera.resized(4, 3)
    assert foreground(footage, 1, [small]) is None
    found = foreground(with_masks(footage, tmp_path / "masks"), 1, [small])
    assert found is not None
    assert found[0].shape == (3, 4)
    assert np.argwhere(found[0] > 0).tolist() == [[0, 0], [1, 2]]
    iio.imwrite(tmp_path / "masks" / "a" / "1.png", np.zeros((6, 20), np.uint8))
    with pytest.raises(InputError, match="proportions"):
        foreground(with_masks(footage, tmp_path / "masks"), 1, [small])
