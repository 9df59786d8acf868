"""A command does what is missing of a table, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from typing import Any

import pytest

from ftnoise.core import stopping
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.experiment import Experiment
from ftnoise.core.preset import PRESETS
from ftnoise.core.progress import reporting
from ftnoise.engine import executor, resuming
from ftnoise.engine.publish import publish
from ftnoise.store.folders import Store
from ftnoise.store.lookup import runs_of
from tests import fake
from tests.engine.running import ROWS, csv, engine, results, run, values

pytestmark = pytest.mark.usefixtures("fake_environment")
NOISY = fake.TABLE.rows[1].run.slug


def on(content: int) -> Experiment:
    """The table on data of another content."""
    data = fake.Dots(content=content)
    rows = tuple(
        dataclasses.replace(row, run=dataclasses.replace(row.run, data=data))
        for row in fake.TABLE.rows
    )
    return dataclasses.replace(fake.TABLE, rows=rows)


def test_a_stored_run_is_not_trained_again(store, log, capsys):
    assert run(store) == []
    assert len(log("train")) == len(ROWS)
    first = csv(store)
    assert run(store) == []
    assert log() == []
    assert csv(store) == first
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == ROWS
    assert all("total " in line for line in said)
    assert ["; 1 of 3 runs, " in said[0], "; 3 of 3" in said[2]] == [True, False]


def test_a_new_column_is_measured_and_nothing_is_trained(store, log):
    again = dataclasses.replace(fake.column(), name="examples")
    run(store, dataclasses.replace(fake.TABLE, columns=(*fake.TABLE.columns, again)))
    # Two columns of one measure evaluate it once.
    assert len(log("measure")) == len(ROWS)
    new = dataclasses.replace(fake.column(2.0), name="examples")
    wider = dataclasses.replace(fake.TABLE, columns=(*fake.TABLE.columns, new))
    assert run(store, wider) == []
    assert log() == [f"measure total {row.run.slug}" for row in fake.TABLE.rows]
    assert {row: cells["examples"] for row, cells in values(store, wider).items()} == {
        row: [40.0] for row in ROWS
    }


@pytest.mark.parametrize(("how", "said"), [("run", "no longer finite"), ("nan", "kernel")])
def test_a_run_that_fails_with_a_reason_does_not_stop_the_others(
    store, log, monkeypatch, capsys, how, said
):
    monkeypatch.setenv("FAKE_FAILS", f"noisy={how}")
    (failure,) = run(store)
    assert failure.exit_code == 1
    assert said in str(failure)
    line = capsys.readouterr().err.splitlines()[1]
    assert line.startswith(f"ftnoise: small noisy: failed. {failure}; 2 of 3 runs, ")
    assert sorted(values(store)) == ["large natural", "small natural"]

    monkeypatch.delenv("FAKE_FAILS")
    log()
    assert run(store) == []
    assert [line.split()[1] for line in log("train")] == [NOISY]


def test_a_run_that_crashes_leaves_one_line_and_a_log_until_the_next_attempt(store, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=crash")
    (failure,) = run(store)
    (details,) = store.root.glob("*/failure.log")
    assert str(failure) == f"ZeroDivisionError: first line (details: {details})"
    assert "Traceback" in details.read_text()
    assert failure.exit_code == 1

    monkeypatch.delenv("FAKE_FAILS")
    assert run(store) == []
    assert not details.exists()


def test_a_run_that_finds_no_memory_does_not_stop_the_others(store, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=memory")
    (failure,) = run(store)
    assert str(failure).startswith("MemoryError: cannot allocate 2 GB (details: ")
    assert sorted(values(store)) == ["large natural", "small natural"]
    monkeypatch.delenv("FAKE_FAILS")
    assert run(store) == []


def test_fail_fast_stops_at_the_first_failure(store, log, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "natural=run")
    assert len(run(store, fail_fast=True)) == 1
    assert len(log("train")) == 1
    assert len(run(store)) == 2


def test_a_value_has_one_number_a_seed_and_a_report_may_take_the_first(store, log):
    run(store)
    log()
    run(store, seeds=3, rows="noisy")
    # A seed that is added later joins the first.
    assert len(log("train")) == 2
    found = values(store)
    assert {row: len(cells["total"]) for row, cells in found.items()} == {
        "small natural": 1,
        "small noisy": 3,
        "large natural": 1,
    }
    assert len(set(found["small noisy"]["total"])) == 3
    assert values(store, seeds=2)["small noisy"]["total"] == found["small noisy"]["total"][:2]
    assert values(store, seeds=9) == found


def test_seeds_after_a_gap_are_shown_and_published(store, tmp_path):
    run(store, seeds=12)
    for seed in (0, 3):
        (folder,) = store.root.glob(f"*noisy*-s{seed}-*")
        shutil.rmtree(folder)
    left = {ROWS[0]: [*range(12)], ROWS[1]: [1, 2, *range(4, 12)], ROWS[2]: [*range(12)]}

    def found(store: Store, seeds: int | None) -> dict[str, list[int]]:
        by_row: dict[str, list[int]] = {}
        for one in runs_of(fake.TABLE, seeds, store):
            by_row.setdefault(one.row.name, []).append(one.run.seed)
        return by_row

    assert found(store, None) == left
    assert found(store, 3)[ROWS[1]] == [1, 2]
    publish(fake.TABLE, None, store, Store(tmp_path / "published"))
    assert found(Store(tmp_path / "published"), None) == left


def test_presets_do_not_share_runs(store, log):
    run(store)
    assert run(store, fake.TABLE.scaled(PRESETS["quick"])) == []
    assert len(log("train")) == 2 * len(ROWS)
    assert len(runs_of(fake.TABLE, None, store)) == len(ROWS)


DAMAGES: dict[str, tuple[str, Any]] = {
    "weights": ("weights.npz", lambda content: content[:-20]),
    "the weights' record": ("weights.json", lambda content: content[:-20]),
    "spec": ("spec.json", lambda content: content[:40]),
    "measure": ("measures/*/result.json", lambda content: b"{}"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_set_aside_and_made_again_by_the_same_command(store, log, capsys, kind):
    wider = dataclasses.replace(
        fake.TABLE,
        columns=(*fake.TABLE.columns, dataclasses.replace(fake.column(2.0), name="examples")),
    )
    run(store)
    before, weights = csv(store), store.root.glob("*noisy*")
    log()
    capsys.readouterr()
    pattern, damage = DAMAGES[kind]
    (file,) = next(weights).glob(pattern)
    sound = file.read_bytes()
    file.write_bytes(damage(sound))
    assert file.read_bytes() != sound

    # A new column does not keep the old one from being made again.
    assert run(store, wider) == []
    lines = [line for line in capsys.readouterr().err.splitlines() if "ftnoise:" in line]
    assert all(str(file) in line for line in lines)
    assert ["; not used" in lines[0], "; set aside" in lines[-1]] == [True, True]
    assert len(lines) == 2
    trained = [line for line in log() if line.startswith("train")]
    measure = file.parent.parent.name == "measures"
    assert trained == ([] if measure else [f"train {NOISY} from 0"])
    assert list(file.parent.glob("*.damaged*"))
    assert csv(store) == before
    assert run(store, wider) == []
    assert log() == []


def test_a_damaged_result_is_an_empty_cell_until_it_is_made_again(store):
    run(store)
    (file,) = next(store.root.glob("*noisy*")).glob("measures/*/result.json")
    file.write_text("{}")
    assert b"tiny,paper,small noisy,total,,1.5,,,,,0,\n" in csv(store)


def test_published_runs_are_a_store_that_redraws_the_same_bytes(store, tmp_path, log):
    run(store, seeds=2)
    log()
    target = Store(tmp_path / "published")
    publish(fake.TABLE, None, store, target)
    assert csv(target) == csv(store)
    assert run(target, seeds=2) == []
    assert log() == []
    file = target.root / "environment.json"
    before = json.loads(file.read_text())
    assert len(before) == 2 * len(ROWS)
    assert str(tmp_path) not in "".join(file.read_text() for file in target.root.rglob("*.json"))
    # Publishing again changes nothing, and keeps what others have published.
    file.write_text(json.dumps({"another": {"threads": 1}} | before))
    times = {file: file.stat().st_mtime_ns for file in target.root.rglob("weights*")}
    publish(fake.TABLE, None, store, target)
    assert times == {file: file.stat().st_mtime_ns for file in target.root.rglob("weights*")}
    assert json.loads(file.read_text()) == before | {"another": {"threads": 1}}
    file.write_text("{")
    publish(fake.TABLE, None, store, target)
    assert json.loads(file.read_text()) == before


def test_a_run_that_resumed_elsewhere_is_published_and_noted_with_all_its_environments(
    store, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAKE_FAILS", "noisy=nan")
    run(store, rows="noisy")
    monkeypatch.delenv("FAKE_FAILS")
    there = fake.ENVIRONMENT | {"threads": 8}
    monkeypatch.setattr(resuming, "environment", lambda: there)
    run(store)
    target = Store(tmp_path / "published")
    publish(fake.TABLE, None, store, target)
    environments = json.loads((target.root / "environment.json").read_text())
    assert {"noisy" in id: where for id, where in environments.items()} == {
        True: [fake.ENVIRONMENT, there],
        False: there,
    }
    assert any("2 threads" in note and "8 threads" in note for note in results(target).notes)


def test_publishing_goes_nowhere_but_into_a_folder_of_its_own(store, tmp_path):
    run(store)
    (run_folder,) = store.root.glob("*noisy*")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(store.root)
    for target in (store.root, link, run_folder, mine):
        before = [*target.rglob("*")]
        with pytest.raises(BadInput, match="Expected --to to be a new or empty folder"):
            publish(fake.TABLE, None, store, Store(target))
        assert [*target.rglob("*")] == before
    # A published store is its own runs folder.
    published = Store(tmp_path / "published")
    publish(fake.TABLE, None, store, published)
    with pytest.raises(BadInput, match="Expected --to to be another folder than --runs"):
        publish(fake.TABLE, None, published, Store(published.root))


def test_publishing_that_was_killed_is_finished_by_the_next(store, tmp_path, monkeypatch):
    run(store)
    target = Store(tmp_path / "published")
    copy_to = type(store.run("a-1")).copy_to

    def killed(self: Any, target: Store, weights: bool) -> None:
        copy_to(self, target, weights)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(store.run("a-1")), "copy_to", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(fake.TABLE, None, store, target)
    publish(fake.TABLE, None, store, target)
    assert csv(target) == csv(store)


def test_weights_of_the_first_seeds_alone_can_be_published(store, tmp_path, log):
    run(store, seeds=3)
    target = Store(tmp_path / "published")
    publish(fake.TABLE, None, store, target, weights=1)
    kept = [folder.path for folder, _ in Store(target.root).finished() if folder.path.exists()]
    assert len(kept) == len([*target.root.rglob("weights.npz")]) == len(ROWS)
    assert csv(Store(target.root)) == csv(store)
    # What is published with weights keeps them, and what lacks them gets them.
    publish(fake.TABLE, None, store, target, weights=0)
    assert len([*target.root.rglob("weights.npz")]) == len(ROWS)
    publish(fake.TABLE, None, store, target, weights=2)
    assert len([*target.root.rglob("weights.npz")]) == 2 * len(ROWS)
    assert csv(Store(target.root)) == csv(store)
    log()
    # The others are trained again where they are needed.
    assert run(Store(target.root), seeds=3) == []
    assert len(log("train")) == len(ROWS)


def test_publishing_nothing_is_refused(store, tmp_path):
    with pytest.raises(BadInput, match="finished runs of tiny"):
        publish(fake.TABLE, None, store, Store(tmp_path / "published"))
    assert not (tmp_path / "published").exists()


def test_runs_on_data_of_other_content_are_others_and_never_mix(store, log):
    run(store)
    run(store, on(1), rows="small")
    assert len(log("train")) == len(ROWS) + 2
    ours = runs_of(fake.TABLE, None, store)
    assert len({run.content for run in ours}) == 1
    assert len(ours) == len(ROWS)
    # The command that has just trained on the other content shows that.
    other = engine(store, on(1), rows="small")
    own = {other.folder(task).id for task in other.tasks}
    assert {run.folder.id for run in runs_of(fake.TABLE, None, store, own)} == own


def test_the_choice_between_contents_does_not_depend_on_the_order_of_training(tmp_path):
    chosen = []
    for contents in ((1, 2), (2, 1)):
        store = Store(tmp_path / str(contents))
        for content in contents:
            run(store, on(content), rows="small")
        chosen.append({run.content for run in runs_of(fake.TABLE, None, store)})
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 1


def test_data_that_change_while_a_command_runs_fail_its_runs(store, monkeypatch):
    work = engine(store, rows="noisy")
    work.digests = {task.run.data: "another" for task in work.tasks}
    (failure,) = work.run()
    assert isinstance(failure, RunFailed)
    assert "The data set dots has changed" in str(failure)


def test_a_lock_held_elsewhere_is_waited_for_after_all_other_runs(store, log, monkeypatch):
    """Another holder that gives up without training leaves the run to us."""
    work = engine(store)
    folder = work.folder(work.tasks[0])
    holder = folder.locked()
    assert holder.__enter__()
    released = []

    def give_up(self: Any, name: str) -> None:
        assert name == ROWS[0]
        released.append(len(log("train")))
        holder.__exit__(None, None, None)

    monkeypatch.setattr(type(folder), "wait", give_up)
    assert work.run() == []
    assert released == [len(ROWS) - 1]
    assert len(log("train")) == 1


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("how", ["changed", "lost", "bad input"])
def test_a_signal_that_becomes_another_exception_stops_the_engine_and_is_no_failure(
    store, log, monkeypatch, how
):
    def stopped(name: str) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt as stop:
            if how == "changed":
                raise SystemError("returned a result with an exception set") from stop
            if how == "bad input":
                raise BadInput("Expected a network. Received: SystemError.") from stop

    monkeypatch.setattr(fake, "fail", stopped)
    with stopping.stoppable(), pytest.raises(KeyboardInterrupt, match="143"):
        run(store)
    assert len(log("train")) == 1
    assert not list(store.root.glob("*/failure.log"))
    monkeypatch.undo()
    assert run(store) == []


def test_the_line_of_progress_counts_what_is_left(monkeypatch):
    now, lines = [0.0], []
    monkeypatch.setattr(executor.time, "monotonic", lambda: now[0])
    progress: Any = type("Lines", (), {"update": lambda self, text: lines.append(text)})()
    words = executor.in_percent("small noisy")
    report = reporting(words, place="; run 2 of 3", progress=progress)
    for seconds, *position in (
        (10.0, 50, 100, "epoch 5"),
        (20.0, 75, 100, "epoch 8"),
        # Another part of the work counts anew.
        (30.0, 1, 4, "rate 1"),
        (40.0, 2, 4, "rate 2"),
    ):
        now[0] = seconds
        report(*position)
    assert lines == [
        "small noisy: epoch 5, 50 %; run 2 of 3",
        "small noisy: epoch 8, 75 %, 10 s left; run 2 of 3",
        "small noisy: rate 1, 25 %; run 2 of 3",
        "small noisy: rate 2, 50 %, 20 s left; run 2 of 3",
    ]
