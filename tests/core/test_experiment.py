from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Column, Experiment, Row, run_id, seedless
from ftnoise.core.preset import PRESETS, Preset
from ftnoise.core.spec import canonical
from tests.core.made import RUN, SCHEDULE, Count, Net, Pixels, Random, Way

ROW = Row(name="a natural", run=RUN, paper={"x": 1.0})
COLUMN = Column(name="x", measure=Count(), title="X")


def changed(name: str = "b", **changes: Any) -> Row:
    return Row(name=name, run=dataclasses.replace(RUN, **changes))


def table(*rows: Row, columns: tuple[Column, ...] = (COLUMN,), **changes: Any) -> Experiment:
    return Experiment(name="t", title="T", source="S", rows=rows, columns=columns, **changes)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ((), (COLUMN,), "rows"),
        ((ROW,), (), "columns"),
        ((ROW, ROW), (COLUMN,), "rows with different names"),
        (
            (ROW, dataclasses.replace(ROW, name="b")),
            (COLUMN,),
            r"different runs .*'a natural', 'b'",
        ),
        ((ROW, changed(seed=1)), (COLUMN,), "different runs"),
        ((ROW, changed(data=Pixels(folder="there"))), (COLUMN,), "different runs"),
        ((ROW,), (COLUMN, COLUMN), "columns with different names"),
        ((ROW.with_paper(y=1.0),), (COLUMN,), "known columns in a natural"),
    ],
)
def test_a_table_with_inconsistent_parts_is_refused_in_one_line(rows, columns, message):
    with pytest.raises(BadInput, match=message) as failure:
        table(*rows, columns=columns)
    assert re.fullmatch(r"Expected .*\. Received: .*\.", str(failure.value))


@pytest.mark.parametrize(
    "change", [{"seeds": 0}, {"data_seeds": 0}, {"minutes": {"paper": 0}}, {"minutes": {"x": "1"}}]
)
def test_numbers_of_a_table_are_checked(change):
    with pytest.raises(BadInput):
        table(ROW, **change)


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a b", "a.b", None])
def test_a_name_begins_the_names_of_files(name):
    with pytest.raises(BadInput, match="named in letters, digits"):
        dataclasses.replace(table(ROW), name=name)


def test_a_row_is_found_by_its_name_alone():
    experiment = table(ROW, changed("b", training=Way(steps=2)))
    assert experiment.row("a natural") is ROW
    for name in ("natural", "a", "", "A natural"):
        with pytest.raises(BadInput, match=rf"a row of t \(a natural, b\)\. Received: '{name}'"):
            experiment.row(name)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (None, ["dnn a", "dnn b", "cnn a"]),
        ("dnn", ["dnn a", "dnn b"]),
        ("* a", ["dnn a", "cnn a"]),
        ("dnn b", ["dnn b"]),
        ("[dc]nn a", ["dnn a", "cnn a"]),
        ("cnn,dnn a,c*", ["dnn a", "cnn a"]),
    ],
)
def test_rows_match_a_part_of_the_name_or_a_pattern(pattern, names):
    rows = [
        changed(name, training=Way(steps=n)) for n, name in enumerate(("dnn a", "dnn b", "cnn a"))
    ]
    assert [row.name for row in table(*rows).matching(pattern)] == names


@pytest.mark.parametrize("pattern", ["", "x", "a", "b,a", "b,"])
def test_a_pattern_without_rows_is_refused(pattern):
    wrong = pattern.split(",")[-1]
    with pytest.raises(BadInput, match=rf"rows to match one of: b\. Received: '{wrong}'"):
        table(changed("b")).matching(pattern)


def test_printed_numbers_are_replaced_as_a_whole():
    assert ROW.with_paper() == dataclasses.replace(ROW, paper={})
    assert ROW.with_paper(y=2.0).paper == {"y": 2.0}


def test_own_presets_are_added_or_replace_the_common_ones():
    own = Preset(name="quick", summary="few", batch_size=3)
    further = Preset(name="cpu", summary="all")
    experiment = table(ROW, presets=(own, further))
    assert experiment.preset("quick") is own
    assert experiment.preset("cpu") is further
    assert experiment.preset("paper") is PRESETS["paper"]
    assert table(ROW).preset("quick") is PRESETS["quick"]
    with pytest.raises(BadInput, match=r"preset of .* in paper, quick, smoke.*'cpu'"):
        table(ROW).preset("cpu")


def test_draws_of_the_data():
    row = changed(data=Random())
    assert table(row).draws(row) == [row.run]
    drawn = table(row, data_seeds=3).draws(row)
    assert drawn[0] == row.run
    assert [run.data.draw for run in drawn] == [0, 1, 2]
    with pytest.raises(BadInput, match="--data-seeds with data that are drawn"):
        table(ROW, data_seeds=2).draws(ROW)
    preset = Preset(name="few", summary="", data_seeds=2)
    assert [table(row, data_seeds=own).scaled(preset).data_seeds for own in (1, 3)] == [2, 3]


def test_measures_and_the_runs_that_they_need_are_listed_once():
    class Compared(Count):
        def others(self, run):
            return (run, dataclasses.replace(run, seed=run.seed + 1))

    columns = (
        COLUMN,
        dataclasses.replace(COLUMN, name="y"),
        dataclasses.replace(COLUMN, name="z", measure=Compared()),
        dataclasses.replace(COLUMN, name="w", measure=Compared(trials=3)),
    )
    experiment = table(ROW, columns=columns)
    assert experiment.measures() == (Count(), Compared(), Compared(trials=3))
    assert experiment.drawn() == ()
    assert experiment.others(RUN) == (RUN, dataclasses.replace(RUN, seed=1))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"train_examples": 10},
        {"test_examples": 10},
        {"architecture": Net(units=3)},
        {"data": Random()},
        {"training": Way(steps=3)},
        {"schedule": dataclasses.replace(SCHEDULE, drops=(55,))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_of_a_run_changes_its_id_and_only_the_seed_keeps_its_form(change):
    other = dataclasses.replace(RUN, **change)
    assert run_id(other, "d") != run_id(RUN, "d")
    same = seedless(canonical(other)) == seedless(canonical(RUN))
    assert same == ("seed" in change)


def test_the_content_of_the_data_is_part_of_a_runs_id():
    assert run_id(RUN, "a" * 64) != run_id(RUN, "b" * 64)


def test_ids_are_a_slug_and_a_hash_that_a_file_system_takes():
    assert re.fullmatch(r"pixels-net-way-100e-s0-[0-9a-f]{10}", run_id(RUN, "d"))
    small = dataclasses.replace(RUN, train_examples=50, seed=3)
    assert run_id(small, "d").startswith("pixels-net-way-50x100e-s3-")
