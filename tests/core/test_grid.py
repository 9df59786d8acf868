"""Grids: every combination, samples that are balanced and nested, and rows of an experiment."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise, product

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment
from ftnoise.core.grid import Grid, balanced
from ftnoise.core.preset import PRESETS
from tests.core.made import RUN
from tests.core.test_experiment import COLUMN

AXES = {"width": (1, 2, 3, 4), "rate": (0.1, 0.2, 0.4), "epochs": (2, 4)}


def made(width, rate, epochs):
    schedule = dataclasses.replace(
        RUN.schedule, epochs=epochs, learning_rate=rate, batch_size=width, drops=()
    )
    return dataclasses.replace(RUN, schedule=schedule)


def grid(**changes):
    return Grid(**{"name": "g", "run": made, "axes": AXES, "along": "epochs"} | changes)


def table(*grids):
    return Experiment(name="t", title="T", source="S", columns=(COLUMN,), grids=grids)


def test_a_whole_grid_has_every_combination_once_in_order():
    cells = grid().cells()
    assert [tuple(cell.values()) for cell in cells] == [*product(*AXES.values())]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_sample_has_whole_trainings_and_its_share_of_them(share):
    cells = grid(share=share).cells()
    trainings = Counter((cell["width"], cell["rate"]) for cell in cells)
    assert len(trainings) == max(1, round(share * 12))
    assert {*trainings.values()} == {2}


def test_larger_samples_hold_the_smaller_ones():
    shares = (0.1, 0.3, 0.6, 1.0)
    samples = [{tuple(cell.values()) for cell in grid(share=share).cells()} for share in shares]
    assert all(small < large for small, large in pairwise(samples))


@pytest.mark.parametrize("number", [6, 12, 24, 27])
def test_a_sample_uses_the_values_of_each_axis_about_equally(number):
    everything = [*product(range(3), range(4), range(2), range(6))]
    chosen = balanced(everything, number)
    assert len({*chosen}) == number
    for place, size in enumerate((3, 4, 2, 6)):
        counts = Counter(values[place] for values in chosen)
        assert len(counts) == size
        assert max(counts.values()) - min(counts.values()) <= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "two words"}, "a grid named by one word"),
        ({"name": ""}, "one word"),
        ({"along": "depth"}, "an axis of g"),
        ({"axes": {"epochs": ()}}, "a tuple of different epochs"),
        ({"axes": {"epochs": (1, 1)}}, "a tuple of different epochs"),
        ({"share": 0.0}, "share in"),
        ({"share": 1.5}, "share in"),
    ],
)
def test_a_wrong_grid_is_refused(changes, message):
    with pytest.raises(BadInput, match=message):
        grid(**changes)


def test_the_rows_of_an_experiment_are_the_networks_of_its_grids():
    whole = table(grid(), grid(name="h", axes=AXES | {"rate": (0.7,)}))
    assert whole.rows == ()
    rows = whole.scaled(PRESETS["paper"]).rows
    assert len(rows) == 24 + 8
    assert rows[1].name == "g width=1 rate=0.1 epochs=4"
    assert rows[1].run == made(1, 0.1, 4)
    assert rows[1].cell == {"width": 1, "rate": 0.1, "epochs": 4}


def test_a_preset_takes_fewer_trainings_and_each_network_once():
    quick, smoke = (table(grid()).scaled(PRESETS[name]) for name in ("quick", "smoke"))
    assert len(quick.rows) == 4 * 2
    assert len(smoke.rows) == 1  # of one epoch


def test_a_sample_of_an_experiment_is_one_of_each_grid():
    whole = table(grid(), grid(name="h", axes=AXES | {"rate": (0.7, 0.8)}))
    sampled = whole.sampled(0.25).scaled(PRESETS["paper"])
    assert Counter(row.name.split()[0] for row in sampled.rows) == {"g": 6, "h": 4}
    with pytest.raises(BadInput, match="an experiment of grids"):
        dataclasses.replace(whole, grids=(), rows=sampled.rows).sampled(0.5)


def test_grids_of_one_name_are_refused():
    with pytest.raises(BadInput, match="grids with different names"):
        table(grid(), grid())
