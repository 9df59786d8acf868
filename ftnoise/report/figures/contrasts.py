"""`Contrasts`: each row of a group minus a baseline, paired by seed.

Seeds of one draw of the data share it, so they are no independent pairs: with several draws the
differences are averaged within each, and the test is over draws. All draws have the same seeds;
the effect of a seed on all draws alike is no part of the spread.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from ftnoise.core.experiment import Column, Row
from ftnoise.core.figures import Contrasts
from ftnoise.report.figures.comparison import STARS, Compared, ComparisonView
from ftnoise.report.table import seeds_in_words, titled
from ftnoise.stats.comparing import paired


class ContrastsView(ComparisonView):
    """A line for each row but the baseline, a column for each column of the table."""

    figure: Contrasts
    keys = ("row", "baseline", "column")

    @property
    def counts(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("seeds", "draws") if self.results.draws > 1 else ("seeds",)

    def compare(self) -> Iterator[Compared]:
        for name in self.figure.columns:
            column = self.columns[name]
            for group, rows in self.results.groups.items():
                if (baseline := rows.get(self.figure.baseline)) is None:
                    continue
                for label, row in rows.items():
                    if row != baseline:
                        yield from self._contrast(group, label, row, baseline, column)

    def _contrast(
        self, group: str, label: str, row: Row, baseline: Row, column: Column
    ) -> Iterator[Compared]:
        """The row minus the baseline, if they have two seeds (or draws of the data) in common."""
        own, known = (self.results.by_run(one, column) for one in (row, baseline))
        by_draw: dict[int, list[tuple[float, float]]] = {}
        for run in own:
            if run in known:
                by_draw.setdefault(run[0], []).append((own[run], known[run]))
        both = [pair for pairs in by_draw.values() for pair in pairs]
        seeds, draws = len(both), len(by_draw)
        if self.results.draws > 1:
            both = [
                (statistics.fmean(a for a, _ in pairs), statistics.fmean(b for _, b in pairs))
                for pairs in by_draw.values()
            ]
        if len(both) > 1:
            yield Compared(
                *(group, label, titled(column.title, column.unit), column.digits),
                keys=(row.name, baseline.name, column.name),
                found=paired([a for a, _ in both], [b for _, b in both]),
                counts=(seeds, draws)[: len(self.counts)],
            )

    def text(self) -> str:
        seeds = [one.counts[0] for one in self.compared]
        same, over, count = "seed", "", seeds_in_words(max(seeds), min(seeds))
        if self.results.draws > 1:
            same, over = "draw of the data and seed, averaged within each draw", " over draws"
            count = f"{max(one.counts[1] for one in self.compared)} draws of the data ({count})"
        return (
            f"Each row minus {self.figure.baseline} with the same {same}: mean ± half of its 95 % "
            f"t interval over {count}. {STARS}: two-sided paired t test{over}, Holm's correction "
            f"for all {len(self.compared)} comparisons."
        )
