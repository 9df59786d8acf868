from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ftnoise import cli
from ftnoise.errors import RunFailed
from ftnoise.progress import Progress, duration, tell
from tests import fake

ROWS = [row.name for row in fake.TABLE.rows]


@pytest.fixture(autouse=True)
def _fake_environment(monkeypatch, tmp_path):
    fake.install(monkeypatch.setattr)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FTNOISE_DATA", raising=False)


@pytest.fixture
def ftnoise(capsys, tmp_path):
    """Runs a command; its runs folder is `tmp_path / "runs"` where it takes one."""

    def run(*words: str, at: str = "runs") -> tuple[int, str, str]:
        folder = ["--runs", str(tmp_path / at)] if {"tiny", "report", "publish"} & {*words} else []
        code = cli.main([*words, *folder])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


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
    (["tiny", "--row-pattern", "x"], "unrecognized arguments: --row-pattern x"),
    (["tiny", "again"], "unrecognized arguments: again"),
    (["tiny", "--data-dir", "nowhere"], "nowhere"),
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


def test_a_report_of_a_folder_that_is_a_file_is_one_line(ftnoise, tmp_path):
    (tmp_path / "runs").write_text("")
    code, _, err = ftnoise("report", "tiny")
    assert (code, err.count("\n")) == (2, 1)


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
    assert err.splitlines()[-1].startswith(f"Written to {tmp_path}/runs/reports/tiny.paper: .csv")
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
        f"tiny.paper.{suffix}" for suffix in ("csv", "md", "tex", "png", "pdf")
    ]
    assert all(Path(line).is_file() for line in out.splitlines())
    assert ftnoise("report", "tiny")[1] == ftnoise("report", "tiny", at="there")[1]


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


def test_a_termination_is_a_clean_stop_too(ftnoise, monkeypatch):
    def dispatch(words: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert ftnoise() == (143, "", f"\n{cli.STOPPED}\n")


def test_test_hands_its_words_and_its_code_to_pytest(ftnoise, monkeypatch):
    called: list[Any] = []

    def run(command: list[str], **options: Any) -> Any:
        called.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(subprocess, "run", run)
    assert ftnoise("test", "-k", "nothing")[0] == 5
    assert called == [([sys.executable, "-m", "pytest", "-k", "nothing"], cli.ROOT)]


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
    )
    while process.poll() is None and not (log.exists() and f"epoch {second}" in log.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert err.endswith(f"\n{cli.STOPPED}\n")
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
    trained = [line for line in log.read_text().splitlines() if line.startswith("train")]
    slugs = [row.run.slug for row in fake.TABLE.rows]
    assert trained == [f"train {slugs[1]} from 2", f"train {slugs[2]} from 0"]


def test_progress_on_a_terminal_rewrites_one_line_that_fits(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    progress = Progress()
    progress.update("a line that is longer than the terminal is wide")
    progress.shown = -1e9
    progress.update("short")
    progress.say("A line that stays, however long it is.")
    first, second, last = capsys.readouterr().err.removeprefix("\r").split("\r")
    assert first == "a line that is long"
    assert second == "short".ljust(19)
    assert last == "A line that stays, however long it is.\n"


def test_a_line_takes_the_place_of_the_progress_that_stands(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress()
    progress.update("epoch 3 of 100")
    tell("damaged")
    tell("again")
    progress.shown = -1e9
    progress.update("epoch 4")
    tell("last")
    written = capsys.readouterr().err
    assert written == (
        "\repoch 3 of 100\rftnoise: damaged\nftnoise: again\n\repoch 4\rftnoise: last\n"
    )


def test_progress_elsewhere_is_a_line_now_and_then(monkeypatch, capsys):
    progress = Progress()
    progress.update("too soon")
    progress.shown = -1e9
    progress.update("now")
    progress.update("too soon")
    progress.say("done")
    assert capsys.readouterr().err == "now\ndone\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (42.4, "42 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5000, "83 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
