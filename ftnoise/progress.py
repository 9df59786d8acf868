"""Progress on stderr: a line that rewrites itself on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

TERMINAL_SECONDS = 0.2
ELSEWHERE_SECONDS = 30.0


class Progress:
    """Shows how far long work is; rate-limited, so it may be called at every step."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.shown = time.monotonic() if not self.live else 0.0
        self.width = 0

    def update(self, text: str) -> None:
        """Shows `text` if the last one has stood long enough."""
        now = time.monotonic()
        if now - self.shown < (TERMINAL_SECONDS if self.live else ELSEWHERE_SECONDS):
            return
        self.shown = now
        if self.live:
            self._write(text, end="")
        else:
            print(text, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Leaves `text` standing as a line of its own."""
        self._write(text, end="\n")
        self.width = 0

    def _write(self, text: str, end: str) -> None:
        if self.live:
            if not end:
                # A line that is broken by the terminal could not be rewritten.
                text = text[: shutil.get_terminal_size().columns - 1]
            sys.stderr.write("\r" + text.ljust(self.width) + end)
            self.width = len(text)
        else:
            sys.stderr.write(text + end)
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """`42 s`, `7 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
