"""Key frames: scenes encoded as any scene is, and which Gaussian got which slot."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.scene import coding_order
from gscompress.config import Config
from gscompress.gaussians import Gaussians
from gscompress.importance.scores import look
from gscompress.rate import Encoder, allocate, make_goal
from gscompress.rate.control import ControlViews
from gscompress.rate.encoder import Encoded
from gscompress.rate.search import Search, Unreachable, Window
from gscompress.stages.base import Context
from gscompress.stream.decoder import decode_key
from gscompress.stream.layout import morton_order
from gscompress.stream.settings import Settings

__all__ = ["KeyFrame", "encode_key"]

_HEADROOM = 6.0
_HEADROOM_PER_OCTAVE = 1.5
"""By how many dB a key frame is better than a target, at most and per doubling of the frames of a
group: what it lacks all of them lack too, until they are sent it."""
_TOLERANCE = 1.0  # dB
_SLOPE = 5.0  # dB per octave of all steps
_MAX_SHARE = 0.6
"""Of the bytes of a group."""
_AS_CONFIGURED = 60.0


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """A key frame.

    Attributes:
        data: The .gsz file.
        scene: As decoded, in slot order.
        rows: The row in each slot of the frame as it came [N].
    """

    data: bytes
    scene: Gaussians
    rows: NDArray[np.int64]


def encode_key(scene: Gaussians, config: Config, settings: Settings, ctx: Context) -> KeyFrame:
    """Encode a key frame.

    Args:
        scene: The frame.
        config: How; without stages.
        settings: Of the clip.
        ctx: From where it is looked at.

    Raises:
        InputError: A target cannot be reached.
    """
    guidance = look(scene, config.attributes, ctx)
    encoder = Encoder(scene, scene, guidance)
    if settings.max_error is None:
        config = allocate(config, encoder, ctx)
    encoded = _reached(config, encoder, settings, ctx)
    if encoded.size > _MAX_SHARE * settings.group_bytes:
        smaller = make_goal(target_size=int(_MAX_SHARE * settings.group_bytes))
        encoded, _ = smaller.reach(config, encoder, ctx)
    order, _ = coding_order(scene, guidance, encoded.config.attributes, encoded.config.levels)
    data = encoded.container.to_bytes()
    rows = order[morton_order(encoded.decoded.means)]
    return KeyFrame(data, decode_key(data), rows)


def _reached(config: Config, encoder: Encoder, settings: Settings, ctx: Context) -> Encoded:
    """The key frame at the quality that the settings ask for."""
    if settings.target_psnr is not None:
        headroom = min(_HEADROOM, _HEADROOM_PER_OCTAVE * math.log2(settings.gop))
        low, views = settings.target_psnr + headroom, ControlViews(ctx)
        search = Search(config, encoder, lambda one: views.psnr(one.decoded, low))
        try:
            return search.run(Window(low, low + _TOLERANCE, _SLOPE)).encoded
        except Unreachable as error:
            return error.nearest.encoded
    if settings.max_error is not None:
        goal = make_goal(max_error=settings.max_error)
    elif settings.quality != _AS_CONFIGURED:
        goal = make_goal(quality=settings.quality)
    else:
        goal = make_goal()
    return goal.reach(config, encoder, ctx)[0]
