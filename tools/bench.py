#!/usr/bin/env python3
"""Benchmarks of gscompress: ``tools/bench.py QUESTION [options]``, ``--help`` after either.

Each prints one table and, with --json FILE, writes the same as JSON.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

QUESTIONS = {
    "browser": "a .gsz in a headless Chromium: same bits as native, decode and first-frame times",
    "rasterizer": "forward, backward and scores, against another rasterizer in the same run",
    "coder": "symbols per second and bits per symbol of the entropy coders",
    "rd": "rate-distortion of ours against the peers that can be installed, BD-rate, plot",
    "ablation": "bits and dB as each part of the codec is switched off",
    "exchange": "SPZ and SOG as we write them, against their own writers at equal settings",
    "targets": "ten sizes and ten PSNRs asked for per scene, and what came",
    "paper": "the published protocol over folders of scenes with photos",
    "queen": "what each part of learning a clip from photos is worth",
    "scores": "what is lost when the least important Gaussians go, by score of importance",
    "stages": "size, loss, Gaussians and frames per second after each stage of a preset",
    "stream": "clips: bytes, drift, access, decode times, and splats4d at equal quality",
    "throughput": "encode and decode seconds and peak memory as the scene grows",
    "vq": "codecs with codebooks against equal steps, attribute by attribute, at equal quality",
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        for name, text in QUESTIONS.items():
            print(f"  {name:<12}{text}")
        return 0 if arguments else 2
    question, *rest = arguments
    if question not in QUESTIONS:
        print(f"unknown question {question!r}; one of {', '.join(QUESTIONS)}", file=sys.stderr)
        return 2
    root = Path(__file__).resolve().parent
    sys.path[:0] = [str(root), str(root.parent)]
    return importlib.import_module(f"benchmarks.{question}").main(rest) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
