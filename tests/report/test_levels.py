"""Where the uncertainty comes from: the analysis of packed bits, as a table and as data."""

from __future__ import annotations

import io

import numpy as np
import pandas
import pytest

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Levels
from ftnoise.report.levels import analyze, table
from ftnoise.stats.levels import variance_components
from tests.report.conftest import SHOWN, shown

PICTURE = Levels(
    name="levels",
    title="Where it comes from",
    at=10.0,
    bits="correct",
    images="images",
    draws="masks",
    **SHOWN,
)
IMAGES = 53  # no multiple of 8
INFO = {"images": IMAGES}


def bits(seed, share=0.7, masks=6):
    """Bits [masks, images] whose masks differ much."""
    generator = np.random.default_rng(seed)
    easy = np.random.default_rng(99).normal(size=IMAGES)
    own = generator.normal(size=(masks, 1)) * 2
    return generator.random((masks, IMAGES)) < 1 / (1 + np.exp(-easy - own - share))


def found(*sets):
    return [
        {"rates": [5.0, 10.0], "correct": np.packbits(np.stack([~one, one]), axis=2)}
        for one in sets
    ]


def analyzed(made):
    return analyze(made, made.experiment.figures[0])


def test_the_analysis_is_that_of_the_bits_at_the_x_that_is_meant():
    sets = [bits(seed) for seed in range(3)]
    (one,) = analyzed(shown(PICTURE, {"a": found(*sets), "b": [None]}, INFO))
    assert one.row.name == "a"
    assert one.levels == variance_components(np.stack(sets))


def test_with_one_seed_what_seeds_add_is_missing():
    made = shown(PICTURE, {"a": found(bits(0)), "b": found(bits(1), bits(2))}, INFO)
    head, one, two = table(analyzed(made), PICTURE)
    assert head[:4] == ["", "seeds", "masks", "images"]
    assert one[:4] == ["a", "1", "6", "53"]
    assert one[head.index("of seeds")] == "-"
    assert two[head.index("of seeds")] != "-"
    assert {one[-1], two[-1]} <= {"seeds", "masks", "images"}


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": [None], "b": [None]},
        {"a": [{"rates": [5.0], "correct": np.zeros((1, 6, 7), np.uint8)}], "b": [None]},
        {"a": [{"rates": [10.0], "correct": np.zeros((1, 1, 7), np.uint8)}], "b": [None]},
    ],
)
def test_nothing_to_analyze_is_said(arrays):
    made = shown(PICTURE, arrays, INFO)
    assert analyzed(made) == []
    assert "no result yet" in report.markdown(made)
    assert "no result yet" in report.terminal(made, 80)


def test_csv_has_the_numbers_in_percent():
    made = shown(PICTURE, {"a": found(bits(0), bits(1)), "b": found(bits(2))}, INFO)
    files = report.plot(made, PICTURE)
    assert files.keys() == {"csv"}
    frame = pandas.read_csv(io.BytesIO(files["csv"]))
    first, second = (one.levels for one in analyzed(made))
    assert frame["row"].tolist() == ["a", "b"]
    assert frame["mean"].tolist() == pytest.approx([100 * first.mean, 100 * second.mean])
    assert frame["standard_error"][0] == pytest.approx(100 * first.standard_error)
    assert frame["draw"][0] == pytest.approx(100 * first.standard_errors["mask"])
    assert np.isnan(frame["seed"][1])
    squares = frame.loc[0, ["seed", "draw", "image", "seed_draw", "seed_image", "draw_image"]] ** 2
    whole = squares.sum() + frame["residual"][0] ** 2
    assert whole == pytest.approx(frame["standard_error"][0] ** 2)


@pytest.mark.parametrize("width", [60, 100, 160])
def test_a_terminal_and_a_page_have_a_line_for_each_row(width):
    made = shown(PICTURE, {"a": found(bits(0), bits(1)), "b": found(bits(2))}, INFO)
    for text in (report.terminal(made, width), report.markdown(made)):
        assert "Where it comes from" in text
        assert f"{100 * analyzed(made)[0].levels.mean:.2f}" in text


def test_seeds_with_other_masks_are_refused():
    with pytest.raises(BadInput, match="the same in what levels takes together"):
        shown(PICTURE, {"a": found(bits(0), bits(1, masks=5))}, INFO)


def test_bits_of_another_shape_are_refused():
    with pytest.raises(BadInput, match="bits"):
        shown(PICTURE, {"a": [{"rates": [1.0], "correct": np.zeros((2, 3, 7), np.uint8)}]}, INFO)
