"""Kills a reproduction at random moments, starts it again each time, and compares the end.

    python -m tests.kill_and_resume --kills 10 --experiment table5 --preset quick

First the experiment runs without interruption, in a folder of its own. Then it runs in another
folder and is killed (SIGKILL, the whole process group) at random moments of what is left of it:
some at any moment, some in the middle of writing a file, some while a measure works. In the end
the CSV has to be the same, byte for byte, and so have the SHA-256 digests of all weights; no run
that was finished may be lost, trained again or touched, and nothing may count as damaged. Prints
a summary; exit code 0 if all of this holds, 1 otherwise.

With `--signal TERM` (or INT, HUP, QUIT) that signal is sent instead. Then each stop also has to end
with its exit code and without a traceback or a failed run.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What is waited for before a kill, in turn, and how long at most, as a share of the whole.
STAGES = ("any", "writing", "measuring")
PATIENCE = 0.3
SIGNS = {"writing": "**/.ftnoise-*.tmp", "measuring": "*/measures/*"}


class Reproduction:
    """The command under test, in one runs folder."""

    def __init__(self, words: list[str], runs: Path, number: int = signal.SIGKILL) -> None:
        self.runs, self.signal = runs, number
        self.complaints: list[str] = []
        self.log = runs.with_suffix(".log")
        self.command = [sys.executable, "-m", "ftnoise", *words, "--runs", str(runs)]

    def start(self) -> None:
        """Starts it in a process group of its own."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Whoever starts this in the background has it ignored, and children inherit that.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.began = time.time()

    def seconds(self) -> float:
        """Since the start."""
        return time.time() - self.began

    def ended(self) -> bool:
        """Whether it has ended by itself; if it failed, so does this script."""
        code = self.process.poll()
        if code:
            tail = self.log.read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join([*tail, f"Exit code {code} of {' '.join(self.command)}"]))
        return code == 0

    def kill(self) -> None:
        """The signal to the whole group; all of it ends."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, self.signal)
        code = self.process.wait()
        # Before the command has begun, and after its end, the signal itself kills.
        if code not in (128 + self.signal, -self.signal, 0):
            self.complaints.append(f"exit code {code} after signal {self.signal}")
        text = self.log.read_text(errors="replace")
        signs = ("Traceback", "Exception ignored", "failed.")
        self.complaints += [f"{sign!r} in {self.log}:\n{text}" for sign in signs if sign in text]

    def shows(self, stage: str) -> bool:
        """Whether the folder shows that this start of it is at `stage`."""
        for path in self.runs.glob(SIGNS[stage]):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime > self.began:
                    return True
        return False

    def stage(self) -> str:
        """Where a kill has landed, judged by what it left."""
        if self.shows("writing"):
            return "writing"
        if self.shows("measuring"):
            return "measuring"
        specs = [path.stat().st_mtime for path in self.runs.glob("*/*") if path.is_file()]
        return "training" if any(when > self.began for when in specs) else "start-up"

    def finished(self) -> dict[str, tuple]:
        """By run: digest and times of its weights, and when it was started and finished."""
        found = {}
        for manifest in self.runs.glob("*/weights.json"):
            file = json.loads(manifest.read_text())["array_file"]
            weights = manifest.with_name(file["name"])
            digest = hashlib.sha256(weights.read_bytes()).hexdigest()
            assert digest == file["sha256"], f"{weights} is not what its manifest says"
            spec = json.loads(manifest.with_name("spec.json").read_text())
            times = tuple(path.stat().st_mtime_ns for path in (manifest, weights))
            found[manifest.parent.name] = (digest, times, spec["started"], spec["finished"])
        return found

    def result(self) -> tuple[bytes, dict[str, str]]:
        """The CSV, and the digest of each run's weights."""
        # The table's, and those of its pictures.
        tables = sorted(self.runs.glob("reports/*.csv"))
        text = b"".join(table.read_bytes() for table in tables)
        return text, {run: facts[0] for run, facts in self.finished().items()}


def without_interruption(words: list[str], runs: Path) -> tuple[Reproduction, float]:
    """Runs to the end; returns the run and its duration in seconds."""
    whole = Reproduction(words, runs)
    whole.start()
    while not whole.ended():
        time.sleep(0.05)
    return whole, whole.seconds()


def run_until(reproduction: Reproduction, delay: float, stage: str, patience: float) -> bool:
    """Starts and kills after `delay`, at `stage` if it shows; False if it ended before."""
    reproduction.start()
    while reproduction.seconds() < delay:
        if reproduction.ended():
            return False
        time.sleep(0.01)
    if stage != "any":
        while reproduction.seconds() < delay + patience and not reproduction.shows(stage):
            if reproduction.ended():
                return False
            time.sleep(0.001)
    if reproduction.ended():
        return False
    reproduction.kill()
    return True


def lost_or_changed(before: dict[str, tuple], after: dict[str, tuple]) -> list[str]:
    """Runs that were finished and are not there any more as they were."""
    return [run for run, facts in before.items() if after.get(run) != facts]


def interrupted(
    words: list[str], folder: Path, kills: int, number: int, duration: float, moments: random.Random
) -> tuple[list[Reproduction], list[str]]:
    """Runs and kills; returns the runs (more than one if one ended too early) and complaints."""
    complaints: list[str] = []
    landed: Counter[str] = Counter()
    reproduction = Reproduction(words, folder / "interrupted", number)
    all_of_them = [reproduction]
    left, known = duration, dict[str, tuple]()
    while kills:
        # On average, the kills that are left part what is left of the work evenly.
        delay = moments.uniform(0.05, 0.95) * left * 2 / (kills + 1)
        stage = STAGES[sum(landed.values()) % len(STAGES)]
        if run_until(reproduction, delay, stage, PATIENCE * duration):
            where = reproduction.stage()
            landed[where] += 1
            kills -= 1
            # Whatever was trained is found again; only a start-up is paid once more.
            left = max(left - max(reproduction.seconds() - 0.2 * duration, 0), 0.2 * duration)
            print(f"  killed after {reproduction.seconds():6.1f} s: {where}", flush=True)
        after = reproduction.finished()
        complaints += [f"{run}: lost or changed" for run in lost_or_changed(known, after)]
        known = after
        if reproduction.process.returncode == 0:
            print("  ended before it was killed; once more from the beginning", flush=True)
            reproduction = Reproduction(words, folder / f"interrupted-{len(all_of_them)}", number)
            all_of_them.append(reproduction)
            duration *= 0.7
            left, known = duration, {}
    reproduction.start()
    while not reproduction.ended():
        time.sleep(0.05)
    complaints += [
        f"{run}: lost or changed" for run in lost_or_changed(known, reproduction.finished())
    ]
    print("Killed in: " + ", ".join(f"{where} {count}" for where, count in landed.items()))
    complaints += [complaint for one in all_of_them for complaint in one.complaints]
    if not set(landed) - {"start-up"}:
        complaints.append("no kill hit a training, so nothing had to be resumed")
    return all_of_them, complaints


def main() -> int:
    """Runs, kills, compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--signal", default="KILL", choices=("KILL", "TERM", "INT", "HUP", "QUIT"))
    parser.add_argument("--experiment", default="table5")
    parser.add_argument("--preset", default="quick", choices=("quick", "smoke"))
    parser.add_argument("--rows", help="only rows whose name matches")
    parser.add_argument("--workers", type=int, help="worker processes")
    parser.add_argument("--seed-of-the-moments", type=int, default=0)
    arguments = parser.parse_args()

    words = [arguments.experiment, "--preset", arguments.preset]
    words += ["--rows", arguments.rows] if arguments.rows else []
    words += ["--workers", str(arguments.workers)] if arguments.workers else []
    with tempfile.TemporaryDirectory(prefix="kill-and-resume-") as temporary:
        folder = Path(temporary)
        print(f"Without interruption: {' '.join(words)}", flush=True)
        whole, duration = without_interruption(words, folder / "whole")
        csv, digests = whole.result()
        print(f"  {len(digests)} runs in {duration:.0f} s", flush=True)

        print(f"With {arguments.kills} kills:", flush=True)
        moments = random.Random(arguments.seed_of_the_moments)
        number = signal.Signals[f"SIG{arguments.signal}"]
        kills = arguments.kills
        ended, complaints = interrupted(words, folder, kills, number, duration, moments)
        for reproduction in ended:
            same_csv, same_digests = reproduction.result()
            if same_csv != csv:
                complaints.append(f"{reproduction.runs.name}: another CSV")
            complaints += [
                f"{run}: {same_digests.get(run)} instead of {digests.get(run)}"
                for run in sorted({*digests, *same_digests})
                if same_digests.get(run) != digests.get(run)
            ]
            complaints += [f"{path}: damaged" for path in reproduction.runs.rglob("*.damaged*")]
    for complaint in complaints:
        print(f"  {complaint}")
    print("DIFFERENT." if complaints else "The same CSV and weights; no finished run was touched.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
