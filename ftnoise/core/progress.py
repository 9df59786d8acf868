"""Messages on stderr: lines, and a progress line that rewrites itself on a terminal.

There is one stderr, so this module keeps the state of its last line. Results go to stdout.
"""

from __future__ import annotations

import shutil
import sys
import time

TERMINAL_SECONDS = 0.2
ELSEWHERE_SECONDS = 30.0
RESUMES = "What was finished is kept; the same command resumes."

# Width of the unfinished progress line on the terminal.
_width = 0


def log(text: str) -> None:
    """Prints `ftnoise: <text>` on a line of its own."""
    _line(f"ftnoise: {text}")


class Progress:
    """Shows the progress of long work; rate-limited, so it may be called at every step."""

    def __init__(self) -> None:
        self.shown = 0.0 if sys.stderr.isatty() else time.monotonic()

    def update(self, text: str) -> None:
        """Shows `text` if the last one was shown long enough."""
        now, live = time.monotonic(), sys.stderr.isatty()
        if now - self.shown < (TERMINAL_SECONDS if live else ELSEWHERE_SECONDS):
            return
        self.shown = now
        if live:
            _progress(text)
        else:
            _line(text)

    def log(self, text: str) -> None:
        """Prints `text` on a line of its own."""
        _line(text)


def _line(text: str) -> None:
    global _width
    start = "\r" if _width else ""
    sys.stderr.write(start + text.ljust(_width) + "\n")
    sys.stderr.flush()
    _width = 0


def _progress(text: str) -> None:
    global _width
    # A line that is broken by the terminal could not be rewritten.
    text = text[: shutil.get_terminal_size().columns - 1]
    sys.stderr.write("\r" + text.ljust(_width))
    sys.stderr.flush()
    _width = len(text)


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
