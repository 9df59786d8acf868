"""`--set` changes the fields of runs, marks the report, and refuses what fits no row."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.cli.overrides import changed
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import run_id
from ftnoise.core.preset import PRESETS
from ftnoise.user.catalog import experiment

TABLE5 = experiment("table5")
PAPER = PRESETS["paper"]


def test_rows_with_the_field_change_and_others_stay():
    found, preset = changed(TABLE5, PAPER, ["training.penalty.weight=1e-4"], None)
    for row, before in zip(found.rows, TABLE5.rows, strict=True):
        if before.name.endswith("tikhonov"):
            weight = dataclasses.replace(before.run.training.penalty, weight=1e-4)
            training = dataclasses.replace(before.run.training, penalty=weight)
            assert row.run == dataclasses.replace(before.run, training=training)
            assert run_id(row.run, "d") != run_id(before.run, "d")
        else:
            assert row == before
    assert found.columns == TABLE5.columns
    assert "Not the paper's runs: training.penalty.weight=0.0001 in fmnist_dnn tikhonov, " in str(
        found.notes
    )
    assert found.title == f"{TABLE5.title} (changed)"
    assert preset.name.startswith("paper-set-")
    assert "changed by --set" in preset.summary


def test_several_changes_and_only_some_rows():
    settings = ["schedule.epochs=3", "schedule.drops=(2,)", "train_examples=500"]
    found, _ = changed(TABLE5, PAPER, settings, "*cnn2 *")
    for row, before in zip(found.rows, TABLE5.rows, strict=True):
        if "cnn2" in row.name:
            schedule = dataclasses.replace(before.run.schedule, epochs=3, drops=(2,))
            assert row.run == dataclasses.replace(before.run, schedule=schedule, train_examples=500)
        else:
            assert row.run == before.run


def test_one_row_of_several_that_would_become_the_same():
    with pytest.raises(BadInput, match="different runs"):
        changed(experiment("table3"), PAPER, ["training.inputs.sigma=0.2"], None)
    found, _ = changed(experiment("table3"), PAPER, ["training.inputs.sigma=0.2"], "additive 0.1")
    assert found.row("additive 0.1").run.training.inputs.sigma == 0.2


def test_a_preset_limits_before_the_change():
    quick = TABLE5.preset("quick")
    found, _ = changed(TABLE5.scaled(quick), quick, ["schedule.epochs=7"], None)
    assert {row.run.schedule.epochs for row in found.rows} == {7}
    assert {row.run.train_examples for row in found.rows} == {1500}


@pytest.mark.parametrize("text", ["None", "0.1", "2", "'same'", "(1, 2)", "True"])
def test_any_literal_is_read(text):
    with pytest.raises(BadInput, match="Run has no 'nothing'"):
        changed(TABLE5, PAPER, [f"nothing={text}"], None)


def test_the_name_of_the_report_follows_from_the_content_of_the_changes():
    def name(*settings: str, rows: str | None = None) -> str:
        return changed(TABLE5, PAPER, list(settings), rows)[1].name

    assert name("train_examples=1000") == name("train_examples=5", "train_examples=1_000")
    different = [
        name("train_examples=1000"),
        name("train_examples=1001"),
        name("test_examples=1000"),
        name("train_examples=1000", rows="fmnist_dnn"),
    ]
    assert len(set(different)) == len(different)


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("training.penalty", "Expected --set FIELD=VALUE. Received: 'training.penalty'."),
        ("=3", "Expected --set FIELD=VALUE."),
        ("schedule.epochs=", "Expected --set schedule.epochs with a number, None,"),
        ("schedule.epochs=two", "Received: 'two'."),
        ("schedule.epochs=2/3", "Received: '2/3'."),
        ("schedule.drops=[1]", "Received: '[1]'."),
        ("schedule.drops={1: 2}", "with a number"),
        ("schedule.learning_rate=1e999", "with a number"),
        ("seed=3", "Expected --seeds N for seeds."),
        ("shedule.epochs=3", "Run has no 'shedule' (did you mean 'schedule'?)"),
        ("schedule.epoch=3", "Schedule has no 'epoch' (did you mean 'epochs'?)"),
        ("schedule.x.y=3", "Schedule has no 'x' (it has epochs, batch_size, "),
        ("schedule.epochs.x=3", "epochs is 100"),
        ("training.weights.sigma=3", "weights is None"),
        ("training.penalty.weigth=3", "L2 has no 'weigth' (did you mean 'weight'?)"),
        ("schedule.epochs=0", "--set schedule.epochs: Expected epochs to be an integer in 1 to"),
        ("schedule.epochs=1.5", "Received: epochs=1.5."),
        ("schedule.epochs='3'", "Expected epochs to be a number. Received: epochs='3'."),
        ("schedule.epochs=True", "Expected epochs to be a number. Received: epochs=True."),
        (
            "schedule.learning_rate=None",
            "--set schedule.learning_rate: Expected learning_rate > 0.",
        ),
        ("training.penalty=3", "--set training.penalty: Expected penalty to be"),
        ("training.penalty.biases=1", "Expected biases to be True or False."),
        ("schedule=None", "Expected schedule to be a schedule."),
        ("schedule='long'", "Expected schedule to be set by its own fields."),
    ],
)
def test_a_wrong_setting_is_one_line(setting, line):
    with pytest.raises(BadInput) as failure:
        changed(TABLE5, PAPER, [setting], None)
    assert line in str(failure.value)
    assert "\n" not in str(failure.value)


def test_the_command_trains_changed_runs_under_another_name(ftnoise, tmp_path):
    _, plain, _ = ftnoise("tiny")
    words = ["tiny", "--set", "schedule.epochs=2", "--rows", "small"]
    code, out, err = ftnoise(*words)
    assert code == 0
    assert out.startswith("tiny: A table for tests (changed)\nNobody (paper-set-")
    assert "Not the paper's runs: schedule.epochs=2 in small natural, small noisy." in out
    assert "2 runs: 0 stored, 2 to train." in err
    reports = {path.name.split(".")[1] for path in (tmp_path / "runs/reports").iterdir()}
    assert len(reports) == 2
    # The same command finds its runs; the paper's table stays as it is.
    again, same, err = ftnoise(*words)
    assert (again, same) == (0, out)
    assert "2 runs: 2 stored, 0 to train." in err
    assert ftnoise("report", "tiny")[1] == plain


def test_a_dry_run_shows_changed_runs(ftnoise, tmp_path):
    code, out, _ = ftnoise("tiny", "--set", "schedule.epochs=2", "--dry-run")
    assert code == 0
    assert out.count("2 epochs") == 3
    assert list(tmp_path.iterdir()) == []
