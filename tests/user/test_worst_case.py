"""The picture of a search for the worst case."""

from __future__ import annotations

from matplotlib.figure import Figure

from ftnoise.report.figures import arrays
from ftnoise.user.worst_case import WorstCase


def test_the_picture_is_of_one_search_without_a_band(monkeypatch):
    monkeypatch.setattr(arrays, "rendered", lambda draw: draws.append(draw) or {})
    draws, canvas = [], Figure(layout="constrained")
    flips = [("dense/kernel[0, 0]", 7, 90.0), ("dense/kernel[0, 1]", 7, 60.0)]
    WorstCase(model="own", stored="int8", golden_accuracy=99.0, below=70.0, flips=flips).figure()
    draws[0](canvas)
    (legend,) = canvas.legends
    assert legend.get_title().get_text() == ""
    assert [text.get_text() for text in legend.get_texts()] == ["after each flip", "fault-free"]
    (axes,) = canvas.axes
    assert not axes.collections
    assert axes.lines[0].get_xydata().tolist() == [[0, 99], [1, 90], [2, 60]]
