"""The table in a terminal: aligned, whole, and never wider than asked."""

from __future__ import annotations

import re

import pytest

from ftnoise import report

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def tables(text):
    """The tables of a report: for each, its lines below the rule."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    found = []
    for block in blocks:
        rules = [i for i, line in enumerate(block) if line.startswith("───")]
        if rules:
            found.append(block[rules[0] + 1 :])
    return found


@pytest.mark.parametrize("width", [42, 60, 80, 100, 160])
def test_every_number_stands_in_its_row(results, width):
    text = report.terminal(results, width)
    found = {}
    for table in tables(text):
        for line in table:
            if not line.startswith(" "):
                group = line
            else:
                label, rest = line.split(maxsplit=1)
                found[f"{group} {label}"] = found.get(f"{group} {label}", "") + "  " + rest
    for row in results.experiment.rows:
        expected = []
        for column in results.experiment.columns:
            cell = results.cell(row, column).printed
            ours = f"{cell.ours} ± {cell.spread}" if cell.spread else cell.ours
            has_paper = results.has_paper(column)
            expected.append(f"{cell.paper} | {ours} | {cell.difference}" if has_paper else ours)
        assert re.sub(r"\s+", " ", found[row.name]).strip() == " ".join(expected)


def test_a_table_fills_the_width_but_never_more(results):
    for width in range(42, 120):
        lines = report.terminal(results, width).splitlines()
        assert max(map(len, lines)) <= width


def test_numbers_of_a_measure_stand_below_each_other(make_results):
    ours = {"dnn natural": {"error": [8.5, 8.6]}, "cnn natural": {"error": [-30.0, 130.0]}}
    results = make_results(ours=ours)
    text = report.terminal(results, 100)
    assert "  8.55 ±   0.07 |  -0.05" in text
    assert " 50.00 ± 113.14 | +41.99" in text
    for table in tables(text):
        places = {
            tuple(match.start() for match in re.finditer(r"\|", line))
            for line in table
            if line.startswith(" ")
        }
        assert len(places) == 1


def test_measures_stand_beside_each_other_where_there_is_room(results):
    counts = [len(tables(report.terminal(results, width))) for width in (160, 80, 60, 40)]
    assert counts == [1, 2, 2, 3]


def test_the_papers_measures_come_first_if_that_costs_no_table(make_results, results):
    accuracy, error, spread = results.experiment.columns
    mixed = make_results(columns=(spread, accuracy, error))
    first, second = report.terminal(mixed, 70).split("───\n")[0], report.terminal(mixed, 70)
    assert "Training accuracy" in first
    assert "Generalization error" in first
    assert "Spread" not in first
    assert "Spread" in second


def test_color_says_nothing_more(results):
    plain = report.terminal(results, 80)
    colored = report.terminal(results, 80, color=True)
    assert "\x1b" not in plain
    assert "\x1b" in colored
    stripped = [line.rstrip() for line in ANSI.sub("", colored).splitlines()]
    assert stripped == plain.splitlines()


def test_the_environment_does_not_matter(results, monkeypatch):
    before = report.terminal(results, 80, color=True)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    assert report.terminal(results, 80, color=True) == before


def test_says_the_orders_the_seeds_and_the_notes(make_results):
    text = report.terminal(make_results(notes=("[red]Two[/red] threads :smile:.",)), 100)
    assert "  dnn: different\n    paper  tikhonov < natural < trades\n" in text
    assert "    ours   tikhonov < trades < natural\n" in text
    assert "3 seeds for dnn" in text
    assert "- [red]Two[/red] threads :smile:.\n" in text


def test_a_table_with_nothing_in_it(make_results):
    text = report.terminal(make_results(ours={}, notes=()), 80)
    assert "98.83 |    - |    -" in text
    assert "no result yet" in text
