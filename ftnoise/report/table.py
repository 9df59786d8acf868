"""The content of a report in a neutral form: sections with text, tables and lists of strings.

`page` makes them; `terminal`, `markdown` and `latex` render any of them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

MISSING = "-"
VACUOUS = "vacuous"
PLUS_MINUS = " ± "


@dataclass(frozen=True)
class Block:
    """Columns of a table under one title, which stay together.

    Args:
        title: above all of them.
        cells: strings [rows][columns]; `mean ± spread*` is aligned at its ±.
        heads: above each column; empty strings are no line.
    """

    title: str
    cells: tuple[tuple[str, ...], ...]
    heads: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Table:
    """Rows in groups, and blocks of columns.

    Args:
        labels: (group, row) for each line, the lines of a group together; a group may be "".
        blocks: the columns.
        corner: heading of the labels.
    """

    labels: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    corner: str = ""

    def groups(self) -> dict[str, list[int]]:
        """The numbers of the lines of each group."""
        found: dict[str, list[int]] = {}
        for line, (group, _) in enumerate(self.labels):
            found.setdefault(group, []).append(line)
        return found


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Args:
        title: its heading.
        lead: a sentence above the tables.
        tables: tables.
        text: sentences below them.
        items: a list.
        name: stem of its files.
        drawn: whether there is an image `<name>.png`; `terminal` and `latex` leave images out.
    """

    title: str
    lead: str = ""
    tables: tuple[Table, ...] = ()
    text: str = ""
    items: tuple[str, ...] = ()
    name: str = ""
    drawn: bool = False


def fixed(value: float | None, digits: int, sign: str = "") -> str:
    """A number with `digits` after the point, "-" for None; the sign "+" prints both signs."""
    if value is None:
        return MISSING
    rounded = round(value, digits)
    # Zero has no sign, neither -0.00 nor +0.00.
    return f"{rounded:{sign}.{digits}f}" if rounded else f"{0:.{digits}f}"


def titled(title: str, unit: str) -> str:
    """`Testing accuracy (%)`."""
    return f"{title} ({unit})" if unit else title


def seeds_in_words(most: int, least: int, most_draws: int = 1, least_draws: int = 1) -> str:
    """`1 seed`, `2 to 3 seeds`, `5 draws of the data, 20 seeds each`."""
    seeds = _in_words(most, least, "seed")
    if most_draws == 1:
        return seeds
    return f"{_in_words(most_draws, least_draws, 'draw')} of the data, {seeds} each"


def _in_words(most: int, least: int, noun: str) -> str:
    if least < most:
        return f"{least} to {most} {noun}s"
    return f"1 {noun}" if most == 1 else f"{most} {noun}s"


def csv_of(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """Strings, integers and floats as a CSV file; None and NaN are empty."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_plain(value) for value in line] for line in lines)
    return content.getvalue().encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Real) and not isinstance(value, int):
        # Ten digits: more than any measure has, fewer than where sums in another order differ.
        return "" if math.isnan(value) else f"{float(value):.10g}"
    return value
