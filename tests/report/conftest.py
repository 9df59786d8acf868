"""A small table: two groups of rows, two columns with the paper's numbers and one without."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas
import pytest
from matplotlib.figure import Figure as Canvas

from ftnoise import report
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import HeatMap, Pairs, Series
from ftnoise.core.interfaces import Architecture, DataSet, Measure, Procedure, Run
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import spec_id
from ftnoise.report import Reading, Results
from ftnoise.report.figures.canvas import LOOK
from ftnoise.report.page import sections
from ftnoise.report.table import Section


class Unused:
    """What a report never does with a spec."""

    def _fail(self, *_: Any, **__: Any) -> Any:
        raise AssertionError(self)

    build = load = digest = train = evaluate = _fail


@dataclass(frozen=True, kw_only=True)
class Net(Unused, Architecture):
    """An architecture."""


@dataclass(frozen=True, kw_only=True)
class Points(Unused, DataSet):
    """Data of which there are several draws."""

    number: int = 0

    def redrawn(self, number: int) -> DataSet:
        return Points(number=number)


@dataclass(frozen=True, kw_only=True)
class Fit(Unused, Procedure):
    """A training."""

    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Faults(Unused, Measure):
    """A measure, also of arrays."""

    trials: int = 100


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
    Column(name="accuracy", measure=Faults(), title="Training accuracy", unit="%"),
    Column(
        name="error", measure=Faults(), title="Generalization error", unit="points", ranked=True
    ),
    Column(name="spread", measure=Faults(), title="Spread of the parameters", digits=4),
)


def make(paper=PAPER, ours=OURS, notes=("Two threads.",), readings=None, **changes) -> Results:
    """Results of a table; numbers are lists over seeds, or dicts by (draw, seed)."""
    schedule = Schedule(epochs=1, batch_size=1, learning_rate=0.1)
    rows = tuple(
        Row(
            name=name,
            run=Run(architecture=Net(), data=Points(), training=Fit(name=name), schedule=schedule),
            paper=numbers,
        )
        for name, numbers in paper.items()
    )
    table = {
        "name": "table0",
        "title": "A small table",
        "source": "Someone (2019), Table 0",
        "rows": rows,
        "columns": COLUMNS,
    }
    values = {
        row: {
            column: found
            if isinstance(found, dict)
            else {(0, seed): number for seed, number in enumerate(found)}
            for column, found in columns.items()
        }
        for row, columns in ours.items()
    }
    return Results(Experiment(**{**table, **changes}), "quick", values, notes, readings or {})


SHOWN: dict[str, Any] = {"measure": Faults(), "x": "rates", "x_title": "Share of faulty parameters"}
SERIES = Series(name="line", title="A line", y="y", y_title="Y", **SHOWN)
HEAT_MAP = HeatMap(name="map", title="A map", values="v", labels="layers", value_title="V", **SHOWN)
PAIRS = Pairs(name="pairs", title="Pairs", values="v", value_title="V", **SHOWN)


def shown(figure, arrays, info=None, **changes) -> Results:
    """A table with this figure; `arrays` are by row, in a list with those of each seed or None."""
    readings = {
        row: {
            spec_id(figure.measure): [
                Reading(seed, {name: np.asarray(v) for name, v in found.items()}, info or {})
                for seed, found in enumerate(seeds)
                if found is not None
            ]
        }
        for row, seeds in arrays.items()
    }
    rows = {row: {} for row in arrays}
    return make(**{"paper": rows, "ours": {}, "readings": readings, **changes}, figures=(figure,))


def seen(results) -> Section:
    """What the only figure shows."""
    (figure,) = results.experiment.figures
    return next(one for one in sections(results) if one.name.endswith(f".{figure.name}"))


def plot(results, draw=True) -> dict[str, bytes]:
    """The files of the only figure."""
    return report.files(results, seen(results), draw)


def cells(results) -> list[list[str]]:
    """The printed cells of the only figure that is a table, line by line."""
    (table,) = seen(results).tables
    blocks = [[cell for (cell,) in block.cells] for block in table.blocks]
    return [list(line) for line in zip(*blocks, strict=True)]


def frame(results) -> pandas.DataFrame:
    """The CSV file of the only figure."""
    return pandas.read_csv(io.BytesIO(plot(results, draw=False)["csv"]))


def drawn(draw) -> Canvas:
    """What a function draws, laid out."""
    with matplotlib.rc_context(LOOK):
        canvas = Canvas()
        draw(canvas)
        canvas.draw_without_rendering()
    return canvas


def texts(canvas):
    """The entries of the legend, and its note."""
    (legend,) = canvas.legends
    return [text.get_text() for text in legend.get_texts()], legend.get_title().get_text()


def marks(axes, marker):
    """The points with this marker, sorted."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return sorted(point for line in lines for point in np.transpose(line.get_data()).tolist())


def check_layout(canvas) -> None:
    """No text, panel or legend covers another or is cut."""
    boxes = [legend.get_window_extent() for legend in canvas.legends]
    for axes in (axes for axes in canvas.axes if axes.axison):
        texts = [axes.xaxis.label, axes.yaxis.label, axes._left_title]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
            texts += [label for at, label in ticks if min(limits) <= at <= max(limits)]
        boxes += [text.get_window_extent() for text in texts if text.get_text()]
        boxes.append(axes.patch.get_window_extent())
    for one, other in itertools.combinations(boxes, 2):
        assert not one.padded(-1).overlaps(other.padded(-1))
    for box in boxes:
        assert canvas.bbox.x0 - 1 <= box.x0 < box.x1 <= canvas.bbox.x1 + 1
        assert canvas.bbox.y0 - 1 <= box.y0 < box.y1 <= canvas.bbox.y1 + 1


@pytest.fixture
def results() -> Results:
    return make()
