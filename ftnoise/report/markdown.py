"""A report as a page in GitHub's Markdown."""

from __future__ import annotations

import re

from ftnoise.report.page import sections
from ftnoise.report.results import Results
from ftnoise.report.table import Table

SPECIAL = re.compile(r"[\\`*|<>\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def markdown(results: Results) -> str:
    """All parts of the report, with links to the images."""
    paragraphs = []
    for n, section in enumerate(sections(results)):
        title = _escaped(section.title)
        image = f"![{title}]({section.name}.png)" if section.draw else ""
        items = "\n".join(f"- {_escaped(item)}" for item in section.items)
        paragraphs += [f"{'##' if n else '#'} {title}", _escaped(section.lead)]
        paragraphs += [*map(_table, section.tables), image, _escaped(section.text), items]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _table(table: Table) -> str:
    top, heads = [_escaped(table.corner)], [""]
    for block in table.blocks:
        # Markdown has no cell over several columns: the title is over the middle one.
        titles = [""] * len(block.heads)
        titles[len(titles) // 2] = _escaped(block.title)
        top += titles
        heads += [f"*{head}*" if head else "" for head in block.heads]
    lines = [top, [":--"] + ["--:"] * len(heads[1:])]
    lines += [heads] if any(heads) else []
    for k, (group, label) in enumerate(table.labels):
        cells = [cell for block in table.blocks for cell in block.cells[k]]
        lines.append([_escaped(text) for text in (f"{group} {label}", *cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def _escaped(text: str) -> str:
    return SPECIAL.sub(lambda found: "\\" + found.group(), " ".join(text.split()))
