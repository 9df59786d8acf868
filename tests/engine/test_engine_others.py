"""A measure may need the model of another run: that is trained, found, adopted, waited for."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import spec_id
from ftnoise.engine import executor as engine
from ftnoise.engine import plan, stored
from ftnoise.store.folders import Store
from tests import fake
from tests.fake.against import Against, table

PAPER, SMOKE = PRESETS["paper"], PRESETS["smoke"]
TABLE = table()
ROWS = [row.name for row in TABLE.rows]
# One for each architecture: rows of the same share it.
BESIDE = [
    "small natural (seed 1, for others)",
    "large natural (seed 1, for others)",
]
pytestmark = pytest.mark.usefixtures("fake_environment")


def lines(tmp_path: Any, kind: str) -> list[str]:
    file = tmp_path / "log"
    said = file.read_text().splitlines() if file.exists() else []
    return [line for line in said if line.startswith(kind)]


def work(store: Store, experiment: Any = TABLE, preset: Any = PAPER, **options: Any) -> Any:
    todo = plan.tasks(experiment, preset, options.pop("seeds", 1), options.pop("rows", None))
    return engine.Engine(experiment, todo, store, None, **options)


def values(store: Store, experiment: Any = TABLE, seeds: int | None = 1) -> Any:
    return stored.results(experiment, PAPER, seeds, store).values


def test_what_a_measure_needs_stands_before_the_rows_once_and_only_to_be_trained():
    todo = plan.tasks(TABLE, PAPER, 1, None)
    assert [task.name for task in todo] == [*BESIDE, *ROWS]
    assert [task.beside for task in todo] == [True, True, False, False, False]
    assert todo[0].asked(TABLE) == ()
    assert todo[0].passes == 0
    assert todo[0].run.seed == 1
    assert plan.cost(todo, adopts=False) > plan.cost(plan.tasks(fake.TABLE, PAPER, 1, None), False)
    # With a second seed the natural rows are what the first seed needs.
    names = [task.name for task in plan.tasks(TABLE, PAPER, 2, "natural")]
    assert names[:2] == [name.replace("1", "2") for name in BESIDE]
    assert len(names) == len(set(names)) == 6
    # Others than the table's rows are called by what they are.
    todo = plan.tasks(table(other="elsewhere"), PAPER, 1, "small noisy")
    assert [task.name for task in todo] == [
        "units2 elsewhere (seed 1, for others)",
        "small noisy",
    ]


def test_it_is_under_the_same_preset_and_whole_where_the_row_is():
    for preset, whole in ((PAPER, True), (SMOKE, False)):
        todo = plan.tasks(TABLE, preset, 1, None)
        assert {task.run.schedule.epochs for task in todo} == {4 if whole else 1}
        assert {task.is_whole for task in todo} == {whole}


def test_it_is_trained_once_and_handed_over(store, tmp_path, capsys):
    one = work(store)
    assert one.run() == []
    assert len(lines(tmp_path, "train")) == 5
    assert len(lines(tmp_path, "measure")) == 3
    # Each is handed the runs that it named.
    assert [line.split()[2] for line in lines(tmp_path, "against")] == ["1"] * 3
    found = values(store)
    assert set(found) == set(ROWS)
    assert all(cells["distance"][0] > 0 for cells in found.values())
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{BESIDE[0]}: trained (")
    assert [one.status(task).complete for task in one.tasks] == [True] * 5
    assert work(store).run() == []
    assert len(lines(tmp_path, "train")) == 5


def test_a_report_without_it_is_a_report(store):
    assert (
        engine.Engine(fake.TABLE, plan.tasks(fake.TABLE, PAPER, 1, None), store, None).run() == []
    )
    assert all("distance" not in cells for cells in values(store).values())
    assert stored.results(TABLE, PAPER, None, store).values.keys() == set(ROWS)


def test_what_was_trained_for_others_only_has_no_numbers_and_is_measured_when_it_is_asked_for(
    store, tmp_path
):
    work(store, rows="small noisy").run()
    assert values(store, seeds=None).keys() == {"small noisy"}
    assert work(store, rows="small natural", seeds=2).run() == []
    assert len(values(store, seeds=2)["small natural"]["distance"]) == 2
    # The natural run with seed 1 was there already.
    assert len(lines(tmp_path, "train")) == 4


def test_rows_of_one_table_wait_for_each_other(store, tmp_path):
    """With two seeds the first natural row needs the second, which comes later."""
    assert work(store, seeds=2).run() == []
    assert len(lines(tmp_path, "train")) == 8
    assert len(lines(tmp_path, "against")) == 6
    assert all(len(cells["distance"]) == 2 for cells in values(store, seeds=2).values())


def test_if_it_fails_the_rest_is_measured_all_the_same(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_FAILS", "elsewhere=run")
    other = table(other="elsewhere")
    failures = work(store, other, rows="small").run()
    assert len(failures) == 3
    assert "no longer finite" in str(failures[0])
    assert str(failures[1]).endswith("another run, to be trained. It is not.")
    assert {row: list(cells) for row, cells in values(store, other).items()} == {
        "small natural": ["total"],
        "small noisy": ["total"],
    }
    monkeypatch.delenv("FAKE_FAILS")
    assert work(store, other, rows="small").run() == []
    assert all(len(cells) == 2 for cells in values(store, other).values())


def test_one_that_another_process_trains_is_waited_for_while_the_rest_is_done(
    store, tmp_path, monkeypatch, capsys
):
    one = work(store, rows="small")
    surrogate = one.folder(one.tasks[0])
    holder = surrogate.locked()
    assert holder.__enter__()
    done = []

    def give_up(self: Any) -> None:
        assert self.id == surrogate.id
        done.append((len(lines(tmp_path, "train")), len(lines(tmp_path, "measure"))))
        holder.__exit__(None, None, None)

    monkeypatch.setattr(type(surrogate), "wait", give_up)
    assert one.run() == []
    # Both rows were trained and measured as far as that went.
    assert done == [(2, 2)]
    assert len(lines(tmp_path, "against")) == 2
    said = capsys.readouterr().err
    assert f"Waiting for {BESIDE[0]}, which another process trains." in said
    assert len(lines(tmp_path, "measure")) == 2


def test_it_is_copied_where_it_was_published(store, tmp_path):
    assert work(store, seeds=2).run() == []
    published = Store(tmp_path / "published")
    stored.publish(TABLE, PAPER, 1, store, published)
    ids = {folder.id for folder, _ in published.finished()}
    assert len(ids) == 5
    adopting = dataclasses.replace(TABLE, adopts=True)
    here = Store(tmp_path / "here")
    here.prepare()
    todo = plan.tasks(adopting, PAPER, 1, None)
    before = engine.foreseen(adopting, PAPER, todo, here)
    assert not any(status.trained for status in before)
    foreseen = engine.foreseen(adopting, PAPER, todo, here, [published])
    assert all(status.complete for status in foreseen)
    (tmp_path / "log").unlink()
    there = work(here, adopting, references=[published])
    assert there.adopt() == [*BESIDE, *ROWS]
    assert there.run() == []
    assert lines(tmp_path, "") == []
    # What was published can be measured again.
    (folder,) = here.root.glob("*noisy*")
    (folder / "measures" / spec_id(Against(other=fake.Pretended(name="natural")))).rename(
        tmp_path / "gone"
    )
    assert work(here, adopting).run() == []
    assert len(lines(tmp_path, "against")) == 1
    assert lines(tmp_path, "train") == []


def test_what_a_measure_warns_of_stands_in_the_notes(store):
    work(store, rows="small noisy").run()
    notes = stored.results(TABLE, PAPER, 1, store).notes
    assert notes[-1] == "Red flag, small noisy: far away"
    assert not any(note.startswith("Red flag") for note in notes[:-1])


def test_the_command_announces_it(ftnoise, monkeypatch):
    monkeypatch.setattr(cli, "experiment", lambda name: TABLE)
    code, out, _ = ftnoise("tiny", "--dry-run", "--rows", "small noisy")
    assert code == 0
    assert f"To train: {BESIDE[0]}, small noisy." in out
    assert "2 runs: 0 there already, 2 to train." in out
    code, out, err = ftnoise("tiny", "--rows", "small noisy")
    assert code == 0
    assert f"To train: {BESIDE[0]}, small noisy." in err
    assert "Red flag, small noisy: far away" in out
    code, out, _ = ftnoise("tiny", "--dry-run", "--rows", "small noisy")
    assert "2 runs: 2 there already, 0 to train." in out
    assert ftnoise("report", "tiny")[0] == 0


def test_what_a_measure_refuses_is_one_line_and_exit_code_2(ftnoise, monkeypatch):
    def refuse(self: Any, trained: Any) -> Any:
        raise BadInput("Expected images in [0, 1] to attack. Received: lowest=0.0, highest=255.0.")

    monkeypatch.setattr(cli, "experiment", lambda name: TABLE)
    monkeypatch.setattr(Against, "evaluate", refuse)
    code, _, err = ftnoise("tiny", "--rows", "small noisy")
    assert code == 2
    (line,) = [line for line in err.splitlines() if "Expected images" in line]
    assert line.startswith("small noisy: failed. Expected images in [0, 1]")
    assert "Traceback" not in err


def test_two_processes_share_the_work_of_runs_that_need_others(store, tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests import fake; fake.install();"
        "from ftnoise.store.folders import Store; from tests.test_engine_others import *;"
        "sys.exit(len(work(Store(Path(sys.argv[1])), seeds=2).run()))"
    )
    environment = os.environ | {"FAKE_PAUSE": "0.05"}
    command = [sys.executable, "-c", code, str(store.root)]
    both = [subprocess.Popen(command, cwd=cli.ROOT, env=environment) for _ in range(2)]
    try:
        assert [process.wait(timeout=120) for process in both] == [0, 0]
    finally:
        for process in both:
            process.send_signal(signal.SIGKILL)
    assert len(lines(tmp_path, "train")) == 8
    assert len(lines(tmp_path, "against")) == 6
    assert len(lines(tmp_path, "measure")) == 6
    assert all(len(cells["distance"]) == 2 for cells in values(store, seeds=2).values())
