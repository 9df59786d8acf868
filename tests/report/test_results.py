"""Cells, groups, orders and sentences, which all forms of a report share."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Plane
from ftnoise.core.spec import spec_id
from ftnoise.report import Reading, Results, csv, latex, markdown, plane, terminal
from ftnoise.report.results import Printed
from ftnoise.stats import summarize
from tests.report.conftest import HEAT_MAP, OURS, PAIRS, SERIES, SHOWN, shown

PAPER = {"a": {"error": 1.0}, "b": {"error": 2.0}, "c": {"error": 3.0}}


def cell(results, row, column):
    rows = {row.name: row for row in results.experiment.rows}
    columns = {column.name: column for column in results.experiment.columns}
    return results.cell(rows[row], columns[column])


def test_a_cell_in_print(results):
    printed = cell(results, "dnn natural", "accuracy").printed
    assert printed == Printed(paper="98.83", ours="99.00", spread="0.10", difference="+0.17")
    printed = cell(results, "cnn natural", "error").printed
    assert printed == Printed(paper="8.01", ours="7.91", spread="", difference="-0.10")


def test_missing_cells_in_print(results):
    assert cell(results, "cnn tikhonov", "error").printed == Printed("4.90", "-", "", "-")
    assert cell(results, "dnn trades", "spread").printed == Printed("-", "-", "", "-")
    assert cell(results, "cnn natural", "spread").printed == Printed("-", "0.0650", "", "-")


@pytest.mark.parametrize("ours", [8.01, 100 * (0.0801 + 1e-17), 8.009, 8.014])
def test_a_difference_that_rounds_to_nothing_has_no_sign(make_results, ours):
    results = make_results(ours={"cnn natural": {"error": [ours]}})
    assert cell(results, "cnn natural", "error").printed.difference == "0.00"


def test_rounding_of_floats_is_no_difference(make_results):
    results = make_results(
        paper={"a": {"error": 0.3}, "b": {"error": 0.3}},
        ours={"a": {"error": [0.1 + 0.2]}, "b": {"error": [0.3 + 1e-9]}},
    )
    assert cell(results, "a", "error").difference == 0.0
    assert cell(results, "b", "error").difference == pytest.approx(1e-9, rel=1e-6)


def test_groups_are_first_words(results):
    assert [(g.name, [label for label, _ in g.rows]) for g in results.groups()] == [
        ("dnn", ["natural", "tikhonov", "trades"]),
        ("cnn", ["natural", "tikhonov"]),
    ]


def test_rows_of_which_one_has_a_single_word_are_one_group(make_results):
    results = make_results(paper={"natural": {}, "eps 0.49": {}, "eps 2.97": {}}, ours={})
    assert [(g.name, [label for label, _ in g.rows]) for g in results.groups()] == [
        ("", ["natural", "eps 0.49", "eps 2.97"])
    ]


def test_orders_of_ranked_columns_where_two_rows_have_both(results):
    (order,) = results.orders()  # cnn has a single row with both
    assert (order.column.name, order.group) == ("error", "dnn")
    assert order.paper == "tikhonov < natural < trades"
    assert order.ours == "tikhonov < trades < natural"
    assert not order.same


def test_the_same_order(make_results):
    ours = {"a": {"error": [5.0]}, "b": {"error": [6.0]}, "c": {"error": [6.1, 6.3]}}
    (order,) = make_results(paper=PAPER, ours=ours).orders()
    assert order.ours == "a < b < c"
    assert order.same


def test_what_prints_the_same_ranks_the_same(make_results):
    ours = {"a": {"error": [5.0]}, "b": {"error": [4.0]}, "c": {"error": [4.001]}}
    (order,) = make_results(paper=PAPER, ours=ours).orders()
    assert order.ours == "b = c < a"


def test_kinds_of_columns(make_results, results):
    names = [[column.name for column in kind] for kind in results.kinds()]
    assert names == [["accuracy", "error"], ["spread"]]
    (kind,) = make_results(paper={name: {} for name in PAPER}, ours={}).kinds()
    assert [column.name for column in kind] == ["accuracy", "error", "spread"]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([0, 0, 0], "no result yet"),
        ([1, 1, 0], "1 seed"),
        ([3, 3, 3], "3 seeds"),
        ([3, 1, 1], "3 seeds for x a; 1 seed for x b, y c"),
        ([2, 2, 1], "2 seeds for x; 1 seed for y"),
    ],
)
def test_seeds_in_words(make_results, counts, words):
    names = ("x a", "x b", "y c")
    ours = {name: {"error": [1.0] * n} for name, n in zip(names, counts, strict=True)}
    words = words.replace("y c", "y")
    assert make_results(paper={name: {} for name in names}, ours=ours).seeds() == words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([(3, 2), (3, 2), (3, 2)], "2 to 3 seeds"),
        ([(3, 3), (3, 2), (1, 1)], "3 seeds for x a; 2 to 3 seeds for x b; 1 seed for y"),
        ([(3, 2), (3, 2), (2, 2)], "2 to 3 seeds for x; 2 seeds for y"),
        ([(3, 0), (3, 3), (3, 3)], "3 seeds"),
    ],
)
def test_a_row_of_which_a_number_is_missing_has_a_range_of_seeds(make_results, counts, words):
    names = ("x a", "x b", "y c")
    ours = {
        name: {"accuracy": [1.0] * one, "error": [1.0] * other}
        for name, (one, other) in zip(names, counts, strict=True)
    }
    assert make_results(paper={name: {} for name in names}, ours=ours).seeds() == words


# Several draws of the data


def of_draws(made, runs):
    """The same results, of these runs in all cells of a row: `(draw, seed)` by row."""
    keys = {
        row: {column: runs[row][: len(found)] for column, found in columns.items()}
        for row, columns in made.values.items()
    }
    return Results(made.experiment, made.preset, made.values, made.notes, made.readings, runs=keys)


def test_a_cell_of_several_draws_is_over_their_means(make_results):
    random = np.random.default_rng(0)
    numbers = np.repeat(random.normal(90, 5, 4), 3) + random.normal(0, 1, 12)
    made = make_results(paper={"a": {}}, ours={"a": {"error": numbers.tolist()}})
    runs = [(draw, seed) for draw in range(4) for seed in range(3)]
    row, column = made.experiment.rows[0], made.experiment.columns[1]
    assert made.cell(row, column).ours == summarize(numbers.tolist())
    ours = of_draws(made, {"a": [(0, n) for n in range(12)]}).cell(row, column).ours
    assert ours == summarize(numbers.tolist())

    several = of_draws(made, {"a": runs})
    ours, known = several.cell(row, column).ours, summarize(numbers.reshape(4, 3).mean(axis=1))
    assert ours.count == 12
    assert (ours.mean, ours.spread, ours.low, ours.high) == pytest.approx(
        (known.mean, known.spread, known.low, known.high)
    )
    # Three seeds of a draw tell less of the mean than three draws.
    pooled = summarize(numbers.tolist())
    assert ours.high - ours.low > 2 * (pooled.high - pooled.low)
    assert several.legend().startswith(
        "Ours: mean ± sample standard deviation over draws of the data, the number of a draw "
        "being the mean over its seeds (4 draws of the data, 3 seeds each)."
    )
    for form in (terminal, markdown, latex):
        assert "(4 draws of the data, 3 seeds each)" in " ".join(form(several).split())


def test_a_row_of_which_a_single_draw_is_there_has_no_spread(make_results):
    ours = {"a": {"error": [1.0, 2.0]}, "b": {"error": [1.0, 2.0, 3.0]}, "c": {"error": [1.0]}}
    made = make_results(paper={name: {} for name in ours}, ours=ours)
    runs = {"a": [(0, 0), (0, 1)], "b": [(0, 0), (0, 1), (1, 0)], "c": [(0, 0)]}
    made = of_draws(made, runs)
    assert (
        made.seeds() == "2 seeds for a; 2 draws of the data, 1 to 2 seeds each for b; 1 seed for c"
    )
    assert cell(made, "a", "error").printed.spread == ""
    assert cell(made, "b", "error").ours.mean == 2.25
    assert made.has_spread(made.experiment.columns[1])
    assert not made.has_spread(made.experiment.columns[0])


def test_a_picture_of_the_first_draw_says_so():
    picture = Plane(
        name="plane",
        title="The plane",
        y="down",
        y_title="Down",
        values="values",
        value_title="Probability",
        points="points",
        classes="classes",
        tested="tested",
        **SHOWN,
    )
    arrays = {
        "rates": [0.0, 1.0],
        "down": [0.0, 1.0],
        "values": np.zeros((2, 2)),
        "points": np.zeros((1, 2)),
        "classes": np.zeros(1),
        "tested": np.zeros(1),
    }
    made = shown(picture, {"a": [arrays, arrays]}, ours={"a": {"error": [1.0, 2.0]}})
    one = of_draws(made, {"a": [(0, 0), (0, 1)]})
    assert plane.caption(one, picture)[1].startswith("The plane, 2 seeds. The shade")
    several = of_draws(made, {"a": [(0, 0), (1, 0)]})
    assert plane.caption(several, picture)[1].startswith(
        "The plane, first draw of the data, 2 seeds. The shade"
    )


def test_the_legend_counts_what_is_missing(results, make_results):
    assert "3 of 15 numbers are missing" in results.legend()
    complete = {"a": {"accuracy": [1.0], "error": [1.0], "spread": [1.0]}}
    legend = make_results(paper={"a": {}}, ours=complete).legend()
    assert "missing" not in legend
    assert "dash" not in legend


def test_a_bound_that_says_nothing_is_printed_so(make_results):
    bound = Column(name="error", measure=None, title="Bound", vacuous=9.1)
    results = make_results(columns=(bound,), paper={name: {} for name in OURS}, ours={
        name: {"error": numbers["error"]} for name, numbers in OURS.items()
    })  # fmt: skip
    printed = cell(results, "dnn natural", "error").printed
    assert printed == Printed(paper="-", ours="vacuous", spread="", difference="-")
    assert cell(results, "dnn tikhonov", "error").printed.ours == "3.30"
    assert "vacuous" in terminal(results)
    assert "vacuous" in markdown(results)
    assert "vacuous" in latex(results)
    assert "$vacuous$" not in latex(results)
    assert "vacuous" not in csv(results)


def test_a_number_that_a_row_cannot_have_is_not_missing(make_results):
    ours = {"a": {"accuracy": [1.0], "error": [], "spread": [1.0]}}
    legend = make_results(paper={"a": {}}, ours=ours).legend()
    assert "missing" not in legend
    assert "A number that a row cannot have is a dash." in legend


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        ({"dnn other": {}}, "row='dnn other'"),
        ({"dnn natural": {"other": [1.0]}}, "column='other'"),
        ({"dnn natural": {"error": [1.0, float("nan")]}}, "error of dnn natural.*nan"),
    ],
)
def test_refuses_what_the_table_does_not_have(make_results, ours, named):
    with pytest.raises(BadInput, match=named):
        make_results(ours=ours)


def found(*rates, draws=2):
    return {"rates": rates, "y": np.zeros(len(rates)), "v": np.zeros((len(rates), draws))}


def test_what_is_shown_of_a_row_is_what_has_all_arrays_in_the_order_of_the_seeds():
    made = shown(SERIES, {"a": [found(0, 1), None, {"rates": [0]}, found(0, 1)], "b": []})
    a, b = made.experiment.rows
    assert [reading.seed for reading in made.shown(a, SERIES)] == [0, 3]
    assert made.shown(b, SERIES) == ()


@pytest.mark.parametrize("picture", [SERIES, HEAT_MAP])
def test_rows_may_have_x_of_their_own_but_not_the_seeds_of_a_row(picture):
    info = {"layers": ["a", "b"]}

    def rows(**arrays):
        return shown(picture, arrays, info)

    rows(a=[found(0, 1)], b=[found(0, 2)])
    with pytest.raises(BadInput, match=r"takes together\. Received: row='a', seed=1"):
        rows(a=[found(0, 1), found(0, 2)], b=[])


def test_rows_that_are_compared_have_the_same_x_and_draws():
    shown(PAIRS, {"dnn a": [found(0, 1)], "dnn b": [found(0, 1)], "cnn c": [found(0, 2)]})
    for other in (found(0, 2), found(0, 1, draws=3)):
        with pytest.raises(BadInput, match="row='b', seed=0"):
            shown(PAIRS, {"a": [found(0, 1)], "b": [other]})


def test_arrays_that_a_picture_cannot_show_are_refused_in_one_line():
    with pytest.raises(BadInput, match="of one length for line") as failure:
        shown(SERIES, {"a": [found(0, 1) | {"y": [1.0]}]})
    assert re.fullmatch(r"Expected .*\. Received: .*\.", str(failure.value))


@pytest.mark.parametrize(
    ("row", "measure", "seeds", "named"),
    [
        ("other", spec_id(SERIES.measure), [0], "row='other'"),
        ("a", "other-01234567", [0], "measure='other-01234567'"),
        ("a", spec_id(SERIES.measure), [0, 0], r"in order.*seeds=\[0, 0\]"),
        ("a", spec_id(SERIES.measure), [1, 0], r"in order.*seeds=\[1, 0\]"),
    ],
)
def test_refuses_arrays_that_the_table_does_not_ask_for(make_results, row, measure, seeds, named):
    arrays = {name: np.asarray(values) for name, values in found(0, 1).items()}
    readings = {row: {measure: [Reading(seed, arrays) for seed in seeds]}}
    with pytest.raises(BadInput, match=named):
        make_results(paper={"a": {}}, ours={}, readings=readings, figures=(SERIES,))
