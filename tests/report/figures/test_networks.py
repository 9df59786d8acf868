"""Reports of grids: a row for each grid, a line for each network, correlations and boxes."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pandas
import pytest
import scipy.stats

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, Experiment
from ftnoise.core.figures import Boxes, Clouds, Correlations
from ftnoise.core.grid import Grid
from ftnoise.core.preset import PRESETS
from ftnoise.core.schedule import Schedule
from ftnoise.report import Results, csv, files, latex, markdown, terminal
from ftnoise.report.figures import networks
from ftnoise.report.page import sections
from ftnoise.stats.interval import Interval
from tests.report.conftest import Faults, Fit, Net, Points, Run

AXES: dict[str, tuple[Any, ...]] = {
    "rate": tuple(0.1 * n for n in range(1, 13)),
    "epochs": (1, 2),
}


def made(rate: float, epochs: int) -> Run:
    schedule = Schedule(epochs=epochs, batch_size=1, learning_rate=rate)
    return Run(architecture=Net(), data=Points(), training=Fit(), schedule=schedule)


def other(rate: float, epochs: int) -> Run:
    return dataclasses.replace(made(rate, epochs), training=Fit(name="other"))


COLUMNS = tuple(
    Column(name=name, measure=Faults(), title=name.capitalize(), unit="%")
    for name in ("accuracy", "robust", "flat")
)
EXPERIMENT = Experiment(
    name="many",
    title="Many networks",
    source="Nowhere",
    columns=COLUMNS,
    grids=(
        Grid(name="A", run=made, axes=AXES, along="epochs", about="the first"),
        Grid(name="B", run=other, axes=AXES, along="epochs", share=0.25),
    ),
    figures=(
        Clouds(name="clouds", title="Clouds", panels=(("accuracy", "robust"),)),
        Correlations(
            name="correlations",
            title="Correlations",
            x="accuracy",
            columns=("robust", "flat"),
            expected={"A": -1},
        ),
        Correlations(
            name="with_rate",
            title="With the rate",
            axis="rate",
            columns=("accuracy", "robust"),
            expected={"A": 1},
            reverse=("robust",),
            unjudged=("accuracy",),
        ),
        Boxes(name="boxes", title="Boxes", y="robust", axes=("rate", "epochs", "missing")),
    ),
).scaled(PRESETS["paper"])


def results(sign: float = -1.0, rows: Any = EXPERIMENT.rows) -> Results:
    generator = np.random.default_rng(0)
    values = {}
    for row in rows:
        accuracy = 50 + 30 * row.cell["rate"] + row.cell["epochs"]
        robust = 50 + sign * accuracy / 2 + generator.normal()
        numbers = {"accuracy": accuracy, "robust": robust, "flat": 7.0}
        values[row.name] = {name: {(0, 0): number} for name, number in numbers.items()}
    return Results(EXPERIMENT, "paper", values)


def part(found: Results, title: str) -> Any:
    return next(section for section in sections(found) if section.title == title)


def frame(found: Results, title: str) -> pandas.DataFrame:
    return pandas.read_csv(io.BytesIO(files(found, part(found, title), draw=False)["csv"]))


def test_the_csv_file_has_a_line_for_each_network_with_its_values_on_the_axes():
    found = results()
    table = pandas.read_csv(io.StringIO(csv(found)))
    assert list(table.columns) == [
        "experiment",
        "preset",
        "grid",
        *AXES,
        *(c.name for c in COLUMNS),
    ]
    assert len(table) == 24 + 6
    one = table[(table.grid == "A") & (table.rate == 0.1) & (table.epochs == 2)]
    assert one.accuracy.item() == pytest.approx(55)


def test_the_table_has_a_row_for_each_grid():
    (table,) = part(results(), "Many networks").tables
    assert table.labels == [("A", "the first"), ("B", "")]
    assert [cells[0] for cells in table.blocks[0].cells] == ["24 of 24", "6 of 6"]
    assert table.blocks[1].cells[0] == ("71.00 [54.00, 88.00]",)
    fewer = results(rows=EXPERIMENT.rows[:5])
    (table,) = part(fewer, "Many networks").tables
    assert [cells[0] for cells in table.blocks[0].cells] == ["5 of 24", "0 of 6"]
    assert table.blocks[1].cells[1] == ("-",)


@pytest.mark.parametrize(
    ("sign", "verdict"),
    [(-1.0, "as in the paper"), (0.0, "undecided"), (1.0, "not as in the paper")],
)
def test_correlations_are_spearmans_with_a_verdict(sign, verdict):
    found = results(sign)
    networks = pandas.read_csv(io.StringIO(csv(found)))
    own = networks[networks.grid == "A"]
    lines = frame(found, "Correlations")
    # B has 3 trainings; what does not vary has no correlation.
    assert lines[["grid", "column"]].values.tolist() == [["A", "robust"]]
    (line,) = lines.itertuples()
    assert line.rho == pytest.approx(scipy.stats.spearmanr(own.accuracy, own.robust).statistic)
    assert line.low <= line.rho <= line.high
    assert (line.trainings, line.networks) == (12, 24)
    assert line.sign == {-1.0: "negative", 0.0: "undecided", 1.0: "positive"}[sign]
    assert line.verdict == verdict
    (table,) = part(found, "Correlations").tables
    assert verdict in table.blocks[0].cells[0][0]
    assert table.blocks[0].cells[1] == ("-",)
    assert "The paper finds: A negative." in part(found, "Correlations").text


@pytest.mark.parametrize(
    ("low", "high", "expected", "sign", "verdict"),
    [
        (-0.1, 0.2, 0, "none", "as in the paper"),
        (0.1, 0.2, 0, "positive", "as in the paper"),
        (-0.1, 0.4, 0, "undecided", "undecided"),
        (0.1, 0.4, 0, "positive", "undecided"),
        (0.4, 0.5, 0, "positive", "not as in the paper"),
        (-0.1, 0.2, 1, "none", "not as in the paper"),
        (-0.1, 0.4, 1, "undecided", "undecided"),
        (-0.4, -0.1, -1, "negative", "as in the paper"),
        (-0.4, -0.1, 1, "negative", "not as in the paper"),
        (-0.4, -0.1, None, "negative", ""),
    ],
)
def test_verdicts(low, high, expected, sign, verdict):
    interval = Interval((low + high) / 2, low, high, "bootstrap")
    assert networks._judged(interval, expected) == (sign, verdict)


def test_networks_with_less_of_a_column_can_be_left_out():
    figure = dataclasses.replace(EXPERIMENT.figures[1], least=("accuracy", 60.0))
    section = networks.correlations(results(), figure)
    assert section.lines[0][3:5] == (20, 10)
    left = sum(one["accuracy"][0, 0] < 60 for one in results().values.values())
    assert f"with less than 60 % in the column Accuracy are left out ({left})" in section.text


def test_correlations_with_an_axis_and_columns_that_fall_or_have_no_verdict():
    found = results()
    accuracy, robust = frame(found, "With the rate").itertuples()
    assert (accuracy.x, accuracy.sign) == ("rate", "positive")
    assert np.isnan(accuracy.verdict)
    assert (robust.sign, robust.verdict) == ("negative", "as in the paper")
    assert "Spearman's rank correlation with rate" in part(found, "With the rate").text


def test_boxes_are_those_of_the_values_of_an_axis():
    found = results()
    lines = frame(found, "Boxes")
    assert {*lines.axis} == {"rate", "epochs"}
    networks = pandas.read_csv(io.StringIO(csv(found)))
    own = networks[(networks.grid == "A") & (networks.epochs == 2)].robust
    (line,) = lines[
        (lines.grid == "A") & (lines.axis == "epochs") & (lines.value == 2)
    ].itertuples()
    assert line.median == pytest.approx(own.median())
    assert (line.low, line.high) == (pytest.approx(own.min()), pytest.approx(own.max()))


def test_every_form_is_drawn_and_has_the_grids():
    found = results()
    for text in (terminal(found, 100, False), markdown(found), latex(found)):
        assert "the first" in text
    for title in ("Clouds", "Boxes"):
        drawn = files(found, part(found, title))
        assert drawn["png"][:4] == b"\x89PNG"
        assert drawn == files(found, part(found, title))


def test_without_results_the_parts_say_so():
    empty = Results(EXPERIMENT, "paper", {})
    for title in ("Clouds", "Correlations", "Boxes"):
        assert part(empty, title).text == "No result yet."
    assert "0 of 24" in markdown(empty)


@pytest.mark.parametrize(
    "figure",
    [
        Clouds(name="f", title="F", panels=(("accuracy", "none"),)),
        Clouds(name="f", title="F", panels=(("accuracy",),)),  # type: ignore[arg-type]
        Correlations(name="f", title="F", x="none", columns=("robust",)),
        Correlations(name="f", title="F", columns=("robust",)),
        Correlations(name="f", title="F", x="accuracy", axis="rate", columns=("robust",)),
        Correlations(name="f", title="F", axis="rate", columns=("robust",), reverse=("flat",)),
        Correlations(name="f", title="F", x="accuracy", columns=("robust",), expected={"A": 2}),
        Boxes(name="f", title="F", y="none", axes=("rate",)),
    ],
)
def test_figures_that_do_not_fit_are_refused(figure):
    with pytest.raises(BadInput):
        dataclasses.replace(EXPERIMENT, figures=(figure,))
