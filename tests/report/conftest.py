"""A small table: two groups of rows, two ranked measures and one without the paper's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import HeatMap, Pairs, Series
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import Spec, spec_id
from ftnoise.report import Reading, Results

PAPER = {
    "dnn natural": {"accuracy": 98.83, "error": 8.60},
    "dnn tikhonov": {"accuracy": 90.99, "error": 3.29},
    "dnn trades": {"accuracy": 98.76, "error": 8.83},
    "cnn natural": {"accuracy": 98.60, "error": 8.01},
    "cnn tikhonov": {"accuracy": 95.94, "error": 4.90},
}
OURS = {
    "dnn natural": {"accuracy": [98.9, 99.0, 99.1], "error": [9.0, 9.1, 9.2], "spread": [0.05621]},
    "dnn tikhonov": {"accuracy": [90.5, 91.0, 91.5], "error": [3.2, 3.3, 3.4]},
    "dnn trades": {"accuracy": [98.7, 98.8, 98.9], "error": [8.1, 8.2, 8.3]},
    "cnn natural": {"accuracy": [98.21], "error": [7.91], "spread": [0.065]},
    "cnn tikhonov": {"accuracy": [95.5], "error": []},
}
COLUMNS = (
    Column(name="accuracy", measure=None, title="Training accuracy", unit="%"),
    Column(name="error", measure=None, title="Generalization error", unit="points", ranked=True),
    Column(name="spread", measure=None, title="Spread of the parameters", digits=4),
)


@dataclass(frozen=True, kw_only=True)
class Thing(Spec):
    """Stands for an architecture, a data set or a training."""

    name: str = ""


def make(paper=PAPER, ours=OURS, notes=("Two threads.",), readings=None, **changes) -> Results:
    schedule = Schedule(epochs=1, batch_size=1, learning_rate=0.1)
    runs = {
        name: Run(architecture=Thing(), data=Thing(), training=Thing(name=name), schedule=schedule)
        for name in paper
    }
    table = {
        "name": "table0",
        "title": "A small table",
        "source": "Someone (2019), Table 0",
        "rows": tuple(
            Row(name=name, run=runs[name], paper=numbers) for name, numbers in paper.items()
        ),
        "columns": COLUMNS,
    }
    return Results(Experiment(**{**table, **changes}), "quick", ours, notes, readings or {})


@dataclass(frozen=True, kw_only=True)
class Faults(Spec):
    """Stands for a measure that finds arrays."""

    def evaluate(self, trained: Any) -> Any:
        raise AssertionError(trained)


SHOWN: dict[str, Any] = {
    "measure": Faults(),
    "x": "rates",
    "x_title": "Share of faulty parameters",
}


SERIES = Series(name="line", title="A line", y="y", y_title="Y", **SHOWN)
HEAT_MAP = HeatMap(name="map", title="A map", values="v", labels="layers", value_title="V", **SHOWN)
PAIRS = Pairs(name="pairs", title="Pairs", values="v", value_title="V", **SHOWN)


def shown(picture, arrays, info=None, **changes) -> Results:
    """A table with this picture; `arrays` are by row, in a list with those of each seed or None."""
    readings = {
        row: {
            spec_id(picture.measure): [
                Reading(seed, {name: np.asarray(v) for name, v in found.items()}, info or {})
                for seed, found in enumerate(seeds)
                if found is not None
            ]
        }
        for row, seeds in arrays.items()
    }
    rows = {row: {} for row in arrays}
    return make(**{"paper": rows, "ours": {}, "readings": readings, **changes}, figures=(picture,))


@pytest.fixture
def results() -> Results:
    return make()


@pytest.fixture
def make_results():
    return make
