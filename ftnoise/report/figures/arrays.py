"""Arrays of a measure as pictures: lines over x, colored cells, and the plane of an input space.

Nothing depends on color alone. Rows of the same name look the same in all panels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import HeatMap, Plane, Series
from ftnoise.core.lazy import np
from ftnoise.report.figures.canvas import WIDTH, decades, legend, look, panels, rendered, wrapped
from ftnoise.report.results import Reading, Results, mean_over_seeds
from ftnoise.report.table import MISSING, Section, fixed, seeds_in_words, titled, uncapitalized
from ftnoise.stats import summarize
from ftnoise.stats.interval import crossed_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLORS = "cividis"  # Nunez et al. (2018): from dark to light, so cells keep their order in gray
MIDDLE = 0.47  # of this scale: darker cells have white numbers
MOST = 30  # cells next to each other, with their numbers
DARK = "#12436d"
Readings = Mapping[str, Sequence[Reading]]


def series(results: Results, figure: Series) -> Section | None:
    """A line for each row; several seeds are their mean with its 95 % t interval."""
    shown = results.shown(figure)
    if not shown:
        return None
    seeds = _seeds(shown)
    parts = []
    if max(seeds) > 1:
        crossed = f" and {figure.draws}" if figure.values else ""
        parts.append(f"95 % t interval over seeds{crossed}")
    if min(seeds) == 1 and figure.band:
        parts.append(figure.band + (" for a row with one seed" if parts else ""))
    band = f"Band: {'; '.join(parts)}." if parts else ""
    text = f"{seeds_in_words(seeds)}."
    if max(seeds) > 1:
        text += " A line is the mean over the seeds."
    if figure.values:
        counts = {readings[0].arrays[figure.values].shape[1] for readings in shown.values()}
        number = " or ".join(map(str, sorted(counts)))
        text += f" {number} {figure.draws} at each {uncapitalized(figure.x_title)}."
    names = (figure.x, figure.y, figure.low, figure.high, *figure.table)
    lines = []
    for row, readings in shown.items():
        for one in readings:
            missing = [None] * one.arrays[figure.x].size
            arrays = [missing if name is None else one.arrays[name].astype(float) for name in names]
            lines += [(row, one.seed, *line) for line in zip(*arrays, strict=True)]
    return Section(
        text=f"{text} {band}".strip(),
        draw=lambda canvas: _draw_series(canvas, results, figure, band),
        header=("row", "seed", "x", "y", "low", "high", *figure.table),
        lines=lines,
    )


def _draw_series(canvas: Canvas, results: Results, figure: Series, band: str) -> None:
    shown = results.shown(figure)
    labels = dict.fromkeys(label for _, label, _ in results.rows)
    looks = {label: look(place) for place, label in enumerate(labels)}
    groups = dict.fromkeys(group for group, _, row in results.rows if row.name in shown)
    across = min(2, len(groups))
    canvas.set_size_inches(WIDTH, -(-len(groups) // 2) * (3.8 - 0.6 * across) + 0.3)
    grid = panels(canvas, len(groups), across)
    for axes, group in zip(grid, groups, strict=True):
        for label, row in results.groups[group].items():
            if row.name in shown:
                curve = _curve(shown[row.name], figure)
                if figure.to_zero:
                    last = max((n for n, y in enumerate(curve[1]) if y != 0), default=0)
                    curve = [values[: last + 2] for values in curve]
                _plot(axes, *curve, steps=figure.steps, label=label, **looks[label])
        if figure.logarithmic_x:
            decades(axes, "x")
        if figure.logarithmic_y:
            decades(axes, "y", nonpositive="clip" if figure.steps else "mask")
        axes.set_title(group)
        axes.set_xlabel(wrapped(titled(figure.x_title, figure.x_unit), across))
    for axes in grid[::across]:
        axes.set_ylabel(wrapped(titled(figure.y_title, figure.y_unit), 3))
    handles = {line.get_label(): line for axes in grid for line in axes.lines}
    legend(canvas, [handles[label] for label in labels if label in handles], band)


def _curve(readings: Sequence[Reading], figure: Series) -> Sequence[Any]:
    """x, y and the ends of the band, each [x]; without ends if there is no band."""
    first = readings[0].arrays
    if len(readings) == 1:
        names = (figure.x, figure.y, figure.low, figure.high)
        return [first[name] for name in names if name is not None]
    drawn = [reading.arrays[figure.values or figure.y] for reading in readings]
    bounds = (0.0, 100.0) if figure.y_unit == "%" else (-math.inf, math.inf)
    points = [_over_seeds(values, *bounds) for values in zip(*drawn, strict=True)]
    return [first[figure.x], *zip(*points, strict=True)]


def _over_seeds(values: Sequence[Any], low: float, high: float) -> tuple[float, float, float]:
    """Mean and interval at one x of a number or an array [draws] of each seed.

    A gap in one seed is a gap: the mean of the others is another quantity. All values are in
    [low, high].
    """
    array = np.stack(values)
    if not np.isfinite(array).all():
        return math.nan, math.nan, math.nan
    found: Any = summarize(array.tolist()) if array.ndim == 1 else crossed_interval(array)
    return found.mean, max(found.low, low), min(found.high, high)


def _plot(
    axes: Axes, x: Any, y: Any, low: Any = (), high: Any = (), *, steps: bool = False, **style: Any
) -> None:
    """Draws a line with its band, if it has one; `steps` have `x` in their middles."""
    if len(low):
        shape: dict[str, Any] = {"step": "mid"} if steps else {}
        axes.fill_between(x, low, high, alpha=0.2, linewidth=0, color=style["color"], **shape)
    # Not each point of a long line has a marker, and each line begins with another one.
    step = max(1, len(x) // 6)
    every = (int(step * (0.618 * len(axes.lines) % 1)), step)
    axes.plot(x, y, markevery=every, drawstyle="steps-mid" if steps else "default", **style)
    axes.margins(x=0.02, y=0.06)


def fault_curve(
    x: Sequence[float],
    accuracies: Sequence[float],
    *ends: Sequence[float],
    golden: float,
    x_title: str,
    label: str = "mean over trials",
    band: str = "",
) -> dict[str, bytes]:
    """Accuracy against the rate of faults: the picture of a campaign, which is not in a table.

    Args:
        x: rates or counts of faults, >= 0, in any order.
        accuracies: in percent, as long as `x`.
        ends: the lower and the upper ends of their intervals, if there are any.
        golden: accuracy without faults, in percent; the curve begins there.
        x_title: title of the x axis.
        label: what the curve is.
        band: description of the intervals.

    Returns:
        The contents of the files by suffix, `png` and `pdf`.
    """
    points = sorted(zip(x, accuracies, *ends, strict=True))
    points = [(0.0, *[golden] * (1 + len(ends))), *(one for one in points if one[0] > 0)]

    def draw(canvas: Canvas) -> None:
        canvas.set_size_inches(WIDTH, 3.5)
        axes = canvas.subplots()
        _plot(axes, *zip(*points, strict=True), label=label, **look(0))
        axes.axhline(golden, color="0.35", linestyle="--", linewidth=0.9, label="fault-free")
        axes.set(xlabel=wrapped(x_title), ylabel="Accuracy (%)")
        legend(canvas, axes.lines, f"Band: {band}." if band else "")

    return rendered(draw)


def named_curves(
    x: Sequence[float],
    curves: Mapping[str, Sequence[Sequence[float]]],
    *,
    x_title: str,
    y_title: str,
    band: str = "",
) -> dict[str, bytes]:
    """A line for each name, some with bands.

    Args:
        x: rising.
        curves: by name, the values, and the lower and upper ends of the band if there is one; each
            as long as `x`.
        x_title: title of the x axis.
        y_title: title of the y axis.
        band: description of the bands.

    Returns:
        The contents of the files by suffix, `png` and `pdf`.
    """

    def draw(canvas: Canvas) -> None:
        canvas.set_size_inches(WIDTH, 3.5)
        axes = canvas.subplots()
        for place, (name, values) in enumerate(curves.items()):
            _plot(axes, x, *values, label=name, **look(place))
        axes.set(xlabel=x_title, ylabel=y_title)
        legend(canvas, axes.lines, f"Band: {band}." if band else "")

    return rendered(draw)


def sensitivity_map(
    layers: Sequence[str], numbers: Mapping[str, Mapping[Any, float]], *, by_bit: bool
) -> dict[str, bytes]:
    """The sensitivity of layers, or of bits in them: a panel for each number.

    Args:
        layers: names, in the order of the network.
        numbers: by title, in points or percent, the value of each (layer, bit).
        by_bit: whether there are bits; otherwise they are None.

    Returns:
        The contents of the files by suffix, `png` and `pdf`.
    """
    bits = sorted({bit for values in numbers.values() for _, bit in values}) if by_bit else []

    def draw(canvas: Canvas) -> None:
        high = 0.17 * max(4, len(layers)) + 0.45
        canvas.set_size_inches(WIDTH, (high * len(numbers) if by_bit else high) + 0.5)
        rows, across = (len(numbers), 1) if by_bit else (1, len(numbers))
        grid = canvas.subplots(rows, across, squeeze=False, sharex=by_bit, sharey=True).ravel()
        for axes, (title, values) in zip(grid, numbers.items(), strict=True):
            unit = "points" if title == "Drop" else "%"
            if by_bit:
                cells = [[values.get((layer, bit), math.nan) for bit in bits] for layer in layers]
                image = axes.imshow(np.array(cells), cmap=COLORS, aspect="auto")
                canvas.colorbar(image, ax=axes, label=titled(title, unit), pad=0.01)
                axes.set_xticks(range(0, len(bits), 2), bits[::2])
                axes.grid(False)
            else:
                axes.barh(range(len(layers)), [values[layer, None] for layer in layers], color=DARK)
                axes.set_xlabel(titled(title, unit))
            axes.set_yticks(range(len(layers)), layers)
            axes.tick_params(length=0, labelsize=7)
        if by_bit:
            grid[-1].set_xlabel("Bit (0 is the lowest)")
        else:
            grid[0].invert_yaxis()

    return rendered(draw)


def heat_map(results: Results, figure: HeatMap) -> Section | None:
    """A panel for each row; with several seeds a cell is their mean. All panels share one scale."""
    shown = results.shown(figure)
    if not shown:
        return None
    mean = " A cell is the mean over the seeds." if max(_seeds(shown)) > 1 else ""
    return Section(
        text=f"{seeds_in_words(_seeds(shown))}.{mean}",
        draw=lambda canvas: _draw_heat_map(canvas, figure, shown),
        header=("row", "seed", "label", "x", "value"),
        lines=[
            (row, one.seed, label, x, value)
            for row, readings in shown.items()
            for one in readings
            for label, cells in zip(one.info[figure.labels], one.arrays[figure.values], strict=True)
            for x, value in _pairs(one.arrays[figure.x], cells)
        ],
    )


def _draw_heat_map(canvas: Canvas, figure: HeatMap, shown: Readings) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    means = [mean_over_seeds(readings, figure.values) for readings in shown.values()]
    finite = [value for mean in means for value in mean[np.isfinite(mean)]] or [0.0]
    norm = Normalize(min(finite), max(finite) if max(finite) > min(finite) else min(finite) + 1)
    widest = max(mean.shape[1] for mean in means)
    across = max(1, min(3, len(means), MOST // (widest + 3)))
    heights = [0.2 * max(map(len, means[k : k + across])) for k in range(0, len(means), across)]
    canvas.set_size_inches(WIDTH, sum(heights) + 0.42 * len(heights) + 0.6)
    grid = panels(canvas, len(means), across, gridspec_kw={"height_ratios": heights})
    for axes, (row, readings), mean in zip(grid, shown.items(), means, strict=True):
        axes.imshow(mean, cmap=COLORS, norm=norm, aspect="auto")
        axes.set_title(wrapped(row, across))
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=7, pad=2)
        xs, every = readings[0].arrays[figure.x].tolist(), -(-mean.shape[1] // MOST)
        axes.set_xticks(range(0, len(xs), every), [f"{x:.3g}" for x in xs[::every]])
        axes.set_yticks(range(len(mean)), readings[0].info[figure.labels])
        for (i, k), value in np.ndenumerate(mean) if widest <= MOST else ():
            known = np.isfinite(value)
            axes.text(
                *(k, i, fixed(float(value), figure.digits) if known else MISSING),
                ha="center",
                va="center_baseline",
                fontsize=6.5,
                color="white" if known and norm(value) < MIDDLE else "black",
            )
    canvas.supxlabel(titled(figure.x_title, figure.x_unit), fontsize=8)
    scale = ScalarMappable(norm, COLORS)
    bar = canvas.colorbar(scale, ax=grid, location="top", shrink=0.4, aspect=30, anchor=(1, 0))
    bar.outline.set_visible(False)
    bar.set_label(titled(figure.value_title, figure.value_unit))


def plane(results: Results, figure: Plane) -> Section | None:
    """A panel for each row; classes are shapes, and training examples are filled."""
    shown = results.shown(figure)
    if not shown:
        return None
    first = "First draw of the data, " if results.draws > 1 else ""
    text = f"{first}{seeds_in_words(_seeds(shown))}."
    if max(_seeds(shown)) > 1:
        text += " The shade is the mean over the seeds, thin lines are their boundaries."
    return Section(
        text=text,
        draw=lambda canvas: _draw_plane(canvas, figure, shown),
        header=("row", "seeds", "x", "y", "value"),
        lines=[
            (row, len(readings), x, y, value)
            for row, readings in shown.items()
            for y, line in _pairs(
                readings[0].arrays[figure.y], mean_over_seeds(readings, figure.values)
            )
            for x, value in _pairs(readings[0].arrays[figure.x], line)
        ],
    )


def _draw_plane(canvas: Canvas, figure: Plane, shown: Readings) -> None:
    across = min(4, len(shown))
    canvas.set_size_inches(WIDTH, -(-len(shown) // across) * (WIDTH / across + 0.1) + 0.5)
    grid = panels(canvas, len(shown), across)
    for axes, (row, readings) in zip(grid, shown.items(), strict=True):
        axes.set_title(wrapped(row, across))
        _plane_panel(axes, figure, readings)
    legend(canvas, grid[0].lines)


def _plane_panel(axes: Axes, figure: Plane, readings: Sequence[Reading]) -> None:
    # Examples of the first seed's data; the grid is the same for all.
    x, y, _, points, classes, tested = (readings[0].arrays[name] for name in figure.arrays)
    mean, levels = mean_over_seeds(readings, figure.values), [k / 8 for k in range(9)]
    shades = axes.contourf(x, y, mean, levels=levels, cmap="Greys_r", vmin=-1.5, vmax=1)
    shades.set_rasterized(True)
    for one in readings if len(readings) > 1 else ():
        values = one.arrays[figure.values]
        axes.contour(x, y, values, levels=[0.5], colors=DARK, linewidths=0.35, alpha=0.5)
    axes.contour(x, y, mean, levels=[0.5], colors=DARK, linewidths=1.1)
    for kind, marker in ((0, "o"), (1, "^")):
        for test, face in ((1, "white"), (0, "black")):
            axes.plot(
                *points[(classes == kind) & (tested == test)].T,
                marker,
                markersize=3,
                markeredgewidth=0.5,
                markeredgecolor="black",
                markerfacecolor=face,
                label=f"class {kind}, {'test' if test else 'training'} example",
            )
    axes.plot([], [], color=DARK, label="boundary of the mean")
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xticks=[], yticks=[])
    axes.spines[:].set_visible(True)


def _seeds(shown: Readings) -> list[int]:
    return [len(readings) for readings in shown.values()]


def _pairs(xs: Any, values: Any) -> Iterator[tuple[float, Any]]:
    """Each x as a float, and its value or line of values."""
    return zip(xs.astype(float).tolist(), values.astype(float), strict=True)
