"""The entry: arguments are checked before anything is done, and every end is an exit code."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from ftnoise.cli import main as cli
from ftnoise.cli.arguments import ROOT
from ftnoise.core.errors import RunFailed
from ftnoise.core.progress import RESUMES
from tests import fake

ROWS = [row.name for row in fake.TABLE.rows]


# (arguments, a part of the line)
WRONG = [
    (["tinny"], "Expected an experiment (tiny). Received: 'tinny'. Did you mean 'tiny'?"),
    (["tabel5", "--preset", "quick"], "Expected an experiment (tiny). Received: 'tabel5'."),
    (["raport"], "Did you mean 'report'?"),
    ([""], "Received: ''."),
    (["report", "tiney"], "Received: 'tiney'. Did you mean 'tiny'?"),
    (["report"], "arguments are required: experiment"),
    (
        ["tiny", "--preset", "fast"],
        "in paper, quick, smoke. Received: preset='fast'",
    ),
    (["tiny", "--seeds", "0"], "Expected --seeds in 1 to 10,000. Received: seeds=0."),
    (["tiny", "--seeds", "-3"], "Received: seeds=-3."),
    (["tiny", "--seeds", "two"], "--seeds: invalid int value: 'two'"),
    (["report", "tiny", "--seeds", "0"], "Expected --seeds in 1 to 10,000. Received: seeds=0."),
    (["publish", "tiny", "--to", "there", "--seeds", "0"], "Received: seeds=0."),
    (["publish", "tiny"], "arguments are required: --to"),
    (["tiny", "--rows", "huge"], f"Expected rows to match one of: {', '.join(ROWS)}. Received:"),
    (["tiny", "--rows", "huge", "--dry-run"], "Received: 'huge'."),
    (["tiny", "--rows", ""], f"Expected rows to match one of: {', '.join(ROWS)}. Received: ''."),
    (["tiny", "--rows", "", "--dry-run"], "Received: ''."),
    (
        ["tiny", "--secret-key"],
        "Expected --secret-key with rows that have noise in their gradients.",
    ),
    (["tiny", "--data-seeds", "0"], "Expected --data-seeds, times the number of seeds, in 1 to"),
    (["tiny", "--data-seeds", str(10**25)], "in 1 to 10,000. Received: data_seeds=1.00e+25, s"),
    (["report", "tiny", "--data-seeds", "200", "--seeds", "100"], "data_seeds=200, seeds=100."),
    (["tiny", "--seeds", str(10**30)], "in 1 to 10,000. Received: seeds=1.00e+30."),
    (["tiny", "--seeds", "1" * 5000], "--seeds: invalid int value: '111"),
    (["tiny", "--data-seeds", "2"], "Expected --data-seeds with data that are drawn"),
    (["report", "tiny", "--data-seeds", "2"], "Expected --data-seeds with data that are drawn"),
    (["tiny", "--workers", "0"], "Expected --workers in 1 to 1,000. Received: workers=0."),
    (["tiny", "--workers", "1001"], "Expected --workers in 1 to 1,000. Received: workers=1001."),
    (["report", "inject"], "Received: 'inject', which is a command of its own. Did you mean"),
    (["publish", "report", "--to", "there"], "'report', which is a command of its own."),
    (["tiny", "--data-dir", "x" * 300], "Expected --data-dir or FTNOISE_DATA to be a folder."),
    (["report", "x" * 300 + "/y.py"], "Expected a Python file."),
    (["tiny", "--set", "schedule.epoch=2"], "did you mean 'epochs'?"),
    (["nowhere.py"], "Expected a Python file. Received: path='nowhere.py'."),
    (["report", "there/nowhere.py"], "Expected a Python file."),
    (["reproduce", "tiny"], "Expected an experiment (tiny). Received: 'reproduce'."),
    (["arguments"], "Expected an experiment (tiny). Received: 'arguments'."),
    (["tiny", "--row-pattern", "x"], "unrecognized arguments: --row-pattern x"),
    (["tiny", "again"], "unrecognized arguments: again"),
    (["tiny", "--data-dir", "nowhere"], "nowhere"),
    (["tiny", "--data-dir", ""], "--data-dir: expected a folder. Received: ''"),
    (["tiny", "--data-dir", "", "--dry-run"], "--data-dir: expected a folder. Received: ''"),
    (["publish", "tiny", "--to", ""], "--to: expected a folder. Received: ''"),
    (["tiny", "--seeds", "1000000000", "--dry-run"], "Received: seeds=1000000000."),
    (["report", "tiny", "--seeds", "10001"], "Received: seeds=10001."),
    (["--preset", "quick", "tiny"], "command first. Received: '--preset'."),
    (["report", "tiny"], "Expected stored paper runs of tiny in"),
    (["report", "tiny"], "Train them with ./reproduce.sh tiny --preset paper."),
    (["publish", "tiny", "--to", "there"], "Expected finished runs of tiny in"),
]


@pytest.mark.parametrize(("words", "line"), WRONG, ids=lambda v: " ".join(v) if v else "-")
def test_a_wrong_argument_is_one_line_and_exit_code_2_and_nothing_is_written(
    ftnoise, tmp_path, monkeypatch, words, line
):
    monkeypatch.chdir(tmp_path)
    code, out, err = ftnoise(*words)
    assert (code, out) == (2, "")
    assert err.startswith("ftnoise: error: ")
    assert err.count("\n") == 1
    assert len(err) < 2100
    assert line in err
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_every_experiment_and_what_each_preset_costs(ftnoise, monkeypatch):
    code, out, err = ftnoise()
    assert (code, err) == (0, "")
    assert "tiny" in out
    assert fake.TABLE.title in out
    assert ftnoise("list") == (0, out, "")
    costs = {"paper": 90.0, "quick": 2.0, "smoke": 0.1}
    put = dataclasses.replace(fake.TABLE, minutes=costs)
    monkeypatch.setattr("ftnoise.experiments.tiny.EXPERIMENT", put)
    assert "paper 1 h 30 min, quick 2 min, smoke 6 s" in ftnoise()[1]
    assert ftnoise("list", "--plain") == (0, "tiny\n", "")


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        (
            "table8",
            ["Table 8", "fmnist_dnn eps 0.49", "--secret-key"],
            ["--sample", "--data-seeds"],
        ),
        ("table3", ["two circles", "--data-seeds"], ["--secret-key", "--keep-weights"]),
        ("bayesian", ["B.8 (MNIST, Bayesian)", "--sample", "--keep-weights"], ["--secret-key"]),
        ("table4", ["cpu: all 50,000 training"], ["--sample"]),
    ],
)
def test_the_help_of_an_experiment_is_its_own(capsys, name, shown, hidden):
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert all(text in out for text in shown)
    assert not any(text in out for text in hidden)


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


def test_test_passes_its_arguments_to_pytest_and_returns_its_code(ftnoise, monkeypatch):
    called: list[Any] = []

    def run(command: list[str], **options: Any) -> Any:
        called.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, 5)

    monkeypatch.setattr(subprocess, "run", run)
    assert ftnoise("test", "-k", "nothing")[0] == 5
    ((command, folder),) = called
    assert (command[:3], folder) == ([sys.executable, "-m", "pytest"], ROOT)
    assert command[-2:] == ["-k", "nothing"]


def test_docs_builds_with_warnings_as_errors_and_names_the_page(ftnoise, monkeypatch):
    codes = [0, 2]

    def run(command: list[str], **options: Any) -> Any:
        assert command[1:4] == ["-m", "sphinx", "-W"]
        assert command[-2] == str(ROOT / "docs")
        return subprocess.CompletedProcess(command, codes.pop(0))

    monkeypatch.setattr(subprocess, "run", run)
    page = ROOT / "build" / "docs" / "index.html"
    assert ftnoise("docs") == (0, f"The manual is in {page}\n", "")
    assert ftnoise("docs") == (2, "", "")


@pytest.mark.usefixtures("ftnoise")
def test_only_the_command_that_is_called_is_imported():
    code = (
        "import sys; from ftnoise.cli import main; main.parse([sys.argv[1]]); print(*sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, "audit"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = {name for name in said.stdout.split() if name.startswith("ftnoise.")}
    assert "ftnoise.cli.audit" in imported
    others = {f"ftnoise.cli.{file}" for file in cli.commands().values()} - {"ftnoise.cli.audit"}
    assert not imported & others
    assert not any(name.startswith("ftnoise.experiments.") for name in imported)


def test_a_new_command_is_a_new_file(ftnoise, monkeypatch, tmp_path):
    (tmp_path / "greet.py").write_text(
        '"""`ftnoise greet`: say hello."""\n'
        "def arguments(parser): parser.add_argument('who')\n"
        "def run(arguments): print('hello', arguments.who); return 3\n"
    )
    monkeypatch.setattr(cli, "FOLDER", tmp_path)
    monkeypatch.setattr("ftnoise.cli.__path__", [str(tmp_path)])
    assert ftnoise("greet", "you") == (3, "hello you\n", "")
    assert ftnoise("gret")[2].endswith("Did you mean 'greet'?\n")
    sys.modules.pop("ftnoise.cli.greet")


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
        (["tiny"], "ftnoise.engine.executor.Engine.run", f"{cli.STOPPED} {RESUMES}"),
        (["tiny", "--dry-run"], "ftnoise.engine.executor.foreseen", cli.STOPPED),
        (["tiny", "--dry"], "ftnoise.engine.executor.foreseen", cli.STOPPED),
        (["report", "tiny"], "ftnoise.report.results", cli.STOPPED),
        (["publish", "tiny", "--to", "there"], "ftnoise.engine.publish.publish", cli.STOPPED),
        (["test"], "subprocess.run", cli.STOPPED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_only_a_stopped_training_is_said_to_be_resumable(ftnoise, monkeypatch, words, where, said):
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stop)
    code, _, err = ftnoise(*words)
    assert code == 130
    assert err.endswith(f"\n{said}\n")
    assert (RESUMES in err) == (RESUMES in said)


@pytest.mark.usefixtures("signals")
def test_a_termination_is_a_clean_stop_too(ftnoise, monkeypatch):
    def dispatch(words: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    monkeypatch.setattr(cli, "dispatch", dispatch)
    assert ftnoise() == (143, "", f"\n{cli.STOPPED}\n")


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
@pytest.mark.parametrize("failure", [SystemError("with an exception set"), ImportError("numpy")])
def test_a_signal_that_becomes_another_exception_is_a_clean_stop_too(
    ftnoise, monkeypatch, name, failure
):
    number = getattr(signal, name)

    def run(*arguments: Any, **options: Any) -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise failure from None

    monkeypatch.setattr("ftnoise.engine.executor.Engine.run", run)
    code, out, err = ftnoise("tiny")
    assert (code, out) == (128 + number, "")
    assert err.endswith(f"\n{cli.STOPPED} {RESUMES}\n")


# Standard streams that are closed, full, or have no reader.


def fake_command(streams: str, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """A command on the fake table, with redirections of a shell."""
    return subprocess.run(
        ["bash", "-c", f'exec "$@" {streams}', "bash", sys.executable, "-m", "tests.fake", *words],
        cwd=ROOT,
        env=os.environ | environment | {"PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", "<&-"])
def test_closed_streams_change_no_exit_code_and_no_file(ftnoise, tmp_path, streams):
    given = {"FAKE_LOG": str(tmp_path / "log"), "XDG_CACHE_HOME": str(tmp_path)}
    runs = ["--runs", str(tmp_path / "runs")]
    open_out, open_err = ">&-" not in streams.replace("2>&-", ""), "2>&-" not in streams
    done = fake_command(streams, "tiny", *runs, **given)
    assert done.returncode == 0, done.stderr
    assert ("A table for tests" in done.stdout) == open_out
    assert ("Written to" in done.stderr) == open_err
    assert "Traceback" not in done.stderr
    assert (tmp_path / "log").read_text().count("train ") == len(ROWS)
    # No message went into a file that took the number of a stream.
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"tiny, preset" not in file.read_bytes()
    assert ftnoise("report", "tiny")[0] == 0
    for words, code in ((["tinny"], 2), (["--help"], 0), (["tiny", "--help"], 0)):
        done = fake_command(streams, *words)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    failed = fake_command(streams, "tiny", *runs, "--seeds", "2", FAKE_FAILS="noisy=crash")
    assert failed.returncode == 1


@pytest.mark.parametrize("words", [["list"], ["--help"], ["tiny", "--dry-run"]])
@pytest.mark.parametrize("streams", [">/dev/full", "2>/dev/full >&2", "> >(exit 0)"])
def test_a_full_or_broken_stdout_is_no_traceback(tmp_path, words, streams):
    runs = ["--runs", str(tmp_path)] if "tiny" in words else []
    done = fake_command(f"{streams}; exit", *words, *runs)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    # Not Python's own 120.
    assert done.returncode in (0, 1)


def test_a_training_goes_on_when_the_reader_of_its_messages_has_gone(tmp_path):
    runs = ["--runs", str(tmp_path / "runs")]
    done = fake_command("2> >(exit 0)", "tiny", *runs, FAKE_PAUSE="0.05")
    assert (done.returncode, done.stderr) == (0, "")
    assert "A table for tests" in done.stdout
