"""`Pairs`: rows compared pair by pair on the same draws, or alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ftnoise.core.experiment import Row
from ftnoise.core.figures import Pairs
from ftnoise.report.figures.comparison import STARS, Compared, ComparisonView
from ftnoise.report.table import seeds_in_words, titled
from ftnoise.stats.comparing import paired


class PairsView(ComparisonView):
    """A line for each pair of rows, a column for each x."""

    figure: Pairs
    keys = ("first", "second", "x")
    counts = ("draws", "seeds")

    @property
    def corner(self) -> str:
        return titled(self.figure.x_title, self.figure.x_unit)

    def titles(self, found: Sequence[Compared]) -> list[str]:
        return [f"{x:g}" for x in sorted({one.keys[-1] for one in found})]

    def compare(self) -> Iterator[Compared]:
        wanted = self.figure.rows
        for group, members in self.results.groups.items():
            rows = {label: row for label, row in members.items() if not wanted or label in wanted}
            if self.figure.alone:
                for label in rows:
                    yield from self._pair(group, {label: rows[label]})
            for labels in combinations(rows, 2):
                yield from self._pair(group, {label: rows[label] for label in labels})

    def _pair(self, group: str, rows: dict[str, Row]) -> Iterator[Compared]:
        """The first row minus the second at each x, or the first alone."""
        import numpy as np

        figure = self.figure
        readings = [self.results.shown(row, figure) for row in rows.values()]
        seeds = set.intersection(*({one.seed for one in some} for some in readings))
        if not seeds:
            return
        means = [
            np.mean([one.arrays[figure.values] for one in some if one.seed in seeds], axis=0,
                    dtype=np.float64)
            for some in readings
        ]  # fmt: skip
        xs = readings[0][0].arrays[figure.x].tolist()
        names = [row.name for row in rows.values()]
        alone = len(rows) == 1
        for x, *values in zip(xs, *means, strict=True):
            spreads = any(np.ptp(one) > 0 for one in values)
            if spreads and np.isfinite(values).all():
                first, second = values[0], values[-1] if not alone else np.zeros_like(values[0])
                found = paired(first.tolist(), second.tolist())
                yield Compared(
                    *(group, " - ".join(rows), f"{x:g}", figure.digits),
                    keys=(names[0], None if alone else names[1], float(x)),
                    found=found,
                    counts=(found.count, len(seeds)),
                    alone=alone,
                )

    def text(self) -> str:
        figure, found = self.figure, self.compared
        draws = sorted({one.counts[0] for one in found})
        seeds = [one.counts[1] for one in found]
        tested = sum(not one.alone for one in found)
        alone = "of each row, and " if figure.alone else ""
        return (
            f"{titled(figure.value_title, figure.value_unit)}, {alone}of the first row minus the "
            f"second on the same {figure.draws} ({', '.join(map(str, draws))}; "
            f"{seeds_in_words(max(seeds), min(seeds))}): mean ± half of its 95 % t interval over "
            f"{figure.draws}. {STARS}: two-sided paired t test, Holm's correction for all {tested} "
            "comparisons. It compares these trained networks, not other trainings."
        )
