"""`Curves`: columns of the table against a column, the paper's numbers and ours.

Color and mark show whose number it is, as in the table's own figure, and the dashes of a line which
column it shows. A row without an x is a horizontal line in a color of its own, the paper's lighter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import Curves
from ftnoise.report.figures.canvas import (
    COLORS,
    DASHES,
    WIDTH,
    decades,
    legend,
    panels,
    ticks,
    wrapped,
)
from ftnoise.report.figures.overview import OURS, PAPER, half, handles
from ftnoise.report.figures.view import View
from ftnoise.report.table import titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Inches: the height of a panel, and the height that each of its columns adds.
PANEL, COLUMN = 1.2, 0.8
LIGHT = 0.4  # opacity of the paper's lines


class CurvesView(View):
    """A panel for each group of rows and each entry of `panels`."""

    figure: Curves

    def is_empty(self) -> bool:
        return False

    def text(self) -> str:
        x = self.columns[self.figure.x]
        return (
            f"The paper's numbers and ours, each at its own x ({x.title}). A horizontal line is a "
            "row without an x; the paper's lines are lighter."
        )

    def at(self, rows: dict[str, Row], ours: bool) -> dict[str, float | None]:
        """The x of the rows: ours, or the paper's (ours where it has none); None if there is none.

        A row is absent where its x cannot be drawn.
        """
        found = {}
        for label, row in rows.items():
            cell = self.results.cell(row, self.columns[self.figure.x])
            own = cell.ours.mean if cell.ours else None
            x = own if ours or cell.paper is None else cell.paper
            unknown = x is None and cell.paper is not None  # not measured yet
            if not unknown and (x is None or x > 0 or not self.figure.logarithmic):
                found[label] = x
        return found

    def draw(self, canvas: Canvas) -> None:
        from matplotlib.lines import Line2D

        figure, groups = self.figure, self.results.groups
        shown = [(group, names) for group in groups for names in figure.panels]
        heights = [PANEL + COLUMN * len(names) for _, names in shown]
        canvas.set_size_inches(WIDTH, sum(heights) + 0.8)
        grid = panels(canvas, len(shown), 1, sharex=True, gridspec_kw={"height_ratios": heights})
        several = [name for names in figure.panels if len(names) > 1 for name in names]
        dashes = {name: DASHES[k % len(DASHES)] for k, name in enumerate(dict.fromkeys(several))}
        flat: dict[str, str] = {}
        for axes, (group, names), height in zip(grid, shown, heights, strict=True):
            for name in names:
                for ours in (False, True):
                    self._plot(axes, groups[group], name, ours, dashes.get(name, "-"), flat)
            columns = [self.columns[name] for name in names]
            axes.set_ylabel(wrapped(titled(_together(columns), columns[0].unit), height))
            axes.set_title(group if len(groups) > 1 else "")
            axes.margins(x=0.05, y=0.08)
            axes.set_xscale("log" if figure.logarithmic else "linear")
            ticks(axes.yaxis)
        x = self.columns[figure.x]
        axes.set_xlabel(titled(x.title, x.unit))
        if figure.logarithmic:
            decades(axes.xaxis)
        canvas.align_ylabels()
        entries = handles(self.results, [self.columns[n] for p in figure.panels for n in p])
        for name, style in dashes.items():
            title = self.columns[name].title
            entries.append(Line2D([], [], label=title, linestyle=style, color="0.25"))
        for row, color in flat.items():
            entries.append(Line2D([], [], label=f"{row}, no x (lighter: paper)", color=color))
        legend(canvas, entries)

    def _plot(
        self,
        axes: Axes,
        rows: dict[str, Row],
        name: str,
        ours: bool,
        dashes: Any,
        flat: dict[str, str],
    ) -> None:
        """Draws the paper's numbers of a column or ours; `flat` has the colors without an x."""
        line = {"linestyle": dashes, "alpha": 1 if ours else LIGHT}
        points = []
        for label, x in self.at(rows, ours).items():
            cell = self.results.cell(rows[label], self.columns[name])
            y = cell.paper if not ours else cell.ours.mean if cell.ours else None
            if y is not None and x is not None:
                points.append((x, y, half(cell.ours) if cell.ours else 0.0))
            elif y is not None:
                color = flat.setdefault(label, COLORS[1 + len(flat) % (len(COLORS) - 1)])
                axes.axhline(y, color=color, **line)
        if points:
            xs, ys, bars = zip(*sorted(points), strict=True)
            axes.plot(xs, ys, color=OURS["color"] if ours else "0.25", **line)
            if ours:
                axes.errorbar(xs, ys, yerr=bars, zorder=3, **OURS)
            else:
                axes.plot(xs, ys, zorder=2.5, **{**PAPER, "markersize": 5.4})


def _together(columns: Sequence[Column]) -> str:
    """The common ending of the titles of all columns, or else all titles."""
    words = [column.title.split() for column in columns]
    most = min(map(len, words)) - (len(columns) > 1)
    last = 0
    while last < most and len({found[-1 - last] for found in words}) == 1:
        last += 1
    text = " ".join(words[0][len(words[0]) - last :])
    return f"{text[:1].upper()}{text[1:]}" if text else ", ".join(c.title for c in columns)
