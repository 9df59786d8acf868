"""The parts of a report: the table, the orders of its rows, the figures, the notes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ftnoise.core.experiment import Column
from ftnoise.report.figures import view
from ftnoise.report.results import Results
from ftnoise.report.table import PLUS_MINUS, Block, Section, Table, titled


@lru_cache(maxsize=1)
def sections(results: Results) -> tuple[Section, ...]:
    """The parts of the report, in their order; the first one is the table."""
    experiment = results.experiment
    first = Section(
        title=experiment.title,
        lead=f"{experiment.source} ({results.preset} preset).",
        tables=tuple(table(results, columns) for columns in results.kinds()),
        text=results.legend(),
        name=results.stem,
        drawn=True,
    )
    orders: dict[str, list[str]] = {}
    for column, group, paper, ours in results.orders():
        verdict = "same" if paper == ours else "different"
        text = f"{group or 'rows'}: {verdict}. Paper: {paper}. Ours: {ours}."
        orders.setdefault(column.title.lower(), []).append(text)
    notes = (*experiment.notes, *results.notes)
    return (
        first,
        *(
            Section(title=f"Order of {title}, smallest first", items=tuple(items))
            for title, items in orders.items()
        ),
        *(view(results, figure).section() for figure in experiment.figures),
        *([Section(title="Notes", items=notes)] if notes else []),
    )


def table(results: Results, columns: Sequence[Column]) -> Table:
    """Some columns of the experiment: `paper | ours ± sd | diff`, or ours alone."""
    rows = [row for members in results.groups.values() for row in members.values()]
    blocks = []
    for column in columns:
        printed = [results.cell(row, column).printed for row in rows]
        spread = any(PLUS_MINUS in ours for _, ours, _ in printed)
        heads: tuple[str, ...] = ("paper", "ours ± sd" if spread else "ours", "diff")
        cells: list[tuple[str, ...]] = [*printed]
        if not results.has_paper(column):
            heads, cells = heads[1:2], [(ours,) for _, ours, _ in printed]
        title = titled(column.title, column.unit)
        blocks.append(Block(title, tuple(cells), heads))
    labels = [(group, label) for group, members in results.groups.items() for label in members]
    return Table(tuple(labels), tuple(blocks))
