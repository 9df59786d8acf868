"""Arrays of a measure against one of them: a panel for each group of rows, a line for each row.

Color, dashes and marker of a line say together which row it is, so that it is known in gray and to
every eye. Rows of the same name look the same in all panels.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Series
from ftnoise.core.figures.arrays import TAKEN
from ftnoise.report.drawing import CHARACTER, TEXT, WIDTH, decades, legend, rendered
from ftnoise.report.records import csv_of
from ftnoise.report.results import Group, Results, seeds_in_words, titled
from ftnoise.stats import summarize
from ftnoise.stats.crossed import crossed_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

ALONE, PANEL = 3.0, 2.4  # inches: the height of a panel on all of the width, and on half of it
LEFT, BELOW, RIGHT = 0.46, 0.3, 0.12  # inches for the axes' numbers, and to the right of all
HANDLE, ENTRY = 0.62, 0.167  # inches of the legend beside a text, and from line to line
MARKS = 12  # markers on a line; a longer one has fewer than points
WRAP = 100  # characters in a line of the legend
OVER_SEEDS = "95 % t interval over seeds"
# Okabe and Ito (2008), without yellow; from row to row a step in gray as well.
COLORS = ("#0072b2", "#e69f00", "#000000", "#cc79a7", "#009e73", "#56b4e9", "#d55e00")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.6)), (0, (1, 1.2)), (0, (5, 1.4, 1, 1.4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


@dataclass(frozen=True)
class Line:
    """What is drawn of a row.

    `label` is its name without that of its group; `y`, `low` and `high` are as long as `x`, NaN in
    a gap. Without a band the last two are empty.
    """

    label: str
    seeds: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def plot(results: Results, series: Series) -> dict[str, bytes]:
    """Draws it, as `rendered`, and its `csv`: a line for each row, seed and x."""
    files = rendered(lambda figure: draw(figure, results, series))
    return {**files, "csv": csv_of((*TAKEN, *series.table), _records(results, series))}


def caption(results: Results, series: Series) -> tuple[str, str]:
    """What stands in the place of the picture, and below it."""
    found = [line for group in results.groups() for line in lines(results, group, series)]
    if not found:
        return series.title, f"{series.title}. No result yet."
    seeds = [line.seeds for line in found]
    text = f"{series.title}, {seeds_in_words(max(seeds), min(seeds))}."
    if max(seeds) > 1:
        text += " A line is the mean over the seeds."
    counts = sorted(set(_draws(results, series)))
    if counts:
        drawn = " or ".join(map(str, counts))
        text += f" {drawn} {series.draws} at each {series.x_title[:1].lower()}{series.x_title[1:]}."
    said = bands(found, series)
    return series.title, text + (f" Band: {'; '.join(said)}." if said else "")


def _draws(results: Results, series: Series) -> Iterator[int]:
    """How many draws each reading has, where lines are means over draws."""
    if series.values is None:
        return
    for row in results.experiment.rows:
        for reading in results.shown(row, series):
            yield reading.arrays[series.values].shape[1]


def bands(found: Sequence[Line], series: Series) -> list[str]:
    """What the bands of these lines are, in words."""
    over_seeds = any(line.low and line.seeds > 1 for line in found)
    stored = any(line.low and line.seeds == 1 for line in found)
    over = f"{OVER_SEEDS} and {series.draws}" if series.values else OVER_SEEDS
    if over_seeds and stored:
        return [over, f"{series.band} for a row with one seed"]
    return [over] * over_seeds + [series.band] * stored


def lines(results: Results, group: Group, series: Series) -> list[Line]:
    """The lines of a group's panel; rows without arrays have none."""
    found = (_line(results, label, row, series) for label, row in group.rows)
    return [line for line in found if line is not None]


def _line(results: Results, label: str, row: Row, series: Series) -> Line | None:
    readings = results.shown(row, series)
    if not readings:
        return None
    x = tuple(readings[0].arrays[series.x].tolist())
    ys = [reading.arrays[series.y].tolist() for reading in readings]
    if len(readings) > 1:
        found: Iterable[tuple[float, float, float]] = map(_over_seeds, zip(*ys, strict=True))
        if series.values is not None:
            drawn = [reading.arrays[series.values] for reading in readings]
            found = map(_over_both, zip(*drawn, strict=True))
        y, low, high = zip(*found, strict=True) if x else [()] * 3
        return Line(label, len(readings), x, y, low, high)
    band = [tuple(readings[0].arrays[name].tolist()) for name in (series.low, series.high) if name]
    return Line(label, 1, x, tuple(ys[0]), *band)


def _over_seeds(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and interval; a gap where a seed has one: a mean of the others is another thing."""
    if not all(map(math.isfinite, values)):
        return math.nan, math.nan, math.nan
    found = summarize(values)
    assert found.low is not None
    assert found.high is not None
    return found.mean, found.low, found.high


def _over_both(values: Sequence[Any]) -> tuple[float, float, float]:
    """The same of values [seeds, draws]."""
    import numpy as np

    array = np.stack(values)
    if not np.isfinite(array).all():
        return math.nan, math.nan, math.nan
    found = crossed_interval(array)
    assert found.mean is not None
    return found.mean, found.low, found.high


def _records(results: Results, series: Series) -> Iterator[tuple[Any, ...]]:
    band = (series.low, series.high)
    for row in results.experiment.rows:
        for reading in results.shown(row, series):
            arrays = [
                [math.nan] * reading.arrays[series.x].size
                if name is None
                else reading.arrays[name].astype(float).tolist()
                for name in (series.x, series.y, *band, *series.table)
            ]
            for numbers in zip(*arrays, strict=True):
                yield (results.experiment.name, results.preset, row.name, reading.seed, *numbers)


def draw(figure: Figure, results: Results, series: Series) -> None:
    """Draws onto an empty figure, and gives it the size that it needs."""
    from matplotlib.patches import Patch

    every = results.groups()
    # A group without a line has no panel, unless none has one.
    groups = [group for group in every if lines(results, group, series)] or every
    panels = [lines(results, group, series) for group in groups]
    found = [line for panel in panels for line in panel]
    named = dict.fromkeys(label for group in every for label, _ in group.rows)
    looks = {label: look(i) for i, label in enumerate(named)}
    entries = [entry(label, looks[label]) for label in named if label in {f.label for f in found}]
    patches = [Patch(facecolor="0.82", label=text) for text in bands(found, series)]

    # All in inches.
    longest = max(len(line) for label in named for line in _wrapped(label))
    fit = max(1, min(len(entries), int(WIDTH / (HANDLE + CHARACTER * longest))))
    # As many in each line, rather than one left over.
    columns = -(-len(entries) // -(-len(entries) // fit)) if entries else 1
    deep = max(len(_wrapped(label)) for label in named)
    entries_height = ENTRY * deep * -(-len(entries) // columns)
    above = entries_height + ENTRY * len(patches) + TEXT

    across, down = min(2, len(groups)), -(-len(groups) // 2)
    tall = PANEL if len(groups) > 1 else ALONE
    y_title = textwrap.wrap(titled(series.y_title, series.y_unit), int(tall / CHARACTER))
    left = LEFT + TEXT * len(y_title)
    wide = (WIDTH - left - RIGHT - LEFT * (across - 1)) / across
    x_title = textwrap.wrap(titled(series.x_title, series.x_unit), int(wide / CHARACTER))
    head = TEXT * 1.4 if len(groups) > 1 else 0.0
    each = head + tall + BELOW + TEXT * len(x_title)
    height = above + down * each
    figure.set_size_inches(WIDTH, height)
    for i, (group, drawn) in enumerate(zip(groups, panels, strict=True)):
        x = left + (i % across) * (wide + LEFT)
        y = height - above - (i // across) * each - head - tall
        box = (x / WIDTH, y / height, wide / WIDTH, tall / height)
        axes = figure.add_axes(box)
        panel(axes, drawn, looks, steps=series.steps, logarithmic_y=series.logarithmic_y)
        axes.set_xlabel("\n".join(x_title))
        axes.set_ylabel("\n".join(y_title) if i % across == 0 else "")
        axes.set_title(group.name, loc="left", fontsize=8, fontweight="bold", pad=4)
    figure.align_ylabels()
    if entries:
        legend(figure, entries, columns)
    if patches:
        legend(figure, patches, 1, entries_height)


def look(place: int) -> dict[str, Any]:
    """How the line of the row at this place of the experiment looks; 252 are different."""
    return {
        "color": COLORS[place % len(COLORS)],
        "linestyle": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def panel(
    axes: Axes,
    drawn: Sequence[Line],
    looks: Mapping[str, dict[str, Any]],
    *,
    steps: bool = False,
    logarithmic_y: bool = False,
) -> None:
    """Draws lines with their bands and markers.

    Args:
        axes: empty.
        drawn: the lines.
        looks: for the label of each, what `look` gave.
        steps: `x` are the middles of bins.
        logarithmic_y: what is not above 0 is a gap.
    """
    from matplotlib.ticker import MaxNLocator

    axes.grid(color="0.9", linewidth=0.6)
    axes.margins(x=0.02, y=0.06)
    axes.set_yscale("log" if logarithmic_y else "linear")
    for i, line in enumerate(drawn):
        style = looks[line.label]
        outline = _outline if steps else _points
        x, y = outline(line.x, line.y)
        if logarithmic_y and not steps:
            y = [value if value > 0 else math.nan for value in y]
        if line.low:
            low, high = (outline(line.x, end)[1] for end in (line.low, line.high))
            axes.fill_between(
                x, low, high, alpha=0.2, linewidth=0, zorder=1.5, color=style["color"]
            )
        axes.plot(x, y, linewidth=1.2, color=style["color"], linestyle=style["linestyle"])
        places = _marked(len(line.x), i, len(drawn))
        seen = [k for k in places if not logarithmic_y or line.y[k] > 0]
        axes.plot(
            [line.x[k] for k in seen],
            [line.y[k] for k in seen],
            linestyle="none",
            **_marks(style),
        )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    if logarithmic_y:
        decades(axes.yaxis, *axes.get_ylim())
        axes.tick_params(axis="y", which="minor", length=0)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def _points(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    return list(x), list(y)


def _outline(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """The corners of bins of which `x` are the middles and `y` the heights."""
    if not x:
        return [], []
    between = [(a + b) / 2 for a, b in itertools.pairwise(x)]
    first = between[0] - x[0] if between else 0.5
    last = x[-1] - between[-1] if between else 0.5
    edges = [x[0] - first, *between, x[-1] + last]
    corners = [edge for i, edge in enumerate(edges) for _ in range(1 + (0 < i < len(x)))]
    return corners, [value for value in y for _ in range(2)]


def _marked(points: int, place: int, count: int) -> range:
    """The points of a line that get a marker; those of long lines are not one above the other."""
    if points <= MARKS:
        return range(points)
    step = -(-points // (MARKS // 2))
    return range(step * (2 * place + 1) // (2 * count), points, step)


def _marks(style: dict[str, Any]) -> dict[str, Any]:
    return {
        "marker": style["marker"],
        "markersize": 4.4,
        "markerfacecolor": "white",
        "markeredgecolor": style["color"],
        "markeredgewidth": 1.1,
    }


def entry(label: str, style: dict[str, Any]) -> Line2D:
    """What a legend says of a line that looks so."""
    from matplotlib.lines import Line2D

    line = {name: style[name] for name in ("color", "linestyle")}
    return Line2D([], [], label="\n".join(_wrapped(label)), linewidth=1.2, **line, **_marks(style))


def _wrapped(label: str) -> list[str]:
    return textwrap.wrap(label, WRAP) or [""]
