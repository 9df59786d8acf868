"""A command that is killed at any moment resumes, and ends with the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ftnoise.cli.arguments import ROOT

KILLS = {"inject": 6, "robustness": 10}


@pytest.mark.parametrize(
    ("command", "result"), [("inject", "injection"), ("robustness", "robustness")]
)
def test_killed_at_random_moments_and_two_at_once(tmp_path, command, result):
    kills = KILLS[command]
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.kills", command, str(tmp_path), str(kills)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    logs = "".join(log.read_text() for log in tmp_path.glob("*.log"))
    assert done.returncode == 0, done.stderr + logs
    found = json.loads(done.stdout)
    assert (found["whole"], found["last"]) == (0, 0), logs
    # Work that is kept is never lost, and some kills hit a command with some.
    assert found["kept"] == sorted(found["kept"])
    assert found["kept"][-1] > 0
    # The last one may come too late.
    assert len(found["kept"]) - 1 >= kills - 1
    # One of two works; the other stops with an error, or finds the result.
    assert found["both"] in ([0, 0], [0, 1])
    for name in (f"{result}.json", f"{result}.npz", f"{result}.csv"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == whole
        assert (tmp_path / "both" / name).read_bytes() == whole
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {path.name for path in (tmp_path / "whole").iterdir()}
    if found["both"] == [0, 1]:
        assert logs.count("Received: a folder in which process ") == 1
    assert "Traceback" not in logs
