"""Independent pieces of work side by side: the native core lets go of the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

__all__ = ["by_blocks", "in_parallel", "threads"]

_BLOCK = 1 << 14
"""Gaussians whose intermediate results stay in a core's cache."""


def threads() -> int:
    """How many threads the native core shall use."""
    return min(os.cpu_count() or 1, 64)


def by_blocks(function: Callable[[slice], None], count: int, size: int = _BLOCK) -> None:
    """Call ``function`` for slices that make up 0 up to ``count``, side by side.

    For numpy expressions with many intermediate results, each of which would pass through memory.

    Args:
        function: What is done to a slice.
        count: Where the last slice ends.
        size: Of a slice, the last one apart.
    """
    blocks = [slice(i, min(i + size, count)) for i in range(0, count, size)]
    workers = min(os.cpu_count() or 1, len(blocks))
    in_parallel(*(partial(_run, function, blocks[k::workers]) for k in range(workers)))


def _run(function: Callable[[slice], None], blocks: list[slice]) -> None:
    for block in blocks:
        function(block)


def in_parallel(*tasks: Callable[[], Any]) -> list[Any]:
    """Run the tasks, each in a thread of its own, and give their results in order.

    The first task that fails, in their order, decides the error.
    """
    if len(tasks) < 2 or (os.cpu_count() or 1) == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(len(tasks) - 1) as pool:
        futures = [pool.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
        finally:
            for future in futures:
                future.exception()  # wait; raised below, after any error of the first task
    return [first, *(future.result() for future in futures)]
