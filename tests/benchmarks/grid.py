"""Networks of grid B.1 by two worker processes against Keras, network by network.

    python -m tests.benchmarks.grid [--depth 2] [--width 128] [--repetitions 1]

Ours are the 60 networks of a depth and a width, trained for 5, 10, 15, 20 and 25 epochs with three
activations and four rates, and measured by their accuracies; with the start of the workers and
everything that is stored. Keras builds, fits and evaluates (training and testing images) five of
them one by one, with all threads. The target is a fifth of Keras' time for a network.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from ftnoise.core.data import Data, Sources
from ftnoise.core.experiment import Experiment
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import PRESETS
from ftnoise.engine import plan
from ftnoise.engine.executor import Engine
from ftnoise.experiments._grids import B1
from ftnoise.experiments.robustness_accuracy import EXPERIMENT
from ftnoise.measures.generalization import COLUMNS
from ftnoise.store.folders import Store
from tests.benchmarks.alternating import show


def ours(experiment: Experiment, sources: Sources) -> None:
    """Trains and measures the networks, and stores what a grid keeps."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        todo = plan.tasks(experiment, 1)
        engine = Engine(experiment, todo, store, sources, workers=2, keep_weights=False)
        if engine.run():
            raise SystemExit("a network failed")


def by_keras(runs: list[Run], data: Data) -> None:
    """Fits and evaluates the networks one by one."""
    for run in runs:
        keras.backend.clear_session()
        network = run.architecture.build()
        network.compile(
            keras.optimizers.SGD(run.schedule.learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        size, epochs = run.schedule.batch_size, run.schedule.epochs
        network.fit(data.x_train, data.y_train, batch_size=size, epochs=epochs, verbose=0)
        network.evaluate(data.x_train, data.y_train, batch_size=1000, verbose=0)
        network.evaluate(data.x_test, data.y_test, batch_size=1000, verbose=0)


def main() -> int:
    """Measures, and prints the ratio; 1 if it misses its target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=1)
    given = parser.parse_args()
    axes = B1.axes | {"depth": (given.depth,), "width": (given.width,)}
    experiment = replace(
        EXPERIMENT, grids=(replace(B1, axes=axes),), columns=COLUMNS, figures=()
    ).scaled(PRESETS["paper"])
    runs = [row.run for row in experiment.rows]
    sources = Sources.from_environment()
    data = runs[0].data.load(sources)
    first = [run.first_epoch(run.training) for run in runs]
    five = [run for run, one in zip(runs, first, strict=True) if one == first[0]]
    seconds: dict[str, list[float]] = {"ours": [], "Keras": []}
    for _ in range(given.repetitions):
        began = time.perf_counter()
        ours(experiment, sources)
        seconds["ours"].append((time.perf_counter() - began) / len(runs))
        began = time.perf_counter()
        by_keras(five, data)
        seconds["Keras"].append((time.perf_counter() - began) / len(five))
    return 0 if show(seconds, {"a network": ("ours", "Keras", 0.2)}) else 1


if __name__ == "__main__":
    sys.exit(main())
