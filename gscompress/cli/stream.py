"""``gscompress stream``: sequences of frames; one file per verb, as of the command line itself."""

from __future__ import annotations

import click

from gscompress.cli.lazy import LazyGroup

__all__ = ["VERBS", "verb"]

VERBS = {
    "encode": "Encode frames, each a scene's file, as a clip.",
    "train": "Learn a clip from a first frame and synchronised photos.",
    "info": "Say what a clip holds.",
    "decode": "Write frames of a clip in any format.",
    "eval": "Measure a clip, frame by frame.",
    "play": "Receive and decode a clip; render it; measure how that goes.",
}
"""Each is the command ``verb`` in the module ``gscompress.cli.stream_<name>``."""


@click.group(
    "stream",
    cls=LazyGroup,
    verbs=VERBS,
    prefix="gscompress.cli.stream_",
    short_help="Sequences of frames: encode, train, measure, decode, play.",
    epilog="'gscompress stream VERB --help' tells the options of a verb.",
)
def verb() -> None:
    """Sequences of frames: a clip is a folder with a manifest, key frames and what changes.

    Any static host can serve it; 'gscompress serve' does, and 'gscompress stream play' receives.
    """
