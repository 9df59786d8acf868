"""Lines on stderr, and the progress line that rewrites itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftnoise.core import stopping
from ftnoise.core.progress import LONGEST, Progress, duration, line, log

ROOT = Path(__file__).resolve().parents[2]


def test_progress_on_a_terminal_rewrites_one_line_that_fits(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    progress = Progress()
    progress.update("a line that is longer than the terminal is wide")
    progress.shown = -1e9
    progress.update("short")
    line("A line that stays, however long it is.")
    first, second, last = capsys.readouterr().err.removeprefix("\r").split("\r")
    assert first == "a line that is long"
    assert second == "short".ljust(19)
    assert last == "A line that stays, however long it is.\n"


def test_a_line_takes_the_place_of_the_progress_that_stands(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = Progress()
    progress.update("epoch 3 of 100")
    log("damaged")
    log("again")
    progress.shown = -1e9
    progress.update("epoch 4")
    log("last")
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
    line("done")
    assert capsys.readouterr().err == "now\ndone\n"


def test_a_line_commands_no_terminal_and_is_not_endless(capsys):
    log("\x1b]0;owned\x07\x9b31m, a\nb\r\u202e, \udcff and ±5 σ")
    line("x" * 300_000)
    first, second, rest = capsys.readouterr().err.split("\n")
    assert first == "ftnoise: \\x1b]0;owned\\x07\\x9b31m, a\\nb\\r\\u202e, \\udcff and ±5 σ"
    assert (second, rest) == ("x" * LONGEST + "...", "")


LOST = """
import os, sys
from ftnoise.core.progress import Progress, line
read, write = os.pipe()
os.dup2(write, 2)
os.close(read)
progress = Progress()
progress.shown = -1e9
for text in ("one", "two"):
    line(text)
    progress.update(text)
print("done")
"""


def test_a_reader_of_stderr_that_has_gone_ends_nothing():
    done = subprocess.run(
        [sys.executable, "-c", LOST], stdout=subprocess.PIPE, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.usefixtures("signals")
def test_a_signal_that_got_lost_ends_the_work_at_the_next_report():
    progress = Progress()
    with stopping.stoppable():
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="143"):
            progress.update("epoch 2")


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
