"""Lines on stderr, and the progress line that rewrites itself."""

from __future__ import annotations

import sys

import pytest

from ftnoise.core.progress import Progress, duration, log


def test_progress_on_a_terminal_rewrites_one_line_that_fits(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    progress = Progress()
    progress.update("a line that is longer than the terminal is wide")
    progress.shown = -1e9
    progress.update("short")
    progress.log("A line that stays, however long it is.")
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
    progress.log("done")
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
