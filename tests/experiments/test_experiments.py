"""Every experiment is one value under its file's name, made of members, with numbers that fit."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from typing import Any

import pytest

import ftnoise
from ftnoise.architectures import Architecture
from ftnoise.datasets import DataSet


def experiments() -> list[Any]:
    folder = Path(ftnoise.__file__).with_name("experiments")
    names = sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    return [importlib.import_module(f"ftnoise.experiments.{name}") for name in names]


def shown(experiment: Any, measure: Any) -> set[str]:
    """The names of the arrays of a measure that pictures show."""
    of_it = [picture for picture in experiment.figures if measure in picture.measures]
    return {name for picture in of_it for name in picture.arrays}


@pytest.mark.parametrize("module", experiments(), ids=lambda module: module.__name__)
def test_an_experiment_is_one_value_under_its_files_name(module):
    experiment = module.EXPERIMENT
    assert module.__name__ == f"ftnoise.experiments.{experiment.name}"
    assert module.__doc__
    assert experiment.title
    assert experiment.source
    for row in experiment.rows:
        assert re.fullmatch(r"[a-z0-9_]+( [a-z0-9_.+/]+)*", row.name)
        assert row.step_seconds > 0
        assert all(math.isfinite(value) for value in row.paper.values())
        assert isinstance(row.run.architecture, Architecture)
        assert isinstance(row.run.data, DataSet)
    for column in experiment.columns:
        assert hasattr(column.measure, "evaluate")
        assert column.name in type(column.measure).__doc__
    for measure in experiment.pictured():
        assert all(name in type(measure).__doc__ for name in shown(experiment, measure))
    runs = [row.run for row in experiment.rows]
    assert len(set(runs)) == len(runs)
