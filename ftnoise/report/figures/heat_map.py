"""`HeatMap`: an array of two dimensions as colored cells with their numbers, a panel for each row.

All panels share one scale, whose colors go monotonically from dark to light, so they keep their
order in gray.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import HeatMap
from ftnoise.report.figures.canvas import WIDTH, bare, panels, wrapped
from ftnoise.report.figures.view import ArrayView
from ftnoise.report.table import MISSING, fixed, seeds_in_words, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLORS = "cividis"  # Nunez et al. (2018)
MIDDLE = 0.47  # of the scale: darker cells have white numbers
CELL = 0.2  # inches: the height of a cell
SMALL = 6.5  # points: numbers in cells
DIGIT = 0.055  # inches of a character in a cell
LONGEST = 40  # characters of a label


class HeatMapView(ArrayView):
    """A panel for each row; with several seeds a cell is their mean."""

    figure: HeatMap
    header = ("row", "seed", "label", "x", "value")

    def text(self) -> str:
        text = f"{seeds_in_words(*self.seeds)}."
        return text + (" A cell is the mean over the seeds." if self.seeds[0] > 1 else "")

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """A line for each row, seed, label and x."""
        for row, readings in self.rows:
            for reading in readings:
                xs = reading.arrays[self.figure.x].astype(float).tolist()
                cells = reading.arrays[self.figure.values].astype(float).tolist()
                for label, line in zip(reading.info[self.figure.labels], cells, strict=True):
                    for x, value in zip(xs, line, strict=True):
                        yield (row.name, reading.seed, label, x, value)

    def draw(self, canvas: Canvas) -> None:
        import numpy as np
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        figure = self.figure
        means = [
            np.mean([reading.arrays[figure.values] for reading in readings], axis=0, dtype=float)
            for _, readings in self.rows
        ]
        finite = np.concatenate([one[np.isfinite(one)] for one in means])
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        norm = Normalize(low, high if high > low else low + 1)
        scale = ScalarMappable(norm, COLORS)

        widest = max(one.shape[1] for one in means)
        longest = max(len(fixed(value, figure.digits)) for value in (low, high)) + 1
        names = max(len(_shortened(s)) for _, r in self.rows for s in r[0].info[figure.labels])
        room = (WIDTH - 0.06 * names) / (DIGIT * longest * widest)
        across = max(1, min(3, len(means), int(room)))
        lines = [range(k, min(k + across, len(means))) for k in range(0, len(means), across)]
        heights = [max(len(means[k]) for k in line) * CELL for line in lines]
        canvas.set_size_inches(WIDTH, sum(heights) + 0.42 * len(lines) + 0.6)
        grid = panels(canvas, len(means), across, gridspec_kw={"height_ratios": heights})
        for k, (axes, mean) in enumerate(zip(grid, means, strict=True)):
            row, readings = self.rows[k]
            axes.set_title(wrapped(row.name, 0.7 * WIDTH / across))
            _labels(axes, readings[0].arrays[figure.x].tolist(), readings[0].info[figure.labels])
            axes.imshow(mean, cmap=COLORS, norm=norm, aspect="auto")
            if room >= 1:
                _numbers(axes, mean, norm, figure.digits)
        canvas.supxlabel(titled(figure.x_title, figure.x_unit), fontsize=8)
        bar = canvas.colorbar(
            scale,
            ax=canvas.axes,
            location="top",
            fraction=0.1,
            shrink=0.4,
            aspect=30,
            anchor=(1, 0),
        )
        bar.outline.set_visible(False)
        bar.set_label(titled(figure.value_title, figure.value_unit))


def _labels(axes: Axes, xs: Sequence[float], labels: Sequence[str]) -> None:
    bare(axes)
    every = max(1, math.ceil(len(xs) / 30))
    axes.set_xticks(range(0, len(xs), every), [f"{x:.3g}" for x in xs[::every]])
    axes.set_yticks(range(len(labels)), [_shortened(label) for label in labels])
    axes.tick_params(labelsize=7, pad=2)


def _numbers(axes: Axes, cells: Any, norm: Any, digits: int) -> None:
    for i, line in enumerate(cells.tolist()):
        for k, value in enumerate(line):
            known = math.isfinite(value)
            axes.text(
                *(k, i, fixed(value, digits) if known else MISSING),
                ha="center",
                va="center_baseline",
                fontsize=SMALL,
                color="white" if known and norm(value) < MIDDLE else "black",
            )


def _shortened(label: str) -> str:
    """A label of at most `LONGEST` characters: its beginning and its end."""
    if len(label) <= LONGEST:
        return label
    return f"{label[: LONGEST // 2 - 1]}…{label[-LONGEST // 2 :]}"
