"""Tables that compare: `Contrasts` and `Pairs` compare rows, `Levels` the sources of variance.

Sources: Student (1908) for the paired t test, Holm (1979) for the correction, and for `Levels` the
random-effects analysis of variance of `ftnoise/stats/levels.py`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

from ftnoise.core.figures import Contrasts, Levels, Pairs
from ftnoise.core.lazy import np
from ftnoise.report.results import Reading, Results, mean_over_seeds
from ftnoise.report.table import (
    MISSING,
    PLUS_MINUS,
    Block,
    Section,
    Table,
    fixed,
    seeds_in_words,
    titled,
    uncapitalized,
)
from ftnoise.stats.comparing import Comparison, holm, paired
from ftnoise.stats.levels import variance_components

STARS = (0.05, 0.01, 0.001)
TEST = "* p < 0.05, ** p < 0.01, *** p < 0.001: two-sided paired t test"


class Compared(NamedTuple):
    """A difference between two rows, or the mean of a row alone.

    Attributes:
        line: group and label of its line in the table.
        title: its column in the table.
        digits: digits after the point in print.
        keys: the first row, the second (None for a row alone), and where they are compared.
        result: mean, interval and p-value, which means nothing for a row alone.
        counts: numbers of seeds and draws, in the order of the CSV file.
    """

    line: tuple[str, str]
    title: str
    digits: int
    keys: tuple[str, str | None, Any]
    result: Comparison
    counts: tuple[int, ...]


def contrasts(results: Results, figure: Contrasts) -> Section | None:
    """Each row of a group minus a baseline: a line for each row, a column for each column.

    Seeds of one draw of the data share it, so they are no independent pairs: with several draws the
    differences are averaged within each, and the test is over draws. All draws have the same seeds;
    the effect of a seed on all draws alike is no part of the spread.
    """
    several = results.draws > 1
    found, titles = [], []
    for column in map(results.column, figure.columns):
        titles.append(titled(column.title, column.unit))
        for group, label, row in results.rows:
            baseline = results.groups[group].get(figure.baseline, row)
            own, known = (results.by_run(one, column) for one in (row, baseline))
            samples: dict[int, list[tuple[float, float]]] = {}
            for run in own if row is not baseline else ():
                if run in known:
                    sample = run[0] if several else run[1]
                    samples.setdefault(sample, []).append((own[run], known[run]))
            if len(samples) > 1:
                first, second = (
                    [statistics.fmean(pair[k] for pair in some) for some in samples.values()]
                    for k in (0, 1)
                )
                keys = (row.name, baseline.name, column.name)
                counts = (sum(map(len, samples.values())), len(samples))[: 2 if several else 1]
                result, line = paired(first, second), (group, label)
                found.append(Compared(line, titles[-1], column.digits, keys, result, counts))
    if not found:
        return None
    same, over, count = "seed", "", seeds_in_words([one.counts[0] for one in found])
    if several:
        same, over = "draw of the data and seed, averaged within each draw", " over draws"
        count = f"{max(one.counts[1] for one in found)} draws of the data ({count})"
    text = (
        f"Each row minus {figure.baseline} with the same {same}: mean ± half of its 95 % t "
        f"interval over {count}. {TEST}{over}, Holm's correction for all {len(found)} comparisons."
    )
    names = ("row", "baseline", "column"), ("seeds", "draws") if several else ("seeds",)
    return _shown(found, text, titles, names)


def pairs(results: Results, figure: Pairs) -> Section | None:
    """Rows compared pair by pair on the same draws, or alone: a column for each x."""
    shown = results.shown(figure)
    found = []
    for group, rows in results.groups.items():
        labels = [label for label in rows if rows[label].name in shown]
        alone = [(label,) for label in labels] if figure.alone else []
        base = [figure.baseline] if figure.baseline in labels else []
        others = [label for label in labels if label != figure.baseline]
        differences = product(others, base) if figure.baseline else combinations(labels, 2)
        for compared in (*alone, *differences):
            names = [rows[label].name for label in compared]
            seeds = set.intersection(*({one.seed for one in shown[name]} for name in names))
            if not seeds:
                continue
            both_have = [[one for one in shown[name] if one.seed in seeds] for name in names]
            means = [mean_over_seeds(readings, figure.values) for readings in both_have]
            means = [*means, np.zeros_like(means[0])][:2]
            keys = (names[0], names[1] if len(names) > 1 else None)
            xs = shown[names[0]][0].arrays[figure.x].astype(float).tolist()
            for x, *at_x in zip(xs, *means, strict=True):
                if np.isfinite(at_x).all() and np.ptp(at_x, axis=1).any():
                    result, line = paired(*at_x), (group, " - ".join(compared))
                    counts = (result.count, len(seeds))
                    found.append(Compared(line, f"{x:g}", 2, (*keys, x), result, counts))
    if not found:
        return None
    draws = ", ".join(map(str, sorted({one.counts[0] for one in found})))
    text = (
        f"{titled(figure.value_title, figure.value_unit)}, "
        f"{'of each row, and ' if figure.alone else ''}of the first row minus the second on the "
        f"same {figure.draws} ({draws}; {seeds_in_words([one.counts[1] for one in found])}): "
        f"mean ± half of its 95 % t interval over {figure.draws}. {TEST}, Holm's correction for "
        f"all {sum(one.keys[1] is not None for one in found)} comparisons. It compares these "
        "trained networks, not other trainings."
    )
    titles = [f"{x:g}" for x in sorted({one.keys[2] for one in found})]
    header = ("first", "second", "x"), ("draws", "seeds")
    return _shown(found, text, titles, header, titled(figure.x_title, figure.x_unit))


def _shown(
    found: Sequence[Compared],
    text: str,
    titles: Sequence[str],
    names: tuple[Sequence[str], Sequence[str]],
    corner: str = "",
) -> Section:
    """The table, and the CSV file; `names` of its columns are those of `keys` and of `counts`."""
    corrected = iter(holm([one.result.p_value for one in found if one.keys[1] is not None]))
    printed, lines = {}, []
    for line, title, digits, keys, result, counts in found:
        ends = (result.difference, result.low, result.high)
        half = fixed((result.high - result.low) / 2, digits)
        if keys[1] is None:
            printed[line, title] = fixed(result.difference, digits) + PLUS_MINUS + half
            lines.append((*keys, *ends, None, None, *counts))
        else:
            p = next(corrected)
            stars = "*" * sum(p < level for level in STARS)
            difference = fixed(result.difference, digits, "+")
            printed[line, title] = difference + PLUS_MINUS + half + stars
            lines.append((*keys, *ends, result.p_value, p, *counts))
    labels = [*dict.fromkeys(one.line for one in found)]
    blocks = [
        Block(title, [(printed.get((line, title), MISSING),) for line in labels])
        for title in titles
    ]
    header = (*names[0], "difference", "low", "high", "p", "p_holm", *names[1])
    return Section(text=text, tables=[Table(labels, blocks, corner)], header=header, lines=lines)


def levels(results: Results, figure: Levels) -> Section | None:
    """Where the uncertainty of a mean comes from: a line for each row with bits at the x."""
    names = ("seeds", figure.draws, "examples")
    shown = results.shown(figure)
    labels, rows, lines = [], [], []
    for group, label, row in results.rows:
        bits = [_bits(reading, figure) for reading in shown.get(row.name, ())]
        if not bits or not all(map(len, bits)):
            continue
        found = variance_components(np.stack(bits))
        sizes = found.sizes.values()
        numbers = (found.mean, found.standard_error, *found.standard_errors.values())
        percent = [None if number is None else 100 * number for number in numbers]
        enlarge = dict(zip((*found.sizes, None), (*names, ""), strict=True))[found.enlarge]
        interactions = math.hypot(*(part or 0 for part in percent[5:]))
        printed = [fixed(number, 2) for number in (*percent[:5], interactions)]
        labels.append((group, label))
        rows.append([*(f"{size:,}" for size in sizes), *printed, enlarge or MISSING])
        lines.append((row.name, float(figure.at), *sizes, *percent, enlarge))
    if not rows:
        return None
    titles = (
        *(*names, "mean (%)", "standard error (points)"),
        *(*(f"of {name}" for name in names), "of their interactions", "enlarge"),
    )
    blocks = [Block(title, [(row[k],) for row in rows]) for k, title in enumerate(titles)]
    at = titled(uncapitalized(figure.x_title), figure.x_unit)
    text = (
        f"At {at} = {figure.at:g}: the standard error of the mean over new seeds, {figure.draws} "
        "and examples, what each level adds to it (their squares add up), and the level of which "
        "more would help most. With one seed the part of the seeds is unknown and missing."
    )
    header = (
        *("row", "x", "seeds", "draws", "examples", "mean", "standard_error"),
        *("seed", "draw", "example", "seed_draw", "seed_example", "draw_example", "residual"),
        "enlarge",
    )
    return Section(text=text, tables=[Table(labels, blocks)], header=header, lines=lines)


def _bits(reading: Reading, figure: Levels) -> np.ndarray:
    """Which examples are right at the x, bool [draws, examples]; empty without two draws."""
    at, packed = reading.arrays[figure.x] == figure.at, reading.arrays[figure.bits]
    if not at.any() or packed.shape[1] < 2:
        return np.zeros((0, 0), bool)
    count = int(reading.info[figure.examples])
    return np.unpackbits(packed[at][0], axis=1, count=count).astype(bool)
