"""Arrays as pictures: every number at its place, told apart without color, nothing covered."""

from __future__ import annotations

import dataclasses
import io
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from ftnoise import report
from ftnoise.core.figures import HeatMap, Plane, Series
from ftnoise.report.figures import arrays as drawings
from ftnoise.report.figures.arrays import fault_curve
from ftnoise.report.figures.canvas import COLORS, look
from ftnoise.stats import summarize
from ftnoise.stats.interval import crossed_interval
from tests.report.conftest import SHOWN, check_layout, drawn, frame, plot, seen, shown, texts

RATES = [0.0, 0.1, 0.2]
BAND = "95 % interval over trials"
SERIES = Series(
    name="accuracy",
    title="Accuracy with faults",
    y="mean",
    low="low",
    high="high",
    band=BAND,
    y_title="Testing accuracy",
    y_unit="%",
    table=("worst",),
    **SHOWN,
)
BARE = dataclasses.replace(SERIES, low=None, high=None, band="")


def found(*mean, rates=RATES):
    mean = np.array(mean)
    return {"rates": rates, "mean": mean, "low": mean - 1, "high": mean + 1, "worst": mean - 9}


def line(figure=SERIES, arrays=None):
    one_seed = {"natural": [found(90, 80, 60)], "trades": [found(88, 84, 77)]}
    return shown(figure, arrays or one_seed)


def series(*arguments):
    return drawn(seen(line(*arguments)).draw)


def curves(axes):
    return [np.transpose(line.get_data()).tolist() for line in axes.lines]


def bands(axes):
    """For each band, the lowest and highest height at each x."""
    corners = [np.array(band.get_paths()[0].vertices) for band in axes.collections]
    return [
        [(x, *(f(some[some[:, 0] == x][:, 1]) for f in (min, max))) for x in sorted({*some[:, 0]})]
        for some in corners
    ]


def test_series_have_a_line_and_a_band_for_each_row():
    canvas = series()
    (axes,) = canvas.axes
    assert curves(axes) == [
        [[0, 90], [0.1, 80], [0.2, 60]],
        [[0, 88], [0.1, 84], [0.2, 77]],
    ]
    assert bands(axes)[0] == [(0, 89, 91), (0.1, 79, 81), (0.2, 59, 61)]
    assert texts(canvas) == (["natural", "trades"], f"Band: {BAND}.")
    assert axes.get_xlabel() == "Share of faulty parameters"
    assert axes.get_ylabel() == "Testing accuracy (%)"
    bare = series(BARE)
    assert len(bare.axes[0].collections) == 0
    assert texts(bare) == (["natural", "trades"], "")


def test_several_seeds_are_their_mean_with_the_interval_over_seeds():
    seeds = [found(90, 80, 60), found(91, 79, 66), found(92, 84, 63)]
    canvas = series(SERIES, {"natural": seeds, "trades": [found(1, 2, 3)]})
    known = [summarize([one["mean"][i] for one in seeds]) for i in range(3)]
    (axes,) = canvas.axes
    assert curves(axes)[0] == [[x, one.mean] for x, one in zip(RATES, known, strict=True)]
    assert bands(axes)[0] == [(x, one.low, one.high) for x, one in zip(RATES, known, strict=True)]
    note = f"Band: 95 % t interval over seeds; {BAND} for a row with one seed."
    assert texts(canvas)[1].replace("\n", " ") == note
    assert seen(line(SERIES, {"natural": seeds, "trades": [found(1, 2, 3)]})).text == (
        f"1 to 3 seeds. A line is the mean over the seeds. {note}"
    )
    gap = [found(90, np.nan, 60), found(92, 80, 62)]
    (axes,) = series(SERIES, {"natural": gap}).axes
    assert np.isnan(curves(axes)[0][1][1])


def test_a_band_of_percentages_stays_between_0_and_100():
    seeds = {"natural": [found(99.9, 50, 0.1), found(98, 51, 3)]}
    (band,) = bands(series(SERIES, seeds).axes[0])
    assert (band[0][2], band[2][1]) == (100, 0)
    (free,) = bands(series(dataclasses.replace(SERIES, y_unit="points"), seeds).axes[0])
    assert free[0][2] > 100
    assert free[2][1] < 0


def test_seeds_that_share_their_draws_have_the_interval_over_both():
    crossed = dataclasses.replace(SERIES, values="values", draws="trials")
    random = np.random.default_rng(0)
    trials, seeds = random.normal(size=(3, 8)), []
    for _ in range(2):
        values = 80 + 3 * trials + random.normal(size=(3, 8))
        seeds.append(found(*values.mean(axis=1)) | {"values": values})
    canvas = series(crossed, {"natural": seeds})
    known = [crossed_interval([one["values"][i] for one in seeds]) for i in range(3)]
    (band,) = bands(canvas.axes[0])
    assert np.array(band)[:, 1:] == pytest.approx(np.array([[k.low, k.high] for k in known]))
    text = seen(line(crossed, {"natural": seeds})).text
    assert "8 trials at each share of faulty parameters. Band: 95 % t interval over seeds" in text
    assert "seeds and trials." in text
    assert texts(series(crossed, {"natural": seeds[:1]}))[1] == f"Band: {BAND}."


def test_rows_of_the_same_name_look_the_same_in_the_panel_of_each_group():
    names = ["dnn natural", "dnn tikhonov", "cnn tikhonov", "cnn natural"]
    canvas = series(SERIES, {name: [found(90, 80, 70)] for name in names})
    assert [axes.get_title(loc="left") for axes in canvas.axes] == ["dnn", "cnn"]
    one, other = (
        [(line.get_color(), line.get_marker()) for line in axes.lines] for axes in canvas.axes
    )
    assert one == other[::-1]
    assert texts(canvas)[0] == ["natural", "tikhonov"]


def test_histograms_and_logarithmic_axes():
    steps = dataclasses.replace(BARE, steps=True, logarithmic_y=True)
    (axes,) = series(steps, {"natural": [found(1000, 0, 10)]}).axes
    assert axes.lines[0].get_drawstyle() == "steps-mid"
    assert axes.get_yscale() == "log"
    assert 0 < axes.get_ylim()[0] < 10
    assert {"10", "100", "1000"} <= {label.get_text() for label in axes.get_yticklabels()}
    many = found(*np.arange(100.0), rates=np.arange(100.0))
    (axes,) = series(BARE, {name: [many] for name in "abc"}).axes
    starts, steps = zip(*(line.get_markevery() for line in axes.lines), strict=True)
    assert len({*starts}) == 3
    assert {*steps} == {16}


def test_csv_of_series_to_the_letter():
    arrays = {
        "natural": [found(90, 0.1 + 0.2, rates=[0, 1]), found(91, 1e-7, rates=[0, 1])],
        "b, c": [None, found(np.nan, 80, rates=[0, 1])],
    }
    assert plot(line(SERIES, arrays), draw=False)["csv"].decode() == (
        "experiment,preset,row,seed,x,y,low,high,worst\n"
        "table0,quick,natural,0,0,90,89,91,81\n"
        "table0,quick,natural,0,1,0.3,-0.7,1.3,-8.7\n"
        "table0,quick,natural,1,0,91,90,92,82\n"
        "table0,quick,natural,1,1,1e-07,-0.9999999,1.0000001,-8.9999999\n"
        'table0,quick,"b, c",1,0,,,,\n'
        'table0,quick,"b, c",1,1,80,79,81,71\n'
    )
    text = plot(line(BARE, {"a": [found(1, rates=[0])]}), draw=False)["csv"].decode()
    assert text.endswith("table0,quick,a,0,0,1,,,-8\n")


def test_rows_look_different_in_color_and_without_it():
    assert len({str(look(place)) for place in range(252)}) == 252
    assert len({(str(one["linestyle"]), one["marker"]) for one in map(look, range(36))}) == 36
    # On white paper, in gray: nothing is lighter than three quarters.
    assert all(np.dot(to_rgb(color), [0.299, 0.587, 0.114]) < 0.75 for color in COLORS)


# How color-blind eyes see linear red, green, blue: Machado et al. (2009), severity 1.
BLIND = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("eye", BLIND)
def test_neighboring_colors_are_told_apart_by_color_blind_eyes(eye):
    looks = [np.clip(np.array(BLIND[eye]) @ (np.array(to_rgb(c)) ** 2.2), 0, 1) for c in COLORS]
    for one, other in itertools.pairwise(looks):
        assert np.abs(one ** (1 / 2.2) - other ** (1 / 2.2)).max() > 0.15


# Heat maps

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


def test_numbers_that_do_not_fit_are_left_out():
    _, (axes,) = heat(
        {"natural": [cells(np.linspace(0, 100, 120).reshape(2, 60))]}, {"layers": ["x", "o"]}
    )
    assert len(axes.texts) == 0
    assert len(axes.get_xticks()) < 60


def test_colors_keep_their_order_in_gray_and_numbers_are_read_on_all_of_them():
    colors = matplotlib.colormaps[drawings.COLORS](np.linspace(0, 1, 256))[:, :3]
    assert (np.diff(colors @ [0.299, 0.587, 0.114]) > 0).all()
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    written = np.linspace(0, 1, 256) < drawings.MIDDLE
    contrast = np.where(written, 1.05 / (luminance + 0.05), (luminance + 0.05) / 0.05)
    assert contrast.min() > 4.5


def test_csv_of_a_heat_map_has_every_cell_of_every_seed():
    made = shown(HEAT_MAP, {"natural": [cells(), cells(np.array(FIRST) / 3)]}, INFO)
    data = frame(made)
    assert len(data) == 12
    assert data.iloc[11].tolist() == ["table0", "quick", "natural", 1, "output", 0.2, 3.333333333]


# Planes

PLANE = Plane(
    name="plane",
    title="The plane",
    y="down",
    values="values",
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
        examples = [line for line in axes.lines if line.get_marker() != "None"]
        assert len({(line.get_marker(), line.get_markerfacecolor()) for line in examples}) == 4
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 1), (0, 0.5))
    assert len(several.collections) == len(one.collections) + 3
    data = frame(made)
    known = np.mean([plane(tilt)["values"] for tilt in (0, 0.3, 0.6)], axis=0)
    assert data[data.row == "trades"].value.tolist() == pytest.approx(known.ravel())
    assert seen(made).text.startswith("1 to 3 seeds. The shade is the mean")
    by_run = {(0, 0): 1.0, (1, 0): 2.0}
    draws = shown(PLANE, {"a": [plane()]}, ours={"a": {"error": by_run}})
    assert seen(draws).text == "First draw of the data, 1 seed."
    check_layout(canvas)


# All of them


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(
    "name", ["{}", "net{} natural", "same natural with a long word about its weights {}"]
)
def test_nothing_overlaps_and_nothing_is_cut(count, name):
    names = [name.format(i) for i in range(count)]
    check_layout(series(SERIES, {name: [found(90, 80, 70)] for name in names}))
    check_layout(heat({name: [cells(np.array(FIRST).repeat(3, axis=1))] for name in names})[0])
    check_layout(drawn(seen(shown(PLANE, {name: [plane()] for name in names})).draw))


FIGURES = [(SERIES, found(1, 2, 3)), (HEAT_MAP, cells()), (PLANE, plane())]


@pytest.mark.parametrize(("figure", "arrays"), FIGURES, ids=lambda one: getattr(one, "name", ""))
def test_the_same_bytes_each_time_whatever_the_users_settings(figure, arrays):
    # Names are not taken for mathematics.
    made = shown(figure, {r"a_b $\nonsense{$": [arrays]}, INFO)
    first = plot(made)
    assert [*first] == ["csv", "png", "pdf"]
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "image.cmap": "jet"}):
        assert plot(made) == first
    assert b"CreationDate" not in first["pdf"]
    assert Image.open(io.BytesIO(first["png"])).width == 1400


@pytest.mark.parametrize("figure", [SERIES, HEAT_MAP, PLANE], ids=lambda figure: figure.name)
def test_nothing_stored_is_no_file(figure):
    empty = shown(figure, {"natural": [], "trades": [{"rates": [0.0]}]})
    assert plot(empty) == {}
    assert f"## {figure.title}\n\nNo result yet.\n" in report.markdown(empty)


def test_a_fault_curve_begins_at_the_fault_free_accuracy():
    given = {"golden": 99.0, "x_title": "Faulty sites (%)", "band": BAND}
    first = fault_curve([20.0, 10.0, 0.0], [70, 90, 99], [66, 89, 99], [74, 91, 99], **given)
    assert first["pdf"].startswith(b"%PDF")
    assert Image.open(io.BytesIO(first["png"])).width == 1400
    # In any order, and with or without the point at 0.
    assert fault_curve([10.0, 20.0], [90, 70], [89, 66], [91, 74], **given) == first
    long = {**given, "x_title": "Faulty sites: neurons of " + ", ".join(["a_layer"] * 30)}
    assert fault_curve([1.0], [95.0], [94.0], [96.0], **long)["png"]
