"""Times of several things, measured in turn (A B A B ...), so that a machine that slows down slows
all of them; and the table that is printed."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def alternating(
    things: dict[str, Callable[[], object]], repetitions: int, per: int = 1
) -> dict[str, list[float]]:
    """Seconds (over `per`) of each, run once before counting and then `repetitions` times."""
    for thing in things.values():
        thing()
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(repetitions):
        for name, thing in things.items():
            began = time.perf_counter()
            thing()
            seconds[name].append((time.perf_counter() - began) / per)
    return seconds


def show(seconds: dict[str, list[float]], ratios: dict[str, tuple[str, str, float | None]]) -> bool:
    """Prints minimum and median of each, and ratios (of minima, of medians) with their targets.

    Args:
        seconds: by name.
        ratios: by what they say: names of numerator and denominator, and the target or None.

    Returns:
        Whether the ratios of the medians reach their targets.
    """
    reached = True
    for name, values in seconds.items():
        low, middle = min(values), statistics.median(values)
        print(f"  {name:44} {1e3 * low:10.2f} ms {1e3 * middle:10.2f} ms")
    for text, (above, below, target) in ratios.items():
        low = min(seconds[above]) / min(seconds[below])
        middle = statistics.median(seconds[above]) / statistics.median(seconds[below])
        goal = ""
        if target is not None:
            reached &= middle <= target
            goal = f"   target <= {target}" + ("" if middle <= target else " MISSED")
        print(f"  {text:44} {low:10.3f}    {middle:10.3f}   {goal}")
    print(f"  {'':44} {'minimum':>10}    {'median':>10}\n", flush=True)
    return reached


def command(words: list[str], code: int = 0) -> Callable[[], object]:
    """`python -m ftnoise` with these words in a process of its own; it has to end with `code`."""

    def run() -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "ftnoise", *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode != code:
            sys.exit(f"Exit code {ended.returncode} of {' '.join(words)}: {ended.stderr}")

    return run
