#!/usr/bin/env python3
"""Write a golden file for each preset that has none; existing ones are frozen and stay.

    python tools/make_golden.py

A golden file is a small scene as this version compresses it, without stages;
tests/golden/digests.txt says what it decodes to. Later versions must decode it to the same bits
(tests/test_pipeline.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import gscompress as gs  # noqa: E402
from gscompress.config import load_config, preset_names  # noqa: E402
from tests.checks import digest, make_scene  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"


def main() -> None:
    scene = make_scene(400, 2, seed=7)
    for preset in preset_names():
        path = GOLDEN / f"{preset}.gsz"
        if path.exists():
            continue
        gs.compress(scene, load_config(preset, stages="none"), device="cpu").save(path)
        with (GOLDEN / "digests.txt").open("a") as file:
            file.write(f"{path.name} {digest(gs.decompress(path))}\n")
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
