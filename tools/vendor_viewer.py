#!/usr/bin/env python3
"""Fetch the viewer's third-party files from npm into gscompress/viewer/site/vendor.

    python tools/vendor_viewer.py            # check what is there against the pins
    python tools/vendor_viewer.py --fetch    # fetch it again, and check it

Packages, versions and hashes are pinned in tools/viewer_vendor.json: the package's sha512 as npm
states it, and a sha256 of every file that is kept. Files are kept as published, none is built or
minified here. For a new version change the pins by hand, from a package that you have looked at.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "tools" / "viewer_vendor.json"
VENDOR = ROOT / "gscompress" / "viewer" / "site" / "vendor"


class WrongContent(Exception):
    """A package or a file is not the one that was pinned."""


def check(pins: dict[str, Any], vendor: Path) -> None:
    """Compare the files in ``vendor`` with their pins, and refuse others.

    Raises:
        WrongContent: One differs, is missing, or is not pinned.
    """
    expected = {}
    for name, package in pins.items():
        for file, digest in package["files"].items():
            expected[Path(name) / Path(file).name] = digest
    found = {path.relative_to(vendor) for path in vendor.rglob("*") if path.is_file()}
    if found != set(expected):
        names = ", ".join(sorted(map(str, found ^ set(expected))))
        raise WrongContent(f"{vendor}: missing or not pinned: {names}")
    for path, digest in expected.items():
        _compare(str(path), hashlib.sha256((vendor / path).read_bytes()).hexdigest(), digest)


def fetch(pins: dict[str, Any], vendor: Path) -> None:
    """Get every package with npm, check it, and keep the files that are pinned.

    Raises:
        WrongContent: The package or a file in it is not the pinned one.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for name, package in pins.items():
            archive = _pack(f"{name}@{package['version']}", Path(scratch))
            digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            _compare(archive.name, f"sha512-{digest}", package["integrity"])
            with tarfile.open(archive) as content:
                for file, sha256 in package["files"].items():
                    member = content.extractfile(f"package/{file}")
                    data = member.read() if member else b""
                    _compare(f"{name}/{file}", hashlib.sha256(data).hexdigest(), sha256)
                    target = vendor / name / Path(file).name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)


def _pack(package: str, folder: Path) -> Path:
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder / done.stdout.split()[-1]


def _compare(what: str, found: str, expected: str) -> None:
    if found != expected:
        raise WrongContent(f"{what}: found {found}, expected {expected}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fetch", action="store_true", help="fetch the files again")
    arguments = parser.parse_args()
    pins = json.loads(PINS.read_text())
    try:
        if arguments.fetch:
            fetch(pins, VENDOR)
        check(pins, VENDOR)
    except WrongContent as error:
        sys.exit(str(error))
    print(f"{VENDOR.relative_to(ROOT)}: as pinned")


if __name__ == "__main__":
    main()
