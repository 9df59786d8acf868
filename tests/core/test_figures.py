"""Descriptions of figures that cannot be right are refused, in one line."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import Any

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
    name="plane", title="Plane", y="down", values="grid", points="points", classes="classes",
    tested="tested", **SHOWN,
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
        *[
            ((dataclasses.replace(CURVES, panels=bad),), "columns in each panel of against_x")
            for bad in ((), ((),), (("y",), ()))
        ],
        ((dataclasses.replace(CURVES, panels=(("y", "w"),)),), "known column for against_x.*'w'"),
        ((dataclasses.replace(CURVES, panels=(("y", "x"),)),), r"one unit in a panel.*'%', ''"),
        ((dataclasses.replace(SCATTER, panels=(("x", "w"),)),), "known column for cloud.*'w'"),
        ((dataclasses.replace(SCATTER, panels=(("x",),)),), "panels of cloud to be pairs.*'x'"),
        ((dataclasses.replace(SCATTER, low=("w",)),), "known column for cloud.*'w'"),
        ((dataclasses.replace(SCATTER, logarithmic=("w",)),), "known column for cloud.*'w'"),
        ((dataclasses.replace(CONTRASTS, baseline="c"),), "a row of the table for against.*'c'"),
        ((dataclasses.replace(CONTRASTS, columns=("w",)),), "known column for against.*'w'"),
        ((dataclasses.replace(PAIRS, rows=("c",)),), "a row of the table for pairs.*'c'"),
        ((dataclasses.replace(PAIRS, baseline="c"),), "a row of the table for pairs.*'c'"),
        ((CURVES, dataclasses.replace(CURVES, x="y")), "figures with different names"),
    ],
)
def test_figures_that_do_not_fit_a_table_are_refused(figures, words):
    assert table(CURVES, dataclasses.replace(CURVES, name="2"), SCATTER, CONTRASTS, PAIRS).figures
    with refuses(words):
        table(*figures)


def test_the_baseline_of_grouped_rows_is_named_without_its_group():
    rows = ("one a", "one b", "two a", "two b")
    assert table(CONTRASTS, rows=rows).figures
    with refuses("a row of the table for against.*'one a'"):
        table(dataclasses.replace(CONTRASTS, baseline="one a"), rows=rows)


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
    (scaled,) = table(figure).scaled(PRESETS["smoke"]).figures
    assert scaled.measure == Scaled(trials=2)


@pytest.mark.parametrize(
    ("figure", "change", "words"),
    [
        *[
            (one, {"name": bad}, "lower case")
            for one in (CURVES, SERIES)
            for bad in ("", "A", "a.b", "a/b", "a b", "a\n", "ä", None)
        ],
        *[
            (one, {"measure": bad}, "measure to be a measure")
            for one in ARRAY_FIGURES
            for bad in (None, "sweep", Net())
        ],
        *[
            (SERIES, change, "low, high and band")
            for change in ({"low": None}, {"high": None}, {"band": ""}, {"low": None, "high": None})
        ],
    ],
)
def test_figures_that_cannot_be_right_are_refused(figure, change, words):
    with refuses(words):
        dataclasses.replace(figure, **change)


@pytest.mark.parametrize(
    ("figure", "names"),
    [
        (SERIES, "rates mean low high worst"),
        (
            dataclasses.replace(SERIES, low=None, high=None, band="", values="values"),
            "rates mean values worst",
        ),
        (HEAT_MAP, "rates by_layer"),
        (PAIRS, "rates values"),
        (LEVELS, "rates bits"),
        (PLANE, "rates down grid points classes tested"),
    ],
)
def test_a_figure_names_the_arrays_that_it_shows(figure, names):
    assert tuple(figure.arrays) == tuple(names.split())
