"""The content of a report in a neutral form: sections with text, tables, a picture and data.

`page` makes them; `terminal`, `markdown`, `html` and `latex` render any of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MISSING = "-"
VACUOUS = "vacuous"
PLUS_MINUS = " ± "


@dataclass(frozen=True)
class Block:
    """Columns of a table under one title, which stay together.

    Args:
        title: above all of them.
        cells: strings [rows][columns]; `mean ± spread*` and `number [low, high]` are aligned at
            the ends of their first numbers.
        heads: above each column; empty strings are no line.
    """

    title: str
    cells: Sequence[Sequence[str]]
    heads: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Table:
    """Rows in groups, and blocks of columns.

    Args:
        labels: (group, row) for each line; a group may be "".
        blocks: the columns.
        corner: heading of the labels.
    """

    labels: Sequence[tuple[str, str]]
    blocks: Sequence[Block]
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
        draw: draws its picture `<name>.png` onto an empty canvas, and gives it a size. `terminal`
            and `latex` leave pictures out.
        header: columns of its CSV file after experiment and preset; no file if empty.
        lines: of the CSV file.
    """

    title: str = ""
    lead: str = ""
    tables: Sequence[Table] = ()
    text: str = ""
    items: Sequence[str] = ()
    name: str = ""
    draw: Callable[[Canvas], None] | None = None
    header: Sequence[str] = ()
    lines: Sequence[Sequence[Any]] = ()


def fitting(widths: Sequence[int], room: int) -> list[list[int]]:
    """The numbers of columns of these widths, in parts that fit into the room."""
    parts: list[list[int]] = []
    free = 0
    for number, width in enumerate(widths):
        if not parts or width > free:
            parts.append([])
            free = room
        parts[-1].append(number)
        free -= width
    return parts


def fixed(value: float | None, digits: int, sign: str = "", *, upward: bool = False) -> str:
    """A number with `digits` after the point, "-" for None; the sign "+" prints both signs."""
    if value is None:
        return MISSING
    rounded = rounded_up(value, digits) if upward else round(value, digits)
    # Zero has no sign, neither -0.00 nor +0.00.
    return f"{rounded:{sign}.{digits}f}" if rounded else f"{0:.{digits}f}"


def rounded_up(value: float, digits: int) -> float:
    """The smallest number of `digits` after the point, as `round` takes them, that is not less."""
    # The shortest decimal form of the float: 1.1 has one digit.
    return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_CEILING))


def titled(title: str, unit: str) -> str:
    """`Testing accuracy (%)`."""
    return f"{title} ({unit})" if unit else title


def uncapitalized(title: str) -> str:
    """`share of faulty parameters`."""
    return title[:1].lower() + title[1:]


def seeds_in_words(seeds: Collection[int], draws: Collection[int] = (1,)) -> str:
    """`1 seed`, `2 to 3 seeds`, `5 draws of the data, 20 seeds each`, from all counts."""
    text = _counted(seeds, "seed")
    return text if max(draws) == 1 else f"{_counted(draws, 'draw')} of the data, {text} each"


def _counted(counts: Collection[int], noun: str) -> str:
    least, most = min(counts), max(counts)
    number = str(most) if least == most else f"{least} to {most}"
    return f"{number} {noun}{'' if most == 1 else 's'}"


def csv_of(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """Strings, integers and floats as a CSV file; None and NaN are empty."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(header)
    # Ten digits: more than any measure has, fewer than where sums in another order differ.
    writer.writerows(
        [
            f"{value:.10g}".replace("nan", "") if isinstance(value, float) else value
            for value in line
        ]
        for line in lines
    )
    return content.getvalue().encode()
