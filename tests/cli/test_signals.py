"""A command that is stopped by a signal at any moment ends with its code, and is resumed."""

from __future__ import annotations

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
        env=os.environ | {"FAKE_PAUSE": "0.02", "XDG_CACHE_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=signals,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[str, float]:
    """The table, and how long it takes."""
    began = time.monotonic()
    process = start(tmp_path_factory.mktemp("whole"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, time.monotonic() - began


def stopped_at_many_moments(folder: Path, whole: tuple[str, float], times: int) -> None:
    table, seconds = whole
    moments = random.Random(times)
    ended = 0
    for number in range(times):
        sent = SIGNALS[number % len(SIGNALS)]
        process = start(folder / str(ended))
        time.sleep(moments.uniform(0.02, 1.1) * seconds)
        process.send_signal(sent)
        if moments.random() < 0.3:  # as `timeout` does
            process.send_signal(sent)
        out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            assert out == table
            ended += 1
            continue
        # Before it has begun and after its end the signal itself kills, or Ctrl-C interrupts.
        begun = "tiny, preset" in err
        codes = {128 + sent} if begun and "Written to" not in err else {128 + sent, -sent}
        assert process.returncode in codes, err
        if begun:
            assert "Traceback" not in err, err
            assert "Exception ignored" not in err, err
            assert "failed" not in err, err
    process = start(folder / str(ended))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, table), err
    assert not list(folder.rglob("*.damaged*"))
    assert not list(folder.rglob("failure.log"))


def test_stopped_at_some_moments(tmp_path, whole):
    stopped_at_many_moments(tmp_path, whole, 6)


@pytest.mark.slow
def test_stopped_at_many_moments(tmp_path, whole):
    stopped_at_many_moments(tmp_path, whole, 120)


def test_a_hang_up_that_is_ignored_stops_nothing(tmp_path, whole):
    table, seconds = whole
    process = start(tmp_path, ignored=NOHUP)
    for _ in range(4):
        time.sleep(seconds / 8)
        process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, table), err
