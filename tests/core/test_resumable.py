"""Work in numbered units: what is kept, what is resumed, what is reported."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.resumable import Resumable


class Memory(Checkpointing):
    """Keeps a checkpoint, and can kill the process at a number of batches."""

    def __init__(self, batches: int | None = None) -> None:
        self.stored, self.left, self.reports, self.discarded = None, batches, [], 0

    def load(self):
        return self.stored

    def save(self, arrays, state):
        self.stored = arrays, state

    def discard(self, reason):
        self.stored, self.discarded = None, self.discarded + 1

    def progress(self, done, total, text=""):
        self.reports.append((done, total, text))
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


class Squares:
    def __init__(self):
        self.calls = []

    def __call__(self, start, stop):
        self.calls.append((start, stop))
        return {"square": np.arange(start, stop) ** 2, "batch": np.full(stop - start, start)}


@pytest.fixture(autouse=True)
def _saved_after_each_call(monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0)


def worked(checkpointing, work, identity="a", size=4, **how):
    resumable = Resumable(checkpointing, identity)
    return resumable.batches(work, 10, size, **how)


def test_batches_collect_all_units_and_report_progress():
    work, memory = Squares(), Memory()
    arrays = worked(memory, work, text="squares")
    assert work.calls == [(0, 4), (4, 8), (8, 10)]
    assert (arrays["square"] == np.arange(10) ** 2).all()
    assert memory.reports == [(4, 10, "squares"), (8, 10, "squares"), (10, 10, "squares")]


def test_a_killed_process_resumes_with_the_same_arrays():
    whole, memory = worked(Memory(), Squares()), Memory(2)
    with pytest.raises(KeyboardInterrupt):
        worked(memory, Squares())
    work, memory.left = Squares(), None
    resumed = worked(memory, work)
    assert work.calls == [(8, 10)]
    assert memory.reports[-1] == (10, 10, "")
    assert all((resumed[name] == whole[name]).all() for name in whole)


def test_completed_work_is_returned_without_a_call():
    memory, work = Memory(), Squares()
    worked(memory, Squares())
    assert (worked(memory, work)["square"] == np.arange(10) ** 2).all()
    assert not work.calls


def test_results_of_another_identity_are_discarded():
    memory, work = Memory(), Squares()
    worked(memory, Squares())
    worked(memory, work, identity="b")
    assert memory.discarded == 1
    assert len(work.calls) == 3


def test_batches_start_at_multiples_of_their_size_after_another_size():
    memory = Memory(1)
    with pytest.raises(KeyboardInterrupt):
        worked(memory, Squares(), size=4)
    memory.left, work = None, Squares()
    arrays = worked(memory, work, size=3)
    assert work.calls == [(3, 6), (6, 9), (9, 10)]
    assert arrays["batch"].tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9]


def test_series_grow_by_themselves():
    memory = Memory()
    resumable = Resumable(memory, "a")
    resumable.batches(Squares(), 10, 5, series="first")
    resumable.batches(Squares(), 4, 4, series="second")
    assert [report[:2] for report in memory.reports] == [(5, 10), (10, 10), (4, 4)]
    again = Resumable(memory, "a")
    assert (again.completed("first"), again.completed("second"), again.completed()) == (10, 4, 0)
    assert again.arrays("second")["square"].tolist() == [0, 1, 4, 9]
    assert again.arrays("third") == {}


def test_checkpoints_are_at_least_so_many_seconds_apart(monkeypatch):
    now, saves = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    memory = Memory()
    memory.save = lambda arrays, state: saves.append(now[0])
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 5)
    resumable = Resumable(memory, "a")
    for now[0] in range(12):
        resumable.extend({"n": np.zeros(1)})
    assert saves == [5, 10]
