"""Columns against a column: every number at its x, rows without x as lines."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves
from tests.report.conftest import (
    Faults,
    check_layout,
    drawn,
    make,
    marks,
    seen,
    texts,
)

TITLES = {"train": "Training accuracy", "test": "Testing accuracy"}
CURVES = Curves(
    name="against_epsilon",
    title="Accuracy against epsilon",
    x="epsilon",
    panels=(("train", "test"), ("error",)),
    logarithmic=True,
)
EPSILONS = {
    "natural": {"train": 99.0, "test": 89.0, "error": 10.0},
    "eps 0.5": {"train": 80.4, "test": 79.4, "error": 1.0, "epsilon": 0.5},
    "eps 3": {"train": 85.7, "test": 83.6, "error": 2.1, "epsilon": 3.0},
    "eps 2e6": {"train": 96.6, "test": 88.3, "error": 8.3, "epsilon": 2e6},
}
OUR_EPSILONS = {
    "natural": {"train": [97.2, 97.3, 97.4], "test": [89.3] * 3, "error": [7.9, 8.0, 8.1]},
    "eps 0.5": {"train": [80.2], "test": [79.5], "error": [0.7], "epsilon": [0.49]},
    "eps 3": {"train": [85.0, 86.0], "test": [84.0, 84.6], "error": [1.0, 1.4], "epsilon": [3, 5]},
}


def against(paper=EPSILONS, ours=OUR_EPSILONS, **changes):
    columns = (
        *(Column(name=n, measure=Faults(), title=t, unit="%") for n, t in TITLES.items()),
        Column(name="error", measure=Faults(), title="Generalization error", unit="points"),
        Column(name="epsilon", measure=Faults(), title="Epsilon"),
    )
    return make(paper, ours, columns=columns, figures=(dataclasses.replace(CURVES, **changes),))


def test_each_number_stands_at_its_own_x_and_rows_without_x_are_lines():
    canvas = drawn(seen(against()).draw)
    accuracy, error = canvas.axes
    assert marks(error, "D") == [[0.5, 1.0], [3.0, 2.1], [2e6, 8.3]]
    assert marks(error, "o") == [pytest.approx(point) for point in ([0.49, 0.7], [4.0, 1.2])]
    flat = [line for line in error.lines if set(line.get_xdata()) == {0, 1}]
    assert [(line.get_ydata()[0], line.get_alpha()) for line in flat] == [
        (10.0, 0.4),
        (pytest.approx(8.0), 1),
    ]
    assert accuracy.get_ylabel() == "Accuracy (%)"
    words = "ours (quick preset), mean and 95 % interval over seeds"
    assert texts(canvas)[0] == ["paper", words, *TITLES.values(), "natural, no x (lighter: paper)"]
    one = make(EPSILONS, {}, columns=against().experiment.columns, figures=(CURVES,))
    assert texts(drawn(seen(one).draw))[0][1] == "ours (quick preset)"
    check_layout(canvas)


@pytest.mark.parametrize(("logarithmic", "kept"), [(True, [3.0]), (False, [-1.0, 0.0, 3.0])])
def test_a_logarithmic_axis_leaves_out_zero_and_below(logarithmic, kept):
    paper = {f"eps {x}": {"epsilon": x, "error": 2.0} for x in (-1.0, 0.0, 3.0)}
    made = against(paper, {}, logarithmic=logarithmic)
    assert [x for x, _ in marks(drawn(seen(made).draw).axes[1], "D")] == kept


def test_a_number_without_x_or_y_is_left_out():
    ours = {
        "eps 0.5": {"error": [0.7]},  # epsilon is not measured yet
        "eps 3": {"epsilon": [3.0], "error": []},
        "eps 2e6": {"epsilon": [2e6], "error": [4.0]},
    }
    paper = {**EPSILONS, "eps 2e6": {"epsilon": 2e6}, "eps 3": {"error": 2.1}}
    error = drawn(seen(against(paper, ours)).draw).axes[1]
    assert marks(error, "o") == [[2e6, 4.0]]
    # The paper's number stands at our x where it has none.
    assert [3.0, 2.1] in marks(error, "D")
