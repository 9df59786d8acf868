"""Heat maps: every number in its cell, one scale for all panels, order kept in gray."""

from __future__ import annotations

import dataclasses
import io
import itertools

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure

from ftnoise import report
from ftnoise.core.figures import HeatMap
from ftnoise.report.drawing import LOOK
from ftnoise.report.heatmap import COLORS, LONGEST, caption, draw, ink, shortened
from tests.report.conftest import SHOWN, shown

HEAT_MAP = HeatMap(
    name="layers",
    title="Accuracy with faults in one layer",
    values="by_layer",
    labels="layers",
    value_title="Testing accuracy",
    value_unit="%",
    **SHOWN,
)
INFO = {"layers": ["dense", "output"]}
FIRST = [[90.0, 80.04, 70.0], [89.0, 60.0, 10.0]]


def found(values=FIRST):
    return {"rates": np.arange(len(values[0])) / 10, "by_layer": values}


def results(arrays=None, info=INFO):
    both = {"natural": [found()], "trades": [found(np.array(FIRST) - 5)]}
    return shown(HEAT_MAP, both if arrays is None else arrays, info)


def drawn(made):
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, made, HEAT_MAP)
        figure.draw_without_rendering()
    return figure


def panels(figure):
    return [axes for axes in figure.axes if axes.images]


def numbers(axes):
    """The text of each cell."""
    height, width = axes.images[0].get_array().shape
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    return [[cells.get((k, i)) for k in range(width)] for i in range(height)]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_a_panel_for_each_row_with_its_numbers_in_the_cells():
    one, other = panels(drawn(results()))
    assert numbers(one) == [["90.0", "80.0", "70.0"], ["89.0", "60.0", "10.0"]]
    assert numbers(other) == [["85.0", "75.0", "65.0"], ["84.0", "55.0", "5.0"]]
    assert [axes.get_title(loc="left") for axes in (one, other)] == ["natural", "trades"]
    assert labels(one.xaxis) == ["0", "0.1", "0.2"]
    # Panels beside each other share the labels.
    assert labels(one.yaxis) == ["dense", "output"]
    assert labels(other.yaxis) == ["", ""]
    assert one.get_xlabel() == "Share of faulty parameters"


def test_all_panels_share_one_scale_with_a_bar():
    figure = drawn(results())
    assert {axes.images[0].get_clim() for axes in panels(figure)} == {(5.0, 90.0)}
    (bar,) = [axes for axes in figure.axes if axes not in panels(figure)]
    assert [text.get_text() for text in bar.texts] == ["Testing accuracy (%)"]


def test_colors_keep_their_order_in_gray_and_numbers_are_read_on_all_of_them():
    colors = matplotlib.colormaps[COLORS](np.linspace(0, 1, 256))[:, :3]
    assert (np.diff(colors @ [0.299, 0.587, 0.114]) > 0).all()
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    written = np.array([ink(color) == "white" for color in colors])
    contrast = np.where(written, 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05)
    assert contrast.min() > 4.5


def test_several_seeds_are_their_mean():
    arrays = {"natural": [found(), found(np.array(FIRST) + 2)]}
    (axes,) = panels(drawn(results(arrays)))
    assert numbers(axes)[0] == ["91.0", "81.0", "71.0"]
    assert caption(results(arrays), HEAT_MAP)[1] == (
        "Accuracy with faults in one layer, 2 seeds. A cell is the mean over seeds."
    )
    assert caption(results(), HEAT_MAP) == (
        "Accuracy with faults in one layer",
        "Accuracy with faults in one layer, 1 seed.",
    )


def test_what_is_missing_is_a_dash_in_an_empty_cell():
    (axes,) = panels(drawn(results({"natural": [found([[1.0, np.nan], [np.inf, 2.0]])]})))
    assert numbers(axes) == [["1.0", "-"], ["-", "2.0"]]
    assert axes.images[0].get_clim() == (1.0, 2.0)


@pytest.mark.parametrize("value", [50.0, np.nan])
def test_a_single_value_has_a_scale_too(value):
    (axes,) = panels(drawn(results({"natural": [found([[value], [value]])]})))
    low, high = axes.images[0].get_clim()
    assert low < high


def test_rows_with_other_layers_have_their_own_labels():
    made = shown(HEAT_MAP, {"a": [found()], "b": [found()]}, INFO)
    (own,) = made.readings["b"].values()
    own[0] = dataclasses.replace(own[0], info={"layers": ["conv2d", "dense"]})
    one, other = panels(drawn(made))
    assert labels(one.yaxis) == ["dense", "output"]
    assert labels(other.yaxis) == ["conv2d", "dense"]


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("width", [1, 5, 12])
@pytest.mark.parametrize(
    ("row", "label"),
    [("net {}", "dense"), ("natural with a word about its training {}", "a_long_layer_name/gamma")],
)
def test_nothing_overlaps_and_nothing_is_cut(rows, width, row, label):
    values = np.linspace(1, 100, 3 * width).reshape(3, width)
    info = {"layers": [f"{label}_{i}" for i in range(3)]}
    figure = drawn(results({row.format(i): [found(values)] for i in range(rows)}, info))
    boxes = []
    for axes in panels(figure):
        ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
        for text in (axes._left_title, axes.xaxis.label, *ticks, *axes.texts):
            if text.get_text():
                boxes.append(text.get_window_extent())
    (bar,) = [axes for axes in figure.axes if axes not in panels(figure)]
    boxes += [bar.get_window_extent(), bar.texts[0].get_window_extent()]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_numbers_that_do_not_fit_are_left_out_and_labels_are_shortened():
    values = np.linspace(0, 100, 120).reshape(2, 60)
    info = {"layers": ["x" * 300, "output"]}
    (axes,) = panels(drawn(results({"natural": [found(values)]}, info)))
    assert [text.get_text() for text in axes.texts] == []
    assert len(labels(axes.yaxis)[0]) == LONGEST
    assert shortened("dense") == "dense"
    assert len(axes.get_xticks()) < 60


def test_nothing_stored_still_is_a_picture_and_a_header():
    empty = results({"natural": [], "trades": [{"rates": [0.0]}]})
    files = report.plot(empty, HEAT_MAP)
    assert files["png"].startswith(b"\x89PNG")
    assert files["csv"] == b"experiment,preset,row,seed,label,x,value\n"
    assert caption(empty, HEAT_MAP)[1].endswith("No result yet.")


def test_csv_has_every_cell_of_every_seed():
    made = results({"natural": [found(), found(np.array(FIRST) / 3)]})
    frame = pandas.read_csv(io.BytesIO(report.plot(made, HEAT_MAP)["csv"]))
    assert len(frame) == 12
    assert frame.iloc[1].tolist() == [
        *("table0", "quick", "natural", 0, "dense", 0.1, 80.04),
    ]
    assert frame.iloc[11].tolist()[3:] == [1, "output", 0.2, 3.333333333]


def test_the_same_bytes_each_time_whatever_the_users_settings():
    first = report.plot(results(), HEAT_MAP)
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "image.cmap": "jet"}):
        assert report.plot(results(), HEAT_MAP) == first
