"""How long a stored table takes to be redrawn.

    python -m tests.benchmarks.redraw [--repetitions 5] [--runs DIR]

The whole process of `report table5`, from start to end: every weight file is verified, and the
table goes to the terminal, Markdown, LaTeX, CSV and pictures. Target: under 2 s. Without `--runs`
it is a table of untrained networks of the true sizes with made-up results.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ftnoise.core.experiment import run_id
from ftnoise.core.preset import PRESETS
from ftnoise.core.spec import canonical, spec_id
from ftnoise.engine import runner
from ftnoise.engine.environment import environment, now
from ftnoise.experiments.table5 import EXPERIMENT
from ftnoise.store.folders import Store
from tests.benchmarks.alternating import alternating, command, show

TARGET_SECONDS = 2.0


def make_up(root: Path) -> None:
    """Fills a store with the paper's runs of table 5."""
    store = Store(root)
    store.prepare()
    here = environment()
    for row in EXPERIMENT.rows:
        run = row.run.scaled(PRESETS["paper"])
        folder = store.run(run_id(run, "0" * 64))
        with folder.locked():
            folder.write_spec(
                {
                    "run": canonical(run),
                    "data": {"digest": "0" * 64, "source": "made up"},
                    "environment": here,
                    "finished": now(),
                }
            )
            folder.save_weights(runner.named_weights(run.architecture.build()), {})
            for column in EXPERIMENT.columns:
                known = folder.read_measure(spec_id(column.measure)) or {}
                scalars = {**known, column.name: row.paper.get(column.name, 0.5)}
                folder.write_measure(spec_id(column.measure), scalars, info={"red_flags": []})


def main() -> bool:
    """Measures the command. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--runs", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        runs = arguments.runs or Path(temporary)
        if arguments.runs is None:
            make_up(runs)
        words = ["report", "table5", "--runs", str(runs.absolute())]
        seconds = alternating({"report table5": command(words)}, arguments.repetitions)
    seconds["target"] = [TARGET_SECONDS]
    return show(seconds, {"report table5 / target": ("report table5", "target", 1)})


if __name__ == "__main__":
    sys.exit(not main())
