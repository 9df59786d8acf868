"""The curve of an answer: every number at its place."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ftnoise.report.drawing import LOOK
from ftnoise.report.fault_curve import GOLDEN, NAME, draw, plot
from ftnoise.report.series import Line

BAND = "95 % interval of the mean over masks"
GIVEN = {"golden": 99.0, "x_title": "Faulty places (%)", "band": BAND}


def test_the_line_the_band_and_the_accuracy_without_faults():
    line = Line(NAME, 1, (0.0, 10.0, 20.0), (99.0, 90.0, 70.0), (99.0, 89.0, 66.0), (99, 91, 74))
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, line, 99.0, "Faulty places (%)", BAND)
        figure.draw_without_rendering()
    (axes,) = figure.axes
    flat, curve, marks = axes.lines
    assert set(flat.get_ydata()) == {99.0}
    for drawn in (curve, marks):
        np.testing.assert_array_equal(drawn.get_xdata(), line.x)
        np.testing.assert_array_equal(drawn.get_ydata(), line.y)
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    for x, low, high in zip(line.x, line.low, line.high, strict=True):
        heights = corners[corners[:, 0] == x][:, 1]
        assert (heights.min(), heights.max()) == (low, high)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [NAME, BAND, GOLDEN]
    assert axes.get_ylabel() == "Accuracy (%)"
    size = figure.get_size_inches() * figure.dpi
    for box in (legend.get_window_extent(), axes.get_tightbbox()):
        assert (box.min >= 0).all()
        assert (box.max <= size).all()


def test_the_files_are_pictures_and_the_same_each_time():
    found = plot([20.0, 10.0, 0.0], [70, 90, 99], [66, 89, 99], [74, 91, 99], **GIVEN)
    assert found["pdf"].startswith(b"%PDF")
    assert Image.open(io.BytesIO(found["png"])).width == 1400
    # In any order, and with or without what there is at 0.
    assert plot([10.0, 20.0], [90, 70], [89, 66], [91, 74], **GIVEN) == found


def test_a_single_amount_is_drawn_too():
    long = {**GIVEN, "x_title": "Faulty places: neurons of " + ", ".join(["a_layer"] * 30)}
    assert plot([1.0], [95.0], [94.0], [96.0], **long)["png"]
