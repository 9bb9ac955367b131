"""What ``gscompress compress`` prints at the end."""

from __future__ import annotations

from typing import Any

from gscompress.cli.goals import describe_goal
from gscompress.cli.session import Session

__all__ = ["show_all", "show_one"]


def show_one(session: Session, summary: dict[str, Any]) -> None:
    """The closing table of one scene."""
    from rich.table import Table

    size, count = summary["output_bytes"], max(1, summary["gaussians_out"])
    table = Table(title=summary["output"], title_justify="left", show_footer=True)
    table.add_column("attribute", "all")
    table.add_column("bytes", f"{size:,}", justify="right")
    table.add_column("share", "100.0 %", justify="right")
    table.add_column("bits per Gaussian", f"{8 * size / count:.1f}", justify="right")
    for name, part in summary["bytes_by_attribute"].items():
        table.add_row(name, f"{part:,}", f"{100 * part / size:.1f} %", f"{8 * part / count:.1f}")
    session.table(table)
    for line in _facts(summary):
        session.say(line)


def _facts(summary: dict[str, Any]) -> list[str]:
    lines = [
        f"size       {summary['input_bytes']:,} -> {summary['output_bytes']:,} bytes, "
        f"{summary['ratio']:.1f}x smaller, in {summary['seconds']:.1f} s",
        f"Gaussians  {summary['gaussians_in']:,} -> {summary['gaussians_out']:,}",
    ]
    lines += [
        f"  {stage['name']:<8} {stage['gaussians_in']:,} -> {stage['gaussians_out']:,}, "
        f"{stage['seconds']:.1f} s"
        for stage in summary["stages"]
    ]
    lines += describe_goal(summary)
    found = summary["evaluation"]
    if found is None:
        return [*lines, "PSNR       not measured (--eval does)"]
    lines.append(
        f"PSNR       {found['psnr']:.2f} dB against the input's renders "
        f"(worst view {found['psnr_worst']:.2f}), SSIM {found['ssim']:.4f}"
    )
    if found["photo_psnr"] is not None:
        lines.append(
            f"photos     {found['photo_psnr']:.2f} dB, {found['photo_psnr_drop']:.2f} dB lost"
        )
    if found["fps"] is not None:
        lines.append(
            f"FPS        {found['reference_fps']:.1f} -> {found['fps']:.1f} on {found['device']}"
        )
    lines.append(f"measured at {found['cameras']}")
    if seen := found["coverage"]:
        lines.append(
            f"coverage   {seen['share']:.1%} of the opacity-weighted area is seen by {seen['k']} "
            f"or more of them, {seen['share_once']:.1%} by any"
        )
    return lines


def show_all(session: Session, results: list[dict[str, Any]]) -> None:
    """One line for each scene of a batch."""
    from rich.table import Table

    table = Table("scene", "bytes", "ratio", "Gaussians", "PSNR")
    for column in table.columns[1:]:
        column.justify = "right"
    for result in results:
        if "error" in result:
            table.add_row(result["input"], "failed")
            continue
        psnr = "" if result["psnr"] is None else f"{result['psnr']:.2f} dB"
        table.add_row(
            result["output"],
            f"{result['output_bytes']:,}",
            f"{result['ratio']:.1f}x",
            f"{result['gaussians_out']:,}",
            psnr,
        )
    session.table(table)
