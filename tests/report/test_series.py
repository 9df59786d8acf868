"""Lines with bands: every array at its place, told apart without color, and the same as data."""

from __future__ import annotations

import dataclasses
import io
import itertools

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Series
from ftnoise.report.drawing import LOOK
from ftnoise.report.series import COLORS, DASHES, MARKERS, OVER_SEEDS, caption, draw, look
from ftnoise.stats import summarize
from ftnoise.stats.crossed import crossed_interval
from tests.report.conftest import SHOWN, shown

RATES = [0.0, 0.1, 0.2]
SERIES = Series(
    name="accuracy",
    title="Accuracy with faults",
    y="mean",
    low="low",
    high="high",
    band="95 % interval over masks",
    y_title="Testing accuracy",
    y_unit="%",
    table=("worst",),
    **SHOWN,
)
BARE = dataclasses.replace(SERIES, low=None, high=None, band="")


def found(*mean, rates=RATES, half=1.0):
    mean = np.array(mean)
    return {
        "rates": rates,
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
        "worst": mean - 9,
    }


def results(series=SERIES, arrays=None, **changes):
    one_seed = {"natural": [found(90, 80, 60)], "trades": [found(88, 84, 77)]}
    return shown(series, one_seed if arrays is None else arrays, **changes)


def drawn(found):
    (series,) = found.experiment.figures
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, found, series)
        figure.draw_without_rendering()
    return figure


def curves(axes):
    """(x, y) of each line, without its markers."""
    return [np.transpose(line.get_data()).tolist() for line in axes.lines if is_curve(line)]


def is_curve(line):
    return line.get_marker() in ("None", "")


def marks(axes):
    return [np.transpose(line.get_data()).tolist() for line in axes.lines if not is_curve(line)]


def bands(axes):
    """For each band, the lowest and highest height at each x."""
    corners = [np.array(band.get_paths()[0].vertices) for band in axes.collections]
    return [
        [
            (x, found[found[:, 0] == x][:, 1].min(), found[found[:, 0] == x][:, 1].max())
            for x in sorted({*found[:, 0]})
        ]
        for found in corners
    ]


def texts(figure):
    return [[text.get_text() for text in legend.get_texts()] for legend in figure.legends]


def test_a_line_a_band_and_markers_for_each_row():
    figure = drawn(results())
    (axes,) = figure.axes
    expected = [[[0, 90], [0.1, 80], [0.2, 60]], [[0, 88], [0.1, 84], [0.2, 77]]]
    assert curves(axes) == marks(axes) == expected
    assert bands(axes)[0] == [(0, 89, 91), (0.1, 79, 81), (0.2, 59, 61)]
    assert texts(figure) == [["natural", "trades"], ["95 % interval over masks"]]
    assert axes.get_xlabel() == "Share of faulty parameters"
    assert axes.get_ylabel() == "Testing accuracy (%)"
    assert axes.get_title(loc="left") == ""


def test_without_low_and_high_one_seed_has_no_band():
    figure = drawn(results(BARE))
    assert len(figure.axes[0].collections) == 0
    assert texts(figure) == [["natural", "trades"]]


def test_several_seeds_are_their_mean_with_the_interval_over_seeds():
    seeds = [found(90, 80, 60), found(91, 79, 66), found(92, 84, 63)]
    figure = drawn(results(arrays={"natural": seeds}))
    (axes,) = figure.axes
    known = [summarize([one["mean"][i] for one in seeds]) for i in range(3)]
    assert curves(axes)[0] == [[x, one.mean] for x, one in zip(RATES, known, strict=True)]
    (band,) = bands(axes)
    assert band == [(x, one.low, one.high) for x, one in zip(RATES, known, strict=True)]
    assert texts(figure) == [["natural"], [OVER_SEEDS]]


def test_seeds_that_share_their_draws_have_the_interval_over_both():
    crossed = dataclasses.replace(SERIES, values="values", draws="masks")
    random = np.random.default_rng(0)
    masks = random.normal(size=(3, 8))
    seeds = []
    for _ in range(2):
        values = 80 + 3 * masks + random.normal(size=(3, 8))
        seeds.append(found(*values.mean(axis=1)) | {"values": values})
    figure = drawn(results(crossed, {"natural": seeds}))
    (band,) = bands(figure.axes[0])
    known = [crossed_interval([one["values"][i] for one in seeds]) for i in range(3)]
    assert band == pytest.approx(
        [(x, one.low, one.high) for x, one in zip(RATES, known, strict=True)]
    )
    assert texts(figure) == [["natural"], [f"{OVER_SEEDS} and masks"]]
    said = caption(results(crossed, {"natural": seeds}), crossed)[1]
    assert "8 masks at each share of faulty parameters." in said
    alone = drawn(results(crossed, {"natural": seeds[:1]}))
    assert texts(alone) == [["natural"], ["95 % interval over masks"]]
    wrong = [found(1, 2, 3) | {"values": np.zeros((3, 1))}]
    with pytest.raises(BadInput, match=r"values \[x, draws\]"):
        results(crossed, {"natural": wrong})


@pytest.mark.parametrize(
    ("seeds", "said", "words"),
    [
        ((1, 1), ["95 % interval over masks"], "1 seed. Band: 95 % interval over masks."),
        ((2, 2), [OVER_SEEDS], f"2 seeds. A line is the mean over the seeds. Band: {OVER_SEEDS}."),
        (
            (3, 1),
            [OVER_SEEDS, "95 % interval over masks for a row with one seed"],
            "1 to 3 seeds. A line is the mean over the seeds. Band: "
            f"{OVER_SEEDS}; 95 % interval over masks for a row with one seed.",
        ),
    ],
)
def test_legend_and_caption_say_which_band_it_is(seeds, said, words):
    rows = {
        name: [found(90 + n, 80 + n, 70) for n in range(count)]
        for name, count in zip(("natural", "trades"), seeds, strict=True)
    }
    made = results(arrays=rows)
    assert texts(drawn(made))[1] == said
    assert caption(made, SERIES) == (
        "Accuracy with faults",
        f"Accuracy with faults, {words}",
    )


def test_a_gap_in_a_seed_is_a_gap_in_the_mean():
    seeds = [found(90, np.nan, 60), found(92, 80, 62)]
    (axes,) = drawn(results(arrays={"natural": seeds})).axes
    assert np.isnan(curves(axes)[0][1][1])
    assert [y for _, y in curves(axes)[0]][::2] == [91, 61]


def test_each_group_has_a_panel_in_which_a_row_of_the_same_name_looks_the_same():
    names = ["dnn natural", "dnn tikhonov", "cnn tikhonov", "cnn natural"]
    figure = drawn(results(arrays={name: [found(90, 80, 70)] for name in names}))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["dnn", "cnn"]
    one, other = (
        [(line.get_color(), line.get_linestyle()) for line in axes.lines if is_curve(line)]
        for axes in figure.axes
    )
    assert one == other[::-1]
    assert texts(figure)[0] == ["natural", "tikhonov"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["Testing accuracy (%)", ""]


def test_rows_look_different_in_color_and_without_it():
    looks = [look(place) for place in range(6)]
    for kind in ("color", "marker"):
        assert len({str(one[kind]) for one in looks}) == 6
    assert len({(str(one["linestyle"]), one["marker"]) for one in map(look, range(36))}) == 36
    assert len({str(look(place)) for place in range(252)}) == 252
    assert (len(COLORS), len(DASHES), len(MARKERS)) == (7, 4, 9)
    # On white paper, in gray: nothing is lighter than three quarters.
    assert all(np.dot(to_rgb(color), [0.299, 0.587, 0.114]) < 0.75 for color in COLORS)


# How color-blind eyes see linear red, green, blue: Machado et al. (2009), severity 1.
BLIND = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("eye", BLIND)
def test_colors_of_rows_side_by_side_are_told_apart_by_color_blind_eyes(eye):
    seen = [np.clip(np.array(BLIND[eye]) @ (np.array(to_rgb(c)) ** 2.2), 0, 1) for c in COLORS]
    for one, other in itertools.pairwise(seen):
        assert np.abs(one ** (1 / 2.2) - other ** (1 / 2.2)).max() > 0.15


def test_steps_are_the_outline_of_bins_with_few_markers():
    series = dataclasses.replace(BARE, steps=True)
    (axes,) = drawn(results(series, {"natural": [found(1, 5, 2)]})).axes
    edges = [(-0.05, 1), (0.05, 1), (0.05, 5), (0.15, 5), (0.15, 2), (0.25, 2)]
    assert curves(axes)[0] == [pytest.approx(edge) for edge in edges]
    assert marks(axes)[0] == [[0.0, 1], [0.1, 5], [0.2, 2]]
    many = found(*np.arange(100.0), rates=np.arange(100.0))
    (axes,) = drawn(results(series, {name: [many] for name in "abc"})).axes
    places = [[x for x, _ in points] for points in marks(axes)]
    assert all(5 <= len(some) <= 7 for some in places)
    assert not set(places[0]) & set(places[1])
    (axes,) = drawn(results(series, {"natural": [found(3.0, rates=[7.0])]})).axes
    assert curves(axes)[0] == [[6.5, 3.0], [7.5, 3.0]]


def test_a_logarithmic_axis_has_no_place_for_zero_and_below():
    series = dataclasses.replace(BARE, logarithmic_y=True)
    (axes,) = drawn(results(series, {"natural": [found(1000, 0, 10)]})).axes
    assert axes.get_yscale() == "log"
    assert np.isnan(curves(axes)[0][1][1])
    assert marks(axes)[0] == [[0, 1000], [0.2, 10]]
    low, high = axes.get_ylim()
    assert 0 < low < 10
    assert high > 1000
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert {"10", "100", "10³"} <= set(shown)
    # An empty bin is a bar that is not there, and the outline goes down to the axis.
    steps = dataclasses.replace(series, steps=True)
    (axes,) = drawn(results(steps, {"natural": [found(1000, 0, 10)]})).axes
    assert [y for _, y in curves(axes)[0]] == [1000, 1000, 0, 0, 10, 10]
    assert axes.get_ylim()[0] > 0


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize(
    "name", ["{}", "net{} natural", "same natural with a long word about its weights {}"]
)
def test_nothing_overlaps_and_nothing_is_cut(count, name):
    rows = {name.format(i): [found(90 - i, 80, 70 - i)] for i in range(count)}
    figure = drawn(results(arrays=rows))
    boxes = [text.get_window_extent() for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        texts = [axes.xaxis.label, axes.yaxis.label, axes._left_title]
        ticks = [
            label
            for axis, (low, high) in (
                (axes.xaxis, axes.get_xlim()),
                (axes.yaxis, axes.get_ylim()),
            )
            for at, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
            if low <= at <= high
        ]
        boxes += [text.get_window_extent() for text in (*texts, *ticks) if text.get_text()]
        boxes.append(axes.patch.get_window_extent())
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1


def test_rows_without_arrays_are_absent_and_nothing_stored_is_a_picture():
    arrays = {"natural": [found(90, 80, 70)], "trades": [], "other": [{"rates": RATES}]}
    made = results(arrays=arrays)
    assert texts(drawn(made))[0] == ["natural"]
    assert set(frame(made).row) == {"natural"}
    empty = results(arrays={"natural": [], "trades": []})
    figure = drawn(empty)
    assert figure.legends == []
    assert len(figure.axes) == 1
    assert caption(empty, SERIES)[1] == "Accuracy with faults. No result yet."
    files = report.plot(empty, SERIES)
    assert files["csv"] == b"experiment,preset,row,seed,x,y,low,high,worst\n"


def frame(made):
    (series,) = made.experiment.figures
    return pandas.read_csv(io.BytesIO(report.plot(made, series)["csv"]))


def test_csv_to_the_letter():
    arrays = {
        "natural": [found(90, 0.1 + 0.2, rates=[0, 1]), found(91, 1e-7, rates=[0, 1])],
        "b, c": [None, found(np.nan, 80, rates=[0, 1])],
    }
    assert report.plot(results(arrays=arrays), SERIES)["csv"].decode() == (
        "experiment,preset,row,seed,x,y,low,high,worst\n"
        "table0,quick,natural,0,0,90,89,91,81\n"
        "table0,quick,natural,0,1,0.3,-0.7,1.3,-8.7\n"
        "table0,quick,natural,1,0,91,90,92,82\n"
        "table0,quick,natural,1,1,1e-07,-0.9999999,1.0000001,-8.9999999\n"
        'table0,quick,"b, c",1,0,,,,\n'
        'table0,quick,"b, c",1,1,80,79,81,71\n'
    )


def test_csv_without_a_band_leaves_its_columns_empty():
    text = report.plot(results(BARE, {"a": [found(1, rates=[0])]}), BARE)["csv"].decode()
    assert text.endswith("table0,quick,a,0,0,1,,,-8\n")


def test_the_same_bytes_each_time_whatever_the_users_settings():
    first = report.plot(results(), SERIES)
    assert list(first) == ["png", "pdf", "csv"]
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.grid": True}):
        assert report.plot(results(), SERIES) == first
    assert b"CreationDate" not in first["pdf"]
    assert Image.open(io.BytesIO(first["png"])).width == 1400


def test_names_are_not_taken_for_mathematics():
    assert report.plot(results(arrays={r"a_b $\nonsense{$": [found(1, 2, 3)]}), SERIES)["png"]
