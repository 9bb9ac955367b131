"""The parent: starts children, watches them, and goes on behind what killed one."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzzing.mutate import mutation, subject

__all__ = ["Outcome", "run_all"]

HANG = 60.0  # seconds without a word; the machine may be busy, the child itself measures exactly
BATCH = 500


@dataclass(frozen=True)
class Outcome:
    """How reading one mutation ended."""

    number: int
    outcome: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        bad = ("slow", "memory", "hang", "crash", "broken")
        return self.outcome in bad or self.outcome.startswith("untyped ")

    def as_dict(self) -> dict[str, object]:
        return {"number": self.number, "outcome": self.outcome, "detail": self.detail}

    def keep(self, folder: Path, mode: str, file: Path, seed: int) -> None:
        """Write the file that failed to ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{file.stem}-{seed}-{self.number}-{self.outcome.replace(' ', '-')}.{mode}"
        (folder / name).write_bytes(mutation(mode, subject(mode, file), seed, self.number))


def run_all(mode: str, file: Path, seed: int, count: int, jobs: int) -> Iterator[Outcome]:
    """Outcomes of mutations 0 to ``count`` - 1 of a file, in any order."""
    results: queue.Queue[Outcome | None] = queue.Queue()

    def batch(first: int) -> None:
        _run(mode, file, seed, first, min(first + BATCH, count), results)

    def everything() -> None:
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(batch, range(0, count, BATCH)))
        results.put(None)

    threading.Thread(target=everything, daemon=True).start()
    while (result := results.get()) is not None:
        yield result


def _run(
    mode: str, file: Path, seed: int, first: int, last: int, results: queue.Queue[Outcome | None]
) -> None:
    """One batch; a child that dies is followed by another behind the mutation that killed it."""
    while first < last:
        child = _Child(mode, file, seed, first, last)
        started = None
        for message in child.messages():
            if "start" in message:
                started = int(str(message["start"]))
                continue
            result = Outcome(int(str(message["number"])), *_texts(message))
            results.put(result)
            first, started = result.number + 1, None
        if first >= last:
            return
        ending = child.ending()
        if started is None:
            results.put(Outcome(first, "broken", f"the child ended before its work: {ending[1]}"))
            return
        results.put(Outcome(started, *ending))
        first = started + 1


def _texts(message: dict[str, object]) -> tuple[str, str]:
    return str(message["outcome"]), str(message["detail"])


class _Child:
    """A worker process and a watch that kills it when it says nothing for too long."""

    def __init__(self, mode: str, file: Path, seed: int, first: int, last: int) -> None:
        script = Path(__file__).resolve().parents[1] / "fuzz.py"
        numbers = map(str, (seed, first, last))
        self.process = subprocess.Popen(
            [sys.executable, str(script), "--worker", mode, str(file), *numbers],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.hung = False
        self.errors: list[str] = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()

    def messages(self) -> Iterator[dict[str, object]]:
        assert self.process.stdout is not None
        while True:
            watch = threading.Timer(HANG, self._kill)
            watch.start()
            line = self.process.stdout.readline()
            watch.cancel()
            if not line:
                return
            yield json.loads(line)

    def ending(self) -> tuple[str, str]:
        code = self.process.wait()
        self._drain.join()
        if self.hung:
            return "hang", f"no word for {HANG:.0f} s"
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return "crash", f"{name}: {''.join(self.errors)[-300:]}"

    def _kill(self) -> None:
        self.hung = True
        self.process.kill()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)
