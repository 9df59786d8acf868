"""Columns as pictures: the paper's numbers and ours at their places, and the Pareto front."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves, Scatter
from ftnoise.report.figures.canvas import HEIGHT
from ftnoise.report.figures.columns import on_overview, overview
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


def test_the_overview_fits_on_a_page_and_leaves_out_columns_that_show_nothing():
    names = [f"model{n}" for n in range(30)]
    columns = tuple(Column(name=f"c{n}", measure=Faults(), title="T") for n in range(12))
    values = {
        name: {column.name: [float(n * k)] for k, column in enumerate(columns)}
        for n, name in enumerate(names)
    }
    results = make({name: {} for name in names}, values, columns=columns)
    across, shown = on_overview(results)
    assert [across, *(column.name for column in shown)] == [4, *(f"c{n}" for n in range(1, 9))]
    canvas = drawn(lambda canvas: overview(canvas, results))
    assert canvas.get_size_inches()[1] <= HEIGHT
    assert "The picture has 8 of the 12 columns" in report.markdown(results)


def test_an_axis_over_many_decades_is_logarithmic():
    ours = {"a": {"accuracy": [0.3]}, "b": {"accuracy": [20_000.0]}}
    canvas = drawn(lambda canvas: overview(canvas, make({"a": {}, "b": {}}, ours)))
    assert canvas.axes[0].get_xscale() == "log"


def test_the_interval_of_a_number_is_in_its_cell_and_its_picture():
    ends = [Column(name=name, measure=Faults(), title=name, digits=1) for name in ("low", "high")]
    own = replace(ends[0], name="share", ends=("low", "high"))
    ours = {
        "a": {"share": [84.6], "low": [83.8], "high": [85.31]},
        "b": {"share": [70.0, 71.0], "low": [69.0, 70.0], "high": [72.0, 72.0]},
        "c": {"share": [60.0]},
    }
    results = make({name: {} for name in ours}, ours, columns=(own, *ends))
    text = report.terminal(results)
    for cell in ("84.6 [83.8, 85.3]", "70.5 ± 0.7 [69.5, 72.0]", "60.0"):
        assert f" {cell}" in text
    assert "Low" not in text
    assert "mean ± sd [low, high]" in text
    assert r"84.6 \[83.8, 85.3\]" in report.markdown(results)
    assert r"$84.6\ [83.8, 85.3]$" in report.latex(results)
    assert "a,low,,,83.8" in report.csv(results)
    lines = [next(line for line in text.splitlines() if line.startswith(name)) for name in "abc"]
    starts = [line.index(number) for line, number in zip(lines, ("84", "70", "60"), strict=True)]
    assert len({*starts}) == 1
    (axes,) = drawn(lambda canvas: overview(canvas, results)).axes
    bar = axes.collections[0].get_segments()[0]
    assert [point[0] for point in bar] == pytest.approx([83.8, 85.31])


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


def test_names_stand_beside_points_and_cover_neither_points_nor_names():
    results = cloud()
    canvas = drawn(seen(results).draw)
    one, other = canvas.axes
    named = [text.get_text() for text in one.texts]
    assert len(named) > 6
    assert {*named} <= {f"model{n}" for n in range(6)}
    assert len(other.texts) <= 8
    for axes in (one, other):
        boxes = [text.get_window_extent() for text in axes.texts]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        for line in axes.lines:
            for point in axes.transData.transform(line.get_xydata()) if line.get_marker() else ():
                covering = line.get_marker() != "None" and any(b.contains(*point) for b in boxes)
                assert not covering
    assert "more is better" in one.get_xlabel()
    assert "less is better" in one.get_ylabel()
    assert other.get_yscale() == "log"
    assert texts(canvas)[0] == ["dnn", "cnn"]
    check_layout(canvas)
    empty = cloud({name: {} for name in NAMES})
    assert plot(empty) == {}
    assert "No result yet." in report.markdown(empty)
