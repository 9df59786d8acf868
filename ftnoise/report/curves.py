"""Columns against a column: a point for each row that has an x, a line for each that has none.

The mark says whose number it is, as in the table's picture, and the style of a line which column
it shows. All panels share the x axis; each group of rows has panels of its own.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves
from ftnoise.report.drawing import (
    CHARACTER,
    OURS,
    PAPER,
    TEXT,
    WIDTH,
    decades,
    handles,
    legend,
    rendered,
)
from ftnoise.report.results import Group, Results, heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PANEL, COLUMN = 1.0, 0.85  # inches: the height of a panel, and what each of its columns adds
BETWEEN, BELOW, LEFT = 0.18, 0.45, 0.46  # inches: from panel to panel, for the axes' numbers
ENDS = {False: 0.12, True: 0.25}  # inches from the axes to where lines end, the paper's and ours
LABELS = 0.5  # inches from the axes to what is said of the lines
STYLES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)))
COLORS = {False: "0.55", True: OURS["color"]}  # of lines, the paper's and ours
CURVE, STRAIGHT = 1.1, 0.6  # points: how thick a line is
BEHIND = {**PAPER, "markersize": 5.4}  # is seen around ours where both are the same


@dataclass(frozen=True)
class _Number:
    """A number of a row, the paper's or ours; `x` is None where the row has none."""

    row: str
    column: str
    ours: bool
    x: float | None
    y: float
    half: float | None = None


@dataclass(frozen=True)
class _Panel:
    """Some columns of a group of rows, and their numbers."""

    group: str
    columns: tuple[Column, ...]
    numbers: tuple[_Number, ...]

    @property
    def height(self) -> float:
        return PANEL + COLUMN * len(self.columns)

    @property
    def title(self) -> str:
        """What stands beside the y axis."""
        titles = [column.title for column in self.columns]
        _, end = _parted(titles)
        text = end[:1].upper() + end[1:] if end else ", ".join(titles)
        whole = heading(replace(self.columns[0], title=text))
        lines = textwrap.wrap(whole, int(self.height / CHARACTER))
        return "\n".join([self.group, *lines] if self.group else lines)

    def labels(self) -> dict[str, list[_Number]]:
        """What is said of straight lines, from below, and the numbers at which they are."""
        begins, _ = _parted([column.title for column in self.columns])
        found: dict[str, list[_Number]] = {}
        for column, begin in zip(self.columns, begins, strict=True):
            for number in self.numbers:
                if number.x is None and number.column == column.name:
                    text = f"{number.row}, {begin.lower()}" if begin else number.row
                    found.setdefault(text, []).append(number)
        return dict(sorted(found.items(), key=lambda item: _middle(item[1])))


def plot(results: Results, curves: Curves) -> dict[str, bytes]:
    """Draws one of the experiment's `curves`, as `rendered`."""
    return rendered(lambda figure: draw(figure, results, curves))


def caption(results: Results, curves: Curves) -> tuple[str, str]:
    """What stands in the place of the picture, and below it."""
    (x,) = (column for column in results.experiment.columns if column.name == curves.x)
    return (
        f"{curves.title}: the paper's numbers and ours",
        f"{curves.title}. Each number stands at its own x ({x.title}); a horizontal line is a row "
        "that has none.",
    )


def draw(figure: Figure, results: Results, curves: Curves) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    panels = list(_panels(results, curves))
    together = {c.name: c.title for panel in panels if panel.columns[1:] for c in panel.columns}
    styles = dict(zip(together, itertools.cycle(STYLES), strict=False))
    entries = [_entry(title, styles[name]) for name, title in together.items()]
    entries += handles(results, (column for panel in panels for column in panel.columns))

    heights = [panel.height for panel in panels]
    above = TEXT * (-(-len(entries) // 2) + 1)
    height = sum(heights) + BETWEEN * (len(panels) - 1) + BELOW + above
    left = LEFT + TEXT * max(1 + panel.title.count("\n") for panel in panels)
    longest = max((len(text) for panel in panels for text in panel.labels()), default=0)
    across = max(WIDTH - left - LABELS - CHARACTER * longest - 0.1, WIDTH / 2)
    figure.set_size_inches(WIDTH, height)
    grid = figure.subplots(
        len(panels),
        sharex=True,
        squeeze=False,
        gridspec_kw={
            "height_ratios": heights,
            "left": left / WIDTH,
            "right": (left + across) / WIDTH,
            "top": 1 - above / height,
            "bottom": BELOW / height,
            "hspace": BETWEEN * len(panels) / sum(heights),
        },
    )
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        axes.set_xscale("log" if curves.logarithmic else "linear")
        axes.set_ylabel(panel.title)
        _panel(axes, panel, styles, across)
        axes.label_outer(remove_inner_ticks=True)
    (x,) = (column for column in results.experiment.columns if column.name == curves.x)
    axes.set_xlabel(heading(x))
    if curves.logarithmic:
        decades(axes.xaxis, *axes.get_xlim())
    figure.align_ylabels()
    legend(figure, entries)


def _panels(results: Results, curves: Curves) -> Iterator[_Panel]:
    known = {column.name: column for column in results.experiment.columns}
    groups = results.groups()
    for group in groups:
        for names in curves.panels:
            columns = tuple(known[name] for name in names)
            numbers = tuple(
                number
                for number in _numbers(results, group, known[curves.x], columns)
                if number.x is None or number.x > 0 or not curves.logarithmic
            )
            yield _Panel(group.name if len(groups) > 1 else "", columns, numbers)


def _numbers(
    results: Results, group: Group, x: Column, columns: Sequence[Column]
) -> Iterator[_Number]:
    for label, row in group.rows:
        at = results.cell(row, x)
        own = at.ours.mean if at.ours else None
        paper = own if at.paper is None else at.paper
        for column in columns:
            cell = results.cell(row, column)
            if cell.paper is not None:
                yield _Number(label, column.name, False, paper, cell.paper)
            if cell.ours is not None and (own is not None or paper is None):
                mean, high = cell.ours.mean, cell.ours.high
                half = None if high is None else high - mean
                yield _Number(label, column.name, True, own, mean, half)


def _panel(axes: Axes, panel: _Panel, styles: Mapping[str, Any], across: float) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(color="0.9", linewidth=0.6)
    axes.margins(x=0.04, y=0.08)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    for ours, column in itertools.product((False, True), panel.columns):
        look = {"linestyle": styles.get(column.name, "-"), "color": COLORS[ours]}
        found = [n for n in panel.numbers if (n.ours, n.column) == (ours, column.name)]
        for number in found:
            if number.x is None:
                end = 1 + ENDS[ours] / across
                axes.axhline(number.y, 0, end, linewidth=STRAIGHT, clip_on=False, **look)
        points = sorted((number.x, number.y) for number in found if number.x is not None)
        if points:
            axes.plot(*zip(*points, strict=True), linewidth=CURVE, **look)
    for number in sorted(panel.numbers, key=lambda number: number.ours):
        _mark(axes, number, across)
    _labels(axes, panel, across)


def _mark(axes: Axes, number: _Number, across: float) -> None:
    x, place = number.x, {}
    if x is None:
        x, place = 1 + ENDS[number.ours] / across, _beside(axes)
    if number.ours:
        axes.errorbar([x], [number.y], yerr=number.half, **OURS, **place)
    else:
        axes.plot([x], [number.y], **BEHIND, **place)


def _beside(axes: Axes) -> dict[str, Any]:
    """Where x is a fraction of the axes, which goes on to their right."""
    return {"transform": axes.get_yaxis_transform(), "clip_on": False}


def _labels(axes: Axes, panel: _Panel, across: float) -> None:
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top)
    inch = (top - bottom) / panel.height
    labels = panel.labels()
    wanted = [(_middle(numbers) - bottom) / inch for numbers in labels.values()]
    found = apart(wanted, TEXT, panel.height)
    for (text, numbers), height in zip(labels.items(), found, strict=True):
        y = bottom + inch * height
        for number in numbers:
            x = [1 + inches / across for inches in (ENDS[number.ours] + 0.07, LABELS - 0.03)]
            look = {"color": COLORS[False], "linewidth": STRAIGHT, "zorder": 1.5}
            axes.plot(x, [number.y, y], **look, **_beside(axes))
        axes.text(1 + LABELS / across, y, text, va="center", **_beside(axes))


def _middle(numbers: Sequence[_Number]) -> float:
    return sum(number.y for number in numbers) / len(numbers)


def apart(heights: Sequence[float], gap: float, top: float) -> list[float]:
    """The heights nearest to these, in their order, that are `gap` apart, from 0 to `top`.

    Nearest in least squares: isotonic regression by pooling adjacent violators.
    """
    pools: list[tuple[float, int]] = []
    for i, height in enumerate(heights):
        mean, count = height - i * gap, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean = (other * size + mean * count) / (size + count)
            count += size
        pools.append((mean, count))
    highest = max(top - gap * (len(heights) - 1), 0.0)
    flat = [min(max(mean, 0.0), highest) for mean, count in pools for _ in range(count)]
    return [place + i * gap for i, place in enumerate(flat)]


def _parted(titles: Sequence[str]) -> tuple[list[str], str]:
    """What each title begins with, and the words with which all of them end."""
    words = [title.split() for title in titles]
    most = min(map(len, words)) - (1 if len(titles) > 1 else 0)
    last = 0
    while last < most and len({found[-1 - last] for found in words}) == 1:
        last += 1
    begins = [" ".join(found[: len(found) - last]) for found in words]
    return begins, " ".join(words[0][len(words[0]) - last :])


def _entry(title: str, style: Any) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], label=title, linestyle=style, color="0.25", linewidth=CURVE)
