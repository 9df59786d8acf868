"""Accuracy against the rate of faults, as one line with its band from the fault-free accuracy on.

The figure of a fault campaign on one model, which is not part of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ftnoise.report.figures.canvas import WIDTH, legend, look, rendered, wrapped
from ftnoise.report.figures.series import ALONE, Line, entry, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

NAME = "mean over trials"


def fault_curve(
    x: Sequence[float],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    golden: float,
    x_title: str,
    band: str,
) -> dict[str, bytes]:
    """Draws the curve.

    Args:
        x: rates or counts of faults, >= 0, in any order.
        mean: accuracies in percent, as long as `x`.
        low: lower ends of their intervals.
        high: upper ends.
        golden: accuracy without faults, in percent.
        x_title: title of the x axis.
        band: description of the intervals.

    Returns:
        The contents of the files by suffix, `png` and `pdf`.
    """
    points = sorted(zip(x, mean, low, high, strict=True))
    points = [(0.0, golden, golden, golden), *(one for one in points if one[0] > 0)]
    line = Line(NAME, 1, *zip(*points, strict=True))

    def draw(canvas: Canvas) -> None:
        canvas.set_size_inches(WIDTH, ALONE + 0.3)
        axes = canvas.subplots()
        flat = axes.axhline(golden, color="0.35", linestyle="--", linewidth=0.9, label="fault-free")
        plot(axes, [line], {NAME: look(0)})
        axes.set(xlabel=wrapped(x_title, WIDTH - 1), ylabel="Accuracy (%)")
        legend(canvas, [entry(NAME, look(0)), flat], f"Band: {band}.")

    return rendered(draw)
