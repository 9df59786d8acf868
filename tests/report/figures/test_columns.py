"""Columns as pictures: the paper's numbers and ours at their places, and the Pareto front."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves, Scatter
from ftnoise.report.figures.columns import overview
from ftnoise.stats import summarize
from tests.report.conftest import (
    Faults,
    check_layout,
    drawn,
    frame,
    make,
    marks,
    plot,
    seen,
    texts,
)


def test_the_overview_has_a_panel_for_each_column_of_the_paper(results):
    canvas = drawn(lambda canvas: overview(canvas, results))
    accuracy, error = (axes for axes in canvas.axes if axes.axison)
    assert accuracy.get_xlabel() == "Training accuracy (%)"
    assert error.get_xlabel() == "Generalization error (points)"
    assert sorted(x for x, _ in marks(accuracy, "D")) == [90.99, 95.94, 98.60, 98.76, 98.83]
    assert sorted(x for x, _ in marks(accuracy, "o")) == pytest.approx(
        [91.0, 95.5, 98.21, 98.8, 99.0]
    )
    labels = [label.get_text() for label in accuracy.get_yticklabels()]
    assert labels == [row.name for row in results.experiment.rows]
    # The bars are the intervals of more than one seed.
    (bars,) = [one for one in accuracy.containers if one.has_xerr]
    segments = bars.lines[2][0].get_segments()
    ends = np.stack([one[:, 0] for one in segments if one.ndim == 2 and np.isfinite(one).all()])
    known = [summarize(numbers) for numbers in ([98.9, 99, 99.1], [90.5, 91, 91.5])]
    assert ends[:2] == pytest.approx(np.array([[one.low, one.high] for one in known]))
    check_layout(canvas)


# Curves

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
        (10.0, 0.5),
        (pytest.approx(8.0), 1),
    ]
    assert accuracy.get_ylabel() == "Training accuracy,\nTesting accuracy (%)"
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


# Scatter

SCATTER = Scatter(
    name="tradeoff",
    title="Costs",
    panels=(("accuracy", "error"), ("accuracy", "spread")),
    low=("error",),
    logarithmic=("spread",),
)
NAMES = [f"{net} model{n}" for net in ("dnn", "cnn") for n in range(6)]


def cloud(ours=None):
    random = np.random.default_rng(0)
    random_ours = {
        name: {
            "accuracy": random.uniform(80, 90, 2).tolist(),
            "error": [random.uniform(1, 9)],
            "spread": [random.uniform(0.01, 0.1)] if n % 3 else [],
        }
        for n, name in enumerate(NAMES)
    }
    return make({name: {} for name in NAMES}, ours or random_ours, figures=(SCATTER,))


def test_the_front_is_all_that_nothing_beats():
    for (_, points), sign in zip(frame(cloud()).groupby("y_column"), (-1, 1), strict=True):
        xs, ys = points.x.to_numpy(), sign * points.y.to_numpy()
        for x, y, on_front in zip(xs, ys, points.on_front, strict=True):
            assert on_front == (not ((xs >= x) & (ys >= y) & ((xs != x) | (ys != y))).any())
    # Rows without a number are left out.
    assert len(frame(cloud())) == 12 + 8
    same = {name: {"accuracy": [80.0], "error": [5.0]} for name in NAMES}
    assert frame(cloud(same)).on_front.all()


def test_a_panel_has_every_point_with_its_number():
    canvas = drawn(seen(cloud()).draw)
    one, other = canvas.axes
    assert sorted(int(text.get_text()) for text in one.texts) == [*range(1, 13)]
    # The other rows keep their numbers.
    assert sorted(int(text.get_text()) for text in other.texts) == [
        n + 1 for n in range(12) if n % 3
    ]
    assert "more is better" in one.get_xlabel()
    assert "less is better" in one.get_ylabel()
    assert other.get_yscale() == "log"
    assert texts(canvas)[0] == [f"{n + 1}  {name}" for n, name in enumerate(NAMES)]
    check_layout(canvas)
    empty = cloud({name: {} for name in NAMES})
    assert plot(empty) == {}
    assert "No result yet." in report.markdown(empty)
