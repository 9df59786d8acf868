"""Cells with their numbers, on one scale."""

from __future__ import annotations

import matplotlib
import numpy as np

from ftnoise.core.figures import HeatMap
from ftnoise.report.figures import heat_map
from tests.report.conftest import (
    SHOWN,
    check_layout,
    drawn,
    frame,
    seen,
    shown,
)

HEAT_MAP = HeatMap(
    name="layers",
    title="Accuracy with faults in one layer",
    values="cells",
    labels="layers",
    value_title="Testing accuracy",
    value_unit="%",
    **SHOWN,
)
FIRST = [[90.0, 80.0, 70.0], [89.0, 60.0, 10.0]]
INFO = {"layers": ["dense", "output"]}


def cells(values=FIRST):
    return {"rates": np.arange(len(values[0])) / 10, "cells": np.array(values)}


def heat(arrays, info=INFO):
    canvas = drawn(seen(shown(HEAT_MAP, arrays, info)).draw)
    return canvas, [axes for axes in canvas.axes if axes.images]


def in_cells(axes):
    height, width = axes.images[0].get_array().shape
    text = {one.get_position(): one.get_text() for one in axes.texts}
    return [[text.get((k, i)) for k in range(width)] for i in range(height)]


def test_a_heat_map_has_a_panel_for_each_row_on_one_scale():
    second = [[85.0, 75.0, 65.0], [84.0, 55.0, 5.0]]
    canvas, (one, other) = heat({"natural": [cells()], "trades": [cells(second)]})
    assert in_cells(one) == [["90.0", "80.0", "70.0"], ["89.0", "60.0", "10.0"]]
    assert [axes.get_title(loc="left") for axes in (one, other)] == ["natural", "trades"]
    assert [label.get_text() for label in one.get_yticklabels()] == ["dense", "output"]
    assert {axes.images[0].get_clim() for axes in (one, other)} == {(5.0, 90.0)}
    check_layout(canvas)


def test_cells_are_means_over_seeds_and_missing_ones_a_dash():
    _, (axes,) = heat({"natural": [cells(), cells(np.array(FIRST) + 2)]})
    assert in_cells(axes)[0] == ["91.0", "81.0", "71.0"]
    _, (axes,) = heat({"natural": [cells([[1.0, np.nan], [np.inf, 2.0]])]})
    assert in_cells(axes) == [["1.0", "-"], ["-", "2.0"]]
    for value in (50.0, np.nan):
        _, (axes,) = heat({"natural": [cells([[value], [value]])]})
        low, high = axes.images[0].get_clim()
        assert low < high


def test_numbers_that_do_not_fit_are_left_out_and_labels_are_shortened():
    _, (axes,) = heat(
        {"natural": [cells(np.linspace(0, 100, 120).reshape(2, 60))]}, {"layers": ["x" * 300, "o"]}
    )
    assert len(axes.texts) == 0
    assert len(axes.get_yticklabels()[0].get_text()) == heat_map.LONGEST
    assert len(axes.get_xticks()) < 60


def test_colors_keep_their_order_in_gray_and_numbers_are_read_on_all_of_them():
    colors = matplotlib.colormaps[heat_map.COLORS](np.linspace(0, 1, 256))[:, :3]
    assert (np.diff(colors @ [0.299, 0.587, 0.114]) > 0).all()
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    written = np.linspace(0, 1, 256) < heat_map.MIDDLE
    contrast = np.where(written, 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05)
    assert contrast.min() > 4.5


def test_csv_of_a_heat_map_has_every_cell_of_every_seed():
    made = shown(HEAT_MAP, {"natural": [cells(), cells(np.array(FIRST) / 3)]}, INFO)
    data = frame(made)
    assert len(data) == 12
    assert data.iloc[11].tolist() == ["table0", "quick", "natural", 1, "output", 0.2, 3.333333333]
