"""A report as text for a terminal.

Blocks of columns are never broken: a narrow terminal gets more tables instead of broken lines.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ftnoise.report.page import sections
from ftnoise.report.results import Results
from ftnoise.report.table import Block, Table, fitting

GAP = "  "
BAR = " | "
NUMBER = re.compile(r"[+-]?[\d.,]+( .*)?|-")
NARROW = 14  # characters: a title is not broken into shorter lines
BOLD, DIM, CYAN, YELLOW = "1", "2", "36", "33"
STYLES = {"paper": CYAN, "diff": YELLOW}
Style = Callable[[str, str], str]


def terminal(results: Results, width: int = 100, color: bool = False) -> str:
    """The report's tables, orders and notes.

    Args:
        results: the stored results.
        width: characters in a line. Lines are longer only where a single block of columns does not
            fit next to the rows' names.
        color: with ANSI colors, which no information depends on.
    """

    def style(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color and text.strip() else text

    paragraphs = []
    for n, section in enumerate(sections(results)):
        if n and section.draw:
            continue
        title = section.title if n else f"{results.experiment.name}: {section.title}"
        heading = [style(line, BOLD) for line in textwrap.wrap(title, width)]
        heading += [style(line, DIM) for line in textwrap.wrap(section.lead, width)]
        items = [
            textwrap.fill(item, width, initial_indent="- ", subsequent_indent="  ")
            for item in section.items
        ]
        tables = [part for table in section.tables for part in _table(table, width, style)]
        text = textwrap.fill(section.text, width)
        paragraphs += ["\n".join(heading), *tables, text, "\n".join(items)]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


class _Column(NamedTuple):
    """A block as lines of one width."""

    width: int
    titles: list[str]
    heads: str
    cells: list[str]


def _column(block: Block, style: Style) -> _Column:
    parts = [_aligned(cells) for cells in zip(*block.cells, strict=True)]
    widths = [max(map(len, (head, *part))) for head, part in zip(block.heads, parts, strict=True)]
    inner = len(BAR.join(" " * width for width in widths))
    width = max(inner, min(len(block.title), NARROW), *map(len, block.title.split()))
    widths[0] += width - inner
    styles = [STYLES.get(head, BOLD) for head in block.heads]
    return _Column(
        width,
        [style(line.center(width), BOLD) for line in textwrap.wrap(block.title, width)],
        style(BAR.join(map(str.rjust, block.heads, widths)), DIM),
        [
            style(BAR, DIM).join(map(style, map(str.rjust, cells, widths), styles))
            for cells in zip(*parts, strict=True)
        ],
    )


def _aligned(cells: Sequence[str]) -> list[str]:
    """Numbers below each other, whatever follows them, as in `84.6 ± 0.3 [83.8, 85.3]`."""
    found = [NUMBER.fullmatch(cell) for cell in cells]
    rests = [(one and one[1]) or "" for one in found]
    widest = max(map(len, rests))
    return [
        cell.removesuffix(rest) + rest.ljust(widest)
        for cell, rest in zip(cells, rests, strict=True)
    ]


def _table(table: Table, width: int, style: Style) -> list[str]:
    """The table in as many parts as it needs."""
    labels = [f"{GAP if group else ''}{label}" for group, label in table.labels]
    left = max(map(len, (table.corner, *table.groups(), *labels)))
    first = _Column(
        left,
        [style(table.corner.ljust(left), DIM)],
        " " * left,
        [label.ljust(left) for label in labels],
    )
    columns = [_column(block, style) for block in table.blocks]
    tables = []
    for part in fitting([len(GAP) + column.width for column in columns], width - left):
        panel = [first, *(columns[k] for k in part)]
        deep = max(len(column.titles) for column in panel)
        # Titles are aligned at their last lines.
        titles = [[" " * c.width] * (deep - len(c.titles)) + c.titles for c in panel]
        lines = [*zip(*titles, strict=True)]
        if any(head for k in part for head in table.blocks[k].heads):
            lines.append(tuple(column.heads for column in panel))
        lines.append(tuple(style("─" * column.width, DIM) for column in panel))
        for group, numbers in table.groups().items():
            lines += [(style(group, BOLD),)] if group else []
            lines += [tuple(column.cells[k] for column in panel) for k in numbers]
        tables.append("\n".join(GAP.join(line).rstrip() for line in lines))
    return tables
