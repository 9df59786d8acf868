"""How a command ends: failures, Ctrl-C and termination."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.core.errors import RunFailed
from tests import fake


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (KeyboardInterrupt(), 130, f"\n{cli.STOPPED}\n"),
        (KeyboardInterrupt(143), 143, f"\n{cli.STOPPED}\n"),
        (RunFailed("No."), 1, "ftnoise: error: No.\n"),
    ],
    ids=["ctrl-c", "terminated", "failure"],
)
def test_how_a_command_ends(ftnoise, monkeypatch, failure, code, said):
    def dispatch(words: list[str]) -> int:
        raise failure

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert ftnoise() == (code, "", said)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("words", "where", "said"),
    [
        (["tiny"], "ftnoise.engine.executor.Engine.run", f"{cli.STOPPED} {cli.GOES_ON}"),
        (["tiny", "--dry-run"], "ftnoise.engine.executor.foreseen", cli.STOPPED),
        (["tiny", "--dry"], "ftnoise.engine.executor.foreseen", cli.STOPPED),
        (["report", "tiny"], "ftnoise.engine.stored.results", cli.STOPPED),
        (["publish", "tiny", "--to", "there"], "ftnoise.engine.stored.publish", cli.STOPPED),
        (["test"], "subprocess.run", cli.STOPPED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_a_stopped_training_is_said_to_go_on(ftnoise, monkeypatch, words, where, said):
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stop)
    code, _, err = ftnoise(*words)
    assert code == 130
    assert err.endswith(f"\n{said}\n")
    assert (cli.GOES_ON in err) == (cli.GOES_ON in said)


def test_a_termination_is_a_clean_stop_too(ftnoise, monkeypatch):
    def dispatch(words: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert ftnoise() == (143, "", f"\n{cli.STOPPED}\n")


def test_ctrl_c_in_a_training_is_code_130_and_the_same_command_goes_on(ftnoise, tmp_path):
    _, whole, _ = ftnoise("tiny")
    log = tmp_path / "log"
    command = [sys.executable, "-m", "tests.fake", "tiny", "--runs", str(tmp_path / "stopped")]
    second = f"{fake.TABLE.rows[1].run.slug} 2"
    process = subprocess.Popen(
        command,
        cwd=cli.ROOT,
        env=os.environ | {"FAKE_LOG": str(log), "FAKE_HOLD": second},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not (log.exists() and f"epoch {second}" in log.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err.endswith(f"\n{cli.STOPPED} {cli.GOES_ON}\n")
    assert "Traceback" not in err

    log.unlink()
    ended = subprocess.run(
        command,
        cwd=cli.ROOT,
        env=os.environ | {"FAKE_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == whole
    assert "To train: small noisy (goes on after epoch 2 of 4), large natural." in ended.stderr
    trained = [line for line in log.read_text().splitlines() if line.startswith("train")]
    slugs = [row.run.slug for row in fake.TABLE.rows]
    assert trained == [f"train {slugs[1]} from 2", f"train {slugs[2]} from 0"]
