"""Compress trained 3D Gaussian Splatting scenes, render them, and prove their quality.

    >>> import gscompress as gs
    >>> scene = gs.load("scenes/demo.ply")
    >>> result = gs.compress(scene, "fast")
    >>> back = gs.decompress(result.to_bytes())
    >>> len(back) == len(scene)
    True

What is named here is imported on first use: importing gscompress itself costs next to nothing.
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gscompress import errors
    from gscompress.cameras import Camera, load_cameras
    from gscompress.config import Config
    from gscompress.gaussians import Gaussians
    from gscompress.io import load, save
    from gscompress.pipeline import compress, decompress
    from gscompress.render import render
    from gscompress.report.compare import compare
    from gscompress.report.evaluate import evaluate
    from gscompress.virtual_cameras import virtual_cameras

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "Config",
    "Gaussians",
    "__version__",
    "compare",
    "compress",
    "decompress",
    "errors",
    "evaluate",
    "load",
    "load_cameras",
    "render",
    "save",
    "virtual_cameras",
]

_HOME = {
    "Camera": "gscompress.cameras",
    "Config": "gscompress.config",
    "Gaussians": "gscompress.gaussians",
    "compare": "gscompress.report",
    "compress": "gscompress.pipeline",
    "decompress": "gscompress.pipeline",
    "evaluate": "gscompress.report",
    "load": "gscompress.io",
    "load_cameras": "gscompress.cameras",
    "render": "gscompress.render",
    "save": "gscompress.io",
    "virtual_cameras": "gscompress.virtual_cameras",
}


class _Package(types.ModuleType):
    """This package: ``gscompress.render`` is the function, though a subpackage has that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        # The import system sets a submodule as an attribute of its package.
        if name not in _HOME or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("gscompress.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'gscompress' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
