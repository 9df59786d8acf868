"""Messages on stderr: lines, and a progress line that rewrites itself on a terminal.

There is one stderr, so this module keeps the state of its last line. Results go to stdout. Where
stderr cannot be written (its reader or terminal has gone), the work goes on without messages.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from ftnoise.core import stopping
from ftnoise.core.errors import cut, printable

LONGEST = 2000  # characters of a line
TERMINAL_SECONDS = 0.2
ELSEWHERE_SECONDS = 30.0
QUIET = "FTNOISE_QUIET"  # the environment variable of `--quiet`; worker processes inherit it
RESUMES = "What was finished is kept; the same command resumes."

# Width of the unfinished progress line on the terminal.
_width = 0


def log(text: str) -> None:
    """Prints `ftnoise: <text>` on a line of its own, also with `--quiet`: warnings and errors."""
    _line(f"ftnoise: {text}")


def line(text: str) -> None:
    """Prints `text` on a line of its own, unless `--quiet` was given."""
    if not os.environ.get(QUIET):
        _line(text)


def _line(text: str) -> None:
    """Prints a line: printable, and cut after `LONGEST` characters."""
    global _width
    start = "\r" if _width else ""
    _write(start + printable(cut(text, LONGEST)).ljust(_width) + "\n")
    _width = 0


class Progress:
    """Shows the progress of long work; rate-limited, so it may be called at every step."""

    def __init__(self) -> None:
        self.shown = 0.0 if sys.stderr.isatty() else time.monotonic()

    def update(self, text: str) -> None:
        """Shows `text` if the last one was shown long enough; a lost signal ends the work here."""
        stopping.check()
        if os.environ.get(QUIET):
            return
        now, live = time.monotonic(), sys.stderr.isatty()
        if now - self.shown < (TERMINAL_SECONDS if live else ELSEWHERE_SECONDS):
            return
        self.shown = now
        if live:
            _progress(text)
        else:
            line(text)


def reporting(
    words: Callable[[int, int, str], str],
    limit: str = "",
    place: str = "",
    progress: Progress | None = None,
) -> Callable[[int, int, str], None]:
    """Shows progress with the remaining time, estimated from the rate since the start of a part.

    A part of the work begins where fewer units are done than before, or their total changes.
    `words` makes the line from the completed units, the total and the name of the work. `limit` is
    put before the remaining time, such as "about ", and `place` behind it, such as "; run 2 of 8".
    """
    shown = progress or Progress()
    began, first, last, whole = 0.0, 0, 0, 0

    def report(done: int, total: int, text: str) -> None:
        nonlocal began, first, last, whole
        now = time.monotonic()
        if done < last or total != whole:
            began, first = now, done
        last, whole = done, total
        left = ""
        if done > first:
            left = f", {limit}{duration((now - began) / (done - first) * (total - done))} left"
        shown.update(f"{words(done, total, text)}{left}{place}")

    return report


def _progress(text: str) -> None:
    global _width
    # A line that is broken by the terminal could not be rewritten.
    text = text[: shutil.get_terminal_size().columns - 1]
    _write("\r" + text.ljust(_width))
    _width = len(text)


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Sends what is still written to a stream nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
