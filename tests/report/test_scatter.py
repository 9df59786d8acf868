"""Points, their Pareto front against brute force, and every form of it."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Scatter
from ftnoise.report.drawing import LOOK
from ftnoise.report.scatter import caption, draw, points
from tests.report.conftest import make

SCATTER = Scatter(
    name="tradeoff",
    title="What one pays",
    panels=(("accuracy", "error"), ("accuracy", "spread")),
    low=("error",),
)
NAMES = [f"{net} model{n}" for net in ("dnn", "cnn") for n in range(6)]


def results(picture=SCATTER, ours=None):
    random = np.random.default_rng(0)
    ours = ours or {
        name: {
            "accuracy": random.uniform(80, 90, 2).tolist(),
            "error": [random.uniform(1, 9)],
            "spread": [random.uniform(0.01, 0.1)] if n % 3 else [],
        }
        for n, name in enumerate(NAMES)
    }
    return make({name: {} for name in NAMES}, ours, figures=(picture,))


def test_the_front_is_all_that_nothing_beats():
    made = results()
    for pair, sign in zip(SCATTER.panels, (-1, 1), strict=True):
        found = points(made, SCATTER, pair)
        for one in found:
            better = [
                other
                for other in found
                if other.x >= one.x
                and sign * other.y >= sign * one.y
                and (other.x, other.y) != (one.x, one.y)
            ]
            assert one.on_front == (better == [])
        assert any(one.on_front for one in found)
    # Rows without a number are left out, and the others keep theirs.
    assert [one.number for one in found] == [n + 1 for n in range(12) if n % 3]
    assert [one.row for one in found] == [NAMES[n] for n in range(12) if n % 3]


def test_equal_rows_are_both_on_the_front():
    ours = {name: {"accuracy": [80.0], "error": [5.0], "spread": [0.1]} for name in NAMES}
    assert all(one.on_front for one in points(results(ours=ours), SCATTER, SCATTER.panels[0]))


def test_a_panel_has_every_point_and_its_number():
    made = results()
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, made, SCATTER)
        figure.draw_without_rendering()
    for axes, pair in zip(figure.axes, SCATTER.panels, strict=True):
        found = points(made, SCATTER, pair)
        assert [text.get_text() for text in axes.texts] == [str(one.number) for one in found]
        assert len(axes.lines) == len(found) + 1
        assert "more is better" in axes.get_xlabel()
    assert "less is better" in " ".join(figure.axes[0].get_ylabel().split())
    names = [text.get_text() for text in figure.texts]
    assert names == [f"{n + 1:>2}  {name}" for n, name in enumerate(NAMES)]


def test_numbers_do_not_cover_each_other_even_where_points_coincide():
    ours = {
        name: {"accuracy": [80.0 + n // 3], "error": [5.0 + n // 3], "spread": [0.1 + n]}
        for n, name in enumerate(NAMES)
    }
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, results(ours=ours), SCATTER)
        figure.draw_without_rendering()
        near = Figure()
        draw(near, results(), SCATTER)
        near.draw_without_rendering()
    for axes in (*figure.axes, *near.axes):
        boxes = [text.get_window_extent() for text in axes.texts]
        for n, box in enumerate(boxes):
            assert not any(box.padded(-1).overlaps(other.padded(-1)) for other in boxes[:n])


def test_a_logarithmic_axis_has_plain_numbers():
    logarithmic = Scatter(
        name="a", title="b", panels=(("spread", "accuracy"),), logarithmic=("spread",)
    )
    ours = {
        name: {"accuracy": [80.0 + n], "error": [1.0], "spread": [10.0 ** (n / 3)]}
        for n, name in enumerate(NAMES)
    }
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, results(logarithmic, ours), logarithmic)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert {"1", "10", "100", "10³"} <= {*ticks}
    assert not any("$" in tick for tick in ticks)


def test_every_form_has_it():
    made = results()
    frame = pandas.read_csv(io.BytesIO(report.plot(made, SCATTER)["csv"]))
    assert len(frame) == 12 + 8
    assert set(frame.on_front) == {True, False}
    assert "2 seeds" in caption(made, SCATTER)[1]
    assert "![What one pays]" in report.markdown(made)
    nothing = results(ours={name: {} for name in NAMES})
    assert caption(nothing, SCATTER)[1] == "What one pays. No result yet."
    assert {*report.plot(nothing, SCATTER)} == {"png", "pdf", "csv"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"panels": ()},
        {"panels": (("accuracy", "accuracy"),)},
        {"panels": (("accuracy", "nothing"),)},
        {"low": ("nothing",)},
        {"logarithmic": ("spread",), "panels": (("accuracy", "error"),)},
    ],
)
def test_what_cannot_be_shown_is_refused(wrong):
    given = {"name": "a", "title": "b", "panels": (("accuracy", "error"),)}
    with pytest.raises(BadInput, match="Expected"):
        results(Scatter(**given | wrong))
