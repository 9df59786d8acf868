"""A measure may need the network of another run: that is trained, found, adopted, waited for."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from ftnoise.core.interfaces import Run
from ftnoise.core.spec import spec_id
from ftnoise.engine import plan
from ftnoise.engine.executor import foreseen
from ftnoise.engine.publish import publish
from ftnoise.store.folders import Store
from tests import fake
from tests.engine.running import ROWS, engine, forked, results, run, values
from tests.engine.test_plan import AUXILIARY
from tests.fake.against import Against, table

TABLE = table()
pytestmark = pytest.mark.usefixtures("fake_environment")


def distances(store: Store, seeds: int | None = 1) -> dict[str, int]:
    """How many there are, by row."""
    return {
        row: len(cells.get("distance", ())) for row, cells in values(store, TABLE, seeds).items()
    }


def test_it_is_trained_once_before_and_handed_over(store, log, capsys):
    work = engine(store, TABLE)
    assert work.run() == []
    lines = log()
    assert len([line for line in lines if line.startswith("train")]) == 5
    assert len([line for line in lines if line.startswith("measure")]) == 3
    # Each is handed the runs that it named, when all are trained.
    assert [line.split()[0] for line in lines[-3:]] == ["against"] * 3
    assert {line.split()[2] for line in lines[-3:]} == {"1"}
    assert all(cells["distance"][0] > 0 for cells in values(store, TABLE).values())
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{AUXILIARY[0]}: trained; 1 of 5 runs, ")
    assert all(work.status(task).complete for task in work.tasks)
    assert run(store, TABLE) == []
    assert log() == []


def test_shards_train_what_they_need_in_any_order(store, log):
    for number in (3, 2, 1):
        part = engine(store, TABLE)
        part.tasks = plan.shard(TABLE, part.tasks, number, 3)
        assert part.run() == []
    assert len([line for line in log() if line.startswith("train")]) == 5
    assert distances(store) == dict.fromkeys(ROWS, 1)


def test_a_report_without_it_is_a_report(store):
    assert run(store) == []
    assert distances(store) == dict.fromkeys(ROWS, 0)


def test_an_auxiliary_run_has_no_numbers_until_it_is_a_row_itself(store, log):
    run(store, TABLE, rows="small noisy")
    assert distances(store, None) == {"small noisy": 1}
    assert run(store, TABLE, rows="small natural", seeds=2) == []
    assert distances(store, 2) == {"small noisy": 1, "small natural": 2}
    assert len(log("train")) == 4


def test_if_it_fails_the_rest_is_measured_and_the_next_command_makes_up_for_it(store, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "elsewhere=run")
    other = table(other="elsewhere")
    first, *rest = run(store, other, rows="small")
    assert "no longer finite" in str(first)
    assert [
        str(failure).endswith("another run, to be trained. It is not.") for failure in rest
    ] == [True] * 2
    assert {row: list(cells) for row, cells in values(store, other).items()} == {
        "small natural": ["total"],
        "small noisy": ["total"],
    }
    monkeypatch.delenv("FAKE_FAILS")
    assert run(store, other, rows="small") == []
    assert all(len(cells) == 2 for cells in values(store, other).values())


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-1]])
def test_if_its_weights_are_damaged_they_are_made_again_before(store, log, damage):
    run(store, TABLE, rows="small noisy")
    (file,) = store.root.glob("*natural*/weights.npz")
    file.write_bytes(damage(file.read_bytes()))
    (result,) = store.root.glob(f"*noisy*/measures/{spec_id(TABLE.measures()[0])}/result.json")
    before = result.read_bytes()
    result.unlink()
    log()
    assert run(store, TABLE, rows="small noisy") == []
    assert [line.split()[0] for line in log() if "epoch" not in line] == ["train", "against"]
    assert result.read_bytes() == before


def test_one_that_another_process_trains_is_waited_for_while_the_rest_is_done(
    store, log, monkeypatch
):
    work = engine(store, TABLE, rows="small")
    folder = work.folder(work.tasks[0])
    holder = folder.locked()
    assert holder.__enter__()
    done = []

    def give_up(self: Any, name: str) -> None:
        assert (self.id, name) == (folder.id, AUXILIARY[0])
        done.append([line.split()[0] for line in log() if "epoch" not in line])
        holder.__exit__(None, None, None)

    monkeypatch.setattr(type(folder), "wait", give_up)
    assert work.run() == []
    # Both rows were trained and measured as far as that went.
    assert done == [["train", "measure", "train", "measure"]]
    assert [line.split()[0] for line in log() if "epoch" not in line] == [
        "train",
        *["against"] * 2,
    ]


def test_it_is_copied_where_it_was_published(store, tmp_path, log):
    run(store, TABLE, seeds=2)
    published = Store(tmp_path / "published")
    publish(TABLE, 1, store, published)
    assert len(list(published.finished())) == 5
    adopting = dataclasses.replace(TABLE, adopts=True)
    here = Store(tmp_path / "here")
    here.prepare()
    work = engine(here, adopting, references=[published])
    assert not any(
        status.trained for status in foreseen(adopting, work.tasks, here, keep_weights=True)
    )
    assert all(
        status.complete
        for status in foreseen(adopting, work.tasks, here, [published], keep_weights=True)
    )
    log()
    assert work.adopt() == [*AUXILIARY, *ROWS]
    assert work.run() == []
    assert log() == []
    # What was published can be measured again.
    (folder,) = here.root.glob("*noisy*")
    measure = folder / "measures" / spec_id(Against(other=fake.Pretended(name="natural")))
    measure.rename(tmp_path / "gone")
    assert run(here, adopting) == []
    assert [line.split()[0] for line in log()] == ["against"]


def test_red_flags_of_a_measure_are_in_the_notes(store):
    run(store, TABLE, rows="small noisy")
    assert any("far away" in note for note in results(store, TABLE).notes)


def test_two_processes_share_the_work_of_runs_that_need_others(store, log, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.01")

    def work() -> None:
        sys.exit(len(run(store, TABLE, seeds=2)))

    with forked(work, count=2) as both:
        for process in both:
            process.join(60)
        assert [process.exitcode for process in both] == [0, 0]
    lines = log()
    assert len({line for line in lines if line.startswith("train")}) == 8
    kinds = [line.split()[0] for line in lines]
    assert [kinds.count(kind) for kind in ("train", "against", "measure")] == [8, 6, 6]
    assert distances(store, 2) == dict.fromkeys(ROWS, 2)


@dataclass(frozen=True, kw_only=True)
class Continued(fake.Pretended):
    """A training that goes on from the natural one's network."""

    def origin(self, run: Run) -> Run:
        return dataclasses.replace(run, training=fake.Pretended(name="natural"))


def continued(**changes: Any) -> Any:
    """A table of the natural training, after one that starts from it."""
    late = fake.row("small late", "late")
    run = dataclasses.replace(late.run, training=Continued(name="late"))
    rows = (dataclasses.replace(late, run=run), fake.TABLE.rows[0])
    return dataclasses.replace(fake.TABLE, rows=rows, figures=(), **changes)


def trainings(lines: list[str]) -> list[str]:
    """The names of trainings in their order."""
    return [line.split("-")[2] for line in lines if line.startswith("train")]


def test_a_training_starts_from_the_network_of_another_row(store, log):
    assert run(store, continued()) == []
    lines = log()
    assert trainings(lines) == ["natural", "late"]
    assert len([line for line in lines if line.startswith("measure")]) == 2
    alone = dataclasses.replace(continued().rows[0].run, training=fake.Pretended(name="late"))
    rows = (dataclasses.replace(continued().rows[0], run=alone),)
    assert run(store, dataclasses.replace(continued(), rows=rows)) == []
    after, without = (
        values(store, dataclasses.replace(continued(), rows=one))["small late"]["total"]
        for one in (continued().rows, rows)
    )
    assert after != without


def test_the_network_that_a_training_starts_from_is_trained_before_if_it_is_no_row(store, log):
    work = engine(store, continued(), rows="small late")
    assert [task.name for task in work.tasks] == ["small natural (auxiliary)", "small late"]
    assert work.run() == []
    assert trainings(log()) == ["natural", "late"]
    both = values(store, continued())
    assert list(both["small late"]) == ["total"]
    # Published with it, as it can then be trained again.
    published = Store(store.root.parent / "published")
    publish(dataclasses.replace(continued(), rows=continued().rows[:1]), 1, store, published)
    assert len(list(published.finished())) == 2


def test_what_starts_from_a_network_whose_training_failed_is_not_trained(store, monkeypatch, log):
    monkeypatch.setenv("FAKE_FAILS", "natural=run")
    (failure,) = run(store, continued())
    assert "no longer finite" in str(failure)
    assert trainings(log()) == ["natural"]
