"""Pictures of a table's columns: against another one, or row against row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ftnoise.core.checks import expect
from ftnoise.core.interfaces import Figure


@dataclass(frozen=True, kw_only=True)
class Curves(Figure):
    """Some columns of the table against the column `x`, a point for each row.

    A row that has no x, neither the paper's nor ours, is a horizontal line.

    Args:
        name, title: see `Figure`.
        x: the name of a column.
        panels: for each panel, from top to bottom, the names of the columns that it shows, which
            have one unit.
        logarithmic: whether the x axis is; it has no place for an x <= 0.
    """

    x: str
    panels: tuple[tuple[str, ...], ...]
    logarithmic: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.panels, tuple)
            and len(self.panels) > 0
            and all(isinstance(panel, tuple) and panel for panel in self.panels),
            f"panels of {self.name} to be tuples of columns' names",
            panels=self.panels,
        )
        expect(
            all(len(set(panel)) == len(panel) for panel in self.panels),
            f"panels of {self.name} with different columns",
            panels=self.panels,
        )

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        expect(self.x in columns, f"a column of the table for {self.name}", x=self.x)
        for panel in self.panels:
            expect(
                columns.keys() >= set(panel), f"columns of the table for {self.name}", panel=panel
            )
            found = [columns[name] for name in panel]
            expect(len(set(found)) == 1, f"one unit in a panel of {self.name}", units=found)


@dataclass(frozen=True, kw_only=True)
class Contrasts(Figure):
    """Every row of a group against one of them in some columns, seed by seed: a table.

    The mean over seeds of the row's number minus the baseline's, its 95 % t interval, and the
    p-value of a two-sided paired t test, corrected by Holm's method for all comparisons. Seeds that
    both rows have count; what they share (initial weights, order of the examples) pairs them.

    Args:
        name, title: see `Figure`.
        baseline: the row that the others are compared with, by its name without its group's.
        columns: the names of columns.
    """

    baseline: str
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.columns, tuple)
            and len(set(self.columns)) == len(self.columns) > 0
            and all(isinstance(name, str) for name in self.columns),
            f"columns of {self.name} to be different names",
            columns=self.columns,
        )

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        expect(
            any(f" {row}".endswith(f" {self.baseline}") for row in rows),
            f"a row of the table for {self.name}",
            baseline=self.baseline,
        )
        expect(
            columns.keys() >= set(self.columns),
            f"columns of the table for {self.name}",
            columns=self.columns,
        )


@dataclass(frozen=True, kw_only=True)
class Scatter(Figure):
    """Every row as a point in two columns, a panel for each pair of columns.

    A row that no other beats in both columns of a panel is on its Pareto front, which is drawn.

    Args:
        name, title: see `Figure`.
        panels: pairs of columns' names, x and y.
        low: the names of columns in which less is better; more is in all others.
        logarithmic: the names of columns whose axis is logarithmic; it has no place for 0.
    """

    panels: tuple[tuple[str, str], ...]
    low: tuple[str, ...] = ()
    logarithmic: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(
            isinstance(self.panels, tuple)
            and len(self.panels) > 0
            and all(isinstance(pair, tuple) and len({*pair}) == 2 for pair in self.panels),
            f"panels of {self.name} to be pairs of different columns",
            panels=self.panels,
        )
        shown = {name for pair in self.panels for name in pair}
        for which in ("low", "logarithmic"):
            expect(
                set(getattr(self, which)) <= shown,
                f"{which} of {self.name} to be columns that it shows",
                **{which: getattr(self, which)},
            )

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        for pair in self.panels:
            expect(columns.keys() >= {*pair}, f"columns of the table for {self.name}", panel=pair)
