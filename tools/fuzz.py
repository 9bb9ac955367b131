#!/usr/bin/env python3
"""Damage files on purpose and see that reading them ends in a scene or a typed error.

    tools/fuzz.py gsz scene.gsz -n 20000
    tools/fuzz.py ply scene.ply -n 5000 --jobs 4 --keep /tmp/bad
    tools/fuzz.py stream clip/manifest.json -n 5000

``gsz`` decompresses; most damage is repaired up to the checksums, so that it reaches the code
behind them. ``stream`` decodes all frames of a clip whose manifest or segments are damaged, mostly
with their checksums right. ``sog-folder`` takes a meta.json, or a zip that it unpacks. The others
load; of a SOG mostly a file within the zip is damaged, and the zip is whole. Every file is read in
a child process that is watched: an exception that is not one of gscompress.errors, a crash, more
than 2 seconds (of processor time, beyond those of the undamaged file), or more than 4 times the
memory of the undamaged file is a failure, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from fuzzing.pool import run_all
from fuzzing.worker import work

MODES = [
    *("gsz", "ply", "compressed.ply", "glb", "gltf", "ksplat"),
    *("sog", "sog-folder", "splat", "spz", "stream"),
]


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["--worker"]:
        work(*arguments[1:])
        return 0
    options = _parse(arguments)
    share = -(-options.n // len(options.files))
    outcomes: Counter[str] = Counter()
    failures = []
    for file in options.files:
        for result in run_all(options.mode, file, options.seed, share, options.jobs):
            outcomes[result.outcome] += 1
            if result.failed:
                failures.append({"file": str(file), **result.as_dict()})
                print(f"{file} mutation {result.number}: {result.outcome}: {result.detail}")
                if options.keep:
                    result.keep(options.keep, options.mode, file, options.seed)
    for outcome, count in sorted(outcomes.items(), key=lambda item: -item[1]):
        print(f"{count:8d}  {outcome}", file=sys.stderr if options.json else sys.stdout)
    if options.json:
        print(json.dumps({"outcomes": outcomes, "failures": failures}))
    return 1 if failures or sum(outcomes.values()) != share * len(options.files) else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="fuzz.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("files", type=Path, nargs="+", help="undamaged files, small ones are best")
    parser.add_argument("-n", type=int, default=1000, help="mutations of all files together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    parser.add_argument("--json", action="store_true", help="counts as JSON on stdout")
    options = parser.parse_args(arguments)
    for file in options.files:
        if not file.is_file():
            parser.error(f"no such file: {file}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
