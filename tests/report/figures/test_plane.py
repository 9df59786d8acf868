"""A panel for each row: shades, a boundary of each seed, every example."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.figures import Plane
from tests.report.conftest import (
    SHOWN,
    check_layout,
    drawn,
    frame,
    seen,
    shown,
)

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


def plane(tilt=0.0):
    x, y = np.meshgrid(GRID, GRID[:2])
    return {
        "rates": GRID,
        "down": GRID[:2],
        "values": np.clip(x + tilt * y, 0, 1),
        "points": np.random.default_rng(0).random((8, 2)),
        "classes": np.arange(8) % 2,
        "tested": np.repeat([0, 1], 4),
    }


def test_a_plane_has_every_example_and_the_boundary_of_each_seed():
    made = shown(PLANE, {"natural": [plane()], "trades": [plane(t) for t in (0, 0.3, 0.6)]})
    canvas = drawn(seen(made).draw)
    one, several = canvas.axes
    for axes in (one, several):
        assert sum(len(line.get_xdata()) for line in axes.lines) == 8
        assert len({(line.get_marker(), line.get_markerfacecolor()) for line in axes.lines}) == 4
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 0.5))
    assert len(several.collections) == len(one.collections) + 3
    data = frame(made)
    known = np.mean([plane(tilt)["values"] for tilt in (0, 0.3, 0.6)], axis=0)
    assert data[data.row == "trades"].value.tolist() == pytest.approx(known.ravel())
    assert seen(made).text().startswith("1 to 3 seeds. The shade is the mean")
    by_run = {(0, 0): 1.0, (1, 0): 2.0}
    draws = shown(PLANE, {"a": [plane()]}, ours={"a": {"error": by_run}})
    assert seen(draws).text() == "First draw of the data, 1 seed."
    check_layout(canvas)
