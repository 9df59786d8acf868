from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.engine import plan, runner
from tests import fake

ROWS = [row.name for row in fake.TABLE.rows]


def files(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# (words, what the line says)
BAD_WORDS = [
    (["tinny"], "Expected an experiment (tiny). Received: 'tinny'. Did you mean 'tiny'?"),
    (["tabel5", "--preset", "quick"], "Expected an experiment (tiny). Received: 'tabel5'."),
    (["raport"], "Did you mean 'report'?"),
    ([""], "Received: ''."),
    (["report", "tiney"], "Received: 'tiney'. Did you mean 'tiny'?"),
    (["report"], "arguments are required: experiment"),
    (["tiny", "--preset", "fast"], "--preset: invalid choice: 'fast'"),
    (["tiny", "--seeds", "0"], "Expected --seeds to be at least 1. Received: 0."),
    (["tiny", "--seeds", "-3"], "Expected --seeds to be at least 1. Received: -3."),
    (["tiny", "--seeds", "two"], "--seeds: invalid int value: 'two'"),
    (["report", "tiny", "--seeds", "0"], "Expected --seeds to be at least 1. Received: 0."),
    (["publish", "tiny", "--to", "there", "--seeds", "0"], "Expected --seeds to be at least 1."),
    (["publish", "tiny"], "arguments are required: --to"),
    (["tiny", "--rows", "huge"], f"Expected --rows to match one of: {', '.join(ROWS)}. Received:"),
    (["tiny", "--rows", "huge", "--dry-run"], "Received: 'huge'."),
    (["tiny", "--rows", ""], f"Expected --rows to match one of: {', '.join(ROWS)}. Received: ''."),
    (["tiny", "--rows", "", "--dry-run"], "Received: ''."),
    (
        ["tiny", "--secret-key"],
        "Expected --secret-key with rows that have noise in their gradients.",
    ),
    (["tiny", "--row-pattern", "x"], "unrecognized arguments: --row-pattern x"),
    (["tiny", "again"], "unrecognized arguments: again"),
    (["tiny", "--data-dir", "nowhere"], "nowhere"),
    (["tiny", "--data-dir", ""], "--data-dir: expected a folder. Received: ''"),
    (["tiny", "--data-dir", "", "--dry-run"], "--data-dir: expected a folder. Received: ''"),
    (["publish", "tiny", "--to", ""], "--to: expected a folder. Received: ''"),
    (["tiny", "--seeds", "1000000000", "--dry-run"], "at most 10,000. Received: 1000000000."),
    (["report", "tiny", "--seeds", "10001"], "at most 10,000. Received: 10001."),
    (["--preset", "quick", "tiny"], "command first. Received: '--preset'."),
    (["report", "tiny"], "Expected stored paper runs of tiny in"),
    (["report", "tiny"], "Train them with ./reproduce.sh tiny --preset paper."),
    (["publish", "tiny", "--to", "there"], "Expected finished paper runs of tiny in"),
]


@pytest.mark.parametrize(("words", "line"), BAD_WORDS, ids=lambda v: " ".join(v) if v else "-")
def test_a_bad_word_is_one_line_and_exit_code_2_and_nothing_is_written(
    ftnoise, tmp_path, monkeypatch, words, line
):
    monkeypatch.chdir(tmp_path)
    code, out, err = ftnoise(*words)
    assert (code, out) == (2, "")
    assert err.startswith("ftnoise: error: ")
    assert err.count("\n") == 1
    assert line in err
    assert list(tmp_path.iterdir()) == []


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


def test_the_list_names_every_experiment_and_what_each_preset_costs(ftnoise):
    code, out, err = ftnoise()
    assert (code, err) == (0, "")
    assert "tiny" in out
    assert fake.TABLE.title in out
    assert re.search(r"paper \d+ s, quick \d+ s, smoke \d+ s", out)
    assert ftnoise("list") == (0, out, "")
    assert ftnoise("list", "--plain") == (0, "tiny\n", "")


@pytest.mark.usefixtures("ftnoise")
def test_help_names_every_command_and_preset(capsys):
    for words, names in (
        (["--help"], ["list", "report", "publish", "test", "tiny"]),
        (
            ["tiny", "--help"],
            [
                "--preset",
                "--seeds",
                "--runs",
                "--data-dir",
                "--offline",
                "--rows",
                "--dry-run",
                "--fail-fast",
            ],
        ),
        (["report", "--help"], ["paper", "quick", "smoke", "--runs"]),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(words)
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert [name for name in names if name not in out] == []


def test_a_table_goes_to_stdout_and_everything_else_to_stderr(ftnoise, tmp_path):
    code, out, err = ftnoise("tiny")
    assert code == 0
    assert out.startswith("tiny (paper preset): A table for tests\n")
    assert "ours" in out
    first, second, names, third, *_ = err.splitlines()
    assert first == "tiny, preset paper: A table for tests."
    assert second == "3 runs: 0 there already, 3 to train."
    assert names == f"To train: {', '.join(ROWS)}."
    assert re.fullmatch(
        r"About .* on this machine \(\d+ cores?\)\. Ctrl-C keeps what is done; "
        r"the same command goes on from there\.",
        third,
    )
    assert [name for name in ROWS if f"\n{name}: total " not in err] == []
    assert err.splitlines()[-1] == (
        f"Written to {tmp_path}/runs/reports/tiny.paper: "
        ".csv, .md, .tex, .png, .pdf, .curve.png, .curve.pdf"
    )
    assert "\x1b" not in out + err
    assert "\r" not in out + err

    again, same, said = ftnoise("tiny")
    assert (again, same) == (0, out)
    assert said.splitlines()[1] == "3 runs: 3 there already, 0 to train."
    assert "About" not in said


def test_a_report_draws_what_is_stored_and_writes_the_same_files(ftnoise, tmp_path):
    _, out, _ = ftnoise("tiny")
    drawn = files(tmp_path / "runs/reports")
    for file in drawn:
        file.unlink()
    code, redrawn, err = ftnoise("report", "tiny")
    assert (code, redrawn) == (0, out)
    assert err.count("\n") == 1
    assert files(tmp_path / "runs/reports") == drawn


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(ftnoise, tmp_path):
    code, out, err = ftnoise("tiny", "--dry-run", "--seeds", "2")
    assert (code, err) == (0, "")
    assert list(tmp_path.iterdir()) == []
    assert "6 runs: 0 there already, 6 to train." in out
    assert re.search(r"small noisy \(seed 1\) +4 epochs\n", out)

    ftnoise("tiny", "--rows", "noisy")
    before = files(tmp_path)
    code, out, _ = ftnoise("tiny", "--dry-run")
    assert files(tmp_path) == before
    assert "3 runs: 1 there already, 2 to train." in out
    assert re.search(r"small noisy +there already\n", out)


@pytest.mark.parametrize("gpu", [False, True])
def test_the_estimate_says_whose_time_it_is(ftnoise, monkeypatch, gpu):
    monkeypatch.setattr(cli.Path, "exists", lambda path: gpu if "nvidia" in str(path) else False)
    said = ftnoise("tiny", "--dry-run")[1]
    assert ("has no GPU: --preset quick" in said) == (not gpu)
    assert ("processor's time: a GPU needs less" in said) == gpu


def test_what_goes_on_and_what_is_to_be_measured_is_counted_apart_and_takes_less_time(
    ftnoise, tmp_path, monkeypatch
):
    def seconds(said: str) -> int:
        return int(re.search(r"^About (\d+) s on", said, re.MULTILINE)[1])

    # A slow machine, so that there are seconds to count.
    monkeypatch.setattr(plan, "speed_probe", lambda: 5 * plan.REFERENCE_PROBE_SECONDS)
    _, whole, _ = ftnoise("tiny", "--dry-run")
    ftnoise("tiny", "--rows", "small natural")
    (result,) = (tmp_path / "runs").glob("*/measures/*/result.json")
    result.unlink()
    save = runner.FolderCheckpointing.save

    def stopped(self: Any, arrays: Any, state: Any) -> None:
        save(self, arrays, state)
        if len(state["history"]) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(runner.FolderCheckpointing, "save", stopped)
    assert ftnoise("tiny", "--rows", "noisy")[0] == 130
    before = files(tmp_path)
    code, out, err = ftnoise("tiny", "--dry-run")
    assert (code, err) == (0, "")
    assert files(tmp_path) == before
    said = [
        "3 runs: 0 there already, 2 to train, 1 to measure.",
        "To train: small noisy (goes on after epoch 3 of 4), large natural.",
        "To measure: small natural.",
    ]
    assert out.splitlines()[1:4] == said
    assert re.search(r"small natural +to measure\n", out)
    assert re.search(r"small noisy +goes on after epoch 3 of 4\n", out)
    # Four epochs of one run and three of another, of four steps each.
    saved = 5 * 7 * (plan.EPOCH_SECONDS + 4 * 0.01)
    assert seconds(whole) - seconds(out) == pytest.approx(saved, abs=1)

    monkeypatch.setattr(runner.FolderCheckpointing, "save", save)
    code, _, err = ftnoise("tiny")
    assert code == 0
    assert err.splitlines()[1:4] == said
    assert seconds(err) == seconds(out)


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


def test_publish_prints_the_files_that_it_wrote(ftnoise, tmp_path):
    ftnoise("tiny", "--seeds", "2")
    code, out, err = ftnoise("publish", "tiny", "--to", str(tmp_path / "there"))
    assert (code, err) == (0, "")
    assert [Path(line).name for line in out.splitlines()] == [
        f"tiny.paper.{suffix}"
        for suffix in ("csv", "md", "tex", "png", "pdf", "curve.png", "curve.pdf")
    ]
    assert all(Path(line).is_file() for line in out.splitlines())
    assert ftnoise("report", "tiny")[1] == ftnoise("report", "tiny", at="there")[1]


def test_test_hands_its_words_and_its_code_to_pytest(ftnoise, monkeypatch):
    called: list[Any] = []

    def run(command: list[str], **options: Any) -> Any:
        called.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(subprocess, "run", run)
    assert ftnoise("test", "-k", "nothing")[0] == 5
    ((command, folder),) = called
    assert (command[:3], folder) == ([sys.executable, "-m", "pytest"], cli.ROOT)
    assert command[-2:] == ["-k", "nothing"]
