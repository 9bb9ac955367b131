"""``gscompress stream info``: what a clip holds. Its manifest is read, and nothing else."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import click

from gscompress.cli.examples import Verb
from gscompress.cli.session import Session, common_options, pass_session

if TYPE_CHECKING:
    from gscompress.stream.manifest import Manifest


_EXAMPLES = (
    (
        "gscompress stream info clip/",
        "Frames, bytes, bit rate.",
    ),
    (
        "gscompress stream info https://host/clip/ --check",
        "Reads all of it, and checks every segment.",
    ),
)


@click.command(
    "info",
    cls=Verb,
    short_help="Say what a clip holds.",
    examples=_EXAMPLES,
)
@click.argument("source", metavar="CLIP")
@click.option("--segments", is_flag=True, help="List each segment.")
@click.option("--check", is_flag=True, help="Read all segments, and check length and SHA-256.")
@common_options
@pass_session
def verb(session: Session, /, source: str, segments: bool, check: bool) -> None:
    """Say what a clip holds: frames, bytes by kind of segment, how it was made.

    CLIP is a folder, its manifest.json, or an http or https URL of either.
    """
    from gscompress.stream.clip import Clip

    with Clip.open(source) as clip, session.progress() as progress:
        manifest = clip.manifest
        document = {"clip": source, **_facts(manifest), "checked": check}
        every = list(manifest.segments())
        for done, segment in enumerate(every if check else [], start=1):
            clip.segment(segment)
            if progress is not None:
                progress("check", done, len(every))
    if segments:
        names = ("url", "kind", "first", "frames", "bytes", "sha256")
        document["segments"] = [{name: getattr(s, name) for name in names} for s in every]
    session.result(document, functools.partial(_show, session, document))


def _facts(manifest: Manifest) -> dict[str, Any]:
    kinds: dict[str, dict[str, int]] = {}
    for segment in manifest.segments():
        kind = kinds.setdefault(segment.kind, {"segments": 0, "frames": 0, "bytes": 0})
        kind["segments"] += 1
        kind["frames"] += segment.frames
        kind["bytes"] += segment.bytes
    seconds = manifest.seconds
    return {
        "format": "gscompress clip",
        "fps": manifest.fps,
        "frames": manifest.frames,
        "seconds": seconds,
        "gaussians": manifest.gaussians,
        "sh_degree": manifest.sh_degree,
        "mode": manifest.mode,
        "color_space": manifest.color_space,
        "bytes": manifest.bytes,
        "kbps": 8e-3 * manifest.bytes / seconds if seconds else None,
        "groups": len(manifest.groups),
        "kinds": kinds,
        "complete": manifest.complete,
        "provenance": manifest.provenance,
    }


def _show(session: Session, document: dict[str, Any]) -> None:
    rate = document["kbps"]
    session.say(
        f"{document['clip']}: {document['frames']:,} frames at {document['fps']:g} per second, "
        f"{document['seconds']:.2f} s, {document['bytes']:,} bytes"
        + ("" if rate is None else f", {rate:,.0f} kbit/s")
    )
    session.say(f"Gaussians  {document['gaussians']:,}")
    session.say(f"SH degree  {document['sh_degree']}")
    session.say(f"mode       {document['mode']}")
    session.say(f"groups     {document['groups']:,}")
    for name, kind in document["kinds"].items():
        share = 100 * kind["bytes"] / document["bytes"]
        session.say(
            f"  {name:<12}{kind['bytes']:>14,} bytes {share:5.1f} %, {kind['frames']:,} frames, "
            f"{kind['bytes'] / kind['frames']:,.0f} bytes each"
        )
    if not document["complete"]:
        session.say("not complete: it is still being encoded, or its encoder has ended early")
    for segment in document.get("segments", []):
        last = segment["first"] + segment["frames"] - 1
        frames = f"{segment['first']}" + (f"-{last}" if segment["frames"] > 1 else "")
        session.say(
            f"  {segment['url']:<24}{segment['kind']:<12}{frames:>12}{segment['bytes']:>14,} bytes"
        )
    if document["checked"]:
        session.say("all segments are as the manifest says")
