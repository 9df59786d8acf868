"""Worker processes: the same bits with any number of them, also if one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftnoise.store.folders import Store
from tests.engine.running import ROWS, csv, digests, run
from tests.fake.against import table

TABLE = table()
# Workers train the fake specs as they are; only this process is patched.
COMMAND = """
import sys
from pathlib import Path
from ftnoise.store.folders import Store
from tests.engine.running import run
from tests.fake.against import table

if __name__ == "__main__":
    sys.exit(len(run(Store(Path(sys.argv[1])), table(), workers=2)))
"""


@pytest.fixture
def logged(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.mark.usefixtures("logged")
def test_two_workers_of_which_one_is_killed_give_the_bits_of_one(tmp_path, log):
    one, two = (Store(tmp_path / name) for name in ("one", "two"))
    for store in (one, two):
        store.prepare()
    assert run(one, TABLE, workers=1) == []
    assert len(log("train")) == len(ROWS) + 2

    held = TABLE.rows[1].run.slug
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    root = Path(__file__).resolve().parents[2]
    with open(tmp_path / "said", "w") as said:
        command = subprocess.Popen(
            [sys.executable, str(script), str(two.root)],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(root), "FAKE_HOLD": f"{held} 2"},
            stdout=said,
            stderr=said,
        )
    try:
        lines: list[str] = []
        while not any(line.startswith("hold") for line in lines) and command.poll() is None:
            lines += log()
            time.sleep(0.1)
        (busy,) = (int(line.split()[1]) for line in lines if line.startswith("hold"))
        assert busy != command.pid
        os.kill(busy, signal.SIGKILL)
        # The run resumes in another process after its second epoch, and is not held again.
        assert command.wait(timeout=300) == 0, (tmp_path / "said").read_text()
    finally:
        command.kill()
        command.wait()
    lines += log()
    assert [line for line in lines if line.startswith(f"train {held}")] == [
        f"train {held} from 0",
        f"train {held} from 2",
    ]
    assert digests(two) == digests(one)
    assert csv(two, TABLE) == csv(one, TABLE)
    environments = [spec["environment"] for _, spec in two.finished()]
    assert {environment["threads"] for environment in environments} == {1}
