"""Base of the views: the contributions of a kind of figure to a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import ArrayFigure
from ftnoise.report.figures.canvas import WIDTH, rendered
from ftnoise.report.results import Reading, Results
from ftnoise.report.table import Section, Table, csv_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class View:
    """One figure of a report.

    Args:
        results: the stored results.
        figure: one of the experiment's figures, of the kind that the subclass shows.

    Attributes:
        drawn: whether there is an image; a figure that is a table has none.
    """

    drawn: ClassVar[bool] = True

    def __init__(self, results: Results, figure: Any) -> None:
        self.results, self.figure = results, figure

    def is_empty(self) -> bool:
        """Whether there is nothing to show yet."""
        raise NotImplementedError

    def text(self) -> str:
        """A few sentences about the figure; only called if there is something to show."""
        raise NotImplementedError

    def tables(self) -> tuple[Table, ...]:
        """The tables of a figure that is one."""
        return ()

    def draw(self, canvas: Canvas) -> None:
        """Draws onto an empty canvas, and gives it the size that it needs."""
        raise NotImplementedError

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns of the CSV file after experiment and preset; none without one."""
        return ()

    def lines(self) -> Iterable[tuple[Any, ...]]:
        """The lines of the CSV file."""
        return ()

    def section(self) -> Section:
        """The figure's part of the page."""
        empty = self.is_empty()
        return Section(
            title=self.figure.title,
            tables=() if empty else self.tables(),
            text="No result yet." if empty else self.text(),
            name=f"{self.results.stem}.{self.figure.name}",
            drawn=self.drawn,
        )

    def files(self) -> dict[str, bytes]:
        """The contents of the figure's files by suffix: png, pdf, csv."""
        files = rendered(self._draw) if self.drawn else {}
        if self.header:
            where = (self.results.experiment.name, self.results.preset)
            lines = ((*where, *line) for line in self.lines())
            files["csv"] = csv_of(("experiment", "preset", *self.header), lines)
        return files

    def _draw(self, canvas: Canvas) -> None:
        if self.is_empty():
            canvas.set_size_inches(WIDTH, 0.5)
            canvas.text(0.5, 0.5, "no result yet", ha="center", va="center")
        else:
            self.draw(canvas)

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of the table by name."""
        return {column.name: column for column in self.results.experiment.columns}


class ArrayView(View):
    """Base of the views of arrays."""

    figure: ArrayFigure

    @property
    def rows(self) -> list[tuple[Row, tuple[Reading, ...]]]:
        """The rows that have all arrays, with their readings by seed."""
        rows = [(row, self.results.shown(row, self.figure)) for row in self.results.experiment.rows]
        return [(row, readings) for row, readings in rows if readings]

    def is_empty(self) -> bool:
        return not self.rows

    @property
    def seeds(self) -> tuple[int, int]:
        """The most and the fewest seeds of these rows."""
        counts = [len(readings) for _, readings in self.rows]
        return max(counts), min(counts)
