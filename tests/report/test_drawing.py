"""The picture: every number at its place, and the same bytes each time."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from ftnoise import report
from ftnoise.report.drawing import draw


def drawn(results):
    figure = Figure()
    draw(figure, results)
    return figure


def numbers(axes, marker):
    return sorted(float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == marker)


def test_a_panel_for_each_measure_of_the_paper(results):
    accuracy, error = drawn(results).axes
    assert accuracy.get_xlabel() == "Training accuracy (%)"
    assert error.get_xlabel() == "Generalization error (points)"
    assert numbers(accuracy, "D") == [90.99, 95.94, 98.60, 98.76, 98.83]
    assert numbers(accuracy, "o") == pytest.approx([91.0, 95.5, 98.21, 98.8, 99.0])
    assert numbers(error, "o") == pytest.approx([3.3, 7.91, 8.2, 9.1])


def test_bars_are_the_intervals_of_more_than_one_seed(results):
    accuracy = drawn(results).axes[0]
    bars = [bar.lines[2][0].get_segments()[0] for bar in accuracy.containers if bar.has_xerr]
    frame = report.cells(results).query("measure == 'accuracy' and seeds > 1")
    assert np.stack(bars)[:, :, 0] == pytest.approx(frame[["low", "high"]].to_numpy())


def test_all_numbers_lie_within_the_axes(results):
    for axes in drawn(results).axes:
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        for line in axes.lines:
            assert (left < line.get_xdata()).all()
            assert (line.get_xdata() < right).all()
            assert (top < line.get_ydata()).all()
            assert (line.get_ydata() < bottom).all()


def test_rows_are_named_once_under_their_groups(results):
    first, second = drawn(results).axes
    texts = [label.get_text() for label in first.get_yticklabels()]
    assert texts == ["dnn", "natural", "tikhonov", "trades", "cnn", "natural", "tikhonov"]
    assert not any(label.get_text() for label in second.get_yticklabels())


def test_without_numbers_of_the_paper_all_measures_are_drawn(make_results):
    figure = drawn(make_results(paper={"a": {}}, ours={"a": {"spread": [0.5]}}))
    assert [numbers(axes, "o") for axes in figure.axes] == [[], [], [0.5]]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours (quick preset)"]


def test_the_same_bytes_each_time_whatever_the_users_settings(results):
    first = report.picture(results)
    with matplotlib.rc_context({"font.size": 20, "savefig.dpi": 30, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        assert report.picture(results) == first
        assert dict(matplotlib.rcParams) == before
    assert first["png"].startswith(b"\x89PNG")
    assert first["pdf"].startswith(b"%PDF")
    assert b"CreationDate" not in first["pdf"]


def test_names_are_not_taken_for_mathematics(make_results):
    name = r"a_b $\nonsense{$"
    assert report.picture(make_results(paper={name: {"error": 1.0}}, ours={}))["png"]
