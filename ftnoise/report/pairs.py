"""Rows compared pair by pair on the same draws, or alone: what is said, in print and as data.

Source: Student (1908) for the paired t test, Holm (1979) for the correction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Pairs
from ftnoise.report.records import csv_of
from ftnoise.report.results import (
    LEVEL,
    MISSING,
    Group,
    Results,
    fixed,
    printed_p,
    seeds_in_words,
    titled,
)
from ftnoise.stats.comparing import Comparison, holm, paired

STAR = "*"
STARRED = f"{STAR} p < {LEVEL:g}."
HEADER = (
    *("experiment", "preset", "first", "second", "x", "difference", "low", "high"),
    *("p", "p_holm", "draws", "seeds"),
)


@dataclass(frozen=True)
class Compared:
    """A pair of rows at one x, or a row by itself.

    Attributes:
        group: what the names of both rows begin with, or "".
        first, second: the rows; the second is None where the first stands alone.
        labels: their names without that of the group.
        x: where.
        found: of first - second, or of the first, over draws.
        seeds: over how many each draw was averaged first.
        p_holm: the p-value, corrected for all comparisons of the table; NaN of a row alone.
    """

    group: str
    first: Row
    second: Row | None
    labels: tuple[str, ...]
    x: float
    found: Comparison
    seeds: int
    p_holm: float = math.nan

    @property
    def pair(self) -> str:
        """`natural - trades`."""
        return " - ".join(self.labels)

    @property
    def is_clear(self) -> bool:
        """Whether the difference is told from none at the level of 5 %."""
        return self.p_holm < LEVEL

    @property
    def p_printed(self) -> str:
        """The corrected p-value, to a thousandth."""
        if self.second is None:
            return MISSING
        return printed_p(self.p_holm)


def compare(results: Results, pairs: Pairs) -> list[Compared]:
    """All comparisons for which there are arrays, by group, pair and x."""
    found = [one for group in results.groups() for one in _compare(results, group, pairs)]
    tested = [one for one in found if one.second is not None]
    corrected = dict(zip(map(id, tested), holm([one.found.p_value for one in tested]), strict=True))
    return [replace(one, p_holm=corrected.get(id(one), math.nan)) for one in found]


def _compare(results: Results, group: Group, pairs: Pairs) -> Iterator[Compared]:
    import numpy as np

    rows = [(label, row) for label, row in group.rows if not pairs.rows or label in pairs.rows]
    values = {
        row.name: {r.seed: r.arrays[pairs.values] for r in results.shown(row, pairs)}
        for _, row in rows
    }
    asked: list[tuple[tuple[str, Row], ...]] = [(row,) for row in rows] if pairs.alone else []
    asked += itertools.combinations(rows, 2)
    for chosen in asked:
        labels, (first, *others) = zip(*chosen, strict=True)
        seeds = sorted(set.intersection(*(set(values[row.name]) for _, row in chosen)))
        if not seeds:
            continue
        means = [
            np.mean([values[row.name][seed] for seed in seeds], axis=0, dtype=np.float64)
            for _, row in chosen
        ]
        xs = results.shown(first, pairs)[0].arrays[pairs.x].tolist()
        for x, *drawn in zip(xs, *means, strict=True):
            if any(np.ptp(one) > 0 for one in drawn) and np.isfinite(drawn).all():
                a, b = drawn[0], drawn[1] if others else np.zeros_like(drawn[0])
                found = paired(a.tolist(), b.tolist())
                second = others[0] if others else None
                yield Compared(group.name, first, second, labels, x, found, len(seeds))


def files(results: Results, pairs: Pairs) -> dict[str, bytes]:
    """Its `csv`: a line for each comparison."""
    where = (results.experiment.name, results.preset)
    lines = (
        (
            *(*where, one.first.name, one.second.name if one.second else None, float(one.x)),
            *(one.found.difference, one.found.low, one.found.high),
            *((one.found.p_value, one.p_holm) if one.second else (None, None)),
            *(one.found.count, one.seeds),
        )
        for one in compare(results, pairs)
    )
    return {"csv": csv_of(HEADER, lines)}


def difference(one: Compared, pairs: Pairs) -> str:
    """`+1.23`."""
    return fixed(one.found.difference, pairs.digits, "+" if one.second else "")


def half(one: Compared, pairs: Pairs) -> str:
    """Half of the interval's length, `0.45`."""
    return fixed((one.found.high - one.found.low) / 2, pairs.digits)


def interval(one: Compared, pairs: Pairs) -> str:
    """`[+0.78, +1.68]`."""
    sign = "+" if one.second else ""
    low, high = (fixed(end, pairs.digits, sign) for end in (one.found.low, one.found.high))
    return f"[{low}, {high}]"


def caption(found: list[Compared], pairs: Pairs) -> str:
    """What the numbers are, in a few sentences."""
    if not found:
        return "No two rows of a group have a result yet."
    draws = {one.found.count for one in found}
    seeds = [one.seeds for one in found]
    tested = sum(one.second is not None for one in found)
    alone = "a row's own, and " if pairs.alone else ""
    return (
        f"{titled(pairs.value_title, pairs.value_unit)}, {alone}the first row's minus the second's "
        f"on the same {pairs.draws} ({', '.join(map(str, sorted(draws)))}; "
        f"{seeds_in_words(max(seeds), min(seeds))}): mean and 95 % t interval over {pairs.draws}, "
        f"of each by itself. p: two-sided paired t test, Holm's correction for all {tested} "
        "comparisons. This is said of these trained networks, not of other trainings."
    )


def lines(found: list[Compared]) -> dict[str, dict[str, dict[float, Compared]]]:
    """The comparisons by group, pair and x, in the order of the table."""
    grid: dict[str, dict[str, dict[float, Compared]]] = {}
    for one in found:
        grid.setdefault(one.group, {}).setdefault(one.pair, {})[one.x] = one
    return grid


def xs(found: list[Compared], most: int) -> list[list[float]]:
    """The different x in order, at most so many in a table."""
    every = sorted({one.x for one in found})
    return [every[i : i + most] for i in range(0, len(every), most)]
