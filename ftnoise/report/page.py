"""The parts of a report: the table, the orders of its rows, the figures, the notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any

from ftnoise.core.experiment import Column
from ftnoise.report.figures import networks
from ftnoise.report.figures.columns import on_overview, overview
from ftnoise.report.results import Cell, Results
from ftnoise.report.table import PLUS_MINUS, Block, Section, Table, titled

HEADER = ["row", "measure", "unit", "paper", "ours", "spread", "low", "high", "seeds", "difference"]


@lru_cache(maxsize=1)  # every form of a report shows the same
def sections(results: Results) -> list[Section]:
    """The parts of the report, in their order; the first one is the table."""
    experiment = results.experiment
    stem = f"{experiment.name}.{results.preset}"
    # Without a paper's numbers, its protocol is the experiment's own.
    own = results.preset == "paper" and not experiment.reproduces
    source = f"{experiment.source}{'' if own else f' ({results.preset} preset)'}."
    if experiment.grids:
        first = replace(networks.overview(results), title=experiment.title, lead=source, name=stem)
        return _with_figures(results, [first])
    first = Section(
        experiment.title,
        source,
        tables=[_table(results, columns) for columns in results.kinds()],
        text=" ".join(filter(None, (results.legend(), _left_out(results)))),
        name=stem,
        draw=lambda canvas: overview(canvas, results),
        header=HEADER,
        lines=[_line(results.cell(*cell)) for cell in results.cells()],
    )
    parts = [first]
    for column in experiment.columns:
        if orders := _orders(results, column):
            parts.append(Section(f"Order of {column.title.lower()}, smallest first", items=orders))
    return _with_figures(results, parts)


def _left_out(results: Results) -> str:
    """What the picture of the table does not show."""
    shown, all_of_them = len(on_overview(results)[1]), len(results.kinds()[0])
    if shown == all_of_them:
        return ""
    return f"The picture has {shown} of the {all_of_them} columns: those that differ and fit."


def _with_figures(results: Results, parts: list[Section]) -> list[Section]:
    """The parts, the experiment's figures, and the notes."""
    experiment = results.experiment
    stem = f"{experiment.name}.{results.preset}"
    for figure in experiment.figures:
        module = import_module(f"ftnoise.report.figures.{figure.module or figure.slug}")
        shown: Section | None = getattr(module, figure.slug)(results, figure)
        part = shown or Section(text="No result yet.")
        parts.append(replace(part, title=figure.title, name=f"{stem}.{figure.name}"))
    notes = (*experiment.notes, *results.notes)
    return [*parts, Section("Notes", items=notes)] if notes else parts


def _line(cell: Cell) -> tuple[Any, ...]:
    """A line of the CSV file."""
    ours, row, column = cell.ours, cell.row, cell.column
    numbers = (
        (ours.mean, ours.spread, ours.low, ours.high, ours.count) if ours else (*[None] * 4, 0)
    )
    return (row.name, column.name, column.unit, cell.paper, *numbers, cell.difference)


def _table(results: Results, columns: Sequence[Column]) -> Table:
    """Some columns: `paper | ours ± sd | diff`, or one number where the paper has none."""
    blocks = []
    for column in columns:
        cells: list[tuple[str, ...]] = [
            results.cell(row, column).printed for *_, row in results.rows
        ]
        spread = any(PLUS_MINUS in cell[1] for cell in cells)
        ours = "ours" if results.experiment.reproduces else "mean" if spread else "value"
        ours += " ± sd" if spread else ""
        ours += " [low, high]" if results.ends(column) else ""
        heads: tuple[str, ...] = ("paper", ours, "diff")
        if not results.has_paper(column):
            heads, cells = heads[1:2], [cell[1:2] for cell in cells]
        blocks.append(Block(titled(column.title, column.unit), cells, heads))
    return Table([(group, label) for group, label, _ in results.rows], blocks)


def _orders(results: Results, column: Column) -> list[str]:
    """The paper's order and ours of the rows with both, for each group with at least two."""
    found = []
    for group, rows in results.groups.items() if column.ranked else ():
        cells = {label: results.cell(row, column) for label, row in rows.items()}
        both = {label: cell for label, cell in cells.items() if cell.difference is not None}
        paper, ours = (
            _order({label: cell.number(ours) for label, cell in both.items()}, column.digits)
            for ours in (False, True)
        )
        verdict = "same" if paper == ours else "different"
        if len(both) > 1:
            found.append(f"{group or 'rows'}: {verdict}. Paper: {paper}. Ours: {ours}.")
    return found


def _order(numbers: Mapping[str, Any], digits: int) -> str:
    """The labels by their numbers as printed, `a < b = c`: equal ones are ties."""
    labels: dict[float, list[str]] = {}
    for label, number in numbers.items():
        labels.setdefault(round(number, digits), []).append(label)
    return " < ".join(" = ".join(labels[number]) for number in sorted(labels))
