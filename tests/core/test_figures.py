"""Descriptions of figures that cannot be right are refused, in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, run_id
from ftnoise.core.figures import Contrasts, Curves, HeatMap, Levels, Pairs, Plane, Scatter, Series
from ftnoise.core.preset import PRESETS
from tests.report.conftest import Faults, Net, make

CURVES = Curves(name="against_x", title="Y against x", x="x", panels=(("y", "z"), ("x",)))
SCATTER = Scatter(name="cloud", title="Y and x", panels=(("x", "y"),))
CONTRASTS = Contrasts(name="against", title="Against", baseline="a", columns=("x",))
SHOWN: dict[str, Any] = {"measure": Faults(), "x": "rates", "x_title": "Rate"}
SERIES = Series(
    name="line", title="Line", y="mean", y_title="Y", low="low", high="high", band="Band",
    table=("worst",), **SHOWN,
)  # fmt: skip
HEAT_MAP = HeatMap(
    name="cells", title="Cells", values="by_layer", labels="layers", value_title="V", **SHOWN
)
PAIRS = Pairs(name="pairs", title="Pairs", values="values", value_title="V", **SHOWN)
LEVELS = Levels(name="levels", title="Levels", at=0.5, bits="bits", examples="examples", **SHOWN)
PLANE = Plane(
    name="plane", title="Plane", y="down", y_title="Y", values="grid", value_title="V",
    points="points", classes="classes", tested="tested", **SHOWN,
)  # fmt: skip
ARRAY_FIGURES = (SERIES, HEAT_MAP, PAIRS, LEVELS, PLANE)


@contextlib.contextmanager
def refuses(words):
    with pytest.raises(BadInput, match=words) as failure:
        yield
    assert re.fullmatch(r"Expected .*\. Received: .*\.", str(failure.value))


def table(*figures, rows=("a", "b")):
    columns = (
        Column(name="x", measure=Faults(trials=2), title="X"),
        *(Column(name=name, measure=Faults(), title=name, unit="%") for name in ("y", "z")),
    )
    return make({row: {} for row in rows}, {}, columns=columns, figures=figures).experiment


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((dataclasses.replace(CURVES, x="w"),), "known column for against_x.*'w'"),
        ((dataclasses.replace(CURVES, panels=(("y", "w"),)),), "known column for against_x.*'w'"),
        ((dataclasses.replace(CURVES, panels=(("y", "x"),)),), r"one unit in a panel.*'%', ''"),
        ((dataclasses.replace(SCATTER, panels=(("x", "w"),)),), "known column for cloud.*'w'"),
        ((dataclasses.replace(CONTRASTS, baseline="c"),), "a row of the table for against.*'c'"),
        ((dataclasses.replace(CONTRASTS, columns=("w",)),), "known column for against.*'w'"),
        ((dataclasses.replace(PAIRS, rows=("c",)),), "a row of the table for pairs.*'c'"),
        ((CURVES, dataclasses.replace(CURVES, x="y")), "figures with different names"),
    ],
)
def test_figures_that_do_not_fit_a_table_are_refused(figures, words):
    assert table(CURVES, dataclasses.replace(CURVES, name="2"), SCATTER, CONTRASTS, PAIRS).figures
    with refuses(words):
        table(*figures)


def test_a_table_with_one_row_compares_no_pairs():
    with refuses("at least two rows of the table for pairs"):
        table(PAIRS, rows=("a",))


def test_a_table_measures_what_its_figures_show_each_once():
    other = dataclasses.replace(SERIES, name="other", measure=Faults(trials=3))
    experiment = table(CURVES, SERIES, HEAT_MAP, other)
    assert experiment.drawn() == (Faults(), Faults(trials=3))
    assert experiment.measures() == (Faults(trials=2), Faults(), Faults(trials=3))
    assert table(CURVES).drawn() == ()
    assert run_id(experiment.rows[0].run, "0") == run_id(table().rows[0].run, "0")


def test_a_preset_scales_the_measure_of_a_figure():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Scaled(Faults):
        def scaled(self, preset):
            return dataclasses.replace(self, trials=preset.trials)

    figure = dataclasses.replace(PAIRS, measure=Scaled())
    (scaled,) = PRESETS["smoke"].of(table(figure)).figures
    assert scaled.measure == Scaled(trials=2)


BAD_NAMES = ("", "A", "a.b", "a/b", "a b", "a\n", "ä", None)


@pytest.mark.parametrize(
    ("figure", "change", "words"),
    [
        *[(one, {"name": bad}, "lower case") for one in (CURVES, SERIES) for bad in BAD_NAMES],
        *[
            (one, {"panels": bad}, "tuples of different columns")
            for one in (CURVES, SCATTER)
            for bad in ((), ((),), ("x",), (["x"],), [("x",)], "x", (("x", "x"),))
        ],
        (SCATTER, {"panels": (("x",),)}, "tuples of different columns"),
        (SCATTER, {"low": ("z",)}, "known column for cloud.*'z'"),
        (SCATTER, {"logarithmic": ("z",)}, "known column for cloud.*'z'"),
        (CONTRASTS, {"columns": ()}, "columns for against"),
        (CONTRASTS, {"columns": ("x", "x")}, "different names"),
        *[
            (one, {"measure": bad}, "measure to be a measure")
            for one in ARRAY_FIGURES
            for bad in (None, "sweep", Net())
        ],
        *[(SERIES, {name: "A b"}, "lower case letters") for name in ("x", "y", "low", "high")],
        (HEAT_MAP, {"values": ""}, "lower case letters"),
        (HEAT_MAP, {"labels": "the layers"}, "lower case letters"),
        (PAIRS, {"values": 3}, "lower case letters"),
        (PAIRS, {"rows": "natural"}, "rows of pairs to be a tuple"),
        (SERIES, {"low": None}, "low, high and band"),
        (SERIES, {"high": None}, "low, high and band"),
        (SERIES, {"band": ""}, "low, high and band"),
        (SERIES, {"low": None, "high": None}, "low, high and band"),
        (SERIES, {"table": ["worst"]}, "a tuple of different names"),
        (SERIES, {"table": ("worst", "worst")}, "a tuple of different names"),
        (CURVES, {"logarithmic": 2}, "logarithmic to be a bool"),
        (SCATTER, {"low": "x"}, "low of cloud to be a tuple"),
        (SCATTER, {"logarithmic": True}, "logarithmic of cloud to be a tuple"),
        (SERIES, {"steps": "yes"}, "steps to be a bool"),
        (SERIES, {"logarithmic_y": None}, "logarithmic_y to be a bool"),
        (PAIRS, {"alone": 1}, "alone to be a bool"),
        *[(LEVELS, {"at": bad}, "at to be a finite number") for bad in ("0.5", True, math.nan)],
        *[(one, {"digits": bad}, "digits to be") for one in (HEAT_MAP, PAIRS) for bad in (-1, 0.5)],
    ],
)
def test_figures_that_cannot_be_right_are_refused(figure, change, words):
    with refuses(words):
        dataclasses.replace(figure, **change)


def found(**changes):
    arrays = {
        "rates": np.array([0.0, 0.5]),
        "mean": np.array([1, 2]),
        "low": np.zeros(2),
        "high": np.array([3.0, np.nan]),
        "worst": np.zeros(2),
        "by_layer": np.zeros((3, 2)),
        "values": np.zeros((2, 4)),
        "bits": np.zeros((2, 4, 1), np.uint8),
        "down": np.arange(5.0),
        "grid": np.zeros((5, 2)),
        "points": np.zeros((8, 2)),
        "classes": np.zeros(8),
        "tested": np.zeros(8),
    }
    return arrays | changes


INFO = {"layers": ["a", "b", "c"], "examples": 7}


@pytest.mark.parametrize("figure", ARRAY_FIGURES, ids=lambda figure: figure.name)
def test_a_measurement_is_shown_if_it_has_all_of_it(figure):
    arrays = found()
    assert figure.has(arrays, INFO)
    assert figure.shared(arrays, INFO) == figure.shared(found(), INFO)
    assert figure.shared(arrays, INFO) != figure.shared(found(rates=np.array([0.0, 0.6])), INFO)
    for name in figure.shapes:
        assert not figure.has({k: v for k, v in arrays.items() if k != name}, INFO)
    for name in figure.info:
        assert not figure.has(arrays, {k: v for k, v in INFO.items() if k != name})


@pytest.mark.parametrize(
    ("figure", "arrays", "info", "words"),
    [
        (SERIES, {"mean": np.zeros(3)}, INFO, r"real numbers mean \[x\] for line"),
        (SERIES, {"worst": np.zeros((2, 1))}, INFO, r"worst \[x\]"),
        (SERIES, {"mean": np.zeros(2, complex)}, INFO, "real numbers mean"),
        (SERIES, {"rates": np.array([0, np.nan])}, INFO, "finite, different rates for line"),
        (PAIRS, {"rates": np.array([0.5, 0.5])}, INFO, "finite, different rates for pairs"),
        (HEAT_MAP, {"by_layer": np.zeros((3, 4))}, INFO, r"by_layer \[labels, x\] for cells"),
        (HEAT_MAP, {}, INFO | {"layers": ["a", "b"]}, "layers of cells to be 3 strings"),
        (HEAT_MAP, {}, INFO | {"layers": ["a", "b", 3]}, "3 strings"),
        (HEAT_MAP, {}, INFO | {"layers": "abc"}, "3 strings"),
        (PAIRS, {"values": np.zeros((4, 2))}, INFO, r"values \[x, draws\]"),
        (PAIRS, {"values": np.zeros((2, 1))}, INFO, "at least two draws for pairs"),
        (LEVELS, {"bits": np.zeros((2, 3), np.uint8)}, INFO, r"bits \[x, draw, bytes\]"),
        (PLANE, {"grid": np.zeros((3, 3))}, INFO, r"grid \[y, x\]"),
        (PLANE, {"points": np.zeros((8, 3))}, INFO, r"points \[points, 2\]"),
        (PLANE, {"classes": np.zeros(7)}, INFO, r"classes \[points\]"),
    ],
)
def test_arrays_that_cannot_be_shown_are_refused(figure, arrays, info, words):
    with refuses(words):
        figure.shared(found(**arrays), info)
