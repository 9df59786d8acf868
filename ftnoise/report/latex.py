"""A report's tables as LaTeX floats; they need the package booktabs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from ftnoise.report.page import sections
from ftnoise.report.results import Results
from ftnoise.report.table import MISSING, PLUS_MINUS, Section, Table, fitting

MOST = 12  # columns of numbers next to each other
NUMBER = re.compile(r"([+-]?[\d.]+)(?: ± ([\d.]+))?(\**)( \[[^A-Za-z\]]+\])?")
SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "β": r"$\beta$",
    "δ": r"$\delta$",
    "ε": r"$\varepsilon$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "∞": r"$\infty$",
    **{char: "\\" + char for char in "&%$#_{}"},
}


def latex(results: Results) -> str:
    """A float for each part of the report that has tables; notes are comments."""
    notes = (*results.experiment.notes, *results.notes)
    lines = [r"% Needs \usepackage{booktabs}.", *(f"% {' '.join(note.split())}" for note in notes)]
    for section in sections(results):
        if section.tables:
            lines += _float(section)
    return "\n".join(lines) + "\n"


def _float(section: Section) -> list[str]:
    caption = " ".join(filter(None, (f"{section.title}.", section.lead, section.text)))
    tables = [
        _tabular(Table(table.labels, [table.blocks[k] for k in part], table.corner))
        for table in section.tables
        # A title takes two columns.
        for part in fitting([max(2, len(block.heads)) for block in table.blocks], MOST)
    ]
    return [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_escaped(caption)}}}",
        rf"  \label{{tab:{re.sub('[^A-Za-z0-9]+', '-', section.name)}}}",
        r"  \footnotesize\setlength{\tabcolsep}{3pt}",
        "\n\n  \\medskip\n".join(tables),
        r"\end{table}",
    ]


def _tabular(table: Table) -> str:
    top, heads, rules, shape = [_escaped(table.corner)], [""], [], ["l"]
    columns = []
    for block in table.blocks:
        count = len(block.heads)
        title = textwrap.wrap(block.title, 18 if count < 2 else 26, break_long_words=False)
        stacked = r"\\".join(map(_escaped, title))
        stacked = rf"\shortstack{{{stacked}}}" if len(title) > 1 else stacked
        top.append(rf"\multicolumn{{{count}}}{{c}}{{{stacked}}}")
        rules.append(rf"\cmidrule(lr){{{len(heads) + 1}-{len(heads) + count}}}")
        heads += map(_escaped, block.heads)
        shape.append("r" * count)
        columns += [_cells(cells) for cells in zip(*block.cells, strict=True)]
    lines = [r"\toprule", _line(top)]
    lines += [" ".join(rules), _line(heads)] if any(heads) else []
    for group, numbers in table.groups().items():
        lines.append(r"\midrule")
        if group:
            lines.append(
                _line([rf"\multicolumn{{{len(heads)}}}{{l}}{{\emph{{{_escaped(group)}}}}}"])
            )
        for k in numbers:
            label = (r"\quad " if group else "") + _escaped(table.labels[k][1])
            lines.append(_line([label, *(cells[k] for cells in columns)]))
    lines = [rf"\begin{{tabular}}{{{' '.join(shape)}}}", *(f"  {line}" for line in lines)]
    return "\n".join(f"  {line}" for line in (*lines, r"  \bottomrule", r"\end{tabular}"))


def _cells(cells: Sequence[str]) -> list[str]:
    """A column; a missing spread is left blank, so that the means are aligned."""
    widest = max((cell.partition(PLUS_MINUS)[2].rstrip("*") for cell in cells), key=len)
    found = []
    for cell in cells:
        blank = widest and not {PLUS_MINUS.strip(), "["} & {*cell} and cell != MISSING
        found.append(_math(cell) + (rf"\phantom{{${{}} \pm {widest}$}}" if blank else ""))
    return found


def _math(cell: str) -> str:
    if cell == MISSING:
        return "--"
    number = NUMBER.fullmatch(cell)
    if number is None:
        return _escaped(cell)
    mean, spread, stars, ends = number.groups()
    spread = rf" \pm {spread}" if spread else ""
    ends = ends.replace(" [", r"\ [") if ends else ""
    return f"${mean}{spread}{f'^{{{stars}}}' if stars else ''}{ends}$"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(char, char) for char in " ".join(text.split()))
