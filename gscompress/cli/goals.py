"""The options of ``compress`` that say how good, how small or how exact the result shall be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gscompress.errors import InputError, UsageError

__all__ = ["check_goal", "describe_goal", "goal_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def goal_options(command: Command) -> Command:
    """At most one of them may be given."""
    for decorate in (
        click.option(
            "--max-error",
            metavar="NAME=BOUND,...",
            help="No Gaussian is further off: means=1mm (a world unit is a metre), scales=1%, "
            "opacities=0.01, quats=0.5deg, sh=0.02 (or sh0, shN). Checked on every Gaussian.",
        ),
        click.option(
            "--target-psnr",
            type=float,
            metavar="DB",
            help="Reach this PSNR against the input's renders, at most 0.1 dB more.",
        ),
        click.option(
            "--target-size",
            metavar="SIZE",
            help="Reach this size of the file, at most 1 % less: 800kB, 5MB (10^6), 5MiB (2^20).",
        ),
        click.option(
            "--quality",
            type=float,
            metavar="1..100",
            help="Finer or coarser steps: 60 is the preset itself, 10 more halve them (5 dB).",
        ),
    ):
        command = decorate(command)
    return command


def check_goal(
    quality: float | None, target_size: str | None, target_psnr: float | None, max_error: str | None
) -> dict[str, Any]:
    """The options as arguments of `gscompress.compress`, as far as they are given.

    Raises:
        UsageError: Two are given, or one makes no sense.
    """
    from gscompress.rate import make_goal, parse_bounds, parse_size

    options = {
        "--quality": quality,
        "--target-size": target_size,
        "--target-psnr": target_psnr,
        "--max-error": max_error,
    }
    names = [name for name, value in options.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{names[0]} and {names[1]} exclude each other")
    if not names:
        return {}
    try:
        goal: dict[str, Any] = {
            "quality": quality,
            "target_size": None if target_size is None else parse_size(target_size),
            "target_psnr": target_psnr,
            "max_error": None if max_error is None else parse_bounds(max_error),
        }
        make_goal(**goal)
    except InputError as error:
        raise UsageError(f"{names[0]}: {error}") from error
    return {name: value for name, value in goal.items() if value is not None}


def describe_goal(summary: dict[str, Any]) -> list[str]:
    """What came of the goal, for people; nothing where there was none."""
    rate = summary["rate"]
    if rate is None:
        return []
    target, reached, encodes = rate["target"], rate["reached"], rate["encodes"]
    if rate["kind"] == "quality":
        return [f"quality    {target:g}: {rate['octaves']:+.2f} octaves"]
    if rate["kind"] == "size":
        share = 100 * reached / target
        return [f"target     {target:,} bytes: {share:.2f} % of it, by {encodes} encodings"]
    if rate["kind"] == "max_error":
        return [f"bound      {name} {target[name]:g}: {reached[name]:.4g}" for name in target]
    text = f"target     {target:g} dB: {reached:.2f} dB at {rate['views']}, by {encodes} encodings"
    psnr = summary["psnr"]
    if psnr is not None and not target <= psnr <= target + 0.1:
        text += f"; {psnr:.2f} dB where it is measured"
    return [text]
