"""Worker processes: the same bits with any number of them, also if one is killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import dask
import distributed  # noqa: F401 - loads its settings, which `dask.config.set` restores
import pytest

from ftnoise.core.errors import RunFailed
from ftnoise.store.folders import Store
from tests.engine.running import ROWS, csv, digests, run
from tests.engine.test_grids import table as grid
from tests.fake.against import table

TABLE = table()


SIGNALS = {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}


def blocking(signals: set[signal.Signals]) -> set[int]:
    """The children of this process that block these signals."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        children = ""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            children = (task / "children").read_text()
        for child in map(int, children.split()):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = Path(f"/proc/{child}/status").read_text()
                mask = int(status.split("SigBlk:")[1].split()[0], 16)
                if all(mask >> (number - 1) & 1 for number in signals):
                    found.add(child)
    return found


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """Does the table with a number of workers, which train the fake specs as they are."""
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))

    def work(store: Store, count: int) -> list[Any]:
        store.prepare()
        with dask.config.set({"distributed.worker.preload": ["tests.fake.worker"]}):
            return run(store, TABLE, workers=count)

    return work


def test_two_workers_of_which_one_is_killed_give_the_bits_of_one(
    workers, tmp_path, monkeypatch, log, capsys
):
    monkeypatch.setattr("ftnoise.engine.executor.LOOK", 0.1)
    monkeypatch.setattr("ftnoise.core.progress.ELSEWHERE_SECONDS", 0)
    one, two = (Store(tmp_path / name) for name in ("one", "two"))
    assert workers(one, 1) == []
    assert len(log("train")) == len(ROWS) + 2

    held = TABLE.rows[1].run.slug
    monkeypatch.setenv("FAKE_HOLD", f"{held} 2")
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    failures: list[Any] = []
    command = threading.Thread(target=lambda: failures.append(workers(two, 2)))
    command.start()
    lines: list[str] = []
    while not any(line.startswith("hold") for line in lines) and command.is_alive():
        lines += log()
        time.sleep(0.05)
    (busy,) = (int(line.split()[1]) for line in lines if line.startswith("hold"))
    assert busy != os.getpid()
    first = blocking(SIGNALS)
    assert busy in first
    os.kill(busy, signal.SIGKILL)
    # The new worker too leaves the signals of a terminal to this process.
    while command.is_alive() and not blocking(SIGNALS) - first:
        time.sleep(0.01)
    assert command.is_alive()
    # The run resumes in another process after its second epoch, and is not held again.
    command.join(120)
    assert failures == [[]]
    assert ": epoch " in capsys.readouterr().err
    lines += log()
    assert [line for line in lines if line.startswith(f"train {held}")] == [
        f"train {held} from 0",
        f"train {held} from 2",
    ]
    assert digests(two) == digests(one)
    assert csv(two, TABLE) == csv(one, TABLE)
    environments = [spec["environment"] for _, spec in two.finished()]
    assert {environment["threads"] for environment in environments} == {1}


@pytest.mark.slow
def test_five_kills_at_any_time_give_the_same_table(workers, tmp_path, monkeypatch):
    one, two = (Store(tmp_path / name) for name in ("one", "two"))
    assert workers(one, 1) == []
    monkeypatch.setenv("FAKE_PAUSE", "0.5")
    generator, killed = random.Random(0), []

    def kill() -> None:
        while len(killed) < 5:
            time.sleep(generator.uniform(0.5, 2))
            for child in [*blocking(SIGNALS)][:1]:
                os.kill(child, signal.SIGKILL)
                killed.append(child)

    def incomplete() -> bool:
        """A unit whose worker was killed again and again has failed, and a worker may not start."""
        try:
            return bool(workers(two, 2))
        except RunFailed:
            return True

    killer = threading.Thread(target=kill)
    killer.start()
    while incomplete() or killer.is_alive():  # the next call tries it again
        pass
    killer.join()
    assert len({*killed}) == 5
    assert digests(two) == digests(one)
    assert csv(two, TABLE) == csv(one, TABLE)


@pytest.mark.slow
def test_real_trainings_have_the_same_bits_with_any_number_of_workers(tmp_path):
    """Each process of one thread loads TensorFlow."""
    stores = []
    for count in (1, 2):
        stores.append(Store(tmp_path / str(count)))
        stores[-1].prepare()
        assert run(stores[-1], grid(keeps=True), workers=count) == []
    one, two = stores
    assert digests(one) == digests(two)
    assert csv(one, grid()) == csv(two, grid())
    specs = [spec for store in stores for _, spec in store.finished()]
    assert {spec["environment"]["threads"] for spec in specs} == {1}
