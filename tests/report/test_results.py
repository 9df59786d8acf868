"""Cells, groups, orders and sentences of the results, and how stored runs become results."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.report import StoredRun
from ftnoise.report.page import sections
from ftnoise.report.table import fixed
from ftnoise.stats import summarize
from tests.report.conftest import HEAT_MAP, OURS, PAIRS, SERIES, Faults, make, shown

ABC = {"a": {"error": 1.0}, "b": {"error": 2.0}, "c": {"error": 3.0}}


def cell(results, row, column):
    rows = {row.name: row for row in results.experiment.rows}
    columns = {column.name: column for column in results.experiment.columns}
    return results.cell(rows[row], columns[column])


@pytest.mark.parametrize(
    ("row", "column", "printed"),
    [
        ("dnn natural", "accuracy", ("98.83", "99.00 ± 0.10", "+0.17")),
        ("cnn natural", "error", ("8.01", "7.91", "-0.10")),
        ("cnn tikhonov", "error", ("4.90", "-", "-")),
        ("dnn trades", "spread", ("-", "-", "-")),
        ("cnn natural", "spread", ("-", "0.0650", "-")),
    ],
)
def test_a_cell_in_print(results, row, column, printed):
    assert cell(results, row, column).printed == printed


@pytest.mark.parametrize("ours", [8.01, 100 * (0.0801 + 1e-17), 8.009, 8.014])
def test_a_difference_that_rounds_to_nothing_has_no_sign(ours):
    results = make(ours={"cnn natural": {"error": [ours]}})
    assert cell(results, "cnn natural", "error").printed[2] == "0.00"


def test_rounding_of_floats_is_no_difference():
    results = make(
        paper={"a": {"error": 0.3}, "b": {"error": 0.3}},
        ours={"a": {"error": [0.1 + 0.2]}, "b": {"error": [0.3 + 1e-9]}},
    )
    assert cell(results, "a", "error").difference == 0.0
    assert cell(results, "b", "error").difference == pytest.approx(1e-9, rel=1e-6)


def test_an_upper_bound_is_rounded_up():
    for value, up in ((2.3401, "2.35"), (2.35, "2.35"), (20269.093, "20269.10"), (-0.001, "0.00")):
        assert fixed(value, 2, upward=True) == up
    assert fixed(None, 2, upward=True) == "-"
    ours = {name: {"error": [8.6002, 8.6004]} for name in OURS}
    for upward, printed in ((False, "8.60 ± 0.00"), (True, "8.61 ± 0.00")):
        error = Column(name="error", measure=Faults(), title="Error", upward=upward)
        results = make(columns=(error,), paper={name: {} for name in OURS}, ours=ours)
        assert cell(results, "dnn natural", "error").printed[1] == printed


def test_a_vacuous_bound_is_marked():
    bound = Column(name="error", measure=Faults(), title="Bound", vacuous=9.1)
    errors = {name: {"error": numbers["error"]} for name, numbers in OURS.items()}
    results = make(columns=(bound,), paper={name: {} for name in OURS}, ours=errors)
    assert cell(results, "dnn natural", "error").printed == ("-", "vacuous", "-")
    assert cell(results, "dnn tikhonov", "error").printed[1] == "3.30 ± 0.10"
    for form in (report.terminal, report.markdown, report.latex):
        assert "vacuous" in form(results)
    assert "$vacuous$" not in report.latex(results)
    assert "vacuous" not in report.csv(results)


def test_groups_are_the_first_words_of_names_that_all_have_two(results):
    assert {group: [*rows] for group, rows in results.groups.items()} == {
        "dnn": ["natural", "tikhonov", "trades"],
        "cnn": ["natural", "tikhonov"],
    }
    single = make(paper={"natural": {}, "eps 0.49": {}}, ours={})
    assert {group: [*rows] for group, rows in single.groups.items()} == {
        "": ["natural", "eps 0.49"]
    }


def test_orders_of_ranked_columns_where_two_rows_have_both(results):
    _, orders, _ = sections(results)
    assert orders.title == "Order of generalization error, smallest first"
    # cnn has a single row with both.
    assert orders.items == [
        "dnn: different. Paper: tikhonov < natural < trades. Ours: tikhonov < trades < natural."
    ]


def test_what_prints_the_same_ranks_the_same():
    ours = {"a": {"error": [5.0]}, "b": {"error": [4.0]}, "c": {"error": [4.001]}}
    _, orders, _ = sections(make(paper=ABC, ours=ours))
    assert orders.items == ["rows: different. Paper: a < b < c. Ours: b = c < a."]


def test_columns_with_the_papers_numbers_come_first(results):
    accuracy, error, spread = results.experiment.columns
    assert results.kinds() == ((accuracy, error), (spread,))
    mixed = make(columns=(spread, accuracy, error))
    assert mixed.kinds() == ((accuracy, error), (spread,))
    assert make(paper={name: {} for name in PAPER_ROWS}, ours={}).kinds() == (
        (accuracy, error, spread),
    )


PAPER_ROWS = ("x a", "x b", "y c")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([(0, 0)] * 3, "no result yet"),
        ([(1, 1), (1, 1), (0, 0)], "1 seed"),
        ([(3, 3), (1, 1), (1, 1)], "3 seeds for x a; 1 seed for x b, y"),
        ([(2, 2), (2, 2), (1, 1)], "2 seeds for x; 1 seed for y"),
        ([(3, 2)] * 3, "2 to 3 seeds"),
        ([(3, 3), (3, 2), (1, 1)], "3 seeds for x a; 2 to 3 seeds for x b; 1 seed for y"),
        ([(3, 0), (3, 3), (3, 3)], "3 seeds"),
    ],
)
def test_seeds_in_words(counts, words):
    ours = {
        name: {"accuracy": [1.0] * one, "error": [1.0] * other}
        for name, (one, other) in zip(PAPER_ROWS, counts, strict=True)
    }
    assert make(paper={name: {} for name in PAPER_ROWS}, ours=ours).seeds() == words


def test_the_legend_counts_what_is_missing_and_explains_dashes(results):
    assert "3 of 15 numbers are missing" in results.legend()
    legend = make(paper={"a": {}}, ours={"a": {"accuracy": [1.0], "error": [], "spread": [1.0]}})
    assert "missing" not in legend.legend()
    assert "A number that does not apply to a row is a dash." in legend.legend()
    complete = make(
        paper={"a": {}}, ours={"a": {name: [1.0] for name in ("accuracy", "error", "spread")}}
    )
    assert complete.legend() == "1 seed."
    assert results.legend().startswith("Ours: mean ± sample standard deviation")


# Several draws of the data


def test_a_cell_of_several_draws_is_over_their_means():
    random = np.random.default_rng(0)
    numbers = np.repeat(random.normal(90, 5, 4), 3) + random.normal(0, 1, 12)
    pooled, known = summarize(numbers.tolist()), summarize(numbers.reshape(4, 3).mean(axis=1))
    one_draw = make(paper={"a": {}}, ours={"a": {"error": numbers.tolist()}})
    assert cell(one_draw, "a", "error").ours == pooled
    by_run = {(n // 3, n % 3): number for n, number in enumerate(numbers.tolist())}
    several = make(paper={"a": {}}, ours={"a": {"error": by_run}})
    ours = cell(several, "a", "error").ours
    assert ours.count == 12
    assert (ours.mean, ours.spread, ours.low, ours.high) == pytest.approx(
        (known.mean, known.spread, known.low, known.high)
    )
    # Three seeds of a draw show less of the mean than three draws.
    assert ours.high - ours.low > 2 * (pooled.high - pooled.low)
    assert several.legend().startswith(
        "Mean ± sample standard deviation over draws of the data, the number of a draw "
        "being the mean over its seeds (4 draws of the data, 3 seeds each)."
    )


def test_a_row_with_a_single_draw_has_no_spread():
    ours = {
        "a": {"error": {(0, 0): 1.0, (0, 1): 2.0}},
        "b": {"error": {(0, 0): 1.0, (0, 1): 2.0, (1, 0): 3.0}},
        "c": {"error": {(0, 0): 1.0}},
    }
    made = make(paper={name: {} for name in ours}, ours=ours)
    assert made.seeds() == (
        "2 seeds for a; 2 draws of the data, 1 to 2 seeds each for b; 1 seed for c"
    )
    assert cell(made, "a", "error").printed[1] == "1.50"
    assert cell(made, "b", "error").ours.mean == 2.25
    assert made.has_spread(made.experiment.columns[1])
    assert not made.has_spread(made.experiment.columns[0])


# Arrays


def found(*rates, draws=2):
    return {"rates": rates, "y": np.zeros(len(rates)), "v": np.zeros((len(rates), draws))}


def test_a_reading_is_shown_if_it_has_all_arrays():
    made = shown(SERIES, {"a": [found(0, 1), None, {"rates": [0]}, found(0, 1)], "b": []})
    ((row, readings),) = made.shown(SERIES).items()
    assert row == "a"
    assert [reading.seed for reading in readings] == [0, 3]
    # The labels of a heat map are in the info.
    arrays = {"a": [found(0, 1)]}
    assert shown(HEAT_MAP, arrays).shown(HEAT_MAP) == {}
    assert [*shown(HEAT_MAP, arrays, {"layers": ["x", "y"]}).shown(HEAT_MAP)] == ["a"]


@pytest.mark.parametrize("figure", [SERIES, HEAT_MAP])
def test_rows_may_have_x_of_their_own_but_not_the_seeds_of_a_row(figure):
    info = {"layers": ["a", "b"]}
    arrays = {"y": np.zeros(2), "v": np.zeros((2, 2))}
    one, other = ({**arrays, "rates": rates} for rates in ([0, 1], [0, 2]))
    assert len(shown(figure, {"a": [one], "b": [other]}, info).shown(figure)) == 2
    with pytest.raises(BadInput, match=r"takes together\. Received: row='a', seed=1"):
        shown(figure, {"a": [one, other]}, info).shown(figure)


FITTING = {"rates": [0, 1], "y": np.zeros(2), "v": np.zeros((2, 2))}


@pytest.mark.parametrize(
    ("figure", "change", "words"),
    [
        (SERIES, {"y": np.zeros(3)}, r"real numbers y \[x\] for"),
        (SERIES, {"y": np.zeros((2, 1))}, r"y \[x\]"),
        (SERIES, {"y": np.zeros(2, complex)}, "real numbers y"),
        (SERIES, {"rates": [0, np.nan]}, "finite, different rates for"),
        (PAIRS, {"rates": [1, 1]}, "finite, different rates for"),
        (HEAT_MAP, {"v": np.zeros((2, 4))}, r"v \[layers, x\] for"),
        (HEAT_MAP, {"v": np.zeros((3, 2))}, r"v \[layers, x\] for"),
        (PAIRS, {"v": np.zeros((4, 2))}, r"v \[x, draws\]"),
        (PAIRS, {"v": np.zeros((2, 1))}, "at least two draws for"),
    ],
)
def test_arrays_that_a_figure_cannot_show_are_refused(figure, change, words):
    info = {"layers": ["a", "b"]}
    assert shown(figure, {"a": [FITTING]}, info).shown(figure)
    with pytest.raises(BadInput, match=words):
        shown(figure, {"a": [FITTING | change]}, info).shown(figure)


def test_rows_that_are_compared_have_the_same_x_and_draws():
    assert len(shown(PAIRS, {"x a": [found(0, 1)], "y b": [found(0, 2)]}).shown(PAIRS)) == 2
    for other in (found(0, 2), found(0, 1, draws=3)):
        with pytest.raises(BadInput, match=r"takes together\. Received: row='b'"):
            shown(PAIRS, {"a": [found(0, 1)], "b": [other]}).shown(PAIRS)


# Stored runs


@dataclass(frozen=True, kw_only=True)
class Flagged(Faults):
    """A measure that warns."""

    def red_flags(self, info):
        return info["red_flags"]


class Folder:
    """The measurements of a run: (scalars, arrays, info) by measure id."""

    def __init__(self, measured: dict[str, tuple[Any, Any, Any]]) -> None:
        self.measured = measured

    def _part(self, id, part):
        return self.measured[id][part] if id in self.measured else None

    def read_measure(self, id):
        return self._part(id, 0)

    def read_measure_arrays(self, id):
        return self._part(id, 1)

    def read_measure_info(self, id):
        return self._part(id, 2)


HERE = {"gpus": [], "processor": "abacus", "threads": 1, "tensorflow": "2.15.1"}
SPEC = {"data": {"source": "memory"}, "environment": HERE}


def stored(experiment, number, seed, measured, draw=0, **spec):
    row = experiment.rows[number]
    run = replace(experiment.draws(row)[draw], seed=seed)
    return StoredRun(row, run, Folder(measured), SPEC | spec, draw)


def test_results_are_read_from_stored_runs():
    measure, arrays = Faults(), {name: np.asarray(v) for name, v in found(0, 1).items()}
    experiment = make({"a": {}, "b": {}}, {}, figures=(SERIES,), data_seeds=2).experiment
    id = spec_id(measure)
    runs = [
        stored(experiment, 0, 0, {id: ({"accuracy": 1.0}, arrays, {"checks": []})}),
        stored(experiment, 0, 3, {id: ({"accuracy": 2.0, "error": 3.0}, arrays, {})}),
        stored(experiment, 0, 0, {id: ({"accuracy": 4.0}, arrays, {})}, draw=1),
        stored(experiment, 1, 0, {}),
    ]
    made = report.results(experiment, PRESETS["paper"], runs)
    assert made.values == {
        "a": {
            "accuracy": {(0, 0): 1.0, (0, 3): 2.0, (1, 0): 4.0},
            "error": {(0, 3): 3.0},
            "spread": {},
        }
    }
    # Figures are of the first draw of the data.
    assert [reading.seed for reading in made.readings["a"][id]] == [0, 3]
    assert [*made.readings] == ["a"]
    assert sections(made)[0].name == "table0.paper"
    assert report.results(experiment, PRESETS["paper"], runs[3:]).values == {}


def test_a_column_that_no_measurement_has_is_noted():
    experiment = make({"a": {}, "b": {}}, {}).experiment
    id = spec_id(Faults())
    runs = [
        stored(experiment, n, 0, {id: ({"accuracy": 1.0, "errors": 2.0}, None, {})}) for n in (0, 1)
    ]
    notes = report.results(experiment, PRESETS["paper"], runs).notes
    assert "Column error is empty: Faults returned accuracy, errors." in notes
    runs[0].folder.measured[id][0]["error"] = 1.0
    assert "Column error" not in str(report.results(experiment, PRESETS["paper"], runs).notes)


def test_the_interval_of_shares_ends_at_0_and_100():
    numbers = {"a": {"accuracy": [99.0, 100.0]}, "b": {"accuracy": [1.0, 0.0]}}
    results = make({"a": {}, "b": {}}, numbers)
    assert (cell(results, "a", "accuracy").ours.high, cell(results, "b", "accuracy").ours.low) == (
        100,
        0,
    )
    signed = make({"a": {}}, {"a": {"accuracy": [1.0, -1.0]}})
    assert cell(signed, "a", "accuracy").ours.low < -10


def test_the_notes_name_preset_data_machines_and_red_flags():
    column = Column(name="flags", measure=Flagged(), title="Red flags")
    experiment = make({"a": {}}, {}, columns=(column,)).experiment
    measured = {spec_id(Flagged()): ({"flags": 1.0}, None, {"red_flags": ["too few steps"]})}
    gpu = HERE | {"gpus": ["GPU"], "threads": 2}
    runs = [
        stored(experiment, 0, 0, {}, earlier_environments=[gpu]),
        stored(experiment, 0, 1, measured),
    ]
    quick, paper = PRESETS["quick"], PRESETS["paper"]
    assert report.results(experiment, paper, runs).notes == (
        "Data: points from memory.",
        "Machine: GPU, 2 threads, TensorFlow 2.15.1; abacus, 1 thread, TensorFlow 2.15.1.",
        "Red flag, a (seed 1): too few steps",
    )
    # The paper's protocol matters where there is a number of the paper.
    assert report.results(experiment, quick, []).notes == (f"Preset quick: {quick.summary}.",)
    experiment = make({"a": {"flags": 2.0}}, {}, columns=(column,)).experiment
    assert report.results(experiment, quick, []).notes == (
        f"Preset quick: {quick.summary}. The paper's numbers are of its full protocol.",
    )
    adopting = dataclasses.replace(experiment, adopts=True)
    assert report.results(adopting, quick, []).notes == (
        "Preset quick: 8 fault trials, 200 attacked examples, on models of the whole protocol. "
        "The paper's numbers are of its full protocol.",
    )
    secret = report.results(experiment, paper.with_secret_key(), []).notes
    assert secret[1] == "Measurements on training examples are exact: no epsilon covers them."
