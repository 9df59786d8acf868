"""The table in a document: Markdown for a page, LaTeX (booktabs) for a paper.

The measures with numbers of the paper come first, in a table of their own.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from ftnoise.core.experiment import Column
from ftnoise.core.figures import Contrasts, Levels, Pairs
from ftnoise.core.interfaces import Figure
from ftnoise.report import contrasts, levels, pairs
from ftnoise.report.pictures import caption
from ftnoise.report.results import INTERVALS, MISSING, VACUOUS, Printed, Results, heading, titled

MOST = 10  # columns of numbers in a LaTeX table
MARKDOWN_SPECIAL = re.compile(r"[\\`*|<>\[\]~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
LATEX_SPECIAL = {
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


def markdown(results: Results) -> str:
    """The tables in GitHub's Markdown, with the pictures, the orders and the notes."""
    experiment = results.experiment
    paragraphs = [
        f"# {_markdown(experiment.title)}",
        _markdown(f"{experiment.source} ({results.preset} preset). {results.legend()}"),
        *(_markdown_table(results, columns) for columns in results.kinds()),
        *([INTERVALS] if results.has_spreads else []),
        f"![The paper's numbers and ours for each row]({results.stem}.png)",
        *(text for one in experiment.figures for text in _markdown_picture(results, one)),
        *_markdown_orders(results),
    ]
    notes = (*experiment.notes, *results.notes)
    if notes:
        paragraphs += ["## Notes", "\n".join(f"- {_markdown(note)}" for note in notes)]
    return "\n\n".join(paragraphs) + "\n"


def _markdown_table(results: Results, columns: Sequence[Column]) -> str:
    top, second, rule = [""], [""], [":--"]
    for column in columns:
        parts = _parts(results, column, "*paper*", "*ours*", "*ours ± sd*", "*difference*")
        # Markdown has no cell over several columns: the title stands over the one in the middle.
        titles = [""] * len(parts)
        titles[len(parts) // 2] = _markdown(heading(column))
        top += titles
        second += parts
        rule += ["--:"] * len(parts)
    lines = [top, rule, second]
    for row in results.experiment.rows:
        line = [_markdown(row.name)]
        for column in columns:
            cell = results.cell(row, column).printed
            with_spread = f"{cell.ours} ± {cell.spread}" if cell.spread else cell.ours
            line += _parts(results, column, cell.paper, with_spread, with_spread, cell.difference)
        lines.append(line)
    return _aligned(lines)


def _markdown_picture(results: Results, picture: Figure) -> list[str]:
    if isinstance(picture, Pairs):
        return _markdown_pairs(results, picture)
    if isinstance(picture, Levels):
        return _markdown_levels(results, picture)
    if isinstance(picture, Contrasts):
        return _markdown_contrasts(results, picture)
    title, text = caption(results, picture)
    return [f"![{_markdown(title)}]({results.stem}.{picture.name}.png)", _markdown(text)]


def _markdown_pairs(results: Results, picture: Pairs) -> list[str]:
    found = pairs.compare(results, picture)
    said = f"**{_markdown(picture.title)}.** {_markdown(pairs.caption(found, picture))}"
    if not found:
        return [said]
    x, difference = (
        titled(picture.x_title, picture.x_unit),
        titled("Difference", picture.value_unit),
    )
    lines = [list(map(_markdown, ["", x, difference, "95 % interval", "p"]))]
    lines.append([":--", *["--:"] * 4])
    for one in found:
        numbers = pairs.difference(one, picture), pairs.interval(one, picture), one.p_printed
        pair = f"{one.group} {one.pair}".strip()
        lines.append(list(map(_markdown, [pair, f"{one.x:g}", *numbers])))
    return [said, _aligned(lines)]


def _markdown_levels(results: Results, picture: Levels) -> list[str]:
    found = levels.analyze(results, picture)
    said = f"**{_markdown(picture.title)}.** {_markdown(levels.caption(found, picture))}"
    if not found:
        return [said]
    head, *lines = ([_markdown(cell) for cell in line] for line in levels.table(found, picture))
    rule = [":--", *["--:"] * (len(head) - 2), ":--"]
    return [said, _aligned([head, rule, *lines])]


def _markdown_contrasts(results: Results, picture: Contrasts) -> list[str]:
    found = contrasts.compare(results, picture)
    said = f"**{_markdown(picture.title)}.** {_markdown(contrasts.caption(found, picture))}"
    if not found:
        return [said]
    head, *lines = ([_markdown(cell) for cell in line] for line in contrasts.table(found))
    return [said, _aligned([head, [":--", ":--", "--:", "--:", "--:"], *lines])]


def _markdown_orders(results: Results) -> list[str]:
    tables: dict[str, list[list[str]]] = {}
    for order in results.orders():
        lines = tables.setdefault(
            order.column.title.lower(), [["", "paper", "ours", "order"], [":--"] * 4]
        )
        verdict = "same" if order.same else "different"
        lines.append(list(map(_markdown, (order.group, order.paper, order.ours, verdict))))
    paragraphs = []
    for title, lines in tables.items():
        paragraphs += [
            f"## Order of {_markdown(title)}, smallest first",
            _aligned(lines),
        ]
    return paragraphs


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines)


def latex(results: Results) -> str:
    """The tables as a LaTeX float; needs the package booktabs. Notes are comments."""
    experiment = results.experiment
    caption = f"{experiment.title}. {experiment.source} ({results.preset} preset)."
    notes = (*experiment.notes, *results.notes)
    tables = [
        _latex_table(results, columns)
        for kind in results.kinds()
        for columns in _fitting(results, kind)
    ]
    others = [one for one in experiment.figures if isinstance(one, Pairs)]
    return "\n".join([
        r"% Needs \usepackage{booktabs}.",
        *(f"% {' '.join(note.split())}" for note in notes),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(caption)} {_latex(results.legend())}}}",
        rf"  \label{{tab:{_label(results.stem)}}}",
        r"  \footnotesize\setlength{\tabcolsep}{3pt}",
        "\n\n  \\medskip\n".join(tables),
        r"\end{table}",
        *(line for one in others for line in _latex_pairs(results, one)),
        "",
    ])  # fmt: skip


def _fitting(results: Results, columns: Sequence[Column]) -> list[list[Column]]:
    """The columns table by table, so that each is about as wide as a page."""
    tables: list[list[Column]] = []
    left = 0
    for column in columns:
        # A column with the paper's number is three of numbers; a heading takes two.
        width = 3 if results.has_paper(column) else 2
        if left < width:
            tables.append([])
            left = MOST + 2
        tables[-1].append(column)
        left -= width
    return tables


def _latex_pairs(results: Results, picture: Pairs) -> list[str]:
    found = pairs.compare(results, picture)
    if not found:
        return []
    said = f"{picture.title}. {pairs.caption(found, picture)} {pairs.STARRED}"
    tables = [_latex_grid(found, picture, some) for some in pairs.xs(found, MOST)]
    return [
        "",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(said)}}}",
        rf"  \label{{tab:{_label(f'{results.stem}.{picture.name}')}}}",
        r"  \footnotesize\setlength{\tabcolsep}{3pt}",
        "\n\n  \\medskip\n".join(tables),
        r"\end{table}",
    ]


def _latex_grid(found: list[pairs.Compared], picture: Pairs, xs: Sequence[float]) -> str:
    title = _latex(titled(picture.x_title, picture.x_unit))
    lines = [
        r"\toprule",
        _latex_line(["", rf"\multicolumn{{{len(xs)}}}{{c}}{{{title}}}"]),
        rf"\cmidrule(l){{2-{len(xs) + 1}}}",
        _latex_line(["", *(f"{x:g}" for x in xs)]),
    ]
    for group, by_pair in pairs.lines(found).items():
        lines.append(r"\midrule")
        if group:
            name = rf"\emph{{{_latex(group)}}}"
            lines.append(_latex_line([rf"\multicolumn{{{len(xs) + 1}}}{{l}}{{{name}}}"]))
        for pair, by_x in by_pair.items():
            cells = [_latex_comparison(by_x[x], picture) if x in by_x else "--" for x in xs]
            lines.append(_latex_line([(r"\quad " if group else "") + _latex(pair), *cells]))
    return _tabular("l" + "r" * len(xs), [*lines, r"\bottomrule"])


def _latex_comparison(one: pairs.Compared, picture: Pairs) -> str:
    """The difference, and below it half of its interval."""
    star = f"^{{{pairs.STAR}}}" if one.is_clear else ""
    top, below = pairs.difference(one, picture), pairs.half(one, picture)
    return rf"\shortstack[r]{{${top}{star}$\\$\pm {below}$}}"


def _label(text: str) -> str:
    return re.sub("[^A-Za-z0-9]+", "-", text)


def _latex_table(results: Results, columns: Sequence[Column]) -> str:
    shape, top, second, rules = ["l"], [""], [""], []
    for column in columns:
        parts = _parts(results, column, "paper", "ours", r"ours $\pm$ sd", "diff.")
        title = _stacked(heading(column), 26 if len(parts) > 1 else 18)
        rules.append(rf"\cmidrule(lr){{{len(second) + 1}-{len(second) + len(parts)}}}")
        top.append(rf"\multicolumn{{{len(parts)}}}{{c}}{{{title}}}")
        second += parts
        shape.append("r" * len(parts))
    lines = [r"\toprule", _latex_line(top), " ".join(rules), _latex_line(second)]
    for group in results.groups():
        lines.append(r"\midrule")
        if group.name:
            name = rf"\emph{{{_latex(group.name)}}}"
            lines.append(_latex_line([rf"\multicolumn{{{len(second)}}}{{l}}{{{name}}}"]))
        for label, row in group.rows:
            line = [(r"\quad " if group.name else "") + _latex(label)]
            for column in columns:
                cell = results.cell(row, column).printed
                plain, spread = _math(cell.ours), _latex_spread(results, column, cell)
                line += _parts(
                    results,
                    column,
                    _math(cell.paper),
                    plain,
                    spread,
                    _math(cell.difference),
                )
            lines.append(_latex_line(line))
    return _tabular(shape, [*lines, r"\bottomrule"])


def _tabular(shape: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([
        rf"  \begin{{tabular}}{{{' '.join(shape)}}}",
        *("    " + line for line in lines),
        r"  \end{tabular}",
    ])  # fmt: skip


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_spread(results: Results, column: Column, cell: Printed) -> str:
    if cell.spread:
        return rf"${cell.ours} \pm {cell.spread}$"
    # Leaves the spread's place empty, so that the means stand below each other.
    rows = results.experiment.rows
    widest = max((results.cell(row, column).printed.spread for row in rows), key=len)
    return _math(cell.ours) + rf"\phantom{{${{}} \pm {widest}$}}"


def _parts(
    results: Results,
    column: Column,
    paper: str,
    ours: str,
    ours_spread: str,
    difference: str,
) -> list[str]:
    """What stands in the columns of the document that a column of the table takes."""
    middle = ours_spread if results.has_spread(column) else ours
    return [paper, middle, difference] if results.has_paper(column) else [middle]


def _markdown(text: str) -> str:
    return MARKDOWN_SPECIAL.sub(lambda found: "\\" + found.group(), " ".join(text.split()))


def _latex(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(char, char) for char in " ".join(text.split()))


def _math(text: str) -> str:
    return {MISSING: "--", VACUOUS: VACUOUS}.get(text, f"${text}$")


def _stacked(text: str, width: int) -> str:
    lines = [_latex(line) for line in textwrap.wrap(text, width, break_long_words=False)]
    return lines[0] if len(lines) == 1 else r"\shortstack{" + r"\\".join(lines) + "}"
