"""What tests of the viewer do with its page."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

import gscompress as gs

WIDTH, HEIGHT = 240, 180
GAUSSIANS = 2500


def picture(page: Any) -> np.ndarray:
    """What the page shows without its panels, 0..1."""
    page.evaluate("document.body.classList.add('plain')")
    shot = iio.imread(page.screenshot())[..., :3]
    page.evaluate("document.body.classList.remove('plain')")
    return shot.astype(np.float32) / 255


def native(scene: gs.Gaussians, camera: Any) -> np.ndarray:
    """Our own render, 0..1."""
    return np.clip(np.asarray(gs.render(scene, camera)), 0, 1)


def drop(page: Any, *paths: Path, name: str = "") -> None:
    """Drop files on the page, and wait until they are opened or refused; name: of a single one."""
    files = [(base64.b64encode(path.read_bytes()).decode(), name or path.name) for path in paths]
    page.evaluate(
        """(files) => {
          const transfer = new DataTransfer();
          for (const [data, name] of files) {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
          }
          dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
          return viewer.dropped;
        }""",
        files,
    )


def names(page: Any) -> list[str]:
    """The scenes that are shown, the left one first."""
    return page.evaluate("viewer.state.sides.map((side) => side.name)")


def until(page: Any, expression: str, *, seconds: float = 30) -> None:
    """Wait until an expression is true. (The page's policy forbids playwright to poll in it.)"""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"still not: {expression}"
        time.sleep(0.05)
