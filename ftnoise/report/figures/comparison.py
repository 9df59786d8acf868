"""Base of the tables of differences between rows: each cell with its interval and p-value.

Source: Student (1908) for the paired t test, Holm (1979) for the correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from ftnoise.report.figures.view import View
from ftnoise.report.table import MISSING, PLUS_MINUS, Block, Table, fixed
from ftnoise.stats.comparing import Comparison, holm

LEVELS = {0.05: "*", 0.01: "**", 0.001: "***"}
STARS = ", ".join(f"{stars} p < {level:g}" for level, stars in LEVELS.items())


@dataclass(frozen=True)
class Compared:
    """One cell: a difference between two rows, or the mean of a row alone.

    Attributes:
        group, label: the line of the table.
        title: the column of the table.
        digits: digits after the point in print.
        keys: which rows are compared and where, in the CSV file.
        found: mean, interval and p-value.
        counts: the numbers of seeds and draws, in the CSV file.
        alone: it is no difference, so it has no p-value.
        p_holm: the p-value corrected for all comparisons of the table; NaN of a row alone.
    """

    group: str
    label: str
    title: str
    digits: int
    keys: tuple[Any, ...]
    found: Comparison
    counts: tuple[int, ...]
    alone: bool = False
    p_holm: float = math.nan

    @property
    def printed(self) -> str:
        """`+1.23 ± 0.45**`: the difference, half of its interval's length, stars."""
        mean = fixed(self.found.difference, self.digits, "" if self.alone else "+")
        half = fixed((self.found.high - self.found.low) / 2, self.digits)
        stars = [stars for level, stars in LEVELS.items() if self.p_holm < level]
        return mean + PLUS_MINUS + half + (stars[-1] if stars else "")


class ComparisonView(View):
    """Base of `PairsView` and `ContrastsView`.

    Attributes:
        keys, counts: headers of the first and last columns of the CSV file.
    """

    drawn = False
    keys: ClassVar[tuple[str, ...]]
    counts: tuple[str, ...]

    def compare(self) -> Iterable[Compared]:
        """All cells, without `p_holm`."""
        raise NotImplementedError

    @property
    def corner(self) -> str:
        """What the titles of the columns are."""
        return ""

    @cached_property
    def compared(self) -> list[Compared]:
        """All cells, group by group."""
        found = list(self.compare())
        tested = [n for n, one in enumerate(found) if not one.alone]
        corrected = holm([found[n].found.p_value for n in tested])
        for n, p in zip(tested, corrected, strict=True):
            found[n] = replace(found[n], p_holm=p)
        return found

    def is_empty(self) -> bool:
        return not self.compared

    def tables(self) -> tuple[Table, ...]:
        found = self.compared
        cells = {(one.group, one.label, one.title): one.printed for one in found}
        groups = dict.fromkeys(one.group for one in found)
        lines = dict.fromkeys((one.group, one.label) for one in found)
        labels = tuple(line for group in groups for line in lines if line[0] == group)
        blocks = (
            Block(title, tuple((cells.get((*line, title), MISSING),) for line in labels))
            for title in self.titles(found)
        )
        return (Table(labels, tuple(blocks), self.corner),)

    def titles(self, found: Sequence[Compared]) -> list[str]:
        """The columns of the table, in order."""
        return list(dict.fromkeys(one.title for one in found))

    @property
    def header(self) -> tuple[str, ...]:
        return (*self.keys, "difference", "low", "high", "p", "p_holm", *self.counts)

    def lines(self) -> Iterator[tuple[Any, ...]]:
        for one in self.compared:
            p = (None, None) if one.alone else (one.found.p_value, one.p_holm)
            found = one.found
            yield (*one.keys, found.difference, found.low, found.high, *p, *one.counts)
