"""Several processes at one table share the work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.core.preset import PRESETS
from ftnoise.engine import executor as engine
from ftnoise.engine import plan
from tests import fake

PAPER = PRESETS["paper"]
ROWS = [row.name for row in fake.TABLE.rows]
pytestmark = pytest.mark.usefixtures("fake_environment")


@pytest.fixture
def trained(tmp_path) -> Callable[[], list[str]]:
    """The line of each training so far."""

    def lines() -> list[str]:
        log = (tmp_path / "log").read_text().splitlines()
        return [line for line in log if line.startswith("train")]

    return lines


def test_two_processes_at_once_train_each_run_once(store, trained, tmp_path):
    command = [sys.executable, "-m", "tests.fake", "tiny", "--runs", str(store.root)]
    environment = os.environ | {"FAKE_PAUSE": "0.05"}
    both = [
        subprocess.Popen(
            [*command, "--seeds", "2"],
            cwd=cli.ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(trained()) == 2 * len(ROWS)
    assert len(set(trained())) == 2 * len(ROWS)
    assert (tmp_path / "log").read_text().count("measure") == 2 * len(ROWS)
    # Both draw the whole table.
    assert said[0][0] == said[1][0]
    assert "- |" not in said[0][0]


def test_a_lock_held_elsewhere_is_waited_for_after_all_other_runs(
    store, trained, monkeypatch, capsys
):
    """Another holder that gives up without training leaves the run to us."""
    task = plan.tasks(fake.TABLE, PAPER, 1, None)[0]
    work = engine.Engine(fake.TABLE, plan.tasks(fake.TABLE, PAPER, 1, None), store, None)
    folder = work.folder(task)
    holder = folder.locked()
    assert holder.__enter__()
    released = []

    def give_up(self: Any) -> None:
        released.append(trained())
        holder.__exit__(None, None, None)

    monkeypatch.setattr(type(folder), "wait", give_up)
    assert work.run() == []
    assert len(released) == 1
    assert len(released[0]) == len(ROWS) - 1
    assert len(trained()) == len(ROWS)
    assert "Waiting for small natural" in capsys.readouterr().err
