"""A trained scene: renders look like the photos, as well as they did when it was trained."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from gscompress.cameras import load_cameras
from gscompress.io import load
from gscompress.render.cpu import CpuRenderer
from tests.render.scenes import psnr


def test_bonsai_looks_like_its_photos(shared_data: Path) -> None:
    folder = shared_data / "bonsai"
    scene = load(folder / "point_cloud.ply")
    cameras = {camera.name: camera for camera in load_cameras(folder / "cameras.json")}
    measured = json.loads((folder / "metrics.json").read_text())["test_per_view"]
    assert len(measured) == 37
    renderer = CpuRenderer()
    for view in measured[::6]:
        image = renderer.render(scene, cameras[view["name"]]).image.clip(0, 1)
        photo = np.asarray(iio.imread(folder / "images" / view["name"])) / 255
        assert psnr(image, photo) >= 20
        assert psnr(image, photo) == pytest.approx(view["psnr"], abs=0.1)
