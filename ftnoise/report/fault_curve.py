"""Accuracy against the amount of faults: one line with its band, from the accuracy without any."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, legend, rendered
from ftnoise.report.series import ALONE, BELOW, LEFT, RIGHT, Line, entry, look, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, GOLDEN = "mean over masks", "without faults"
ENTRIES = 3  # of the legend
FLAT: dict[str, Any] = {"color": "0.35", "linestyle": (0, (4, 2)), "linewidth": 0.9}


def plot(
    x: Sequence[float],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    *,
    golden: float,
    x_title: str,
    band: str,
) -> dict[str, bytes]:
    """Draws it, as `drawing.rendered`.

    Args:
        x: amounts of faults, >= 0, in any order.
        mean: accuracies in percent, as long as `x`; so are `low` and `high`, ends of intervals.
        low: the lower ends.
        high: the upper ends.
        golden: the accuracy without faults, in percent.
        x_title: what `x` is.
        band: what the intervals are.
    """
    points = sorted(zip(x, mean, low, high, strict=True))
    points = [(0.0, golden, golden, golden), *(one for one in points if one[0] > 0)]
    line = Line(NAME, 1, *zip(*points, strict=True))
    return rendered(lambda figure: draw(figure, line, golden, x_title, band))


def draw(figure: Figure, line: Line, golden: float, x_title: str, band: str) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    style = look(0)
    # All in inches.
    left = LEFT + TEXT
    wide = WIDTH - left - RIGHT
    titles = textwrap.wrap(x_title, int(wide / CHARACTER))
    below, above = BELOW + TEXT * len(titles), TEXT * (ENTRIES + 1.4)
    height = above + ALONE + below
    figure.set_size_inches(WIDTH, height)
    box = (left / WIDTH, below / height, wide / WIDTH, ALONE / height)
    axes = figure.add_axes(box)
    axes.axhline(golden, zorder=1.2, **FLAT)
    panel(axes, [line], {line.label: style})
    axes.set_xlabel("\n".join(titles))
    axes.set_ylabel("Accuracy (%)")
    entries = [
        entry(line.label, style),
        Patch(facecolor=style["color"], alpha=0.2, linewidth=0, label=band),
        Line2D([], [], label=GOLDEN, **FLAT),
    ]
    legend(figure, entries, 1)
