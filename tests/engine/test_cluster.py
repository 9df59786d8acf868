"""A cluster started by hand: the results of one process; lost schedulers, killed workers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.store.folders import Store
from tests import fake
from tests.engine.running import ROWS, csv, digests, run

TABLE = fake.TABLE


@contextlib.contextmanager
def started(folder: Path, workers: int):
    """The address of a scheduler with this number of workers, and the processes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file)]
    dask = [sys.executable, "-m", "dask"]
    commands = [
        [*dask, "scheduler", *common, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    ]
    worker = [*dask, "worker", *common, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    commands += [[*worker, "--preload", "tests.fake.worker"]] * workers
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    processes = [subprocess.Popen(command, env=environment, **quiet) for command in commands]
    try:
        import json

        while not file.exists():
            assert processes[0].poll() is None
            time.sleep(0.05)
        time.sleep(0.2)
        yield json.loads(file.read_text())["address"], processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture
def done(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))

    def go(store: Store, **more):
        store.prepare()
        return run(store, TABLE, **more)

    return go


def test_a_cluster_gives_the_bits_of_one_process(done, tmp_path, monkeypatch):
    here, there = (Store(tmp_path / name) for name in ("here", "there"))
    assert done(here) == []
    with started(tmp_path, 2) as (address, _):
        monkeypatch.chdir(tmp_path)
        assert done(Store(Path("there")), cluster=address) == []
    assert digests(there) == digests(here)
    assert csv(there, TABLE) == csv(here, TABLE)


def test_a_lost_scheduler_fails_what_is_left_and_the_next_call_does_it(done, tmp_path, monkeypatch):
    store = Store(tmp_path / "runs")
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    with started(tmp_path, 1) as (address, processes):

        def lose():
            log = tmp_path / "log"
            while not log.exists() or "epoch" not in log.read_text():
                time.sleep(0.05)
            os.kill(processes[0].pid, signal.SIGKILL)

        killer = threading.Thread(target=lose)
        killer.start()
        failures = done(store, cluster=address)
        killer.join()
    assert failures
    assert {str(failure) for failure in failures} == {"The dask scheduler is lost."}
    reasons = [path.read_text() for path in store.root.glob("*/failure.log")]
    assert reasons == ["The dask scheduler is lost.\n"] * len(failures)
    assert len([*store.finished()]) < len(ROWS)
    monkeypatch.delenv("FAKE_PAUSE")
    assert done(store) == []
    assert len([*store.finished()]) == len(ROWS)


def test_what_is_left_without_workers_fails(done, tmp_path, monkeypatch):
    monkeypatch.setattr("ftnoise.engine.executor.LOOK", 0.1)
    monkeypatch.setattr("ftnoise.engine.executor.WORKERLESS", 1)
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    store = Store(tmp_path / "runs")
    with started(tmp_path, 1) as (address, processes):

        def kill():
            log = tmp_path / "log"
            while not log.exists() or log.read_text().count("epoch") < 3:
                time.sleep(0.05)
            processes[1].kill()

        killer = threading.Thread(target=kill)
        killer.start()
        failures = done(store, cluster=address)
        killer.join()
    assert {str(failure) for failure in failures} == {"The dask scheduler has no workers any more."}
    left = len(ROWS) - len([*store.finished()])
    assert len(failures) == len([*store.root.glob("*/failure.log")]) == left > 0


def test_where_no_scheduler_answers_is_said(done, tmp_path, monkeypatch):
    monkeypatch.setattr("ftnoise.engine.executor.ANSWER", "2 s")
    with pytest.raises(BadInput, match="Expected a dask scheduler at --cluster"):
        done(Store(tmp_path / "runs"), cluster="tcp://127.0.0.1:1")
