"""Runs that can be trained at once are, each stored as if it were alone; and draws of the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest

from ftnoise import engine, plan, stored
from ftnoise.errors import BadInput, RunFailed
from ftnoise.presets import PRESETS
from ftnoise.spec import Experiment
from tests import fake

PAPER = PRESETS["paper"]
pytestmark = pytest.mark.usefixtures("fake_environment")


@dataclass(frozen=True, kw_only=True)
class DrawnDots(fake.Dots):
    """Dots of which there are others."""

    number: int = 0

    def redrawn(self, number: int) -> DrawnDots:
        return dataclasses.replace(self, number=number, content=number)


@dataclass(frozen=True, kw_only=True)
class Stacked(fake.Pretended):
    """A training that takes several runs at once."""

    def stack_key(self, run: Any) -> str:
        del run
        return self.name

    def train_together(self, runs: Any, data: Any, workspaces: Any) -> list[Any]:
        fake.note("together", len(runs))
        fake.fail(f"{self.name}s")
        return [
            self.train(run, one, workspace)
            for run, one, workspace in zip(runs, data, workspaces, strict=True)
        ]


def table() -> Experiment:
    rows = []
    for name in ("natural", "noisy"):
        run = fake.TABLE.rows[0].run
        run = dataclasses.replace(run, training=Stacked(name=name), data=DrawnDots())
        rows.append(dataclasses.replace(fake.TABLE.rows[0], name=name, run=run))
    return dataclasses.replace(fake.TABLE, rows=tuple(rows), pictures=())


def work(store, seeds=3, preset=PAPER):
    found = engine.Engine(table(), plan.tasks(table(), preset, seeds, None), store, None)
    return found, found.run()


def log(tmp_path, kind):
    return [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith(kind)]


def weights(store):
    runs = stored.runs_of(table(), PAPER, None, store)
    return {run.folder.id: run.folder.load_weights()[0][1].tolist() for run in runs}


def test_the_seeds_of_a_row_are_trained_at_once(store, tmp_path, monkeypatch):
    made, failures = work(store)
    assert failures == []
    assert log(tmp_path, "together") == ["together 3"] * 2
    assert len(log(tmp_path, "train")) == 6
    assert all(made.standing(task).complete for task in made.tasks)
    together = weights(store)
    monkeypatch.setattr(Stacked, "stack_key", lambda self, run: None)
    for run in stored.runs_of(table(), PAPER, None, store):
        run.folder.discard_weights("is in the way of a test")
    assert work(store)[1] == []
    assert len(log(tmp_path, "together")) == 2
    assert weights(store) == together


def test_what_is_there_is_not_trained_again(store, tmp_path):
    work(store, seeds=2)
    assert work(store, seeds=3)[1] == []
    # The one that is left is alone.
    assert log(tmp_path, "together") == ["together 2"] * 2
    assert len(log(tmp_path, "train")) == 6


def test_a_run_that_another_process_has_is_left_to_it(store, tmp_path):
    made = engine.Engine(table(), plan.tasks(table(), PAPER, 3, None), store, None)
    taken = made.folder(made.tasks[2])  # natural, seed 1
    with taken.locked() as mine:
        assert mine
        made.train_together(made.tasks[0], made.tasks[1:])
    assert log(tmp_path, "together") == ["together 2"]
    assert taken.finished() is None


def test_what_fails_together_is_tried_one_by_one(store, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_FAILS", "noisys=run")
    _, failures = work(store)
    assert failures == []
    assert len(log(tmp_path, "train")) == 6
    assert "noisy (3 runs): one by one, as together they fail" in capsys.readouterr().err


def test_what_fails_by_itself_is_a_failure(store, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=run")
    _, failures = work(store)
    assert [type(one) for one in failures] == [RunFailed] * 3


def test_draws_of_the_data_are_further_runs_of_a_row(store, tmp_path):
    several = PAPER.with_data_seeds(2)
    assert several.name == "paper-2-data-seeds"
    _, failures = work(store, seeds=2, preset=several)
    assert failures == []
    # Draws are stacked with each other.
    assert log(tmp_path, "together") == ["together 4"] * 2
    found = stored.results(table(), several, None, store)
    row, column = found.experiment.rows[0], found.experiment.columns[0]
    assert found.runs[row.name][column.name] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert found.cell(row, column).ours.count == 4
    # The paper's own are those of the first draw.
    first = stored.results(table(), PAPER, None, store)
    assert first.values[row.name][column.name] == found.values[row.name][column.name][:2]
    assert PAPER.with_data_seeds(1) == PAPER


def test_draws_need_data_that_are_drawn(ftnoise):
    code, _, said = ftnoise("tiny", "--data-seeds", "2")
    assert code == 2
    assert "Expected --data-seeds with data that are drawn" in said
    assert ftnoise("tiny", "--data-seeds", "0")[0] == 2
    with pytest.raises(BadInput, match="at least 1"):
        PAPER.with_data_seeds(-1)


def test_a_table_says_how_many_seeds_it_needs(ftnoise, monkeypatch):
    several = dataclasses.replace(fake.TABLE, seeds=2)
    monkeypatch.setattr("ftnoise.cli.experiment", lambda name: several)
    code, out, _ = ftnoise("tiny", "--dry-run")
    assert code == 0
    assert out.count("(seed 1)") >= 3
    assert "(seed 1)" not in ftnoise("tiny", "--dry-run", "--seeds", "1")[1]
