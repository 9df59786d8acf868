"""Numbers with their nouns and tables for a terminal, and CSV files."""

from __future__ import annotations

from collections.abc import Sequence

from ftnoise.core.lazy import pandas


def counted(number: float, noun: str) -> str:
    """`1 point`, `0.5 points`, `10,000 trials`."""
    digits = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{digits} {noun}{'' if number == 1 else 's'}"


def csv(frame: pandas.DataFrame) -> str:
    """The lines of a frame without its index, numbers with 10 digits."""
    text: str = frame.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    return text


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table with right-aligned columns, the first row being its head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *rest = ["  ".join(map(str.rjust, row, widths)).rstrip() for row in rows]
    return [head, "-" * max(map(len, (head, *rest))), *rest]
