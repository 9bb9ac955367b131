"""Rate-distortion plots as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

__all__ = ["rd_plot"]

_WIDTH, _HEIGHT = 960, 560
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 48, 260, 56
_COLOURS = (
    "#d1242f", "#0969da", "#1a7f37", "#8250df", "#bf8700",
    "#57606a", "#0a7ea4", "#bc4c00", "#bf3989", "#4d2d00",
)  # fmt: skip
_TICKS = (5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000)

Points = Sequence[tuple[float, float]]


def rd_plot(title: str, series: Mapping[str, Points], most_psnr: float = 80) -> str:
    """PSNR over bits per Gaussian (logarithmic); the first series is drawn bold.

    Args:
        title: Above the plot.
        series: By name: points (bits per Gaussian, PSNR in dB), joined in the order of their bits.
        most_psnr: Points above are left out.
    """
    shown = {
        name: sorted(point for point in points if point[1] <= most_psnr)
        for name, points in series.items()
    }
    shown = {name: points for name, points in shown.items() if points}
    every = np.array([point for points in shown.values() for point in points]).reshape(-1, 2)
    if len(every) == 0:
        every = np.array([[10.0, 30.0], [100.0, 60.0]])
    (x0, y0), (x1, y1) = every.min(0), every.max(0)
    axes = _Axes(x0 / 1.1, x1 * 1.1, np.floor(y0 / 5) * 5, max(np.ceil(y1 / 5), y0 // 5 + 1) * 5)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="26" font-size="16">{escape(title)}</text>',
        *axes.grid(),
    ]
    for k, (name, points) in enumerate(shown.items()):
        parts += _series(axes, k, name, points)
    return "\n".join([*parts, "</svg>", ""])


class _Axes:
    """Where bits and dB lie on the page."""

    def __init__(self, x0: float, x1: float, y0: float, y1: float) -> None:
        self._x = np.log(x0), np.log(x1)
        self._y = y0, y1
        self._xs = x0, x1

    def place(self, bits: float, psnr: float) -> tuple[float, float]:
        x = (np.log(bits) - self._x[0]) / (self._x[1] - self._x[0])
        y = (psnr - self._y[0]) / (self._y[1] - self._y[0])
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + x * width, 1), round(_TOP + (1 - y) * height, 1)

    def grid(self) -> list[str]:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        parts = []
        for bits in _TICKS:
            if self._xs[0] <= bits <= self._xs[1]:
                x, _ = self.place(bits, self._y[0])
                parts.append(f'<path d="M{x} {_TOP}V{bottom}" stroke="#d0d7de"/>')
                parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{bits}</text>')
        for psnr in np.arange(self._y[0], self._y[1] + 1, 5).tolist():
            _, y = self.place(self._xs[0], psnr)
            parts.append(f'<path d="M{_LEFT} {y}H{right}" stroke="#d0d7de"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{psnr:.0f}</text>')
        middle = (_LEFT + right) / 2
        parts.append(
            f'<text x="{middle}" y="{bottom + 42}" text-anchor="middle">bits per Gaussian</text>'
        )
        parts.append(f'<text x="{_LEFT - 40}" y="{_TOP - 12}">PSNR, dB</text>')
        return parts


def _series(axes: _Axes, k: int, name: str, points: Points) -> list[str]:
    colour, width = _COLOURS[k % len(_COLOURS)], 3 if k == 0 else 1.5
    places = [axes.place(*point) for point in points]
    line = " ".join(f"{x},{y}" for x, y in places)
    dots = [f'<circle cx="{x}" cy="{y}" r="{width + 1.5}" fill="{colour}"/>' for x, y in places]
    x, y = _WIDTH - _RIGHT + 16, _TOP + 8 + 22 * k
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="{width}"/>',
        *dots,
        f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>',
        f'<text x="{x + 12}" y="{y + 4}">{escape(name)}</text>',
    ]
