"""Markdown and LaTeX: whole tables, and no text that is taken for markup."""

from __future__ import annotations

import re

import numpy as np

from ftnoise import report
from ftnoise.core.figures import Curves
from ftnoise.core.spec import spec_id
from ftnoise.report import Reading
from tests.report.conftest import HEAT_MAP, PAIRS, SERIES, make

SPECIAL = r"a_b | 50% & $x$ {y} #1 ~ ^ \z *b* <c>"


def markdown_tables(text):
    """Each table as a list of lines of cells."""
    tables = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("|"):
            lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in paragraph.splitlines()]
            tables.append([[cell.strip() for cell in line] for line in lines])
    return tables


def latex_tables(text):
    tables = []
    for body in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        shape, *lines = body.strip().splitlines()
        cells = [re.split(r"(?<!\\)&", line) for line in lines if "&" in line or "multic" in line]
        tables.append((shape, cells))
    return tables


def test_markdown_has_every_number(results):
    first, second, orders = markdown_tables(report.markdown(results))
    assert first[0] == [
        "",
        "",
        "Training accuracy (%)",
        "",
        "",
        "Generalization error (points)",
        "",
    ]
    assert first[3] == [
        "dnn natural",
        "98.83",
        "99.00 ± 0.10",
        "+0.17",
        "8.60",
        "9.10 ± 0.10",
        "+0.50",
    ]
    assert first[7] == ["cnn tikhonov", "95.94", "95.50", "-0.44", "4.90", "-", "-"]
    assert second[3] == ["dnn natural", "0.0562"]
    assert second[4] == ["dnn tikhonov", "-"]
    assert orders[2] == [
        "dnn",
        r"tikhonov \< natural \< trades",
        r"tikhonov \< trades \< natural",
        "different",
    ]


def test_markdown_lines_of_a_table_have_the_same_cells(results):
    for table in markdown_tables(report.markdown(results)):
        assert len({len(line) for line in table}) == 1


def test_markdown_takes_no_text_for_markup(make_results):
    text = report.markdown(make_results(paper={SPECIAL: {}}, ours={}, notes=("two\nlines",)))
    (table,) = markdown_tables(text)
    assert table[3][0] == r"a_b \| 50% & \$x\$ {y} #1 \~ ^ \\z \*b\* \<c\>"
    assert "- two lines\n" in text


def test_markdown_shows_the_picture_beside_it(results):
    assert "](table0.quick.png)" in report.markdown(results)


def test_markdown_shows_curves_below_it_and_says_what_they_are(make_results):
    curves = Curves(name="by_error", title="A [x]", x="error", panels=(("accuracy",),))
    paragraphs = report.markdown(make_results(figures=(curves,))).split("\n\n")
    at = paragraphs.index("![The paper's numbers and ours for each row](table0.quick.png)")
    assert paragraphs[at + 1 : at + 3] == [
        r"![A \[x\]: the paper's numbers and ours](table0.quick.by_error.png)",
        r"A \[x\]. Each number stands at its own x (Generalization error); a horizontal line is a "
        "row that has none.",
    ]


def test_markdown_shows_all_pictures_in_their_order_with_what_they_are():
    pictures = (PAIRS, HEAT_MAP, SERIES)
    arrays = {
        "rates": np.arange(2.0),
        "y": np.zeros(2),
        "v": np.eye(2),
    }
    readings = {
        row: {spec_id(SERIES.measure): [Reading(0, arrays, {"layers": ["x", "y"]})]}
        for row in ("a", "b")
    }
    made = make(paper={"a": {}, "b": {}}, ours={}, readings=readings, figures=pictures)
    paragraphs = report.markdown(made).split("\n\n")
    at = paragraphs.index("![The paper's numbers and ours for each row](table0.quick.png)")
    said, table, *others = paragraphs[at + 1 : at + 7]
    assert said.startswith("**Pairs.** V, the first row's minus the second's on the same draws")
    assert table.splitlines()[2].startswith("| a - b | 0 ")
    assert others == [
        "![A map](table0.quick.map.png)",
        "A map, 1 seed.",
        "![A line](table0.quick.line.png)",
        "A line, 1 seed.",
    ]


def test_latex_has_every_number(results):
    (_, first), (_, second) = latex_tables(report.latex(results))
    lines = [" ".join("&".join(line).split()) for line in first]
    assert (
        r"\quad natural & $98.83$ & $99.00 \pm 0.10$ & $+0.17$ "
        r"& $8.60$ & $9.10 \pm 0.10$ & $+0.50$ \\"
    ) in lines
    assert lines[-1] == (
        r"\quad tikhonov & $95.94$ & $95.50$\phantom{${} \pm 0.10$} & $-0.44$ "
        r"& $4.90$ & --\phantom{${} \pm 0.10$} & -- \\"
    )
    assert [cell.strip() for cell in second[3]] == [r"\quad natural", r"$0.0562$ \\"]


def test_latex_lines_fill_the_tables_columns(results):
    for shape, lines in latex_tables(report.latex(results)):
        columns = len(re.sub("[^lr]", "", shape))
        for line in lines:
            spans = [re.match(r"\s*\\multicolumn\{(\d+)\}", cell) for cell in line]
            assert sum(int(span.group(1)) if span else 1 for span in spans) == columns


def test_latex_takes_no_text_for_markup(make_results):
    rows = {SPECIAL: {}, "plain": {}}
    text = report.latex(make_results(paper=rows, ours={}, notes=("two\nlines",), title=SPECIAL))
    escaped = (
        r"a\_b \textbar{} 50\% \& \$x\$ \{y\} \#1 \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{}z *b* \textless{}c\textgreater{}"
    )
    assert text.count(escaped) == 2
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    bare = re.sub(r"\\[\\&%$#_{}]", "", code)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert "#" not in bare
    assert "%" not in bare
    assert "% two lines\n" in text


def test_latex_is_ascii_for_the_signs_it_knows(make_results):
    text = report.latex(make_results(title="ε ≤ 2 ± 1 × σ"))
    assert r"$\varepsilon$ $\leq$ 2 $\pm$ 1 $\times$ $\sigma$" in text
    assert text.isascii()
