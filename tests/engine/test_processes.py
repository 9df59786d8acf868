"""Several commands on one table share the work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.engine.running import ROWS, engine

pytestmark = pytest.mark.usefixtures("fake_environment")


def test_two_processes_at_once_train_each_run_once(store, log):
    command = [sys.executable, "-m", "tests.fake", "tiny", "--runs", str(store.root)]
    both = [
        subprocess.Popen(
            [*command, "--seeds", "2"],
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {"FAKE_PAUSE": "0.05"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    lines = log()
    trained = [line for line in lines if line.startswith("train")]
    assert len(trained) == len(set(trained)) == 2 * len(ROWS)
    assert sum(line.startswith("measure") for line in lines) == 2 * len(ROWS)
    # Both draw the whole table.
    assert said[0][0] == said[1][0]
    assert "- |" not in said[0][0]


def test_a_lock_held_elsewhere_is_waited_for_after_all_other_runs(store, log, monkeypatch, capsys):
    """Another holder that gives up without training leaves the run to us."""
    work = engine(store)
    folder = work.folder(work.tasks[0])
    holder = folder.locked()
    assert holder.__enter__()
    released = []

    def give_up(self: Any) -> None:
        released.append(len(log("train")))
        holder.__exit__(None, None, None)

    monkeypatch.setattr(type(folder), "wait", give_up)
    assert work.run() == []
    assert released == [len(ROWS) - 1]
    assert len(log("train")) == 1
    assert "Waiting for small natural" in capsys.readouterr().err
