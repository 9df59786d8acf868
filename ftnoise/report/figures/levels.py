"""`Levels`: where the uncertainty of a mean comes from, a line for each row.

Source: `ftnoise/stats/levels.py`, a random-effects analysis of variance.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Levels
from ftnoise.report.figures.view import ArrayView
from ftnoise.report.results import Reading
from ftnoise.report.table import MISSING, Block, Table, fixed, titled
from ftnoise.stats import levels


class LevelsView(ArrayView):
    """A line for each row with bits at the x of the figure in all of its seeds."""

    figure: Levels
    drawn = False
    header = (
        *("row", "x", "seeds", "draws", "examples", "mean", "standard_error"),
        *("seed", "draw", "example", "seed_draw", "seed_example", "draw_example", "residual"),
        "enlarge",
    )

    @cached_property
    def analyzed(self) -> list[tuple[Row, levels.VarianceComponents]]:
        """The rows and where the spread of their means comes from."""
        import numpy as np

        found = []
        for row, readings in self.rows:
            bits = [self._bits(reading) for reading in readings]
            if all(one is not None for one in bits):
                found.append((row, levels.variance_components(np.stack(bits))))
        return found

    def _bits(self, reading: Reading) -> Any:
        """Which examples are right at the x, bool [draws, examples]; None without two draws."""
        import numpy as np

        xs = reading.arrays[self.figure.x].tolist()
        packed = reading.arrays[self.figure.bits]
        if self.figure.at not in xs or packed.shape[1] < 2:
            return None
        count = int(reading.info[self.figure.examples])
        return np.unpackbits(packed[xs.index(self.figure.at)], axis=1, count=count).astype(bool)

    def is_empty(self) -> bool:
        return not self.analyzed

    @property
    def names(self) -> tuple[str, str, str]:
        """The levels, in the order of the analysis."""
        return "seeds", self.figure.draws, "examples"

    def _enlarge(self, found: levels.VarianceComponents) -> str:
        return dict(zip((*found.sizes, None), (*self.names, ""), strict=True))[found.enlarge]

    def tables(self) -> tuple[Table, ...]:
        titles = [
            *(*self.names, "mean (%)", "standard error (points)"),
            *(*(f"of {name}" for name in self.names), "of their interactions", "enlarge"),
        ]
        lines = []
        for _, found in self.analyzed:
            errors = [None if e is None else 100 * e for e in found.standard_errors.values()]
            rest = sum((e or 0) ** 2 for e in errors[3:]) ** 0.5
            numbers = (100 * found.mean, 100 * found.standard_error, *errors[:3], rest)
            sizes = [f"{size:,}" for size in found.sizes.values()]
            line = [*sizes, *(fixed(number, 2) for number in numbers)]
            lines.append([*line, self._enlarge(found) or MISSING])
        blocks = [
            Block(title, tuple((cell,) for cell in cells))
            for title, cells in zip(titles, zip(*lines, strict=True), strict=True)
        ]
        analyzed = {row.name for row, _ in self.analyzed}
        labels = [
            (group, label)
            for group, rows in self.results.groups.items()
            for label, row in rows.items()
            if row.name in analyzed
        ]
        return (Table(tuple(labels), tuple(blocks)),)

    def text(self) -> str:
        at = f"{self.figure.x_title[:1].lower()}{self.figure.x_title[1:]}"
        return (
            f"At {titled(at, self.figure.x_unit)} = {self.figure.at:g}: the standard error of the "
            f"mean over new seeds, {self.figure.draws} and examples, what each level adds to it "
            "(their squares add up), and the level of which more would help most. With one seed "
            "the part of the seeds is unknown and missing."
        )

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """Means and standard errors are in percent."""
        for row, found in self.analyzed:
            numbers = (found.mean, found.standard_error, *found.standard_errors.values())
            yield (
                *(row.name, float(self.figure.at), *found.sizes.values()),
                *(None if number is None else 100 * number for number in numbers),
                self._enlarge(found),
            )
