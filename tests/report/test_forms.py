"""The report in a terminal, as Markdown and as LaTeX: every number, aligned, and never markup."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.spec import spec_id
from ftnoise.report import Reading
from ftnoise.report.page import sections
from tests.report.conftest import HEAT_MAP, PAIRS, SERIES, make

SPECIAL = r"a_b | 50% & $x$ {y} #1 ~ ^ \z *b* <c>"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TERMINAL = """\
table0: A small table
Someone (2019), Table 0 (quick preset).

                                              Generalization error
               Training accuracy (%)                (points)
            paper |    ours ± sd |  diff  paper |   ours ± sd |  diff
──────────  ────────────────────────────  ───────────────────────────
dnn
  natural   98.83 | 99.00 ± 0.10 | +0.17   8.60 | 9.10 ± 0.10 | +0.50
  tikhonov  90.99 | 91.00 ± 0.50 | +0.01   3.29 | 3.30 ± 0.10 | +0.01
  trades    98.76 | 98.80 ± 0.10 | +0.04   8.83 | 8.20 ± 0.10 | -0.63
cnn
  natural   98.60 | 98.21        | -0.39   8.01 | 7.91        | -0.10
  tikhonov  95.94 | 95.50        | -0.44   4.90 |    -        |     -

            Spread of the
              parameters
                      ours
──────────  ──────────────
dnn
  natural           0.0562
  tikhonov               -
  trades                 -
cnn
  natural           0.0650
  tikhonov               -

Ours: mean ± sample standard deviation over seeds (3 seeds for dnn tikhonov, dnn
trades; 1 to 3 seeds for dnn natural; 1 seed for cnn). Difference: ours minus
paper. The CSV file and the figure have the 95 % t intervals of the means. A
number that does not apply to a row is a dash. 3 of 15 numbers are missing.

Order of generalization error, smallest first

- dnn: different. Paper: tikhonov < natural < trades. Ours: tikhonov < trades <
  natural.

Notes

- Two threads.
"""


def test_a_terminal_to_the_letter(results):
    assert report.terminal(results, 80) == TERMINAL


@pytest.mark.parametrize("width", [42, 60, 100, 160])
def test_every_number_stands_in_its_row_and_no_line_is_too_long(results, width):
    text = report.terminal(results, width)
    assert max(map(len, text.splitlines())) <= width
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        _, rule, body = block.partition("───\n")
        group = ""
        for line in body.splitlines() if rule else ():
            group = group if line.startswith(" ") else line
            if line.startswith(" "):
                label, rest = line.split(maxsplit=1)
                found[f"{group} {label}"] = f"{found.get(f'{group} {label}', '')} {rest}"
    for row in results.experiment.rows:
        printed = [results.cell(row, column).printed for column in results.experiment.columns]
        (a, b), spread = [" | ".join(cells) for cells in printed[:2]], printed[2][1]
        assert re.sub(r"\s+", " ", found[row.name]).strip() == f"{a} {b} {spread}"


def test_columns_are_aligned_at_their_points():
    ours = {"dnn natural": {"error": [8.5, 8.6]}, "cnn natural": {"error": [-30.0, 130.0]}}
    text = report.terminal(make(ours=ours), 100)
    assert "  8.55 ± 0.07   |  -0.05" in text
    assert " 50.00 ± 113.14 | +41.99" in text


def test_color_adds_nothing_and_the_environment_does_not_matter(results, monkeypatch):
    colored = report.terminal(results, 80, color=True)
    assert "\x1b" in colored
    assert [line.rstrip() for line in ANSI.sub("", colored).splitlines()] == TERMINAL.splitlines()
    for name, value in (("COLUMNS", "30"), ("NO_COLOR", "1"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    assert report.terminal(results, 80, color=True) == colored


def test_a_table_without_results_is_printed():
    text = report.terminal(make(ours={}, notes=()), 80)
    assert "98.83 |    - |    -" in text
    assert "no result yet" in text


# Markdown


def markdown_tables(text):
    """Each table as a list of lines of cells."""
    tables = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("|"):
            lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in paragraph.splitlines()]
            tables.append([[cell.strip() for cell in line] for line in lines])
    return tables


def test_markdown_has_every_number(results):
    text = report.markdown(results)
    first, second = markdown_tables(text)
    accuracy, error = "Training accuracy (%)", "Generalization error (points)"
    assert first[0] == ["", "", accuracy, "", "", error, ""]
    assert first[2][1:4] == ["*paper*", "*ours ± sd*", "*diff*"]
    numbers = ["98.83", "99.00 ± 0.10", "+0.17", "8.60", "9.10 ± 0.10", "+0.50"]
    assert first[3] == ["dnn natural", *numbers]
    assert first[7] == ["cnn tikhonov", "95.94", "95.50", "-0.44", "4.90", "-", "-"]
    assert second[3:5] == [["dnn natural", "0.0562"], ["dnn tikhonov", "-"]]
    for table in (first, second):
        assert len({len(line) for line in table}) == 1
    order = "Paper: tikhonov \\< natural \\< trades. Ours: tikhonov \\< trades \\< natural."
    assert f"## Order of generalization error, smallest first\n\n- dnn: different. {order}" in text
    assert "![A small table](table0.quick.png)" in text


def test_markdown_takes_no_text_for_markup():
    text = report.markdown(make(paper={SPECIAL: {}}, ours={}, notes=("two\nlines",)))
    (table,) = markdown_tables(text)
    assert table[3][0] == r"a_b \| 50% & \$x\$ {y} #1 \~ ^ \\z \*b\* \<c\>"
    assert "- two lines\n" in text


def test_figures_follow_the_table_in_their_order():
    arrays = {"rates": np.arange(2.0), "y": np.zeros(2), "v": np.eye(2)}
    reading = Reading(0, arrays, {"layers": ["x", "y"]})
    readings = {row: {spec_id(SERIES.measure): [reading]} for row in ("a", "b")}
    figures = (PAIRS, HEAT_MAP, SERIES)
    made = make(paper={"a": {}, "b": {}}, ours={}, readings=readings, figures=figures)
    _, pairs, heat_map, series, _ = sections(made)
    assert pairs.tables[0].labels == [("", "a - b")]
    assert [heat_map.name, heat_map.text] == ["table0.quick.map", "1 seed."]
    assert [series.name, series.draw is None, series.tables] == ["table0.quick.line", False, ()]
    text = report.markdown(made)
    assert "## A map\n\n![A map](table0.quick.map.png)\n\n1 seed.\n" in text
    # Images are not part of a terminal's report.
    assert "A map" not in report.terminal(made)
    assert "\nPairs\n" in report.terminal(made)


# HTML


class Cells(HTMLParser):
    """The texts of a page's cells, and the tags that are open at its end."""

    def __init__(self):
        super().__init__()
        self.cells, self.open = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def test_html_has_every_cell_and_takes_no_text_for_markup(results):
    page = Cells()
    page.feed(report.html(results))
    assert page.open == []
    for section in sections(results):
        for table in section.tables:
            for block in table.blocks:
                assert {block.title, *itertools.chain(*block.cells)} <= {*page.cells}
    text = report.html(make(paper={SPECIAL: {}}, ours={}, title="<script>"))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert '<img alt="&lt;script&gt;" src="table0.quick.png">' in text


# LaTeX


def latex_tables(text):
    tables = []
    for body in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        shape, *lines = body.strip().splitlines()
        cells = [re.split(r"(?<!\\)&", line) for line in lines if "&" in line or "multic" in line]
        tables.append((shape, cells))
    return tables


def test_latex_has_every_number_and_full_lines(results):
    tables = latex_tables(report.latex(results))
    (_, first), (_, second) = tables
    lines = [" ".join("&".join(line).split()) for line in first]
    assert (
        r"\quad natural & $98.83$ & $99.00 \pm 0.10$ & $+0.17$ "
        r"& $8.60$ & $9.10 \pm 0.10$ & $+0.50$ \\"
    ) in lines
    assert lines[-1] == (
        r"\quad tikhonov & $95.94$ & $95.50$\phantom{${} \pm 0.10$} & $-0.44$ & $4.90$ & -- & -- \\"
    )
    assert [cell.strip() for cell in second[3]] == [r"\quad natural", r"$0.0562$ \\"]
    for shape, cells in tables:
        columns = len(re.sub("[^lr]", "", shape))
        for line in cells:
            spans = [re.match(r"\s*\\multicolumn\{(\d+)\}", cell) for cell in line]
            assert sum(int(span.group(1)) if span else 1 for span in spans) == columns


def test_latex_takes_no_text_for_markup():
    rows = {SPECIAL: {}, "plain": {}}
    text = report.latex(make(paper=rows, ours={}, notes=("two\nlines",), title=SPECIAL))
    escaped = (
        r"a\_b \textbar{} 50\% \& \$x\$ \{y\} \#1 \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{}z *b* \textless{}c\textgreater{}"
    )
    assert text.count(escaped) == 2
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\&%$#_{}]", "", code)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not {"#", "%"} & {*bare}
    assert "% two lines\n" in text


def test_latex_is_ascii_for_the_signs_it_knows():
    text = report.latex(make(title="ε ≤ 2 ± 1 × σ"))
    assert r"$\varepsilon$ $\leq$ 2 $\pm$ 1 $\times$ $\sigma$" in text
    assert text.isascii()
