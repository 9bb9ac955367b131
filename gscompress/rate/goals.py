"""What a compression shall come to: a quality, a size, a PSNR or hard error bounds."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from gscompress.config import Config
from gscompress.errors import ConfigError, InputError, UsageError
from gscompress.gaussians import Gaussians
from gscompress.rate.allocation import allocate
from gscompress.rate.bounds import bounded, check_bounds, find_errors, lossless, parse_bounds
from gscompress.rate.control import ControlViews, hold_out
from gscompress.rate.encoder import Encoded, Encoder
from gscompress.rate.scale import MAX_OCTAVES, octaves_of_quality, scaled
from gscompress.rate.search import FAR, Search, Trial, Unreachable, Window
from gscompress.rate.sizes import parse_size
from gscompress.stages.base import Context

__all__ = ["AsConfigured", "Goal", "MaxError", "Quality", "TargetPsnr", "TargetSize", "make_goal"]

log = logging.getLogger(__name__)

SIZE_TOLERANCE = 0.01
PSNR_TOLERANCE = 0.1  # dB
_SIZE_SLOPE = 0.4  # octaves of size per octave of the scale
_PSNR_SLOPE = 5.0  # dB per octave of the scale
_ROOM_TO_CODE = 1.0
"""dB above a target that a scene needs before it is coded: below, its steps would be so fine that
the scene as it came takes fewer bytes."""


class Goal(Protocol):
    """Decides how finely a scene is coded."""

    def prepare(self, ctx: Context) -> Context:
        """The context in which the scene is changed and scored: views may be held out of it."""
        return ctx

    def allows(self, changed: Gaussians, ctx: Context) -> bool:
        """Whether the goal can be reached with what stages have made of the scene."""
        return True

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Encode so that the goal is reached.

        Returns:
            The encoded scene, and for the summary: kind, target, reached, octaves, encodes; None
            where there was no goal.

        Raises:
            InputError: It cannot be reached; names the nearest that can.
        """
        ...


@dataclass(frozen=True)
class AsConfigured(Goal):
    """The configuration as it is."""

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Encode once."""
        return encoder.encode(config), None


@dataclass(frozen=True)
class Quality(Goal):
    """A place on the scale, where the steps are allocated anew if it is far from the configuration.

    Attributes:
        quality: 1 to 100; 60 is the configuration itself, and 10 more halve its steps.
    """

    quality: float

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Encode once."""
        _check_scalable(config, "quality")
        octaves = octaves_of_quality(self.quality)
        config = scaled(config, octaves)
        if abs(octaves) > FAR:
            config = allocate(config, encoder, ctx)
        encoded = encoder.encode(config)
        return encoded, _summary("quality", self.quality, self.quality, octaves, encoder)


@dataclass(frozen=True)
class TargetSize(Goal):
    """A file at most 1 % smaller than wanted, and never larger.

    Attributes:
        size: Bytes of the file.
    """

    size: int

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Search; the size is that of the whole file."""
        _check_scalable(config, "target size")
        low = math.log2(self.size * (1 - SIZE_TOLERANCE) + 0.25)
        window = Window(low, math.log2(self.size + 0.25), _SIZE_SLOPE)
        again = partial(allocate, encoder=encoder, ctx=ctx)
        search = Search(config, encoder, lambda encoded: math.log2(encoded.size), again)
        try:
            found = search.run(window)
        except Unreachable as error:
            raise self._unreachable(error.nearest) from None
        return found.encoded, _summary(
            "size", self.size, found.encoded.size, found.octaves, encoder
        )

    def _unreachable(self, nearest: Trial) -> InputError:
        size = nearest.encoded.size
        if size > self.size:
            remedy = "The steps are as coarse as they get: only fewer Gaussians are smaller."
        elif nearest.octaves >= MAX_OCTAVES:
            remedy = "The steps are as fine as they get."
        else:
            remedy = "The scene is too small for a finer choice."
        return InputError(
            "target size",
            found=f"{self.size:,} bytes",
            expected=f"the nearest that can be reached: {size:,} bytes",
            remedy=remedy,
        )


@dataclass(frozen=True)
class TargetPsnr(Goal):
    """A PSNR against the input's renders, at most 0.1 dB better than wanted and never worse.

    It holds at the control views, of which no other part of the encoder knows. Where none are
    given, some of the training cameras are held out and stand for the views that matter, whose PSNR
    is then known to within the standard error in the summary.

    Attributes:
        psnr: In dB: mean over views of the per-view PSNR.
    """

    psnr: float

    def prepare(self, ctx: Context) -> Context:
        """Hold out control views where none are given."""
        if len(ctx.scene) == 0:
            raise InputError("target PSNR", found="a scene without Gaussians")
        return hold_out(ctx)

    def allows(self, changed: Gaussians, ctx: Context) -> bool:
        """Whether stages have left room for coding."""
        limit = self.psnr + _ROOM_TO_CODE
        return ControlViews(ctx).psnr(changed, limit) >= limit

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Search; the PSNR is the mean over the control views."""
        _check_scalable(config, "target PSNR")
        views = ControlViews(ctx)
        again = partial(allocate, encoder=encoder, ctx=ctx)
        search = Search(
            config, encoder, lambda encoded: views.psnr(encoded.decoded, self.psnr), again
        )
        window = Window(self.psnr, self.psnr + PSNR_TOLERANCE, _PSNR_SLOPE, inner=0.9)
        try:
            found = search.run(window)
        except Unreachable as error:
            raise InputError(
                "target PSNR",
                found=f"{self.psnr:g} dB",
                expected=f"the nearest that can be reached: {error.nearest.measure:.2f} dB",
                remedy=f"Measured at {views.describe()}.",
            ) from None
        return found.encoded, {
            **_summary("psnr", self.psnr, found.measure, found.octaves, encoder),
            "views": views.describe(),
            "standard_error": views.standard_error(),
        }


@dataclass(frozen=True)
class MaxError(Goal):
    """Hard bounds on the errors of attributes, checked on every Gaussian.

    Attributes:
        bounds: Largest error by quantity, as `gscompress.rate.bounds` defines them.
    """

    bounds: Mapping[str, float]

    def reach(
        self, config: Config, encoder: Encoder, ctx: Context
    ) -> tuple[Encoded, dict[str, Any] | None]:
        """Encode with steps made from the bounds, and check what is decoded.

        Where rounding to float32 breaks a bound, the attribute is coded without loss.
        """
        if config.stages:
            raise ConfigError(
                "max error",
                found=f"a configuration with {len(config.stages)} stages",
                expected="none: they change Gaussians by more than any bound",
                remedy="Leave them out (--stages none on the command line).",
            )
        encoded = encoder.encode(bounded(config, encoder.scene, self.bounds))
        reached = find_errors(encoded.arranged, encoded.decoded)
        broken = [name for name, limit in self.bounds.items() if not reached[name] <= limit]
        if broken:
            encoded = encoder.encode(lossless(encoded.config, broken))
            reached = find_errors(encoded.arranged, encoded.decoded)
        check_bounds(self.bounds, reached)
        kept = {quantity: reached[quantity] for quantity in self.bounds}
        return encoded, _summary("max_error", dict(self.bounds), kept, None, encoder)


def make_goal(
    *,
    quality: float | None = None,
    target_size: int | str | None = None,
    target_psnr: float | None = None,
    max_error: Mapping[str, float] | str | None = None,
) -> Goal:
    """The goal that one of the options stands for, or none; texts are parsed.

    Raises:
        UsageError: More than one is given.
        InputError: A number is out of range.
    """
    given = {
        "quality": quality,
        "target_size": target_size,
        "target_psnr": target_psnr,
        "max_error": max_error,
    }
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{names[0]} and {names[1]} exclude each other")
    if quality is not None:
        octaves_of_quality(quality)
        return Quality(quality)
    if target_size is not None:
        size = parse_size(target_size) if isinstance(target_size, str) else int(target_size)
        _positive("target size", size, "bytes")
        return TargetSize(size)
    if target_psnr is not None:
        _positive("target PSNR", target_psnr, "dB")
        return TargetPsnr(target_psnr)
    if max_error is not None:
        return MaxError(parse_bounds(max_error) if isinstance(max_error, str) else max_error)
    return AsConfigured()


def _positive(what: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InputError(what, found=f"{value:g}", expected=f"a positive number of {unit}")


def _check_scalable(config: Config, what: str) -> None:
    """Refuse a configuration without any steps.

    Raises:
        ConfigError: It has none.
    """
    if scaled(config, 1) == config:
        raise ConfigError(
            what,
            found="a configuration whose codecs have no steps",
            expected="one that is lossy, such as the preset balanced",
        )


def _summary(
    kind: str, target: Any, reached: Any, octaves: float | None, encoder: Encoder
) -> dict[str, Any]:
    return {
        "kind": kind,
        "target": target,
        "reached": reached,
        "octaves": octaves,
        "encodes": encoder.count,
    }
