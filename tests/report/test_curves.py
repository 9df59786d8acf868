"""Columns against a column: every number at its x, rows without x as lines with their names."""

from __future__ import annotations

import dataclasses
import io
import itertools

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from scipy.optimize import isotonic_regression

from ftnoise import report
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Curves
from ftnoise.report.curves import BEHIND, COLORS, CURVE, STRAIGHT, apart, draw
from ftnoise.report.drawing import LOOK, power

TITLES = {"train": "Training accuracy", "test": "Testing accuracy"}
COLUMNS = (
    *(Column(name=name, measure=None, title=text, unit="%") for name, text in TITLES.items()),
    Column(name="error", measure=None, title="Generalization error", unit="points"),
    Column(name="epsilon", measure=None, title="Epsilon"),
)
CURVES = Curves(
    name="against_epsilon",
    title="Accuracy against epsilon",
    x="epsilon",
    panels=(("train", "test"), ("error",)),
    logarithmic=True,
)
PAPER = {
    "natural": {"train": 99.0, "test": 89.0, "error": 10.0},
    "tikhonov": {"train": 88.9, "test": 87.4, "error": 1.5},
    "eps 0.5": {"train": 80.4, "test": 79.4, "error": 1.0, "epsilon": 0.5},
    "eps 3": {"train": 85.7, "test": 83.6, "error": 2.1, "epsilon": 3.0},
    "eps 2e6": {"train": 96.6, "test": 88.3, "error": 8.3, "epsilon": 2e6},
}
OURS = {
    "natural": {"train": [97.2, 97.3, 97.4], "test": [89.3] * 3, "error": [7.9, 8.0, 8.1]},
    "eps 0.5": {"train": [80.2], "test": [79.5], "error": [0.7], "epsilon": [0.49]},
    "eps 3": {"train": [85.0, 86.0], "test": [84.0, 84.6], "error": [1.0, 1.4], "epsilon": [3, 5]},
    "eps 2e6": {"train": [92.0], "test": [88.0], "error": [4.0], "epsilon": [2.3e6]},
}


@pytest.fixture
def make(make_results):
    def made(paper=PAPER, ours=OURS, columns=COLUMNS):
        return make_results(paper=paper, ours=ours, columns=columns)

    return made


def drawn(results, **changes):
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure, results, dataclasses.replace(CURVES, **changes))
    return figure


def is_beside(axes, artist):
    return artist.get_transform() == axes.get_yaxis_transform()


def points(axes, marker):
    """The marks within the axes."""
    return sorted(
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == marker and not is_beside(axes, line)
    )


def ends(axes, marker):
    """The heights of the marks where straight lines end."""
    marks = [line for line in axes.lines if line.get_marker() == marker and is_beside(axes, line)]
    assert all(line.get_xdata()[0] > 1 for line in marks)
    return sorted(float(line.get_ydata()[0]) for line in marks)


def lines(axes, ours, width):
    """What lines go through, and their styles."""
    return [
        (np.transpose(line.get_data()).tolist(), line.get_linestyle())
        for line in axes.lines
        if line.get_color() == COLORS[ours]
        and line.get_linewidth() == width
        and line.get_marker() in ("None", "")
        and len(line.get_xdata()) > 0
        and line.get_zorder() == 2
    ]


def test_each_number_stands_at_its_own_x(make):
    accuracy, error = drawn(make()).axes
    assert points(error, "D") == [(0.5, 1.0), (3.0, 2.1), (2e6, 8.3)]
    assert points(error, "o") == pytest.approx([(0.49, 0.7), (4.0, 1.2), (2.3e6, 4.0)])
    assert points(accuracy, "D") == [
        *((0.5, 79.4), (0.5, 80.4), (3.0, 83.6)),
        *((3.0, 85.7), (2e6, 88.3), (2e6, 96.6)),
    ]
    assert len(points(accuracy, "o")) == 6


def test_curves_go_from_left_to_right_in_the_style_of_their_column(make):
    shuffled = dict(reversed(PAPER.items()))
    accuracy, error = drawn(make(paper=shuffled)).axes
    assert lines(error, False, CURVE) == [([[0.5, 1.0], [3.0, 2.1], [2e6, 8.3]], "-")]
    assert lines(accuracy, False, CURVE) == [
        ([[0.5, 80.4], [3.0, 85.7], [2e6, 96.6]], "-"),
        ([[0.5, 79.4], [3.0, 83.6], [2e6, 88.3]], "--"),
    ]
    assert [style for _, style in lines(accuracy, True, CURVE)] == ["-", "--"]


def test_rows_without_x_are_straight_lines_that_end_in_their_marks(make):
    accuracy, error = drawn(make()).axes
    assert ends(error, "D") == [1.5, 10.0]
    assert ends(error, "o") == pytest.approx([8.0])
    assert ends(accuracy, "D") == [87.4, 88.9, 89.0, 99.0]
    assert ends(accuracy, "o") == pytest.approx([89.3, 97.3])
    straight = [(y, style) for ((_, y), _), style in lines(accuracy, False, STRAIGHT)]
    assert straight == [(99.0, "-"), (88.9, "-"), (89.0, "--"), (87.4, "--")]
    assert [style for _, style in lines(accuracy, True, STRAIGHT)] == ["-", "--"]


def test_straight_lines_have_names_that_do_not_overlap(make):
    figure = drawn(make())
    accuracy, error = figure.axes
    names = [text.get_text() for text in accuracy.texts]
    assert names == [
        "tikhonov, testing",
        "tikhonov, training",
        "natural, testing",
        "natural, training",
    ]
    assert [text.get_text() for text in error.texts] == ["tikhonov", "natural"]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in accuracy.texts]
    assert all(low.y1 < high.y0 for low, high in itertools.pairwise(boxes))
    assert all(box.x1 < figure.bbox.x1 for box in boxes)


def test_bars_are_the_intervals_of_more_than_one_seed(make):
    results = make()
    _, error = drawn(results).axes
    bars = [bar.lines[2][0].get_segments()[0] for bar in error.containers if bar.has_yerr]
    frame = report.cells(results).query("measure == 'error' and seeds > 1")
    assert len(frame) == 2
    assert np.stack(bars)[:, :, 1] == pytest.approx(frame[["low", "high"]].to_numpy())


def test_one_seed_has_no_bars_and_the_legend_does_not_speak_of_them(make):
    several = drawn(make())
    one = drawn(make(ours={"eps 3": {"train": [80.0], "error": [1.0], "epsilon": [3.0]}}))
    assert not any(bar.has_yerr for axes in one.axes for bar in axes.containers)
    for figure, words in ((several, ", mean and 95 % interval over seeds"), (one, "")):
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [
            "Training accuracy",
            "Testing accuracy",
            "paper",
            f"ours (quick preset){words}",
        ]


def test_the_papers_number_stands_at_our_x_where_it_has_none(make):
    paper = {**PAPER, "eps 3": {"error": 2.1}}
    _, error = drawn(make(paper=paper)).axes
    assert points(error, "D") == [(0.5, 1.0), (4.0, 2.1), (2e6, 8.3)]


def test_what_has_no_x_or_no_y_is_left_out(make):
    ours = {
        "eps 0.5": {"error": [0.7]},  # trained, but epsilon is not measured yet
        "eps 3": {"epsilon": [3.0], "error": []},
        "eps 2e6": {"epsilon": [2e6], "error": [4.0]},
    }
    paper = {**PAPER, "eps 2e6": {"epsilon": 2e6}}
    _, error = drawn(make(paper=paper, ours=ours)).axes
    assert points(error, "o") == [(2e6, 4.0)]
    assert points(error, "D") == [(0.5, 1.0), (3.0, 2.1)]
    assert ends(error, "o") == []


@pytest.mark.parametrize(("logarithmic", "kept"), [(True, [3.0]), (False, [-1.0, 0.0, 3.0])])
def test_a_logarithmic_axis_has_no_place_for_zero_and_below(make, logarithmic, kept):
    paper = {
        "natural": {"error": 5.0},
        **{f"eps {x}": {"epsilon": x, "error": 1.0} for x in (-1.0, 0.0, 3.0)},
    }
    ours = {row: {name: [value] for name, value in cells.items()} for row, cells in paper.items()}
    _, error = drawn(make(paper=paper, ours=ours), logarithmic=logarithmic).axes
    assert [x for x, _ in points(error, "D")] == kept
    assert [x for x, _ in points(error, "o")] == kept
    assert ends(error, "D") == ends(error, "o") == [5.0]


def test_axes_are_named_and_hold_every_number(make):
    figure = drawn(make())
    figure.draw_without_rendering()
    accuracy, error = figure.axes
    assert (accuracy.get_ylabel(), error.get_ylabel()) == (
        "Accuracy (%)",
        "Generalization error (points)",
    )
    assert (accuracy.get_xlabel(), error.get_xlabel()) == ("", "Epsilon")
    for axes in figure.axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert axes.get_xscale() == "log"
        assert all(left < x < right for marker in "Do" for x, _ in points(axes, marker))
        heights = [line.get_ydata() for line in axes.lines]
        assert bottom < min(map(np.min, heights))
        assert max(map(np.max, heights)) < top


@pytest.mark.parametrize(
    ("xs", "ticks"),
    [
        ((0.49, 2.3e6), ["1", "10", "100", "10³", "10⁴", "10⁵", "10⁶"]),
        ((0.6, 20.0), ["1", "2", "5", "10", "20"]),
        ((3.0, 6.0), ["3", "4", "5", "6"]),
    ],
)
def test_a_logarithmic_axis_has_numbers_in_every_range(make, xs, ticks):
    paper = {f"eps {x}": {"epsilon": x, "error": 1.0} for x in xs}
    figure = drawn(make(paper=paper, ours={}))
    figure.draw_without_rendering()
    axes = figure.axes[-1]
    low, high = axes.get_xlim()
    shown = [
        label.get_text()
        for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        if low <= place <= high
    ]
    assert shown == ticks
    assert not any(
        label.get_text() for label in figure.axes[0].get_xticklabels() if label.get_visible()
    )


@pytest.mark.parametrize(
    ("x", "text"),
    [(0.01, "0.01"), (0.5, "0.5"), (20, "20"), (1000.0, "10³"), (5e6, "5×10⁶"), (1e-12, "10⁻¹²")],
)
def test_a_number_on_an_axis(x, text):
    assert power(x) == text


def test_each_group_of_rows_has_panels_and_curves_of_its_own(make):
    paper = {f"{group} {row}": cells for group in ("dnn", "cnn") for row, cells in PAPER.items()}
    ours = {f"cnn {row}": cells for row, cells in OURS.items()}
    figure = drawn(make(paper=paper, ours=ours))
    titles = [axes.get_ylabel().splitlines() for axes in figure.axes]
    assert titles == [
        [group, text]
        for group in ("dnn", "cnn")
        for text in ("Accuracy (%)", "Generalization error (points)")
    ]
    assert [len(points(axes, "D")) for axes in figure.axes] == [6, 3, 6, 3]
    assert [len(points(axes, "o")) for axes in figure.axes] == [0, 0, 6, 3]
    assert [text.get_text() for text in figure.axes[3].texts] == ["tikhonov", "natural"]


def test_columns_with_nothing_in_common_keep_their_titles(make):
    columns = (*COLUMNS[:2], dataclasses.replace(COLUMNS[2], unit="%"), COLUMNS[3])
    (axes,) = drawn(make(columns=columns), panels=(("train", "error"),)).axes
    assert axes.get_ylabel() == "Training accuracy, Generalization error (%)"
    assert axes.texts[-1].get_text() == "natural, training accuracy"


def test_nothing_stored_leaves_the_papers_curves(make):
    _, error = drawn(make(ours={})).axes
    assert len(points(error, "D")) == 3
    assert points(error, "o") == ends(error, "o") == []


def test_no_number_at_all_still_is_a_picture(make):
    assert report.plot(make(paper={"a": {}}, ours={}), CURVES)["png"].startswith(b"\x89PNG")


def test_the_same_bytes_each_time_whatever_the_users_settings(make):
    first = report.plot(make(), CURVES)
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.grid": True}):
        assert report.plot(make(), CURVES) == first
    assert first["pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in first["pdf"]
    assert Image.open(io.BytesIO(first["png"])).width == 1400


def test_in_gray_ours_is_dark_and_filled_and_the_papers_is_light():
    gray = {ours: matplotlib.colors.to_rgb(color) for ours, color in COLORS.items()}
    luminance = {ours: np.dot(rgb, [0.299, 0.587, 0.114]) for ours, rgb in gray.items()}
    assert luminance[True] < 0.3
    assert luminance[False] > 0.5
    assert BEHIND["markerfacecolor"] == "white"


def test_a_long_name_leaves_half_of_the_width(make):
    (axes, _) = drawn(make(paper={"long " * 50: {"train": 1.0}}, ours={})).axes
    assert axes.get_position().width == pytest.approx(0.5)


def test_names_are_not_taken_for_mathematics(make):
    paper = {r"a_b $\nonsense{$": {"error": 1.0}}
    assert report.plot(make(paper=paper, ours={}), CURVES)["png"]


@given(st.lists(st.floats(-5, 15), min_size=1, max_size=8).map(sorted), st.floats(0.01, 2))
def test_labels_stand_apart_as_near_as_they_can(heights, gap):
    places = apart(heights, gap, 10.0)
    assert len(places) == len(heights)
    assert (np.diff(places) > gap * (1 - 1e-9)).all()
    steps = gap * np.arange(len(heights))
    room = max(10.0 - steps[-1], 0.0)
    nearest = np.clip(isotonic_regression(np.array(heights) - steps).x, 0, room) + steps
    assert places == pytest.approx(nearest, abs=1e-9)


def test_labels_with_room_stand_where_they_belong():
    assert apart([1.0, 2.0, 2.5], 0.4, 3.0) == [1.0, 2.0, 2.5]
    assert apart([], 0.4, 3.0) == []
