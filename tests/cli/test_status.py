"""`ftnoise status`: counts, failures, the command that goes on, and an estimate."""

from __future__ import annotations

import dataclasses

import pytest

from ftnoise.cli import status
from ftnoise.engine.plan import Status, Task
from tests import fake

TASK = Task(fake.TABLE.rows[0], fake.TABLE.rows[0].run)


def counts(out: str) -> list[str]:
    line = next(line for line in out.split("\n") if line.startswith("tiny "))
    return line.split()[1:]


def test_it_counts_what_is_stored_failed_and_missing(ftnoise, monkeypatch, tmp_path):
    number = str(len(fake.TABLE.rows))
    code, out, _ = ftnoise("status", "tiny")
    assert code == 0
    assert counts(out) == ["0", "0", "0", number, number]
    assert f"./reproduce.sh tiny --runs {tmp_path / 'runs'} does what is left." in out
    monkeypatch.setenv("FAKE_FAILS", "noisy=run")
    assert ftnoise("tiny")[0] == 1
    code, out, _ = ftnoise("status", "tiny")
    stored, running, failed, missing, everything = map(int, counts(out))
    assert (stored + failed, running, missing) == (everything, 0, 0)
    assert failed > 0
    assert "The loss is no longer finite." in out
    monkeypatch.delenv("FAKE_FAILS")
    assert ftnoise("tiny")[0] == 0
    code, out, _ = ftnoise("status", "tiny")
    assert counts(out) == [number, "0", "0", "0", number]
    assert "left" not in out


def test_a_pattern_and_seeds_choose_runs_and_are_part_of_the_command(ftnoise):
    name = fake.TABLE.rows[0].name
    out = ftnoise("status", "tiny", "--rows", name, "--seeds", "3", "--preset", "quick")[1]
    assert counts(out)[-1] == "3"
    assert f"./reproduce.sh tiny --rows '{name}' --seeds 3 --preset quick --runs " in out


@pytest.mark.parametrize(
    "words", [["status"], ["status", "none"], ["status", "tiny", "--rows", "none"]]
)
def test_bad_input_is_one_line(ftnoise, words):
    code, out, err = ftnoise(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_the_time_left_follows_from_the_pace_of_the_last_runs():
    ends = [f"2026-01-01T00:{minute:02d}:00Z" for minute in (0, 2, 4, 6)]
    done = [Status(TASK, trained=True, complete=True, finished=end) for end in ends]
    assert status.time_left(done, 10) == "About 20 min left, at the pace of the last 4 runs. "
    assert status.time_left(done[:2], 10) == ""
    assert status.time_left([done[0]] * 5, 10) == ""


def test_a_running_unit_is_neither_failed_nor_missing():
    one = Status(TASK, running=True, failure="before")
    assert status.state(one) == "running"
    assert status.state(dataclasses.replace(one, running=False)) == "failed"
    assert status.state(Status(TASK)) == "missing"


def test_it_shows_where_running_trainings_are(ftnoise, monkeypatch):
    one = Status(TASK, running=True, position="epoch 2 of 4")
    monkeypatch.setattr("ftnoise.engine.executor.foreseen", lambda *_, **__: [one, Status(TASK)])
    assert f"\n{TASK.name}: running, epoch 2 of 4\n\n./repro" in ftnoise("status", "tiny")[1]
