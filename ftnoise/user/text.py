"""Pieces of the text of a result: numbers with nouns, aligned tables, rows of a campaign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def counted(number: float, noun: str) -> str:
    """`1 point`, `0.5 points`, `10,000 trials`."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{digits} {noun}{'' if number == 1 else 's'}"


def table(head: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table with right-aligned columns."""
    rows = [head, *cells]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *rest = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
    return [first, "-" * max(map(len, (first, *rest))), *rest]


def row_cells(row: dict[str, Any], free: bool) -> list[str]:
    """The cells of a rate; `free` adds the distribution-free interval."""
    deviation = row["output_deviation_mean"]
    return [
        row["rate"],
        f"{row['faults']:,.0f}" if row["faults"] >= 10 else f"{row['faults']:g}",
        str(row["trials"]),
        f"{row['accuracy']:.2f}",
        "" if row["sd"] is None else f"{row['sd']:.2f}",
        f"{row['low']:.2f} to {row['high']:.2f}",
        *([f"{row['free_low']:.2f} to {row['free_high']:.2f}"] if free else []),
        f"{row['sdc_rate']:.2f}",
        "not finite" if deviation is None else f"{deviation:.3g}",
    ]


def standard_error(row: dict[str, Any]) -> list[str]:
    """A sentence about the sources of the standard error, if they are known."""
    if row["trial_error"] is None:
        return []
    more = f"; more {row['enlarge']} reduce it most" if row["enlarge"] else ""
    return [
        f"Standard error at {row['rate']}: {row['trial_error']:.2f} points from the trials, "
        f"{row['example_error']:.2f} from the examples (not part of the intervals){more}."
    ]
