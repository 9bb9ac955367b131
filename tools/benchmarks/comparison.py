"""Ours against the peers at equal quality: BD-rate, bits saved, and whether it is ever worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.curves import Curve, Verdict, bd_rate, envelope, saving_at, verdict
from benchmarks.output import print_table

__all__ = ["PSNRS", "Comparison", "compare", "print_comparison"]

PSNRS = (30, 35, 42, 45, 46, 50, 55, 60)
"""At which savings are told, in dB."""

ENVELOPE = "best peer at each PSNR"

Points = Sequence[tuple[float, float]]
"""Bits per Gaussian, PSNR in dB."""


@dataclass(frozen=True)
class Comparison:
    """Savings are shares of the other's bits; negative where ours needs more.

    Attributes:
        psnrs: Where savings are told, in dB.
        bits: Bits per Gaussian at those, by name; ours is "ours".
        savings: By name of the peer, at those PSNRs; None where one of the two has no file.
        bd_rates: By name of the peer: mean relative difference in bits where both have points;
            None where they share no interval.
        verdict: Over 30 to 65 dB.
    """

    psnrs: tuple[float, ...]
    bits: dict[str, list[float | None]]
    savings: dict[str, list[float | None]]
    bd_rates: dict[str, float | None]
    verdict: Verdict


def compare(
    ours: Points, peers: Mapping[str, Points], besides: Mapping[str, Points] | None = None
) -> Comparison:
    """Compare the points of one curve with those of others.

    Args:
        ours: The points.
        peers: By tool; they make the envelope, and the verdict is about them.
        besides: More that is compared, one by one.
    """
    own = Curve.through(ours)
    rivals = {name: Curve.through(points) for name, points in peers.items()}
    rivals = {ENVELOPE: envelope(rivals.values()), **rivals} if rivals else {}
    more = {name: Curve.through(points) for name, points in (besides or {}).items()}
    others = {**rivals, **more}
    bits = {name: [curve.bits_for(p) for p in PSNRS] for name, curve in others.items()}
    return Comparison(
        psnrs=PSNRS,
        bits={"ours": [own.bits_for(p) for p in PSNRS], **bits},
        savings={n: [saving_at(p, own, c) for p in PSNRS] for n, c in others.items()},
        bd_rates={name: bd_rate(own, curve) for name, curve in others.items()},
        verdict=verdict(own, rivals),
    )


def print_comparison(comparison: Comparison) -> None:
    """Two tables and a sentence."""
    heads = [f"{psnr:g} dB" for psnr in comparison.psnrs]
    rows = [[name, *map(_bits, values)] for name, values in comparison.bits.items()]
    print_table("Bits per Gaussian for a PSNR", ["tool", *heads], rows)
    rows = [
        [name, _percent(comparison.bd_rates[name]), *map(_percent, map(_negated, values))]
        for name, values in comparison.savings.items()
    ]
    print_table("Bits of ours against a peer's, at equal PSNR", ["peer", "BD-rate", *heads], rows)
    print(f"\n{_sentence(comparison.verdict)}")


def _sentence(found: Verdict) -> str:
    if found.least_saving is None:
        return "30 to 65 dB: nothing to compare."
    least = f"{100 * found.least_saving:+.1f} % saved at {found.at_psnr:.2f} dB ({found.against})"
    if found.never_worse:
        return f"30 to 65 dB: never worse than any peer; least: {least}."
    text = f"30 to 65 dB: least: {least}"
    if found.not_reached is not None:
        text += f"; not reached by ours, but by a peer: {found.not_reached:.2f} dB"
    return f"{text}. NOT never worse."


def _bits(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _negated(value: float | None) -> float | None:
    return None if value is None else -value


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"
