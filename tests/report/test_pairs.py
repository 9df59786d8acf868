"""Rows compared pair by pair: the statistics, what they are corrected for, and every form of it."""

from __future__ import annotations

import dataclasses
import io
import re

import numpy as np
import pandas
import pytest
import scipy.stats

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Pairs
from ftnoise.report.pairs import compare
from ftnoise.stats.comparing import paired
from ftnoise.stats.interval import student_interval
from tests.report.conftest import SHOWN, shown

PAIRS = Pairs(
    name="compared",
    title="Accuracy on the same masks",
    values="values",
    value_title="Testing accuracy",
    value_unit="points",
    draws="masks",
    **SHOWN,
)
RATES = [0.0, 0.01, 0.1]
NAMES = ("dnn natural", "dnn trades", "dnn tikhonov", "cnn natural", "cnn trades")


def found(number, seed=0, draws=8):
    """Values [x, draws] that fall with the number of the row, on masks that all rows share."""
    masks = np.random.default_rng(7).normal(size=(len(RATES), draws))
    own = np.random.default_rng([number, seed]).normal(size=(len(RATES), draws))
    values = 90 - number * np.arange(len(RATES))[:, None] + masks + own / 2
    return {"rates": RATES, "values": values}


def results(arrays=None, **changes):
    one_seed = {name: [found(i)] for i, name in enumerate(NAMES)}
    picture = dataclasses.replace(PAIRS, **changes)
    return shown(picture, one_seed if arrays is None else arrays)


def compared(made):
    return compare(made, made.experiment.figures[0])


def test_every_pair_of_a_group_at_each_x_in_the_experiments_order():
    one = compared(results())
    assert [(c.group, c.pair, c.x) for c in one] == [
        (group, pair, x)
        for group, pair in (
            ("dnn", "natural - trades"),
            ("dnn", "natural - tikhonov"),
            ("dnn", "trades - tikhonov"),
            ("cnn", "natural - trades"),
        )
        for x in RATES
    ]


def test_differences_are_paired_by_draw_and_corrected_for_all_comparisons():
    arrays = {name: found(i)["values"] for i, name in enumerate(NAMES)}
    comparisons = compared(results())
    for one in comparisons:
        i = RATES.index(one.x)
        first, second = arrays[one.first.name][i], arrays[one.second.name][i]
        known = scipy.stats.ttest_rel(first, second)
        assert one.found.difference == pytest.approx(np.mean(first - second))
        ours = paired(first, second)
        assert (one.found.low, one.found.high) == pytest.approx((ours.low, ours.high))
        assert one.found.p_value == pytest.approx(known.pvalue)
        assert (one.found.count, one.seeds) == (8, 1)
    p_values = [one.found.p_value for one in comparisons]
    smallest = int(np.argmin(p_values))
    assert comparisons[smallest].p_holm == pytest.approx(len(p_values) * p_values[smallest])
    assert comparisons[int(np.argmax(p_values))].p_holm >= max(p_values)
    assert all(one.p_holm >= one.found.p_value for one in comparisons)


def test_a_row_alone_has_its_mean_and_no_p_value():
    comparisons = compared(results(alone=True))
    alone = [one for one in comparisons if one.second is None]
    assert [(one.group, one.pair, one.x) for one in alone] == [
        (*name.split(), x) for name in NAMES for x in RATES
    ]
    for one in alone:
        values = found(NAMES.index(one.first.name))["values"][RATES.index(one.x)]
        known = student_interval(values)
        ends = one.found.difference, one.found.low, one.found.high
        assert ends == pytest.approx((known.mean, known.low, known.high))
        assert one.p_printed == "-"
        assert not one.is_clear
    # They are no comparisons, so nothing is corrected for them.
    pairs = [one.p_holm for one in comparisons if one.second is not None]
    assert pairs == [one.p_holm for one in compared(results())]
    made = results(alone=True)
    assert "a row's own, and the first row's minus the second's" in report.markdown(made)
    for text in (report.markdown(made), report.terminal(made, 200)):
        assert "+89" not in text
        assert f"{alone[0].found.difference:.2f}" in text
    frame = pandas.read_csv(io.BytesIO(report.plot(made, made.experiment.figures[0])["csv"]))
    assert frame[frame.second.isna()].p.isna().all()
    assert not frame[frame.second.notna()].p.isna().any()


def test_each_draw_is_averaged_over_the_seeds_that_both_rows_have():
    arrays = {
        "natural": [found(0, seed) for seed in range(3)],
        "trades": [None, found(1, 1), found(1, 2)],
    }
    one, *_ = compared(results(arrays))
    means = [
        np.mean([found(number, seed)["values"][0] for seed in (1, 2)], axis=0) for number in (0, 1)
    ]
    assert one.seeds == 2
    assert one.found.difference == pytest.approx(np.mean(means[0] - means[1]))
    assert one.found.p_value == pytest.approx(scipy.stats.ttest_rel(*means).pvalue)
    assert "masks (8; 2 seeds)" in report.markdown(results(arrays))


def test_what_is_missing_is_not_compared():
    hole = found(1)
    hole["values"][1, 3] = np.nan
    arrays = {
        "natural": [found(0)],
        "trades": [hole],
        "tikhonov": [],
        "later": [None, found(2, 1)],
        "other": [{"rates": RATES}],
    }
    assert [(one.pair, one.x) for one in compared(results(arrays))] == [
        ("natural - trades", 0.0),
        ("natural - trades", 0.1),
    ]


def test_nothing_to_compare_is_said():
    made = results({"natural": [found(0)], "trades": []})
    assert compared(made) == []
    words = "No two rows of a group have a result yet."
    assert f"Accuracy on the same masks\n{words}\n" in report.terminal(made)
    assert rf"**Accuracy on the same masks.** {words}" in report.markdown(made)
    assert "Accuracy on" not in report.latex(made)
    assert list(report.plot(made, PAIRS)) == ["csv"]
    assert report.plot(made, PAIRS)["csv"].count(b"\n") == 1


def test_csv_has_every_number():
    made = results()
    frame = pandas.read_csv(io.BytesIO(report.plot(made, PAIRS)["csv"]))
    assert list(frame.columns) == [
        *("experiment", "preset", "first", "second", "x", "difference", "low", "high"),
        *("p", "p_holm", "draws", "seeds"),
    ]
    for (_, line), one in zip(frame.iterrows(), compared(made), strict=True):
        assert list(line[:4]) == ["table0", "quick", one.first.name, one.second.name]
        numbers = (
            one.x,
            one.found.difference,
            one.found.low,
            one.found.high,
            one.found.p_value,
            one.p_holm,
        )
        assert list(line[4:10]) == pytest.approx(numbers, rel=1e-9)
        assert list(line[10:]) == [8, 1]


def printed(one):
    half = (one.found.high - one.found.low) / 2
    return f"{one.found.difference:+.2f}", f"{half:.2f}", "*" if one.p_holm < 0.05 else ""


def test_markdown_has_a_line_for_each_comparison():
    made = results()
    text = report.markdown(made)
    assert "Holm's correction for all 12 comparisons" in text
    assert "Share of faulty parameters" in text
    assert "Difference (points)" in text
    for one in compared(made):
        p = r"\<0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
        interval = rf"\[{one.found.low:+.2f}, {one.found.high:+.2f}\]"
        cells = (f"{one.group} {one.pair}", f"{one.x:g}", printed(one)[0], interval, p)
        assert re.search(r"\| " + r" +\| ".join(map(re.escape, cells)) + r" +\|", text), cells


def test_latex_has_a_table_with_a_cell_for_each_comparison():
    made = results()
    _, text = report.latex(made).split(r"\end{table}", 1)
    assert text.count(r"\begin{tabular}{l r r r}") == 1
    assert r"\label{tab:table0-quick-compared}" in text
    lines = [line.strip() for line in text.splitlines() if "shortstack" in line]
    cells = {}
    for line in lines:
        pair, *some = line.removesuffix(r" \\").split(" & ")
        cells.setdefault(pair.removeprefix(r"\quad "), []).append(some)
    for one in compared(made):
        mean, half, star = printed(one)
        cell = rf"\shortstack[r]{{${mean}{'^{*}' if star else ''}$\\$\pm {half}$}}"
        assert any(some[RATES.index(one.x)] == cell for some in cells[one.pair])
    assert text.count("{") == text.count("}")
    assert text.count("$") % 2 == 0


def test_many_x_are_several_tables_in_latex_and_in_a_terminal():
    rates = np.arange(25.0)
    arrays = {
        name: [{"rates": rates, "values": np.random.default_rng(i).random((25, 4))}]
        for i, name in enumerate(("natural", "trades"))
    }
    made = results(arrays)
    assert report.latex(made).split(r"\end{table}", 1)[1].count(r"\begin{tabular}") == 3
    for width in (60, 100, 200):
        text = report.terminal(made, width)
        assert max(map(len, text.splitlines())) <= width
        heads = [line for line in text.splitlines() if line.startswith("Share of")]
        assert [float(x) for line in heads for x in line.split()[4:]] == rates.tolist()


@pytest.mark.parametrize("width", [20, 60, 100, 160])
@pytest.mark.parametrize("color", [False, True])
def test_a_terminal_shows_every_comparison_whatever_its_width(width, color):
    made = results()
    text = re.sub(r"\x1b\[[0-9;]*m", "", report.terminal(made, width, color))
    _, text = text.split("Accuracy on the same masks\n")
    seen = re.findall(r"([+-]?\d+\.\d\d) ± (\d+\.\d\d)(\*?)", text)
    assert sorted(seen) == sorted(map(printed, compared(made)))
    starts = [
        [match.start() for match in re.finditer("±", line)]
        for line in text.splitlines()
        if "±" in line
    ]
    assert len({tuple(some) for some in starts if len(some) == len(starts[0])}) == 1


def test_two_rows_that_are_the_same_do_not_differ():
    same = found(0)
    (one, *_) = compared(results({"natural": [same], "trades": [same]}))
    assert (one.found.difference, one.found.low, one.found.high) == (0, 0, 0)
    assert (one.p_holm, one.is_clear) == (1.0, False)


def test_where_nothing_differs_few_tables_say_that_something_does():
    wrong = 0
    for trial in range(60):
        values = np.random.default_rng(trial).normal(size=(2, 20, 6))
        arrays = {
            name: [{"rates": np.arange(20.0), "values": some}]
            for name, some in zip(("natural", "trades"), values, strict=True)
        }
        wrong += any(one.is_clear for one in compared(results(arrays)))
    # More than 8 have a probability of 0.3 %, at 5 % of tables; uncorrected it would be 64 %.
    assert wrong <= 8


def test_the_same_bytes_each_time():
    assert report.plot(results(), PAIRS) == report.plot(results(), PAIRS)


def test_only_the_rows_that_are_named_are_compared():
    made = compared(results(rows=("natural", "trades")))
    assert {(c.group, c.pair) for c in made} == {
        ("dnn", "natural - trades"),
        ("cnn", "natural - trades"),
    }
    with pytest.raises(BadInput, match=r"rows of .* for compared"):
        results(rows=("nothing",))


def test_where_the_draws_make_no_difference_nothing_is_compared():
    arrays = {name: found(i) for i, name in enumerate(NAMES[:2])}
    for i, one in enumerate(arrays.values()):
        one["values"][0] = 90 - i
    made = compared(results({name: [one] for name, one in arrays.items()}))
    assert [c.x for c in made] == RATES[1:]
