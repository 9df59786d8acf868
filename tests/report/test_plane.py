"""A panel for each row: shades, a boundary of each seed, every example with its shape."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Plane
from ftnoise.report.drawing import LOOK
from ftnoise.report.plane import caption, draw
from tests.report.conftest import SHOWN, shown

PLANE = Plane(
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
GRID = [0.0, 0.5, 1.0]


def found(tilt=0.0, **changes):
    x, y = np.meshgrid(GRID, GRID[:2])
    random = np.random.default_rng(0)
    return {
        "rates": GRID,
        "down": GRID[:2],
        "values": np.clip(x + tilt * y, 0, 1),
        "points": random.random((8, 2)),
        "classes": np.arange(8) % 2,
        "tested": np.repeat([0, 1], 4),
        **changes,
    }


def results(arrays=None):
    return shown(
        PLANE, {"natural": [found()], "trades": [found(0.2)]} if arrays is None else arrays
    )


def drawn(made):
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, made, made.experiment.figures[0])
        figure.draw_without_rendering()
    return figure


def test_a_panel_for_each_row_with_every_example():
    figure = drawn(results())
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["natural", "trades"]
    for axes in figure.axes:
        marks = [line for line in axes.lines if line.get_marker() not in ("None", "")]
        assert sum(len(line.get_xdata()) for line in marks) == 8
        looks = {(line.get_marker(), line.get_markerfacecolor()) for line in marks}
        assert len(looks) == 4
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 0.5))


def test_the_mean_over_seeds_and_a_boundary_of_each():
    made = results({"natural": [found(), found(0.3), found(0.6)]})
    (one,) = drawn(results({"natural": [found()]})).axes
    (several,) = drawn(made).axes
    assert len(several.collections) == len(one.collections) + 3
    frame = pandas.read_csv(io.BytesIO(report.plot(made, PLANE)["csv"]))
    known = np.mean([found(tilt)["values"] for tilt in (0, 0.3, 0.6)], axis=0)
    assert frame.value.tolist() == pytest.approx(known.ravel())
    assert set(frame.seeds) == {3}
    assert "3 seeds. The shade is the mean" in caption(made, PLANE)[1]


def test_without_a_result_it_says_so():
    made = results({"natural": []})
    assert caption(made, PLANE)[1] == "The plane. No result yet."
    assert {*report.plot(made, PLANE)} == {"png", "pdf", "csv"}
    assert r"![The plane]" in report.markdown(made)


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": np.zeros((3, 3))},
        {"points": np.zeros((8, 3))},
        {"classes": np.zeros(7)},
        {"down": np.zeros((2, 1))},
    ],
)
def test_other_shapes_are_refused(wrong):
    with pytest.raises(BadInput, match="grids"):
        results({"natural": [found(**wrong)]})
