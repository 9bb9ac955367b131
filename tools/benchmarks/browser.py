"""A .gsz in a headless Chromium: are its bits the native ones, and how long does it take?

Decodes the file in the page and compares the SHA-256 of what comes out with that of what
gscompress.decompress gives; then opens it in the viewer several times and prints the least
milliseconds: of decoding (in workers, downloads not counted), until the first frame, until all is
drawn. --shot keeps a picture.

    tools/bench.py browser scene.gsz --cameras cameras.json --repeats 3 --shot shot.png
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.output import print_table, say, write_json
from gscompress.cameras import load_cameras
from gscompress.gaussians import Gaussians
from gscompress.pipeline import decompress
from gscompress.viewer import ViewServer

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--use-angle=swiftshader",  # WebGL without a GPU
    "--enable-unsafe-swiftshader",
)
NAMES = {
    "means": "means",
    "opacity_logits": "opacityLogits",
    "log_scales": "logScales",
    "quats": "quats",
    "sh": "sh",
}
DECODE = """async ({url, names}) => {
  const { decodeGsz } = await import(new URL("gsz/scene.js", location.href));
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const started = performance.now();
  const scene = await decodeGsz(bytes);
  const milliseconds = performance.now() - started;
  const whole = new Blob(names.map((name) => scene[name]));
  const digest = await crypto.subtle.digest("SHA-256", await whole.arrayBuffer());
  const hex = [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
  return { hex, milliseconds };
}"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bench browser",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scene", type=Path)
    parser.add_argument("--cameras", type=Path)
    parser.add_argument("--size", default="640x480", help="of the window")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--shot", type=Path, help="a PNG of what is seen")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    width, height = (int(side) for side in options.size.split("x"))
    native = digest_of(decompress(options.scene))
    cameras = load_cameras(options.cameras)[:1] if options.cameras else []
    with serving(options.scene, cameras) as url, chromium() as browser:

        def opened() -> Any:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(url)
            page.evaluate("viewer.ready")
            return page

        page = opened()
        where = page.evaluate("fetch('scene.json').then((a) => a.json())")["files"][0]["url"]
        found = page.evaluate(DECODE, {"url": where, "names": list(NAMES.values())})
        if options.shot:
            page.screenshot(path=str(options.shot))
        page.close()
        say(f"native {native}")
        say(f"browser {found['hex']}, one thread {found['milliseconds']:.0f} ms")
        sides = []
        for _ in range(options.repeats):
            page = opened()
            sides.append(page.evaluate("viewer.state.sides[0]"))
            page.close()
    times = {k: min(side[k] for side in sides) for k in ("milliseconds", "firstFrame", "complete")}
    same = found["hex"] == native
    print_table(
        f"{options.scene.name}: {options.scene.stat().st_size:,} bytes",
        ["bits", "decode, ms", "one thread, ms", "first frame, ms", "complete, ms"],
        [
            [
                "same as native" if same else "OTHERS than native",
                f"{times['milliseconds']:.0f}",
                f"{found['milliseconds']:.0f}",
                f"{times['firstFrame']:.0f}",
                f"{times['complete']:.0f}",
            ]
        ],
    )
    write_json(options.json, {"same": same, "sha256": native, **times})
    return int(not same)


def digest_of(scene: Gaussians) -> str:
    """SHA-256 of the attributes, as the page takes it."""
    parts = [np.ascontiguousarray(getattr(scene, name), "<f4").tobytes() for name in NAMES]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@contextmanager
def serving(path: Path, cameras: Sequence[Any]) -> Iterator[str]:
    """The viewer on a file."""
    server = ViewServer([path], cameras=cameras)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
