"""SOGs as the files that they are made of, so that damage gets past the checksums of a zip."""

from __future__ import annotations

import io
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

import gscompress
from gscompress.io.sog_files import META, SogFiles

__all__ = ["pack_folder", "read_folder", "sog_changed"]

Change = Callable[[bytes, random.Random], bytes]


def pack_folder(meta: Path) -> bytes:
    """The description of a SOG folder and the textures that it names, or those of a zip."""
    if meta.suffix.lower() == ".json":
        names = [META, *SogFiles(meta).names()]
        files = {name: (meta.parent / name).read_bytes() for name in names}
    else:
        files = _unzipped(meta.read_bytes()) or {}
    return msgspec.msgpack.encode(files)


def read_folder(path: Path) -> object:
    """Load a packed folder."""
    folder = path.parent / "folder"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in msgspec.msgpack.decode(path.read_bytes(), type=dict[str, bytes]).items():
        (folder / name).write_bytes(data)
    return gscompress.load(folder / META)


def sog_changed(data: bytes, rng: random.Random, bytes_changed: Change, values: Change) -> bytes:
    """A SOG, a zip or a packed folder, with one of its files damaged, exchanged or missing.

    Args:
        data: The zip or the packed folder.
        rng: Where chance comes from.
        bytes_changed: Damages any bytes.
        values: Damages JSON.
    """
    files = _unzipped(data)
    zipped = files is not None
    if files is None:
        files = msgspec.msgpack.decode(data, type=dict[str, bytes])
    textures = [name for name in files if name != META]
    name, other = rng.choice(textures), rng.choice(textures)
    way = rng.randrange(10)
    if way <= 3:
        files[META] = values(files[META], rng)
    elif way == 4:
        files[META] = bytes_changed(files[META], rng)
    elif way == 5:
        del files[rng.choice([META, name])]
    elif way == 6:
        files[name], files[other] = files[other], files[name]
    elif way == 7:
        files[name] = _other_texels(files[name], rng)
    else:
        files[name] = bytes_changed(files[name], rng)
    return _zipped(files) if zipped else msgspec.msgpack.encode(files)


def _other_texels(data: bytes, rng: random.Random) -> bytes:
    """A sound texture of other numbers, or of another size."""
    with Image.open(io.BytesIO(data)) as image:
        texels = np.array(image.convert("RGBA"))
    noise = np.random.default_rng(rng.randrange(1 << 32))
    way = rng.randrange(4)
    if way == 0:
        texels = texels[: rng.randrange(1, len(texels) + 1)]
    elif way == 1:
        texels = np.tile(texels, (rng.randrange(1, 20), rng.randrange(1, 20), 1))
    elif way == 2:
        texels[...] = rng.choice([0, 1, 128, 255])
    else:
        texels = noise.integers(0, 256, texels.shape).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(texels).save(out, "WEBP", lossless=True, exact=True, method=0)
    return out.getvalue()


def _unzipped(data: bytes) -> dict[str, bytes] | None:
    if not data.startswith(b"PK"):
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return out.getvalue()
