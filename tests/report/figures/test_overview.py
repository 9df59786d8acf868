"""The table as an image: every number at its place."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.report.figures import overview
from ftnoise.stats import summarize
from tests.report.conftest import (
    check_layout,
    drawn,
    marks,
)


def test_the_overview_has_a_panel_for_each_column_of_the_paper(results):
    canvas = drawn(lambda canvas: overview.draw(canvas, results))
    accuracy, error = (axes for axes in canvas.axes if axes.axison)
    assert accuracy.get_xlabel() == "Training accuracy (%)"
    assert error.get_xlabel() == "Generalization error (points)"
    assert sorted(x for x, _ in marks(accuracy, "D")) == [90.99, 95.94, 98.60, 98.76, 98.83]
    assert sorted(x for x, _ in marks(accuracy, "o")) == pytest.approx(
        [91.0, 95.5, 98.21, 98.8, 99.0]
    )
    labels = [label.get_text() for label in accuracy.get_yticklabels()]
    assert labels == ["dnn", "natural", "tikhonov", "trades", "cnn", "natural", "tikhonov"]
    # The bars are the intervals of more than one seed.
    (bars,) = [one for one in accuracy.containers if one.has_xerr]
    segments = bars.lines[2][0].get_segments()
    ends = np.stack([one[:, 0] for one in segments if one.ndim == 2 and np.isfinite(one).all()])
    known = [summarize(numbers) for numbers in ([98.9, 99, 99.1], [90.5, 91, 91.5])]
    assert ends[:2] == pytest.approx(np.array([[one.low, one.high] for one in known]))
    check_layout(canvas)
