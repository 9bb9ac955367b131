"""Datasets of the papers on disk: which scenes they have, and where a scene's parts lie."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from gscompress.cameras import Camera, find_cameras, load_cameras, split
from gscompress.photos import find_images

__all__ = ["Dataset", "Place", "View", "find_places", "load_datasets", "views_of"]

OTHER = "other scenes"


@dataclass(frozen=True)
class Dataset:
    """What is known of a dataset.

    Attributes:
        name: As papers call it.
        scenes: By name: the folder of photos at which papers measure.
        kinds: By name: "indoor" or "outdoor".
        max_width: Wider photos are made smaller by papers; in pixels.
    """

    name: str
    scenes: dict[str, str]
    kinds: dict[str, str] = field(default_factory=dict)
    max_width: int | None = None


@dataclass(frozen=True)
class Place:
    """A scene on disk.

    Attributes:
        dataset: Its dataset.
        scene: Its name.
        ply: The trained Gaussians; None: there are none.
        cameras: What `load_cameras` takes; None: there are none.
        photos: Folder of photos; None: there is none.
        note: How it differs from the protocol.
    """

    dataset: Dataset
    scene: str
    ply: Path | None
    cameras: Path | None
    photos: Path | None
    note: str = ""

    @property
    def missing(self) -> str:
        """What is not there, if anything."""
        parts = {"trained PLY": self.ply, "cameras": self.cameras, "photos": self.photos}
        return ", ".join(f"no {name}" for name, path in parts.items() if path is None)


@dataclass(frozen=True)
class View:
    """A camera at the size of its photo."""

    camera: Camera
    photo: Path


def load_datasets(folder: Path) -> list[Dataset]:
    """The descriptions (\\*.toml) in a folder."""
    found = []
    for path in sorted(folder.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        scenes = {name: entry["photos"] for name, entry in table["scenes"].items()}
        kinds = {name: entry["kind"] for name, entry in table["scenes"].items()}
        found.append(Dataset(table["name"], scenes, kinds, table.get("max_width")))
    return found


def find_places(
    data: Path, datasets: Sequence[Dataset], models: Path | None = None
) -> Iterator[Place]:
    """The scenes in a folder, in one of its folders, or that it is itself; datasets' scenes first.

    Args:
        data: Holds photos and cameras: DIR/bicycle/images_4, DIR/bicycle/sparse/0; or DIR is such.
        datasets: Whose scenes are known by name.
        models: Holds trained scenes, MODELS/bicycle/point_cloud/iteration_N/point_cloud.ply, where
            they do not lie in the folders of ``data``.
    """
    folders = {folder.name: folder for folder in reversed(_folders(data))}
    known = {name for dataset in datasets for name in dataset.scenes}
    other = Dataset(OTHER, dict.fromkeys(sorted(set(folders) - known), "images"))
    for dataset in (*datasets, other):
        for scene in dataset.scenes:
            if scene in folders:
                place = _place(dataset, scene, folders[scene], models)
                parts = place.ply, place.cameras, place.photos
                if all(parts) or (dataset is not other and any(parts)):
                    yield place


def views_of(place: Place, work: Path) -> tuple[list[View], list[View]]:
    """The training and the held-out views; photos that papers make smaller are, in ``work``."""
    assert place.cameras is not None
    assert place.photos is not None
    cameras = load_cameras(place.cameras)
    train, test = split(cameras, place.cameras)
    limit = place.dataset.max_width
    return _views(train, place.photos, work, limit), _views(test, place.photos, work, limit)


def _folders(data: Path) -> list[Path]:
    """The folder itself, what it holds, and what that holds."""
    inner = sorted(path for path in data.iterdir() if path.is_dir())
    deeper = [path for folder in inner for path in sorted(folder.iterdir()) if path.is_dir()]
    return [data.resolve(), *inner, *deeper]


def _place(dataset: Dataset, scene: str, folder: Path, models: Path | None) -> Place:
    model = folder if models is None else models / scene
    ply = _find_ply(model)
    cameras = folder if _has_cameras(folder) else (None if ply is None else find_cameras(ply))
    wanted = dataset.scenes[scene]
    photos, note = folder / wanted, ""
    if not photos.is_dir():
        photos = folder / "images"
        note = f"off protocol: no {wanted}, photos of images as they are"
    return Place(dataset, scene, ply, cameras, photos if photos.is_dir() else None, note)


def _find_ply(model: Path) -> Path | None:
    """That of the last iteration, or the one in the folder itself."""
    iterations = model.glob("point_cloud/iteration_*/point_cloud.ply")
    paths = sorted(iterations, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    paths = paths or [path for path in [model / "point_cloud.ply"] if path.is_file()]
    return paths[-1] if paths else None


def _has_cameras(folder: Path) -> bool:
    return find_cameras(folder / "scene.ply") is not None


def _views(
    cameras: Sequence[Camera], photos: Path, work: Path, max_width: int | None
) -> list[View]:
    views = []
    for camera, path in zip(cameras, find_images(cameras, photos), strict=True):
        with Image.open(path) as image:
            width, height = image.size
            if max_width is not None and width > max_width:
                width, height = max_width, round(height * max_width / width)
                path = work / f"{path.stem}.png"
                image.convert("RGB").resize((width, height)).save(path)
        views.append(View(camera.resized(width, height), path))
    return views
