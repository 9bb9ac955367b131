"""A folder that any static host serves: the site and scenes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from gscompress.cameras import Camera
from gscompress.errors import InputError
from gscompress.files import StrPath
from gscompress.io.atomic import atomic_write
from gscompress.viewer.clips import CLIP, clip_files, clip_name, only_clip
from gscompress.viewer.scenes import ShownFile, manifest, site_files

__all__ = ["export_viewer"]


def export_viewer(
    paths: Sequence[StrPath],
    folder: StrPath,
    *,
    cameras: Sequence[Camera] = (),
    overwrite: bool = False,
) -> list[Path]:
    """Write the viewer and one or two scenes, or a clip, into a folder.

    Formats that the page does not read are written as PLY. Of a clip that is still being encoded
    what is there so far is written.

    Args:
        paths: The scenes, the left side first; or the clip: its folder, its manifest, or the URL of
            either.
        folder: Where to; made if it does not exist.
        cameras: From where the scenes can be looked at.
        overwrite: Whether files in the folder may be replaced; none is ever removed.

    Returns:
        The files written.

    Raises:
        InputError: A scene cannot be read, is damaged, or the folder holds something.
        UsageError: There are no scenes, or more than two.
    """
    folder, clip = Path(folder), only_clip(paths)
    files = [] if clip else ShownFile.check([Path(path) for path in paths])
    _check_folder(folder, overwrite=overwrite)
    urls = [f"files/{number}/{quote(file.url_name)}" for number, file in enumerate(files)]
    with tempfile.TemporaryDirectory() as scratch:
        sources = {name: path for name, path in site_files().items() if name != "scene.json"}
        for number, file in enumerate(files):
            file.check_whole()
            sources[f"files/{number}/{file.url_name}"] = file.write_to(Path(scratch) / str(number))
        targets = [_copy(path, folder / name) for name, path in sources.items()]
    if clip is not None:
        targets += [_write(data, folder / CLIP / url) for url, data in clip_files(clip)]
    name = None if clip is None else clip_name(clip)
    document = json.dumps(manifest(files, urls, cameras, clip=name)).encode()
    return [*targets, _write(document, folder / "scene.json")]


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, found="a file", expected="a folder, or nothing")
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            folder,
            found="a folder that holds files",
            expected="none, or an empty one",
            remedy="Choose another with -o, or pass -w to replace files in it.",
        )


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as content, atomic_write(target, overwrite=True) as output:
        shutil.copyfileobj(content, output)
    return target


def _write(data: bytes, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target, overwrite=True) as output:
        output.write(data)
    return target
