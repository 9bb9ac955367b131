"""The child process: reads damaged files one after the other and says how each ended."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from fuzzing.clips import read_packed
from fuzzing.mutate import mutation, subject
from fuzzing.sogs import read_folder

__all__ = ["work"]

SECONDS = 2.0
MEMORY = 4.0  # times what the undamaged file needs
LEAST_MEMORY = 32 << 20  # bytes: what a file of any size may take
FENCE = 1 << 30  # bytes beyond the limit at which the system refuses more


def work(mode: str, file: str, seed: str, first: str, last: str) -> None:
    """Read mutations ``first`` to ``last`` - 1; one line of JSON before and after each."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    read = reader(mode)
    data = subject(mode, Path(file))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"scene.{mode}"
        target.write_bytes(data)
        read(target)  # imports, and what is allocated once
        seconds, memory = _measured(read, target)
        allowed = max(LEAST_MEMORY, int(MEMORY * memory))
        _fence(allowed)
        for number in range(int(first), int(last)):
            target.write_bytes(mutation(mode, data, int(seed), number))
            _say({"start": number})
            _say({"number": number, **_outcome(read, target, seconds + SECONDS, allowed)})


def reader(mode: str) -> Callable[[Path], object]:
    """What is attacked."""
    import gscompress

    if mode == "stream":
        return read_packed
    if mode == "sog-folder":
        return read_folder
    return gscompress.decompress if mode == "gsz" else gscompress.load


def _outcome(
    read: Callable[[Path], object], target: Path, seconds: float, allowed: int
) -> dict[str, str]:
    from gscompress.errors import GscompressError

    _forget_peak()
    before = _peak()
    started = time.process_time()
    outcome, detail = "read", ""
    try:
        read(target)
    except GscompressError as error:
        outcome, detail = type(error).__name__, str(error)
    except BaseException as error:
        outcome = f"untyped {type(error).__name__}"
        detail = "".join(traceback.format_exception(error)[-3:])
    spent = time.process_time() - started
    grown = _peak() - before
    if spent > seconds:
        outcome, detail = "slow", f"{spent:.1f} s; ended as {outcome}"
    elif grown > allowed:
        outcome, detail = "memory", f"{grown >> 20} MB, {allowed >> 20} allowed; ended as {outcome}"
    return {"outcome": outcome, "detail": detail}


def _measured(read: Callable[[Path], object], target: Path) -> tuple[float, int]:
    """Processor seconds and bytes of memory that the undamaged file takes."""
    _forget_peak()
    before = _peak()
    started = time.process_time()
    read(target)
    return time.process_time() - started, _peak() - before


def _peak() -> int:
    """Most resident memory, in bytes, since it was forgotten (where the system can forget)."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _fence(allowed: int) -> None:
    """Let a huge allocation fail here rather than bring the machine down."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return
    limit = pages * os.sysconf("SC_PAGE_SIZE") + allowed + FENCE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
