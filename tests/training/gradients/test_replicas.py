"""Two replicas take the step, and add the noise, of one device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_two_replicas_are_one_device():
    ended = subprocess.run(
        [sys.executable, "-m", "tests.training.gradients.replicas"],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found.pop("replicas") == 2
    for moved, apart in found.values():
        assert moved > 0.01
        assert apart < 1e-6
    # The noise is most of the way, so that a second draw could not hide.
    assert found["8.0"][0] > 3 * found["0.0"][0]
