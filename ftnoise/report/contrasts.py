"""Rows against one of them, seed by seed: what is compared, in print and as data.

Source: Student (1908) for the paired t test, Holm (1979) for the correction.

Seeds of one draw of the data share it, so they are no independent pairs: with several draws the
differences are averaged within each, and the test is over draws. All draws have the same seeds;
what a seed brings to every draw alike is no part of the spread.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import Contrasts
from ftnoise.report.records import csv_of
from ftnoise.report.results import LEVEL, Results, fixed, heading, printed_p, seeds_in_words
from ftnoise.stats.comparing import Comparison, holm, paired

HEADER = (
    *("experiment", "preset", "row", "baseline", "column", "difference", "low", "high"),
    *("p", "p_holm", "seeds"),
)


@dataclass(frozen=True)
class Contrast:
    """A row against the baseline in a column.

    Attributes:
        row, baseline: the rows.
        column: the column.
        found: of row - baseline, over seeds that both have; over draws of the data if several.
        seeds: how many seeds both have, of each draw of the data.
        p_holm: the p-value, corrected for all comparisons of the table.
    """

    row: Row
    baseline: Row
    column: Column
    found: Comparison
    seeds: tuple[int, ...]
    p_holm: float = math.nan

    @property
    def is_clear(self) -> bool:
        """Whether the difference is told from none at the level of 5 %."""
        return self.p_holm < LEVEL

    @property
    def p_printed(self) -> str:
        """The corrected p-value, to a thousandth."""
        return printed_p(self.p_holm)

    @property
    def difference(self) -> str:
        """`+1.23`."""
        return fixed(self.found.difference, self.column.digits, "+")

    @property
    def interval(self) -> str:
        """`[+0.78, +1.68]`."""
        ends = (self.found.low, self.found.high)
        low, high = (fixed(end, self.column.digits, "+") for end in ends)
        return f"[{low}, {high}]"


def compare(results: Results, picture: Contrasts) -> list[Contrast]:
    """All comparisons of rows with the baseline, column by column.

    A row without two seeds in common with it, or two draws of the data where there are several,
    has none.
    """
    found = list(_compare(results, picture))
    corrected = holm([one.found.p_value for one in found])
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def _compare(results: Results, picture: Contrasts) -> Iterator[Contrast]:
    columns = {column.name: column for column in results.experiment.columns}
    for name in picture.columns:
        for group in results.groups():
            rows = dict(group.rows)
            if picture.baseline not in rows:
                continue
            baseline = rows[picture.baseline]
            known = results.by_run(baseline, columns[name])
            for row in rows.values():
                own = results.by_run(row, columns[name])
                by_draw: dict[int, list[tuple[float, float]]] = {}
                for run in own:
                    if run in known:
                        by_draw.setdefault(run[0], []).append((own[run], known[run]))
                both = [pair for pairs in by_draw.values() for pair in pairs]
                if results.draws > 1:
                    both = [_mean(pairs) for pairs in by_draw.values()]
                if row != baseline and len(both) > 1:
                    pair = paired([one for one, _ in both], [other for _, other in both])
                    seeds = tuple(map(len, by_draw.values()))
                    yield Contrast(row, baseline, columns[name], pair, seeds)


def _mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    own, known = zip(*pairs, strict=True)
    return statistics.fmean(own), statistics.fmean(known)


def files(results: Results, picture: Contrasts) -> dict[str, bytes]:
    """Its `csv`: a line for each comparison; how many `draws` stands there if several."""
    several = results.draws > 1
    where = (results.experiment.name, results.preset)
    lines = (
        (
            *(*where, one.row.name, one.baseline.name, one.column.name),
            *(one.found.difference, one.found.low, one.found.high, one.found.p_value, one.p_holm),
            *((sum(one.seeds), len(one.seeds)) if several else (one.found.count,)),
        )
        for one in compare(results, picture)
    )
    return {"csv": csv_of((*HEADER, "draws") if several else HEADER, lines)}


def caption(found: list[Contrast], picture: Contrasts) -> str:
    """What the numbers are, in a few sentences."""
    if not found:
        return f"No row has two seeds in common with {picture.baseline} yet."
    counts = [count for one in found for count in one.seeds]
    draws = [len(one.seeds) for one in found]
    same, test = "seed", "paired t test"
    if max(draws) > 1:
        same = "draw of the data and seed, averaged within each draw"
        test += " over draws"
    return (
        f"A row's number minus that of {picture.baseline} with the same {same}: mean and 95 % t "
        f"interval over {seeds_in_words(max(counts), min(counts), max(draws), min(draws))}. "
        f"p: two-sided {test}, Holm's correction for all {len(found)} comparisons."
    )


def table(found: list[Contrast]) -> list[list[str]]:
    """The table as text, its heading first."""
    head = ["", "", "difference", "95 % interval", "p"]
    return [
        head,
        *(
            [one.row.name, heading(one.column), one.difference, one.interval, one.p_printed]
            for one in found
        ),
    ]
