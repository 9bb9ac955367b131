"""The public face: nine functions, lazily."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

import gscompress

NAMES = {
    "compare",
    "compress",
    "decompress",
    "evaluate",
    "load",
    "load_cameras",
    "render",
    "save",
    "virtual_cameras",
}


def test_all_is_true() -> None:
    assert gscompress.__all__ == sorted(gscompress.__all__)
    assert {"Camera", "Config", "Gaussians", "errors", "__version__"} | NAMES == set(
        gscompress.__all__
    )
    for name in gscompress.__all__:
        value = getattr(gscompress, name)
        assert isinstance(value, types.FunctionType) == (name in NAMES)
    assert set(gscompress.__all__) <= set(dir(gscompress))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        gscompress.nosuch  # noqa: B018


def test_functions_stay_functions_when_packages_of_their_name_are_imported() -> None:
    import gscompress.cameras
    import gscompress.render.base
    import gscompress.virtual_cameras

    assert isinstance(gscompress.render, types.FunctionType)
    assert isinstance(gscompress.virtual_cameras, types.FunctionType)
    assert isinstance(gscompress.cameras, types.ModuleType)


def test_importing_costs_nothing() -> None:
    program = (
        "import sys, time; started = time.process_time(); import gscompress\n"
        "assert not {'numpy', 'torch', 'click'} & set(sys.modules)\n"
        "print(time.process_time() - started)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert float(done.stdout) < 0.15
