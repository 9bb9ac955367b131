"""``gscompress doctor``: is everything there, and what would make it better?"""

from __future__ import annotations

import contextlib
import functools
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

import gscompress
from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, pass_session
from gscompress.errors import GscompressError

REQUIRED = ("numpy", "plyfile", "msgspec", "zstandard", "imageio", "pillow", "click", "rich")
OPTIONAL = {
    "torch": "learning clips from videos, LPIPS, CUDA (extra: torch)",
    "gsplat": "rendering on CUDA (extra: cuda)",
    "imageio-ffmpeg": "videos (extra: video)",
    "torchac": "the coder torchac (extra: torchac)",
    "open3d": "removing floaters, a window on the desktop (extra: open3d)",
}


_EXAMPLES = (
    (
        "gscompress doctor",
        "What is installed, and what is missing for what.",
    ),
    (
        "gscompress doctor --json",
        "The same for programs, or for a report of a defect.",
    ),
)


@click.command(
    "doctor",
    cls=Verb,
    short_help="Check this installation.",
    examples=_EXAMPLES,
)
@common_options
@pass_session
def verb(session: Session, /) -> None:
    """Check this installation: versions, devices, optional parts, presets."""
    document = {
        "gscompress": gscompress.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "native": _native(),
        "packages": {name: _version(name) for name in REQUIRED},
        "optional": {name: _version(name) for name in OPTIONAL},
        "cuda": _cuda(),
        "presets": _presets(),
    }
    problems = _problems(document)
    document["problems"] = problems
    session.result(document, functools.partial(_show, session, document))
    if problems:
        raise GscompressError(f"this installation has problems: {'; '.join(problems)}")


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):  # a build for CPUs may have a name of its own
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return None


def _native() -> dict[str, Any]:
    """The native module: whether it loads, and what it uses of this processor."""
    try:
        from gscompress import _native as module
        from gscompress.render.cpu import available_threads
    except ImportError as error:
        return {"error": str(error)}
    return {"simd": module.simd_levels(), "threads": available_threads()}


def _cuda() -> dict[str, Any]:
    """What rendering on CUDA needs: torch that sees a device, gsplat, and nvcc to compile it."""
    if _version("torch") is None:
        return {"devices": [], "nvcc": shutil.which("nvcc"), "note": "torch is not installed"}
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    note = "" if names else "torch sees no CUDA device"
    return {"devices": names, "nvcc": shutil.which("nvcc"), "note": note}


def _presets() -> dict[str, str]:
    """Each preset, and whether it loads."""
    from gscompress.config import load_config, preset_names

    found = {}
    for name in preset_names():
        try:
            load_config(name)
            found[name] = "ok"
        except GscompressError as error:
            found[name] = str(error)
    return found


def _problems(document: dict[str, Any]) -> list[str]:
    problems = [f"{name} is missing" for name, found in document["packages"].items() if not found]
    if "error" in document["native"]:
        problems.append(f"the native module does not load: {document['native']['error']}")
    if not document["presets"]:
        problems.append("there are no presets")
    problems += [
        f"the preset {name} does not load: {state}"
        for name, state in document["presets"].items()
        if state != "ok"
    ]
    return problems


def _show(session: Session, document: dict[str, Any]) -> None:
    native = document["native"]
    session.say(f"gscompress  {document['gscompress']}")
    session.say(f"Python      {document['python']} on {document['platform']}")
    session.say(
        f"native      {native['simd'][0]}, {native['threads']} threads"
        if "error" not in native
        else f"native      {native['error']}"
    )
    for name, found in document["packages"].items():
        session.say(f"  {name:<16}{found or 'missing'}")
    session.say("optional")
    for name, found in document["optional"].items():
        session.say(f"  {name:<16}{found or 'not installed: for ' + OPTIONAL[name]}")
    cuda = document["cuda"]
    session.say(f"CUDA        {', '.join(cuda['devices']) or cuda['note']}")
    if cuda["devices"] and cuda["nvcc"] is None:
        session.say("            nvcc is missing: gsplat compiles with it on first use")
    for name, state in document["presets"].items():
        session.say(f"preset      {name}: {state}")
