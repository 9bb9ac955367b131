"""Key frames: scenes encoded as any scene is, and which Gaussian got which slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gscompress.codecs.scene import coding_order
from gscompress.config import Config
from gscompress.gaussians import Gaussians
from gscompress.importance.scores import look
from gscompress.rate import Encoder, allocate, make_goal
from gscompress.rate.goals import Goal
from gscompress.stages.base import Context
from gscompress.stream.decoder import decode_key
from gscompress.stream.layout import morton_order
from gscompress.stream.settings import Settings

__all__ = ["KeyFrame", "encode_key"]

_HEADROOM = 2.0
"""By how many dB a key frame is better than a target: what it lacks the next frames lack too."""
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
    encoded, _ = _goal(settings).reach(config, encoder, ctx)
    if encoded.size > _MAX_SHARE * settings.group_bytes:
        smaller = make_goal(target_size=int(_MAX_SHARE * settings.group_bytes))
        encoded, _ = smaller.reach(config, encoder, ctx)
    order, _ = coding_order(scene, guidance, encoded.config.attributes, encoded.config.levels)
    data = encoded.container.to_bytes()
    rows = order[morton_order(encoded.decoded.means)]
    return KeyFrame(data, decode_key(data), rows)


def _goal(settings: Settings) -> Goal:
    if settings.max_error is not None:
        return make_goal(max_error=settings.max_error)
    if settings.target_psnr is not None:
        return make_goal(target_psnr=settings.target_psnr + _HEADROOM)
    if settings.quality != _AS_CONFIGURED:
        return make_goal(quality=settings.quality)
    return make_goal()
