from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gscompress.cameras import Camera, load_cameras
from gscompress.errors import InputError
from gscompress.photos import find_images, fit_camera, load_image


def camera(name: str, width: int = 8, height: int = 4) -> Camera:
    return Camera(name, width, height, 5, 6, 4, 2, np.eye(4))


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 4)).save(path)


def test_finds_images_by_name_ending_or_stem(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.jpg", "c/d.png", "e.v1.png", "train/r_0.png")
    (tmp_path / "a.txt").write_text("no image")
    names = ["a.png", "a", "b.png", "b.JPG", "c/d.png", "d", "images/d.jpg", "e.v1", "train/r_0"]
    found = find_images([camera(name) for name in names], tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a.png",
        "a.png",
        "b.jpg",
        "b.jpg",
        "c/d.png",
        "c/d.png",
        "c/d.png",
        "e.v1.png",
        "train/r_0.png",
    ]


def test_refuses_missing_ambiguous_and_outside_images(tmp_path: Path) -> None:
    put(tmp_path, "in/x/a.png", "in/y/a.png", "in/b.png", "in/b.jpg", "outside.png")
    folder = tmp_path / "in"
    assert find_images([camera("y/a"), camera("b.jpg")], folder) == [
        folder / "y" / "a.png",
        folder / "b.jpg",
    ]
    for name in ("a.png", "b"):
        with pytest.raises(InputError, match="expected one image of that name"):
            find_images([camera(name)], folder)
    for name in ("c.png", "../outside.png", str(tmp_path / "outside.png")):
        with pytest.raises(InputError, match="no such image"):
            find_images([camera(name)], folder)
    with pytest.raises(InputError, match="no such folder"):
        find_images([camera("a")], tmp_path / "none")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "I;16", "1", "P"])
def test_loads_every_kind_of_pixel(tmp_path: Path, mode: str) -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (4, 8, 3), dtype=np.uint8)
    alpha = rng.integers(0, 256, (4, 8), dtype=np.uint8)
    grey = rgb[:, :, 0]
    expected = np.repeat(grey[:, :, None] / 255, 3, axis=2)
    if mode == "RGB":
        image, expected = Image.fromarray(rgb), rgb / 255
    elif mode == "RGBA":
        image = Image.fromarray(np.dstack([rgb, alpha]))
        expected = rgb / 255 * (alpha[:, :, None] / 255)
    elif mode == "L":
        image = Image.fromarray(grey)
    elif mode == "LA":
        image = Image.fromarray(np.dstack([grey, alpha]))
        expected = expected * (alpha[:, :, None] / 255)
    elif mode == "I;16":
        deep = rng.integers(0, 65536, (4, 8), dtype=np.uint16)
        image, expected = Image.fromarray(deep), np.repeat(deep[:, :, None] / 65535, 3, axis=2)
    elif mode == "1":
        image = Image.fromarray(grey > 99)
        expected = np.repeat((grey > 99)[:, :, None].astype(float), 3, axis=2)
    else:
        image = Image.fromarray(grey // 128 * 255).convert("P")
        expected = np.repeat((grey // 128)[:, :, None].astype(float), 3, axis=2)
    image.save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png")
    assert loaded.dtype == np.float32
    assert loaded.flags.c_contiguous
    np.testing.assert_allclose(loaded, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a"])
def test_refuses_damaged_images(tmp_path: Path, name: str) -> None:
    Image.fromarray(np.arange(4800, dtype=np.uint8).reshape(40, 40, 3)).save(tmp_path / "good.png")
    good = (tmp_path / "good.png").read_bytes()
    for data in (b"", b"hello", good[:60], good[: len(good) // 2]):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="expected an image"):
            load_image(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load_image(tmp_path / "none.png")


def test_a_camera_follows_its_smaller_photo() -> None:
    big = camera("a", 800, 533)
    assert fit_camera(big, np.zeros((533, 800, 3), np.float32), "a") is big
    small = fit_camera(big, np.zeros((133, 200, 3), np.float32), "a")
    assert (small.width, small.height, small.fx) == (200, 133, 1.25)
    with pytest.raises(InputError, match="found 533x800 pixels, expected the proportions"):
        fit_camera(big, np.zeros((800, 533, 3), np.float32), "a")


def test_real_photos(shared_data: Path) -> None:
    cameras = load_cameras(shared_data / "bonsai")
    paths = find_images(cameras, shared_data / "bonsai" / "images")
    assert [path.name for path in paths] == [c.name for c in cameras]
    image = load_image(paths[0])
    assert image.shape == (533, 800, 3)
    assert 0.1 < image.mean() < 0.9
    assert fit_camera(cameras[0], image, paths[0]) is cameras[0]
    cameras = load_cameras(shared_data / "basketball")
    paths = find_images(cameras, shared_data / "basketball" / "images")
    assert paths[1] == shared_data / "basketball" / "images" / "1" / "000000.jpg"
