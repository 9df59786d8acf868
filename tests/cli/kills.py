"""Kills a command at random moments, starts two at once, and prints the exit codes as JSON.

    python -m tests.cli.kills inject|robustness FOLDER KILLS

TensorFlow is imported once; each command is a fork, made before TensorFlow has computed anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import tensorflow

from ftnoise.cli import inject, robustness
from ftnoise.cli import main as cli
from ftnoise.core import resumable
from ftnoise.user.result import InjectionResult
from ftnoise.user.robustness import RobustnessResult
from tests.user.made import examples

# What a command would import, slowly, after each fork.
IMPORTED = (pandas, tensorflow, inject, robustness)

OPTIONS = {
    "inject": "--fault weights:stuck_at_zero:0.5 --half-width 2 --max-trials 160",
    "robustness": "--radius 0.1,0.4 --tolerance 0 --low -9 --high 9 --budget 3",
}
# What the units of the command's work are counted by, in the arrays of unfinished work.
UNITS = {"inject": "/correct", "robustness": ""}
RESULT = {"inject": "injection", "robustness": "robustness"}
# A single layer, as most of a command's time goes into compiling.
SOURCE = """
import keras

def build():
    first = keras.initializers.GlorotUniform(seed=1)
    layers = [keras.layers.InputLayer((5,)), keras.layers.Dense(3, kernel_initializer=first)]
    return keras.Sequential(layers, name="own")
"""


def start(command: str, folder: Path) -> int:
    """A command that works in the folder; its process id."""
    if child := os.fork():
        return child
    with open(f"{folder}.log", "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        argv = [command, "--model", "own_killed:build", "--data", "d.npz", "--seed", "3"]
        os._exit(cli.main([*argv, *OPTIONS[command].split(), "--out", str(folder)]))


def ended(child: int) -> int:
    """Its exit code, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed(child: int, when: Callable[[], bool]) -> bool:
    """Kills it when the condition holds; False if it ended before."""
    while not when():
        done, _ = os.waitpid(child, os.WNOHANG)
        if done:
            return False
        time.sleep(0.0005)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def units(command: str, folder: Path) -> int:
    """The number of units of work that are kept; all of them with the result."""
    if (folder / f"{RESULT[command]}.json").exists():
        return sys.maxsize
    with contextlib.suppress(FileNotFoundError, ValueError):
        (partial,) = folder.glob("partial-*.json")
        entries = json.loads(partial.read_text())["array_file"]["entries"]
        return sum(entry["shape"][0] for entry in entries if entry["name"].endswith(UNITS[command]))
    return 0


def wait(seconds: float) -> Callable[[], bool]:
    """Whether this time has passed since now."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def main(command: str, here: Path, kills: int) -> None:
    """Runs, kills, starts two at once."""
    os.chdir(here)
    (here / "own_killed.py").write_text(SOURCE)
    # In a process of its own, as all that computes.
    if not (child := os.fork()):
        sys.path.insert(0, str(here))
        import own_killed

        x, y = examples(own_killed.build())
        np.savez("d.npz", x=x, y=y)
        os._exit(0)
    assert ended(child) == 0
    resumable.SAVE_SECONDS = -1.0
    # A killed process needs no disk; only a machine without power does.
    os.fsync = lambda descriptor: None
    for kind in (InjectionResult, RobustnessResult):
        kind.figure = lambda result: {"png": b"a figure", "pdf": b"the same"}

    began = time.monotonic()
    whole = ended(start(command, here / "whole"))
    seconds = time.monotonic() - began

    moments, folder, kept = random.Random(1), here / "killed", [0]
    for number in range(kills):
        child, before = start(command, folder), kept[-1]
        # In the middle of a file that is written while trials run.
        more = before + moments.randint(1, 40)
        if number == kills - 1:
            # While the result is written.
            landed = killed(child, (folder / f"{RESULT[command]}.csv").exists)
        elif number % 2:
            landed = killed(child, lambda more=more: units(command, folder) > more)
        else:
            # Wherever it is then, but before there is a result.
            over = wait(moments.uniform(0.1, 0.9) * seconds)
            landed = killed(
                child, lambda over=over, more=more: over() or units(command, folder) > more + 40
            )
        if landed:
            kept.append(units(command, folder))
    last = ended(start(command, folder))

    both = [start(command, here / "both"), start(command, here / "both")]
    codes = sorted(ended(child) for child in both)
    print(json.dumps({"whole": whole, "kept": kept, "last": last, "both": codes}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
