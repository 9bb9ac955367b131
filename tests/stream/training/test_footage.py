"""Photos of a dynamic scene: which file is of which camera and frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.stream.training.footage import find_footage
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
