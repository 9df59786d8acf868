"""Lines with bands: every array at its place, told apart without color."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ftnoise import report
from ftnoise.core.figures import Series
from ftnoise.report.figures.canvas import COLORS, look, power
from ftnoise.stats import summarize
from ftnoise.stats.interval import crossed_interval
from tests.report.conftest import (
    SHOWN,
    drawn,
    seen,
    shown,
    texts,
)

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
    assert seen(line(SERIES, {"natural": seeds, "trades": [found(1, 2, 3)]})).text() == (
        f"1 to 3 seeds. A line is the mean over the seeds. {note}"
    )
    gap = [found(90, np.nan, 60), found(92, 80, 62)]
    (axes,) = series(SERIES, {"natural": gap}).axes
    assert np.isnan(curves(axes)[0][1][1])


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
    text = seen(line(crossed, {"natural": seeds})).text()
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
    assert {"10", "100", "10³"} <= {label.get_text() for label in axes.get_yticklabels()}
    many = found(*np.arange(100.0), rates=np.arange(100.0))
    (axes,) = series(BARE, {name: [many] for name in "abc"}).axes
    starts, steps = zip(*(line.get_markevery() for line in axes.lines), strict=True)
    assert len({*starts}) == 3
    assert {*steps} == {17}
    assert [power(x) for x in (0.01, 2.0, 1000.0, 5e6, 2e-3)] == [
        "0.01",
        "2",
        "10³",
        "5×10⁶",
        "2×10⁻³",
    ]


def test_csv_of_series_to_the_letter():
    arrays = {
        "natural": [found(90, 0.1 + 0.2, rates=[0, 1]), found(91, 1e-7, rates=[0, 1])],
        "b, c": [None, found(np.nan, 80, rates=[0, 1])],
    }
    assert report.plot(line(SERIES, arrays), SERIES)["csv"].decode() == (
        "experiment,preset,row,seed,x,y,low,high,worst\n"
        "table0,quick,natural,0,0,90,89,91,81\n"
        "table0,quick,natural,0,1,0.3,-0.7,1.3,-8.7\n"
        "table0,quick,natural,1,0,91,90,92,82\n"
        "table0,quick,natural,1,1,1e-07,-0.9999999,1.0000001,-8.9999999\n"
        'table0,quick,"b, c",1,0,,,,\n'
        'table0,quick,"b, c",1,1,80,79,81,71\n'
    )
    text = report.plot(line(BARE, {"a": [found(1, rates=[0])]}), BARE)["csv"].decode()
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
