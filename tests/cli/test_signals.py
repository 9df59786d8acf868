"""A command that is stopped by a signal at any moment ends with its code, and is resumed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftnoise.cli.arguments import ROOT
from ftnoise.core.stopping import SIGNALS

NOHUP = {signal.SIGHUP}


def start(folder: Path, *words: str, ignored: set[signal.Signals] = frozenset()):
    """The fake table in a process of its own, with a pause in each epoch."""

    def signals() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "tests.fake", "tiny", "--runs", str(folder), *words],
        cwd=ROOT,
        env=os.environ
        | {"FAKE_PAUSE": "0.02", "XDG_CACHE_HOME": str(folder)}
        | {"DASK_DISTRIBUTED__WORKER__PRELOAD": "tests.fake.worker"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=signals,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[str, float]:
    """The table, and how long it takes."""
    began = time.monotonic()
    process = start(tmp_path_factory.mktemp("whole"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, time.monotonic() - began


def stopped_at_many_moments(
    folder: Path, whole: tuple[str, float], times: int, *words: str, share: float = 1.1
) -> None:
    """Stops the table again and again, and lets it end at last."""
    table, seconds = whole
    moments = random.Random(times)
    ended = 0
    for number in range(times):
        sent = SIGNALS[number % len(SIGNALS)]
        process = start(folder / str(ended), *words)
        time.sleep(moments.uniform(0.02, share) * seconds)
        # To all processes, as a terminal does; some twice, as `timeout` does.
        for _ in range(moments.choice([1, 1, 2])):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            assert out == table
            ended += 1
            continue
        if "tiny, preset" not in err:
            continue  # The fake table imports NumPy before the command begins.
        # After its end the signal itself kills, which a shell reports alike.
        ends = {128 + sent, -sent} if "Written to" in err else {128 + sent}
        assert process.returncode in ends, err
        assert "Traceback" not in err, err
        assert "Exception ignored" not in err, err
        assert "failed" not in err, err
    process = start(folder / str(ended), *words)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, table), err
    assert not list(folder.rglob("*.damaged*"))
    assert not list(folder.rglob("failure.log"))


def test_stopped_at_some_moments(tmp_path, whole):
    stopped_at_many_moments(tmp_path, whole, 6)


@pytest.mark.slow
def test_stopped_at_many_moments(tmp_path, whole):
    stopped_at_many_moments(tmp_path, whole, 120)


@pytest.mark.slow
def test_stopped_with_workers_at_many_moments(tmp_path):
    began = time.monotonic()
    process = start(tmp_path / "whole", "--workers", "2")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    whole = out, time.monotonic() - began
    stopped_at_many_moments(tmp_path, whole, 24, "--workers", "2", share=0.9)


def test_a_hang_up_that_is_ignored_stops_nothing(tmp_path, whole):
    table, seconds = whole
    process = start(tmp_path, ignored=NOHUP)
    for _ in range(4):
        time.sleep(seconds / 8)
        process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, table), err
