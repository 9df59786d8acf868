"""A report as text for a terminal.

Blocks of columns are never broken: a narrow terminal gets more tables instead of broken lines.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ftnoise.report.page import sections
from ftnoise.report.results import Results
from ftnoise.report.table import Block, Table

GAP = 2
NARROW = 14  # characters: a title is not broken into shorter lines
BAR = " | "
BOLD, DIM, CYAN, YELLOW = "1", "2", "36", "33"
STYLES = {"paper": CYAN, "diff": YELLOW}
NUMBER = re.compile(r"(.*) ± ([^*]*)(\**)")
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
        return f"\x1b[{code}m{text}\x1b[0m" if color and text else text

    first, *others = sections(results)
    head = f"{results.experiment.name}: {first.title}"
    lines = [style(line, BOLD) for line in textwrap.wrap(head, width)]
    lines += [style(line, DIM) for line in textwrap.wrap(first.lead, width)]
    for section in (first, *others):
        if section is not first:
            if section.drawn:
                continue
            lines += ["", *(style(line, BOLD) for line in textwrap.wrap(section.title, width))]
        for table in section.tables:
            lines += _table(table, width, style, apart=section is first)
        lines += ["" for _ in section.tables[:1] if section.text]
        lines += textwrap.wrap(section.text, width)
        for item in section.items:
            lines += textwrap.wrap(item, width, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


@dataclass(frozen=True)
class _Column:
    """A block as lines of one width: its heading and its rows, plain."""

    block: Block
    title: list[str]
    heads: list[str]
    cells: list[list[str]]
    width: int


def _column(block: Block) -> _Column:
    parts = [_aligned(cells) for cells in zip(*block.cells, strict=True)]
    widths = [max(map(len, (head, *part))) for head, part in zip(block.heads, parts, strict=True)]
    inner = sum(widths) + len(BAR) * (len(widths) - 1)
    width = max(inner, min(len(block.title), NARROW), *map(len, block.title.split()))
    widths[0] += width - inner
    return _Column(
        block,
        [line.center(width) for line in textwrap.wrap(block.title, width)],
        [head.rjust(n) for head, n in zip(block.heads, widths, strict=True)],
        [
            [cell.rjust(n) for cell, n in zip(cells, widths, strict=True)]
            for cells in zip(*parts, strict=True)
        ],
        width,
    )


def _aligned(cells: Sequence[str]) -> list[str]:
    """`mean ± spread*` with each part below the other; a missing spread is left blank."""
    found = [NUMBER.fullmatch(cell) for cell in cells]
    spread = max((len(m[2]) for m in found if m), default=-3)
    stars = max((len(m[3]) for m in found if m), default=0)
    return [
        f"{m[1]} ± {m[2]:>{spread}}{m[3]:<{stars}}" if m else cell + " " * (3 + spread + stars)
        for cell, m in zip(cells, found, strict=True)
    ]


def _table(table: Table, width: int, style: Style, *, apart: bool) -> list[str]:
    """The lines of a table, in as many panels as it needs."""
    indent = {group: "  " if group else "" for group, _ in table.labels}
    labels = [indent[group] + label for group, label in table.labels]
    left = max(map(len, (table.corner, *indent, *labels)))
    lines = []
    for n, panel in enumerate(_panels([_column(b) for b in table.blocks], width - left)):
        lines += [""] if n or apart else []
        lines += _heading(table.corner.ljust(left), panel, style)
        for group, numbers in table.groups().items():
            lines += [style(group, BOLD)] if group else []
            lines += [_row(labels[k].ljust(left), panel, k, style) for k in numbers]
    return lines


def _panels(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
    panels: list[list[_Column]] = []
    free = 0
    for column in columns:
        if not panels or free < GAP + column.width:
            panels.append([])
            free = width
        panels[-1].append(column)
        free -= GAP + column.width
    return panels


def _heading(corner: str, panel: Sequence[_Column], style: Style) -> list[str]:
    """Titles, aligned at their last lines; heads where there are any; a rule."""
    gap, blank = " " * GAP, " " * len(corner)
    deep = max(len(column.title) for column in panel)
    lines = []
    for k in range(-deep, 0):
        titles = [c.title[k] if k >= -len(c.title) else " " * c.width for c in panel]
        first = corner if k == -1 else blank
        lines.append(gap.join([style(first, DIM), *(style(title, BOLD) for title in titles)]))
    if any(head.strip() for column in panel for head in column.heads):
        heads = (style(BAR.join(column.heads), DIM) for column in panel)
        lines.append(gap.join([blank, *heads]))
    rules = ("─" * width for width in (len(corner), *(column.width for column in panel)))
    return [*lines, style(gap.join(rules), DIM)]


def _row(label: str, panel: Sequence[_Column], line: int, style: Style) -> str:
    parts = [label]
    for column in panel:
        cells = zip(column.block.heads, column.cells[line], strict=True)
        styled = (style(cell, STYLES.get(head, BOLD)) for head, cell in cells)
        parts.append(style(BAR, DIM).join(styled))
    return (" " * GAP).join(parts)
