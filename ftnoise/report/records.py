"""One line for each number, for other programs: a data frame and CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ftnoise.report.results import Cell, Results

if TYPE_CHECKING:
    import pandas

TEXTS = ("experiment", "preset", "row", "measure", "unit")
NUMBERS = ("paper", "ours", "spread", "low", "high")
HEADER = (*TEXTS, *NUMBERS, "seeds", "difference")


def _record(results: Results, cell: Cell) -> dict[str, Any]:
    ours = cell.ours
    texts = (results.experiment.name, results.preset, cell.row.name, cell.column.name)
    numbers = (ours.mean, ours.spread, ours.low, ours.high) if ours else (None,) * 4
    values = (*texts, cell.column.unit, cell.paper, *numbers, ours.count if ours else 0)
    return dict(zip(HEADER, (*values, cell.difference), strict=True))


def cells(results: Results) -> pandas.DataFrame:
    """One line for each row and column of the table, missing ones too.

    Returns:
        A frame with the columns `HEADER`; numbers are float64, NaN where there is none, and
        `seeds` is an integer, 0 where the cell is missing.
    """
    import pandas

    frame = pandas.DataFrame([_record(results, cell) for cell in results.cells()], columns=HEADER)
    return frame.astype(dict.fromkeys((*NUMBERS, "difference"), "float64"))


def csv(results: Results) -> str:
    """The same lines as comma-separated values."""
    return _csv(cells(results))


def csv_of(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """Lines of texts, integers and floats as a CSV file; None and NaN are empty."""
    import pandas

    return _csv(pandas.DataFrame(list(lines), columns=list(header))).encode()


def _csv(frame: pandas.DataFrame) -> str:
    # Ten digits: more than any measure has, fewer than where sums in another order differ.
    return frame.to_csv(index=False, float_format="%.10g", lineterminator="\n")
