"""The table in a terminal: as many measures beside each other as fit, the rest below.

Each measure is a block `paper | ours ± spread | difference` (only `ours` where the paper has no
number), aligned by itself and never broken, so that a narrow terminal gets more tables instead
of broken lines.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.core.experiment import Column
from ftnoise.core.figures import Contrasts, Levels, Pairs
from ftnoise.report import contrasts, levels, pairs
from ftnoise.report.results import INTERVALS, MISSING, Group, Printed, Results, heading, titled

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

GAP = 2
NARROW = 14  # characters: a heading is not broken into shorter lines
BAR = " | "
STYLES = {"paper": "cyan", "ours": "bold", "difference": "yellow", "bar": "dim"}


@dataclass(frozen=True)
class _Block:
    """A measure: its heading (lines) and the cell of each row, all `width` characters wide."""

    heading: Text
    cells: dict[str, Text]
    width: int
    has_paper: bool


def terminal(results: Results, width: int = 100, color: bool = False) -> str:
    """The table as text for a terminal.

    Args:
        results: what is stored.
        width: characters in a line. Lines are longer only where a single measure does not fit
            beside the rows' names.
        color: with ANSI colors; nothing is said by color alone.
    """
    from rich.console import Console
    from rich.text import Text

    experiment = results.experiment
    groups = results.groups()
    label = max(len(text) for group in groups for text in _labels(group))
    blocks = [_block(results, column) for column in experiment.columns]
    width = max(width, label + max(GAP + block.width for block in blocks))
    parts: list[RenderableType] = [
        Text.assemble((experiment.name, "bold"), f" ({results.preset} preset): {experiment.title}"),
        Text(experiment.source, "dim"),
    ]
    for panel in _panels(blocks, width - label):
        parts += [Text(""), _table(groups, panel, label)]
    parts += [Text(""), Text(results.legend())]
    parts += [Text(INTERVALS)] if results.has_spreads else []
    parts += _orders(results)
    compared = [one for one in experiment.figures if isinstance(one, Pairs)]
    parts += [part for one in compared for part in _compared(results, one, width)]
    against = [one for one in experiment.figures if isinstance(one, Contrasts)]
    parts += [part for one in against for part in _contrasts(results, one, width)]
    spreads = [one for one in experiment.figures if isinstance(one, Levels)]
    parts += [part for one in spreads for part in _levels(results, one, width)]
    notes = (*experiment.notes, *results.notes)
    parts += [Text("")] if notes else []
    parts += [Text(_item(note, width), "dim") for note in notes]

    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        legacy_windows=False,
        highlight=False,
        _environ={},
    )
    for part in parts:
        console.print(part, crop=False)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _labels(group: Group) -> list[str]:
    indent = "  " if group.name else ""
    return [
        *([group.name] if group.name else []),
        *(indent + label for label, _ in group.rows),
    ]


def _item(text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent="- ", subsequent_indent="  ")


def _block(results: Results, column: Column) -> _Block:
    from rich.text import Text

    has_paper = results.has_paper(column)
    rows = results.experiment.rows
    printed = {row.name: results.cell(row, column).printed for row in rows}
    ours = _ours(printed.values())
    head = "ours ± sd" if any(cell.spread for cell in printed.values()) else "ours"
    head_of = {"paper": "paper", "ours": head, "difference": "diff"}
    parts = [
        {"paper": cell.paper, "ours": text, "difference": cell.difference}
        for cell, text in zip(printed.values(), ours, strict=True)
    ]
    names = ("paper", "ours", "difference") if has_paper else ("ours",)
    widths = {name: max(len(part[name]) for part in (head_of, *parts)) for name in names}

    def line(part: dict[str, str], styled: bool) -> Text:
        text = Text()
        for i, name in enumerate(names):
            text.append(BAR if i else "", STYLES["bar"])
            text.append(part[name].rjust(widths[name]), STYLES[name] if styled else "dim")
        return text

    inner = sum(widths.values()) + len(BAR) * (len(names) - 1)
    title = heading(column)
    width = max(inner, min(len(title), NARROW), *(len(word) for word in title.split()))
    head_text = Text("\n").join(
        [
            *(Text(part.center(width), "bold") for part in textwrap.wrap(title, width)),
            _padded(line(head_of, False), width),
            Text("─" * width, "dim"),
        ]
    )
    lines = {
        name: _padded(line(part, True), width) for name, part in zip(printed, parts, strict=True)
    }
    return _Block(head_text, lines, width, has_paper)


def _ours(printed: Iterable[Printed]) -> list[str]:
    """`mean ± spread` with the points one below the other; no spread leaves its place empty."""
    cells = list(printed)
    most = max(len(cell.spread) for cell in cells)
    return [
        cell.ours
        + (f" ± {cell.spread.rjust(most)}" if cell.spread else " " * (most + 3 if most else 0))
        for cell in cells
    ]


def _padded(text: Text, width: int) -> Text:
    text.pad_left(width - len(text))
    return text


def _panels(blocks: Sequence[_Block], width: int) -> list[list[_Block]]:
    """Blocks that fit beside each other, the paper's first if that costs no further panel."""
    in_order = _packed(blocks, width)
    by_kind = _packed([block for block in blocks if block.has_paper], width)
    by_kind += _packed([block for block in blocks if not block.has_paper], width)
    return by_kind if len(by_kind) <= len(in_order) else in_order


def _packed(blocks: Sequence[_Block], width: int) -> list[list[_Block]]:
    panels: list[list[_Block]] = []
    left = 0
    for block in blocks:
        if not panels or left < GAP + block.width:
            panels.append([])
            left = width
        panels[-1].append(block)
        left -= GAP + block.width
    return panels


def _table(groups: Sequence[Group], panel: Sequence[_Block], label: int) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 0, 0, GAP), pad_edge=False, header_style="")
    rule = Text("─" * label, "dim")
    table.add_column(rule, min_width=label, no_wrap=True, vertical="bottom")
    for block in panel:
        table.add_column(block.heading, min_width=block.width, no_wrap=True, vertical="bottom")
    for group in groups:
        if group.name:
            table.add_row(Text(group.name, "bold"))
        for text, (_, row) in zip(_labels(group)[-len(group.rows) :], group.rows, strict=True):
            table.add_row(Text(text), *(block.cells[row.name] for block in panel))
    return table


def _orders(results: Results) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = []
    column = None
    for order in results.orders():
        if order.column != column:
            column = order.column
            lines += [
                Text(""),
                Text(f"Order of {column.title.lower()}, smallest first:"),
            ]
        verdict = "same" if order.same else "different"
        lines.append(Text(f"  {order.group or 'rows'}: {verdict}"))
        lines.append(Text(f"    paper  {order.paper}"))
        lines.append(Text(f"    ours   {order.ours}"))
    return lines


def _compared(results: Results, picture: Pairs, width: int) -> list[RenderableType]:
    """A line for each pair and a column for each x, as many beside each other as fit."""
    from rich.text import Text

    found = pairs.compare(results, picture)
    said = pairs.caption(found, picture)
    parts: list[RenderableType] = [Text(""), Text(picture.title, "bold")]
    if not found:
        return [*parts, Text(said)]
    title = titled(picture.x_title, picture.x_unit)
    label = max(len(title), *(len(one.pair) + 2 * bool(one.group) for one in found))
    cells = [text for one in found for text in (_comparison(one, picture), f"{one.x:g} ")]
    widest = GAP + max(map(len, cells))
    for some in pairs.xs(found, max(1, (width - label) // widest)):
        head = "".join(f"{x:g} ".rjust(widest) for x in some)
        parts.append(Text(title.ljust(label) + head, "dim", overflow="ignore"))
        for group, by_pair in pairs.lines(found).items():
            parts += [Text(group, "bold")] if group else []
            for pair, by_x in by_pair.items():
                shown = (
                    _comparison(by_x[x], picture) if x in by_x else f"{MISSING} " for x in some
                )
                name = f"{'  ' if group else ''}{pair}".ljust(label)
                line = name + "".join(text.rjust(widest) for text in shown)
                parts.append(Text(line, overflow="ignore"))
        parts.append(Text(""))
    return [*parts, Text(f"{said} {pairs.STARRED}")]


def _comparison(one: pairs.Compared, picture: Pairs) -> str:
    star = pairs.STAR if one.is_clear else " "
    return f"{pairs.difference(one, picture)} ± {pairs.half(one, picture)}{star}"


def _contrasts(results: Results, picture: Contrasts, width: int) -> list[RenderableType]:
    from rich.text import Text

    found = contrasts.compare(results, picture)
    lines = contrasts.table(found)[1:] if found else []
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = []
    for line in lines:
        cells = [*map(str.ljust, line[:2], widths), *map(str.rjust, line[2:], widths[2:])]
        shown.append(Text("  ".join(cells), overflow="ignore"))
    said = textwrap.fill(contrasts.caption(found, picture), width)
    return [Text(""), Text(picture.title, "bold"), *shown, Text(said)]


def _levels(results: Results, picture: Levels, width: int) -> list[RenderableType]:
    from rich.text import Text

    found = levels.analyze(results, picture)
    lines = [Text(_item(levels.sentence(one, picture), width)) for one in found]
    said = textwrap.fill(levels.caption(found, picture), width)
    return [Text(""), Text(picture.title, "bold"), *lines, Text(said)]
