"""Independent pieces of work side by side: the native core lets go of the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["in_parallel"]


def in_parallel(*tasks: Callable[[], Any]) -> list[Any]:
    """Run the tasks, each in a thread of its own, and give their results in order.

    The first task that fails, in their order, decides the error.
    """
    if len(tasks) == 1 or (os.cpu_count() or 1) == 1:
        return [task() for task in tasks]
    with ThreadPoolExecutor(len(tasks) - 1) as pool:
        futures = [pool.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
        finally:
            for future in futures:
                future.exception()  # wait; raised below, after any error of the first task
    return [first, *(future.result() for future in futures)]
