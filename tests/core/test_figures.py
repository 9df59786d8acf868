"""Pictures that cannot be right are refused where they are described, in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import re

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, run_id
from ftnoise.core.figures import Curves
from ftnoise.core.spec import canonical
from tests import fake
from tests.fake.sweep import HEAT_MAP, PAIRS, SERIES, SWEEP, TABLE, without_pictures

CURVES = Curves(name="against_x", title="Y against x", x="x", panels=(("y", "z"), ("x",)))
COLUMNS = (
    Column(name="x", measure=fake.Total(), title="X"),
    *(Column(name=name, measure=fake.Total(), title=name, unit="%") for name in ("y", "z")),
)


@contextlib.contextmanager
def refuses(words):
    with pytest.raises(BadInput, match=words) as failure:
        yield
    assert re.fullmatch(r"Expected .*\. Received: .*\.", str(failure.value))


def table(*pictures, rows=1):
    plain = (dataclasses.replace(row, paper={}) for row in fake.TABLE.rows[:rows])
    return dataclasses.replace(fake.TABLE, rows=tuple(plain), columns=COLUMNS, figures=pictures)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((dataclasses.replace(CURVES, x="w"),), "a column of tiny for against_x.*x='w'"),
        ((dataclasses.replace(CURVES, panels=(("y", "w"),)),), r"of tiny for against_x.*'w'"),
        ((dataclasses.replace(CURVES, panels=(("y", "x"),)),), r"one unit in a panel.*'%', ''"),
        ((CURVES, dataclasses.replace(CURVES, x="y")), "pictures with different names"),
        ((SERIES, dataclasses.replace(PAIRS, name=SERIES.name)), "pictures with different names"),
        ((PAIRS,), "at least two rows of tiny for compared"),
    ],
)
def test_pictures_that_do_not_fit_a_table_are_refused_in_one_line(pictures, words):
    assert table(CURVES, dataclasses.replace(CURVES, name="2")).pictures[0] == CURVES
    with refuses(words):
        table(*pictures)


def test_a_table_asks_the_measures_of_its_pictures_too_each_once():
    assert TABLE.pictured() == (SWEEP,)
    assert TABLE.measures() == (fake.Total(), SWEEP)
    assert without_pictures().measures() == (fake.Total(),)
    assert table(CURVES).pictured() == ()


def test_pictures_are_no_part_of_a_runs_identity():
    for with_pictures, without in zip(TABLE.rows, without_pictures().rows, strict=True):
        assert run_id(with_pictures.run, "0") == run_id(without.run, "0")
        assert canonical(with_pictures.run) == canonical(without.run)


BAD_NAMES = ("", "A", "a.b", "a/b", "a b", "a\n", "ä", None)


@pytest.mark.parametrize(
    ("picture", "change", "words"),
    [
        *[(one, {"name": bad}, "lower case") for one in (CURVES, SERIES) for bad in BAD_NAMES],
        *[
            (CURVES, {"panels": bad}, "tuples")
            for bad in ((), ((),), ("x",), (["x"],), [("x",)], "x")
        ],
        (CURVES, {"panels": (("x", "x"),)}, "different columns"),
        *[
            (one, {"measure": bad}, "a spec with `evaluate`")
            for one in (SERIES, HEAT_MAP, PAIRS)
            for bad in (None, "sweep", fake.Units())
        ],
        *[(SERIES, {name: "A b"}, "arrays named") for name in ("x", "y", "low", "high")],
        (HEAT_MAP, {"values": ""}, "arrays named"),
        (PAIRS, {"values": 3}, "arrays named"),
        (SERIES, {"low": None}, "both low and high"),
        (SERIES, {"high": None}, "both low and high"),
        (SERIES, {"band": ""}, "band to say"),
        (SERIES, {"low": None, "high": None}, "band to say"),
        (SERIES, {"table": ["worst"]}, "a tuple of names"),
        (SERIES, {"table": ("worst", "worst")}, "names of their own"),
        (SERIES, {"table": ("seed",)}, "names of their own"),
        (HEAT_MAP, {"labels": "the layers"}, "labels of layers"),
        *[(one, {"digits": bad}, "digits >= 0") for one in (HEAT_MAP, PAIRS) for bad in (-1, 0.5)],
    ],
)
def test_pictures_that_cannot_be_right_are_refused_in_one_line(picture, change, words):
    with refuses(words):
        dataclasses.replace(picture, **change)


def found(**changes):
    arrays = {
        "rates": np.array([0.0, 0.5]),
        "mean": np.array([1, 2]),
        "low": np.zeros(2),
        "high": np.array([3.0, np.nan]),
        "worst": np.zeros(2),
        "by_layer": np.zeros((3, 2)),
        "values": np.zeros((2, 4)),
    }
    return arrays | changes


INFO = {"layers": ["a", "b", "c"]}


@pytest.mark.parametrize("picture", [SERIES, HEAT_MAP, PAIRS])
def test_what_a_measure_found_is_shown_where_all_of_it_is_there(picture):
    arrays = found()
    assert picture.is_in(arrays, INFO)
    picture.check_found(arrays, INFO)
    for name in picture.arrays:
        assert not picture.is_in({other: arrays[other] for other in arrays if other != name}, INFO)
    assert HEAT_MAP.is_in(arrays, {}) is False


@pytest.mark.parametrize(
    ("picture", "arrays", "info", "words"),
    [
        (SERIES, {"mean": np.zeros(3)}, INFO, r"arrays \[x\] of one length for against_rate"),
        (SERIES, {"worst": np.zeros((2, 1))}, INFO, "of one length"),
        (SERIES, {"mean": np.zeros(2, complex)}, INFO, "real numbers for against_rate"),
        (SERIES, {"rates": np.array([0, np.nan])}, INFO, "finite rates for against_rate"),
        (HEAT_MAP, {"by_layer": np.zeros((2, 3))}, INFO, r"values \[labels, x\]"),
        (HEAT_MAP, {"by_layer": np.zeros(2)}, INFO, r"values \[labels, x\]"),
        (HEAT_MAP, {"by_layer": np.zeros((0, 2))}, INFO, "neither of them empty"),
        (HEAT_MAP, {}, {"layers": ["a", "b"]}, "layers of layers to be 3 strings"),
        (HEAT_MAP, {}, {"layers": ["a", "b", 3]}, "3 strings"),
        (HEAT_MAP, {}, {"layers": "abc"}, "3 strings"),
        (PAIRS, {"values": np.zeros((4, 2))}, INFO, r"values \[x, draws\]"),
        (PAIRS, {"values": np.zeros((2, 1))}, INFO, "at least two draws"),
        (PAIRS, {"rates": np.array([0.5, 0.5])}, INFO, "different rates for compared"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(picture, arrays, info, words):
    with refuses(words):
        picture.check_found(found(**arrays), info)


def test_bins_stand_in_order():
    picture = dataclasses.replace(SERIES, steps=True)
    picture.check_found(found(), INFO)
    with refuses("the middles of bins, in order"):
        picture.check_found(found(rates=np.array([0.5, 0.5])), INFO)
