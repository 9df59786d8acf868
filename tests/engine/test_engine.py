from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.experiment import Experiment
from ftnoise.core.preset import PRESETS
from ftnoise.engine import executor as engine
from ftnoise.engine import plan, runner, stored
from ftnoise.store.folders import Store
from tests import fake

PAPER = PRESETS["paper"]
ROWS = [row.name for row in fake.TABLE.rows]
pytestmark = pytest.mark.usefixtures("fake_environment")


@pytest.fixture
def log(tmp_path) -> Callable[[str], list[str]]:
    """The lines that the fake wrote since the last call, of one kind."""
    file, read = tmp_path / "log", [0]

    def new(kind: str) -> list[str]:
        lines = file.read_text().splitlines()[read[0] :] if file.exists() else []
        read[0] += len(lines)
        return [line for line in lines if line.startswith(kind)]

    return new


def run(
    store: Store,
    experiment: Experiment = fake.TABLE,
    *,
    seeds: int = 1,
    rows: str | None = None,
    fail_fast: bool = False,
) -> list[Any]:
    todo = plan.tasks(experiment, PAPER, seeds, rows)
    return engine.Engine(experiment, todo, store, None, fail_fast=fail_fast).run()


def csv(store: Store, experiment: Experiment = fake.TABLE) -> bytes:
    return report.csv(stored.results(experiment, PAPER, None, store)).encode()


def changed(experiment: Experiment, **changes: Any) -> Experiment:
    return dataclasses.replace(experiment, **changes)


def on(content: int, experiment: Experiment = fake.TABLE, kind: type = fake.Dots) -> Experiment:
    """The table on data of another content."""
    return changed(
        experiment,
        rows=tuple(
            dataclasses.replace(row, run=dataclasses.replace(row.run, data=kind(content=content)))
            for row in experiment.rows
        ),
    )


def test_a_run_that_is_there_is_not_trained_again(store, log, capsys):
    assert run(store) == []
    assert len(log("train")) == len(ROWS)
    first = csv(store)
    assert run(store) == []
    assert log("") == []
    assert csv(store) == first
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == ROWS
    assert all("total " in line for line in said)


def test_a_new_column_is_measured_and_nothing_is_trained(store, log):
    run(store)
    log("")
    wider = changed(
        fake.TABLE,
        columns=(*fake.TABLE.columns, dataclasses.replace(fake.column(2.0), name="examples")),
    )
    assert run(store, wider) == []
    assert log("") == [f"measure total {row.run.slug}" for row in fake.TABLE.rows]
    values = stored.results(wider, PAPER, None, store).values
    assert {row: cells["examples"] for row, cells in values.items()} == {
        row: [40.0] for row in ROWS
    }


def test_columns_of_one_measure_ask_it_once(store, log):
    again = dataclasses.replace(fake.column(), name="examples")
    run(store, changed(fake.TABLE, columns=(*fake.TABLE.columns, again)))
    assert len(log("measure")) == len(ROWS)


@pytest.mark.parametrize(("how", "said"), [("run", "no longer finite"), ("nan", "kernel")])
def test_a_run_that_fails_with_a_reason_does_not_stop_the_others(
    store, log, monkeypatch, capsys, how, said
):
    monkeypatch.setenv("FAKE_FAILS", f"noisy={how}")
    failures = run(store)
    assert [failure.exit_code for failure in failures] == [1]
    assert said in str(failures[0])
    assert capsys.readouterr().err.splitlines()[1] == f"small noisy: failed. {failures[0]}"
    values = stored.results(fake.TABLE, PAPER, None, store).values
    assert sorted(values) == ["large natural", "small natural"]

    monkeypatch.delenv("FAKE_FAILS")
    log("")
    assert run(store) == []
    assert [line.split()[1] for line in log("train")] == [fake.TABLE.rows[1].run.slug]


def test_a_run_that_crashes_leaves_one_line_and_a_log_that_the_next_attempt_removes(
    store, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILS", "noisy=crash")
    (failure,) = run(store)
    (details,) = store.root.glob("*/failure.log")
    assert str(failure) == f"ZeroDivisionError: first line (details: {details})"
    assert "Traceback" in details.read_text()
    assert failure.exit_code == 1

    monkeypatch.delenv("FAKE_FAILS")
    assert run(store) == []
    assert not details.exists()


def test_fail_fast_stops_at_the_first_failure(store, log, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "natural=run")
    assert len(run(store, fail_fast=True)) == 1
    assert len(log("train")) == 1
    assert len(run(store)) == 2


def test_a_value_has_one_number_a_seed_and_a_report_may_take_the_first(store):
    run(store, seeds=3)
    values = stored.results(fake.TABLE, PAPER, None, store).values
    assert {len(cells["total"]) for cells in values.values()} == {3}
    assert len(set(values["small noisy"]["total"])) == 3
    fewer = stored.results(fake.TABLE, PAPER, 2, store).values
    assert fewer["small noisy"]["total"] == values["small noisy"]["total"][:2]
    more = stored.results(fake.TABLE, PAPER, 9, store).values
    assert more == values


def test_seeds_after_a_gap_are_shown_and_published(store, tmp_path, log):
    run(store, seeds=12)
    for seed in (0, 3):
        (folder,) = store.root.glob(f"*noisy*-s{seed}-*")
        shutil.rmtree(folder)
    seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    left = {ROWS[0]: seeds, ROWS[1]: [1, 2, *seeds[4:]], ROWS[2]: seeds}

    def found(store: Store, seeds: int | None) -> dict[str, list[int]]:
        by_row: dict[str, list[int]] = {}
        for one in stored.runs_of(fake.TABLE, PAPER, seeds, store):
            by_row.setdefault(one.task.row.name, []).append(one.task.run.seed)
        return by_row

    assert found(store, None) == left
    assert found(store, 3)[ROWS[1]] == [1, 2]
    stored.publish(fake.TABLE, PAPER, None, store, Store(tmp_path / "published"))
    assert found(Store(tmp_path / "published"), None) == left


def test_rows_on_two_files_each_show_their_own_numbers(store):
    @dataclass(frozen=True, kw_only=True)
    class Named(fake.Dots):
        """A file of the user's own."""

        name: str

    one = fake.TABLE.rows[0]
    rows = tuple(
        dataclasses.replace(
            one,
            name=name,
            run=dataclasses.replace(one.run, data=Named(content=content, name=name)),
        )
        for content, name in enumerate("ab")
    )
    table = changed(fake.TABLE, rows=rows)
    run(store, table)
    values = stored.results(table, PAPER, None, store).values
    assert [len(values[name]["total"]) for name in "ab"] == [1, 1]
    assert values["a"] != values["b"]


def test_a_seed_that_is_added_later_joins_the_first(store, log):
    run(store)
    log("")
    run(store, seeds=2, rows="noisy")
    assert len(log("train")) == 1
    values = stored.results(fake.TABLE, PAPER, None, store).values
    assert {row: len(cells["total"]) for row, cells in values.items()} == {
        "small natural": 1,
        "small noisy": 2,
        "large natural": 1,
    }


def test_presets_do_not_share_runs(store, log):
    run(store)
    quick = plan.tasks(fake.TABLE, PRESETS["quick"], 1, None)
    assert engine.Engine(fake.TABLE, quick, store, None).run() == []
    assert len(log("train")) == 2 * len(ROWS)
    assert len(stored.runs_of(fake.TABLE, PAPER, None, store)) == len(ROWS)


DAMAGES = {
    "weights": ("weights.npz", lambda content: content[:-20]),
    "manifest": ("weights.json", lambda content: content.replace(b"kernel", b"Kernel")),
    "spec": ("spec.json", lambda content: content[:40]),
    "measure": ("measures/*/result.json", lambda content: content.replace(b"40.0", b"41.0")),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_is_damaged_is_named_set_aside_and_made_again(store, log, capsys, kind):
    run(store)
    before = csv(store)
    log("")
    capsys.readouterr()
    pattern, damage = DAMAGES[kind]
    (file,) = next(store.root.glob("*noisy*")).glob(pattern)
    sound = file.read_bytes()
    assert damage(sound) != sound
    file.write_bytes(damage(sound))

    assert run(store) == []
    found, aside = [line for line in capsys.readouterr().err.splitlines() if "ftnoise:" in line]
    assert str(file) in found
    assert "; not used" in found
    assert str(file) in aside
    assert "; set aside" in aside
    lines = log("")
    assert [line for line in lines if line.startswith("train")] == (
        [] if kind == "measure" else [f"train {fake.TABLE.rows[1].run.slug} from 0"]
    )
    assert lines[-1] == f"measure total {fake.TABLE.rows[1].run.slug}"
    assert list(file.parent.glob("*.damaged*"))
    assert csv(store) == before
    assert run(store) == []
    assert log("") == []


def test_the_csv_of_a_damaged_result_has_an_empty_cell_before_it_is_made_again(store):
    run(store)
    (file,) = next(store.root.glob("*noisy*")).glob("measures/*/result.json")
    file.write_text("{}")
    assert b"tiny,paper,small noisy,total,,1.5,,,,,0,\n" in csv(store)


def test_published_runs_are_a_store_that_redraws_the_same_bytes(store, tmp_path, log):
    run(store, seeds=2)
    log("")
    target = Store(tmp_path / "published")
    paths = stored.publish(fake.TABLE, PAPER, None, store, target)
    assert target.root / "tiny.paper.csv" in paths
    assert (target.root / "tiny.paper.csv").read_bytes() == csv(store)
    assert csv(target) == csv(store)
    assert run(target, seeds=2) == []
    assert log("") == []
    environments = json.loads((target.root / "environment.json").read_text())
    assert len(environments) == 2 * len(ROWS)
    assert str(tmp_path) not in "".join(file.read_text() for file in target.root.rglob("*.json"))
    # Publishing again changes nothing.
    files = {file: file.stat().st_mtime_ns for file in target.root.rglob("weights*")}
    stored.publish(fake.TABLE, PAPER, None, store, target)
    assert files == {file: file.stat().st_mtime_ns for file in target.root.rglob("weights*")}


def test_a_run_that_went_on_elsewhere_is_published_and_noted_with_all_its_environments(
    store, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILS", "noisy=nan")
    run(store, rows="noisy")
    monkeypatch.delenv("FAKE_FAILS")
    there = fake.ENVIRONMENT | {"threads": 8}
    monkeypatch.setattr(runner, "environment", lambda: there)
    run(store)
    target = Store(tmp_path / "published")
    stored.publish(fake.TABLE, PAPER, None, store, target)
    environments = json.loads((target.root / "environment.json").read_text())
    noisy = [where for id, where in environments.items() if "noisy" in id]
    others = [where for id, where in environments.items() if "noisy" not in id]
    assert noisy == [[fake.ENVIRONMENT, there]]
    assert others == [there, there]
    (machine,) = [
        note
        for note in stored.results(fake.TABLE, PAPER, None, target).notes
        if note.startswith("Machine")
    ]
    assert machine == (
        "Machine: abacus, 2 threads, TensorFlow 2.15.1; abacus, 8 threads, TensorFlow 2.15.1."
    )


def test_publishing_nothing_is_refused(store, tmp_path):
    with pytest.raises(BadInput, match="finished paper runs of tiny"):
        stored.publish(fake.TABLE, PAPER, None, store, Store(tmp_path / "published"))
    assert not (tmp_path / "published").exists()


def test_runs_on_data_of_other_content_are_others_and_never_mix(store, log):
    run(store)
    run(store, on(1), rows="small")
    assert len(log("train")) == len(ROWS) + 2
    ours = stored.runs_of(fake.TABLE, PAPER, None, store)
    assert len({run.content for run in ours}) == 1
    assert len(ours) == len(ROWS)
    # Whoever has just trained on the other content is shown that.
    other = engine.Engine(on(1), plan.tasks(on(1), PAPER, 1, "small"), store, None)
    own = {other.folder(task).id for task in other.tasks}
    shown = stored.runs_of(fake.TABLE, PAPER, None, store, own)
    assert {run.folder.id for run in shown} == own


def test_the_choice_between_contents_does_not_depend_on_who_came_first(tmp_path):
    chosen = []
    for contents in ((1, 2), (2, 1)):
        store = Store(tmp_path / str(contents))
        for content in contents:
            run(store, on(content), rows="small")
        chosen.append({run.content for run in stored.runs_of(fake.TABLE, PAPER, None, store)})
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 1


def test_rows_on_several_data_sets_and_sizes_stand_in_one_table(store):
    one, two, three = fake.TABLE.rows
    table = changed(
        fake.TABLE,
        rows=(
            one,
            dataclasses.replace(two, run=dataclasses.replace(two.run, data=fake.OtherDots())),
            dataclasses.replace(three, run=dataclasses.replace(three.run, train_examples=30)),
        ),
    )
    run(store, table)
    assert list(stored.results(table, PAPER, None, store).values) == ROWS


def test_notes_say_preset_data_and_machine_once_and_leave_the_tables_own_to_it(store):
    quick = PRESETS["quick"]
    engine.Engine(fake.TABLE, plan.tasks(fake.TABLE, quick, 1, None), store, None).run()
    notes = stored.results(fake.TABLE, quick, None, store).notes
    assert [note.split()[0] for note in notes] == ["Preset", "Data:", "Machine:"]
    assert notes[1] == "Data: dots from memory."


def test_what_a_checkpoint_brought_back_does_not_make_the_rest_look_faster(store, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=nan")
    run(store, rows="noisy")
    monkeypatch.delenv("FAKE_FAILS")
    (task,) = plan.tasks(fake.TABLE, PAPER, 1, "noisy")
    work = engine.Engine(fake.TABLE, [task], store, None)
    assert work.status(task).epochs == task.run.schedule.epochs
    assert work.run() == []
    assert work.planned == plan.RUN_SECONDS


def test_the_line_of_progress_counts_what_is_left():
    marks = [(40.0, 0), (100.0, 50)]
    first, *others = plan.tasks(fake.TABLE, PAPER, 1, None)
    work = engine.Engine(fake.TABLE, [first, *others], Store(Path("nowhere")), None)
    later = [plan.Status(other) for other in others]
    line = work.position(plan.Status(first), later, marks, 100, "epoch 5")
    assert line.startswith("small natural: epoch 5, 50 %, 60 s left; ")
    assert line.endswith(" for all")
    alone = work.position(plan.Status(first), [], marks, 100, "epoch 5")
    assert alone == "small natural: epoch 5, 50 %, 60 s left"
    done = [plan.Status(other, trained=True, complete=True) for other in others]
    assert work.position(plan.Status(first), done, marks, 100, "epoch 5") == alone
