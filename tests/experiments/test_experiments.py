"""Every experiment is one value under its file's name, made of members, with numbers that fit."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from typing import Any

import pytest

import ftnoise
from ftnoise.core.interfaces import Measure
from ftnoise.core.preset import PRESETS
from tests.members import documented


def experiments() -> list[Any]:
    folder = Path(ftnoise.__file__).with_name("experiments")
    names = sorted(file.stem for file in folder.glob("[!_]*.py"))
    return [importlib.import_module(f"ftnoise.experiments.{name}") for name in names]


def shown(experiment: Any, measure: Any) -> set[str]:
    """The names of the arrays of a measure that figures show."""
    of_it = [figure for figure in experiment.figures if measure in figure.measures]
    return {name for figure in of_it for name in figure.arrays}


@pytest.mark.parametrize("module", experiments(), ids=lambda module: module.__name__)
def test_an_experiment_is_one_value_under_its_files_name(module):
    experiment = module.EXPERIMENT
    assert module.__name__ == f"ftnoise.experiments.{experiment.name}"
    assert module.__doc__
    assert experiment.title
    assert experiment.source
    assert experiment.minutes.keys() == PRESETS.keys()
    for row in experiment.rows:
        assert re.fullmatch(r"[a-z0-9_]+( [a-z0-9_.+/]+)*", row.name)
        assert all(math.isfinite(value) for value in row.paper.values())
    for column in experiment.columns:
        assert isinstance(column.measure, Measure)
        assert documented(column.scalar or column.name, column.measure)
    for measure in experiment.drawn():
        for name in shown(experiment, measure):
            text = type(measure).__doc__
            # The ends of an interval may be documented once for several values.
            assert documented(name, measure) or (
                re.sub("_(low|high)$", "", name) in text and "_low`, `..._high" in text
            )
    runs = [row.run for row in experiment.rows]
    assert len(set(runs)) == len(runs)
