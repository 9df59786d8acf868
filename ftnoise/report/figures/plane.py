"""`Plane`: the output of networks over a plane, with the examples, a panel for each row.

Shades are gray, classes are shapes, and training examples are filled: nothing depends on color.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.core.figures import Plane
from ftnoise.report.figures.canvas import WIDTH, bare, legend, panels, wrapped
from ftnoise.report.figures.view import ArrayView
from ftnoise.report.table import seeds_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS = 4  # panels in a row
LEVEL = 0.5
SHAPES = ("o", "^")
SIZE = 3.0  # points
DARK, THIN, THICK = "#12436d", 0.35, 1.1


class PlaneView(ArrayView):
    """A panel for each row; with several seeds the shade is their mean."""

    figure: Plane
    header = ("row", "seeds", "x", "y", "value")

    def text(self) -> str:
        first = "First draw of the data, " if self.results.draws > 1 else ""
        text = f"{first}{seeds_in_words(*self.seeds)}."
        if self.seeds[0] > 1:
            text += " The shade is the mean over the seeds, thin lines are their boundaries."
        return text

    def _mean(self, found: Sequence[Any]) -> Any:
        import numpy as np

        values = [reading.arrays[self.figure.values] for reading in found]
        return np.mean(values, axis=0, dtype=np.float64)

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """The mean over seeds for each row and point of the grid."""
        for row, readings in self.rows:
            arrays = readings[0].arrays
            xs, ys = (arrays[name].tolist() for name in (self.figure.x, self.figure.y))
            for y, line in zip(ys, self._mean(readings).tolist(), strict=True):
                for x, value in zip(xs, line, strict=True):
                    yield (row.name, len(readings), x, y, value)

    def draw(self, canvas: Canvas) -> None:
        from matplotlib.lines import Line2D

        across = min(ACROSS, len(self.rows))
        down, side = -(-len(self.rows) // across), WIDTH / across
        canvas.set_size_inches(WIDTH, down * (side + 0.1) + 0.5)
        grid = panels(canvas, len(self.rows), across)
        for axes, (row, readings) in zip(grid, self.rows, strict=True):
            axes.set_title(wrapped(row.name, 0.85 * side))
            self._panel(axes, readings)
        marks: dict[str, Any] = {"linestyle": "none", "color": "black", "markersize": SIZE + 1}
        entries = [
            Line2D([], [], marker=SHAPES[kind], label=f"class {kind}, {text}",
                   markerfacecolor=face, **marks)
            for kind in (1, 0)
            for text, face in (("training example", "black"), ("test example", "white"))
        ]  # fmt: skip
        boundary = Line2D([], [], color=DARK, linewidth=THICK, label="boundary of the mean")
        legend(canvas, [*entries, boundary])

    def _panel(self, axes: Axes, readings: Sequence[Any]) -> None:
        plane, arrays, mean = self.figure, readings[0].arrays, self._mean(readings)
        x, y = arrays[plane.x], arrays[plane.y]
        shades = axes.contourf(
            x, y, mean, levels=[k / 8 for k in range(9)], cmap="Greys_r", vmin=-1.5, vmax=1
        )
        shades.set_rasterized(True)
        for one in readings if len(readings) > 1 else ():
            values = one.arrays[plane.values]
            axes.contour(x, y, values, levels=[LEVEL], colors=DARK, linewidths=THIN, alpha=0.5)
        axes.contour(x, y, mean, levels=[LEVEL], colors=DARK, linewidths=THICK)
        # Examples of the first seed's data; the grid is the same for all.
        points, classes = arrays[plane.points], arrays[plane.classes]
        for kind, tested in ((0, 1), (0, 0), (1, 1), (1, 0)):
            axes.plot(
                *points[(classes == kind) & (arrays[plane.tested] == tested)].T,
                linestyle="none",
                marker=SHAPES[kind],
                markersize=SIZE,
                markeredgewidth=0.5,
                markeredgecolor="black",
                markerfacecolor="white" if tested else "black",
            )
        bare(axes)
        axes.spines[:].set_visible(True)
        axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xticks=[], yticks=[])
