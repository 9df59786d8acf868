"""Reproducing a table: what is trained, printed and written, and how it resumes."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.cli import reproduce
from ftnoise.cli.arguments import ROOT
from ftnoise.core.progress import QUIET, RESUMES
from ftnoise.engine import executor, runner
from tests import fake

ROWS = [row.name for row in fake.TABLE.rows]


def files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("words", [["tiny"], ["tiny", "--preset", "smoke"]])
def test_a_runs_folder_that_cannot_be_made_is_one_line_and_exit_code_2(ftnoise, tmp_path, words):
    (tmp_path / "file").write_text("")
    code, out, err = ftnoise(*words, at="file/runs")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert str(tmp_path / "file/runs") in err
    assert files(tmp_path) == {tmp_path / "file": b""}


def test_a_full_disk_is_one_line(ftnoise, monkeypatch):
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = ftnoise("tiny")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "No space left on device" in err


def test_a_disk_that_fills_while_runs_are_trained_fails_them_and_is_no_crash(
    ftnoise, monkeypatch, tmp_path
):
    written: list[int] = []

    def full(file: int) -> None:
        written.append(file)
        if len(written) > 20:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = ftnoise("tiny")
    assert code == 1
    assert "Traceback" not in err
    assert "No space left on device" in err
    monkeypatch.setattr(os, "fsync", lambda file: None)
    assert ftnoise("tiny")[0] == 0


def test_a_table_goes_to_stdout_and_everything_else_to_stderr(ftnoise, tmp_path):
    code, out, err = ftnoise("tiny")
    assert code == 0
    assert out.startswith("tiny: A table for tests\nNobody (paper preset).\n")
    assert "ours" in out
    first, second, names, third, *_ = err.splitlines()
    assert first == "tiny, preset paper: A table for tests."
    assert second == "3 runs: 0 stored, 3 to train."
    assert names == f"To train: {', '.join(ROWS)}."
    assert third == "Ctrl-C keeps finished work; the same command resumes."
    assert [name for name in ROWS if f"\n{name}: total " not in err] == []
    assert err.splitlines()[-1] == (
        f"Written to {tmp_path}/runs/reports/tiny.paper: "
        ".md, .html, .tex, .csv, .png, .pdf, .curve.png, .curve.pdf"
    )
    assert "\x1b" not in out + err
    assert "\r" not in out + err

    again, same, said = ftnoise("tiny")
    assert (again, same) == (0, out)
    assert said.splitlines()[1] == "3 runs: 3 stored, 0 to train."
    assert "Ctrl-C" not in said


def test_a_dry_run_shows_what_would_be_trained_and_writes_nothing(ftnoise, tmp_path):
    code, out, err = ftnoise("tiny", "--dry-run", "--seeds", "2")
    assert (code, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
    assert "6 runs: 0 stored, 6 to train." in out
    assert re.search(r"small noisy \(seed 1\) +4 epochs\n", out)

    ftnoise("tiny", "--rows", "noisy")
    before = files(tmp_path)
    code, out, _ = ftnoise("tiny", "--dry-run")
    assert files(tmp_path) == before
    assert "3 runs: 1 stored, 2 to train." in out
    assert re.search(r"small noisy +stored\n", out)


@pytest.mark.parametrize("gpu", [False, True])
def test_the_paper_preset_without_a_gpu_points_to_the_quick_one(ftnoise, monkeypatch, gpu):
    monkeypatch.setattr(reproduce.Path, "exists", lambda path: gpu and "nvidia" in str(path))
    hint = "has no GPU: --preset quick"
    assert hint not in ftnoise("tiny", "--dry-run")[1]  # nobody knows what it costs
    known = dataclasses.replace(fake.TABLE, minutes={"paper": 90.0})
    monkeypatch.setattr("ftnoise.experiments.tiny.EXPERIMENT", known)
    assert (hint in ftnoise("tiny", "--dry-run")[1]) == (not gpu)
    assert hint not in ftnoise("tiny", "--dry-run", "--preset", "smoke")[1]


def test_the_measured_cost_of_a_table_is_announced(ftnoise, monkeypatch):
    known = dataclasses.replace(fake.TABLE, minutes={"paper": 90.0})
    monkeypatch.setattr("ftnoise.experiments.tiny.EXPERIMENT", known)
    assert "The whole table takes about 1 h 30 min on two cores. Ctrl-C" in ftnoise("tiny")[2]
    assert "about" not in ftnoise("tiny", "--preset", "smoke")[2]


def test_once_a_table_was_trained_costs_are_of_this_machine(ftnoise, monkeypatch, tmp_path):
    known = dataclasses.replace(fake.TABLE, minutes={"paper": 60.0, "quick": 1.0})
    monkeypatch.setattr("ftnoise.experiments.tiny.EXPERIMENT", known)
    file = tmp_path / "runs" / "speed.json"
    ftnoise("tiny", "--preset", "quick", "--rows", "noisy")
    ftnoise("tiny", "--preset", "quick")
    assert not file.exists()  # each trained a part of the table
    began = time.monotonic()
    ftnoise("tiny")
    [(machine, ratios)] = json.loads(file.read_text()).items()
    assert ratios.keys() == {"tiny paper"}
    assert 0 < ratios["tiny paper"] < (time.monotonic() - began) / 3600
    file.write_text(json.dumps({machine: {"tiny paper": 1.5}, "another": {"tiny paper": 99.0}}))
    out = ftnoise("tiny", "--dry-run", "--seeds", "9")[1]
    assert "The whole table takes about 1 h 30 min on this machine." in out
    assert "on this machine:" in ftnoise("list")[1]
    assert "paper 1 h 30 min, quick 2 min" in ftnoise("list")[1]
    file.write_text("[]")
    assert "paper 60 min, quick 60 s" in ftnoise("list")[1]


def test_quiet_leaves_errors(ftnoise, monkeypatch):
    monkeypatch.setenv(QUIET, "")
    code, out, err = ftnoise("tiny", "--quiet")
    assert (code, err) == (0, "")
    assert "noisy" in out
    assert ftnoise("tiny", "--quiet", "--rows", "absent")[2].startswith("ftnoise: error: ")


@pytest.mark.parametrize("workers", [None, 3])
def test_the_engine_gets_the_workers(ftnoise, monkeypatch, workers):
    made: list[Any] = []
    make = executor.Engine.__init__

    def noted(self: Any, *arguments: Any, **options: Any) -> None:
        made.append(options.pop("workers"))
        make(self, *arguments, workers=None, **options)

    monkeypatch.setattr(executor.Engine, "__init__", noted)
    assert ftnoise("tiny", *(["--workers", str(workers)] if workers else []))[0] == 0
    assert made == [workers]


def test_runs_to_resume_and_runs_to_measure_are_counted_apart(ftnoise, tmp_path, monkeypatch):
    ftnoise("tiny", "--rows", "small natural")
    (result,) = (tmp_path / "runs").glob("*/measures/*/result.json")
    result.unlink()
    save = runner.FolderCheckpointing.save

    def stopped(self: Any, arrays: Any, state: Any) -> None:
        save(self, arrays, state)
        # The fake training reports an epoch after it is kept: the position is one behind.
        if len(state["history"]) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner.FolderCheckpointing, "save", stopped)
    assert ftnoise("tiny", "--rows", "noisy")[0] == 130
    before = files(tmp_path)
    code, out, err = ftnoise("tiny", "--dry-run")
    assert (code, err) == (0, "")
    assert files(tmp_path) == before
    said = [
        "3 runs: 0 stored, 2 to train, 1 to measure.",
        "To train: small noisy (resumes after epoch 2), large natural.",
        "To measure: small natural.",
    ]
    assert out.splitlines()[1:4] == said
    assert re.search(r"small natural +to measure\n", out)
    assert re.search(r"small noisy +resumes after epoch 2\n", out)

    monkeypatch.setattr(runner.FolderCheckpointing, "save", save)
    code, _, err = ftnoise("tiny")
    assert code == 0
    assert err.splitlines()[1:4] == said


def test_a_failed_run_is_exit_code_1_after_the_others_were_trained_and_drawn(ftnoise, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=crash")
    code, out, err = ftnoise("tiny")
    assert code == 1
    assert "2 of 3" not in out
    assert "1 of 3 numbers are missing" in out
    assert "small noisy: failed. ZeroDivisionError: first line (details: " in err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "ftnoise: error: 1 of 3 runs failed."


def test_fail_fast_leaves_the_rest(ftnoise, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "natural=run")
    code, _, err = ftnoise("tiny", "--fail-fast")
    assert code == 1
    assert "small noisy:" not in err
    assert err.splitlines()[-1] == "ftnoise: error: 1 of 3 runs failed."


def test_ctrl_c_in_a_training_is_code_130_and_the_same_command_resumes(ftnoise, tmp_path):
    _, whole, _ = ftnoise("tiny")
    log = tmp_path / "log"
    command = [sys.executable, "-m", "tests.fake", "tiny", "--runs", str(tmp_path / "stopped")]
    second = f"{fake.TABLE.rows[1].run.slug} 2"
    process = subprocess.Popen(
        command,
        cwd=ROOT,
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
    assert err.endswith(f"\n{cli.STOPPED} {RESUMES}\n")
    assert "Traceback" not in err

    log.unlink()
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"FAKE_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == whole
    assert "To train: small noisy (resumes after epoch 1), large natural." in ended.stderr
    trained = [line for line in log.read_text().splitlines() if line.startswith("train")]
    slugs = [row.run.slug for row in fake.TABLE.rows]
    assert trained == [f"train {slugs[1]} from 2", f"train {slugs[2]} from 0"]


def test_a_table_without_a_finished_run_is_printed_too(ftnoise, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "noisy=run")
    code, out, err = ftnoise("tiny", "--rows", "noisy")
    assert code == 1
    assert "1 of 1 numbers are missing" in out
    assert "natural" not in out
    assert err.splitlines()[-1] == "ftnoise: error: 1 of 1 runs failed."


def test_the_table_in_the_terminal_has_the_chosen_rows_and_the_files_have_all(ftnoise, tmp_path):
    ftnoise("tiny")
    code, out, _ = ftnoise("tiny", "--rows", "large")
    assert code == 0
    assert "large" in out
    assert "small" not in out
    assert "missing" not in out
    assert "noisy" in (tmp_path / "runs" / "reports" / "tiny.paper.md").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tiny", "--sample", "0%"], "Received: '0%'"),
        (["tiny", "--sample", "150%"], "'150%'"),
        (["tiny", "--shard", "0/3"], "'0/3'"),
        (["tiny", "--shard", "4/3"], "'4/3'"),
        (["tiny", "--workers", "0"], "workers=0"),
        (["tiny", "--cluster", "tcp://far.away:8786"], "'tcp://far.away:8786'"),
    ],
)
def test_bad_settings_of_a_grid_or_of_workers_are_one_line(ftnoise, words, expected):
    code, out, err = ftnoise(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err
