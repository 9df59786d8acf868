"""Points, and their Pareto front against brute force."""

from __future__ import annotations

import numpy as np

from ftnoise import report
from ftnoise.core.figures import Scatter
from tests.report.conftest import (
    check_layout,
    drawn,
    frame,
    make,
    seen,
    texts,
)

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
    view = seen(cloud())
    for pair, sign in zip(SCATTER.panels, (-1, 1), strict=True):
        points = view.points(pair)
        for one in points:
            better = [
                other
                for other in points
                if other.x >= one.x
                and sign * other.y >= sign * one.y
                and (other.x, other.y) != (one.x, one.y)
            ]
            assert one.on_front == (better == [])
    # Rows without a number are left out, and the others keep theirs.
    assert [one.number for one in points] == [n + 1 for n in range(12) if n % 3]
    assert len(frame(cloud())) == 12 + 8
    same = {name: {"accuracy": [80.0], "error": [5.0]} for name in NAMES}
    assert all(one.on_front for one in seen(cloud(same)).points(SCATTER.panels[0]))


def test_a_panel_has_every_point_with_its_number():
    canvas = drawn(seen(cloud()).draw)
    one, other = canvas.axes
    assert sorted(int(text.get_text()) for text in one.texts) == [*range(1, 13)]
    assert len(other.texts) == 8
    assert "more is better" in one.get_xlabel()
    assert "less is better" in " ".join(one.get_ylabel().split())
    assert other.get_yscale() == "log"
    assert texts(canvas)[0] == [f"{n + 1}  {name}" for n, name in enumerate(NAMES)]
    check_layout(canvas)
    empty = cloud({name: {} for name in NAMES})
    assert {*report.plot(empty, SCATTER)} == {"png", "pdf", "csv"}
    assert "No result yet." in report.markdown(empty)
