"""Tools from npm, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NodeTools", "Unavailable"]

PACKAGES = ("@playcanvas/splat-transform@3", "@adobe/spz@0.2")
NODE = "node@22"


class Unavailable(Exception):
    """A peer cannot run here; says why."""


@dataclass(frozen=True)
class NodeTools:
    """The folder, and the Node in it.

    npm chooses the newest version of a package that the running Node satisfies, so Node itself (the
    npm package ``node``) is installed first and then runs the second installation.
    """

    folder: Path

    def install(self, packages: tuple[str, ...] = PACKAGES) -> None:
        """Install what is not there.

        Raises:
            Unavailable: There is no npm, or it fails.
        """
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("no npm on this machine")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "node_modules" / ".bin" / "node").exists():
            self._npm(npm, NODE)
        missing = [p for p in packages if not self.package(p.rpartition("@")[0]).is_dir()]
        if missing:
            self._npm(npm, NODE, *missing)

    def package(self, name: str) -> Path:
        """Folder of an installed package."""
        return self.folder / "node_modules" / name

    def run(self, *arguments: str | Path) -> None:
        """Run Node with these arguments.

        Raises:
            Unavailable: It fails; with the last line that it printed.
        """
        node = self.folder / "node_modules" / ".bin" / "node"
        _run([node, *arguments], os.environ.copy())

    def _npm(self, npm: str, *packages: str) -> None:
        binaries = self.folder / "node_modules" / ".bin"
        environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
        flags = ("install", "--no-audit", "--no-fund", "--prefix")
        _run([npm, *flags, self.folder, *packages], environment)


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise Unavailable(f"{Path(command[0]).name} exited {done.returncode}: {lines[-1][:200]}")
