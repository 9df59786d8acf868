"""What the tests of the engine share: commands on the fake table, and one small real run."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftnoise import report
from ftnoise.architectures import SequentialNetwork
from ftnoise.core.data import Sources
from ftnoise.core.experiment import Experiment
from ftnoise.core.interfaces import Measure, Run
from ftnoise.core.preset import PRESETS
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import spec_id
from ftnoise.engine import plan, runner
from ftnoise.engine.executor import Engine
from ftnoise.engine.resuming import FolderCheckpointing
from ftnoise.measures.generalization import Generalization
from ftnoise.measures.parameters import ParameterSpread
from ftnoise.store.folders import RunFolder, Store
from ftnoise.store.lookup import runs_of
from ftnoise.training import Training
from tests import fake

PAPER = PRESETS["paper"]
ROWS = [row.name for row in fake.TABLE.rows]
SOURCES = Sources(offline=True)


def engine(
    store: Store, experiment: Experiment = fake.TABLE, *, seeds: int = 1, rows: Any = None, **more
) -> Engine:
    """What a command on a table makes."""
    return Engine(experiment, plan.tasks(experiment, seeds, rows), store, SOURCES, **more)


def run(store: Store, experiment: Experiment = fake.TABLE, **more: Any) -> list[Any]:
    """Does what is missing; the failures."""
    return engine(store, experiment, **more).run()


def results(store: Store, experiment: Experiment = fake.TABLE, seeds: int | None = None) -> Any:
    return report.results(experiment, PAPER, runs_of(experiment, seeds, store))


def values(store: Store, experiment: Experiment = fake.TABLE, seeds: int | None = None) -> Any:
    """The numbers by row and column, in the order of the seeds."""
    found = results(store, experiment, seeds).values
    return {
        row: {column: list(numbers.values()) for column, numbers in cells.items()}
        for row, cells in found.items()
    }


def csv(store: Store, experiment: Experiment = fake.TABLE) -> bytes:
    return report.csv(results(store, experiment)).encode()


def digests(store: Store) -> dict[str, str]:
    """SHA-256 of the weights, by run."""
    return {folder.id: digest(folder) for folder, _ in store.finished()}


def digest(folder: RunFolder) -> str:
    return json.loads((folder.path / "weights.json").read_text())["array_file"]["sha256"]


@contextlib.contextmanager
def stopped(after: int, kind: type = FolderCheckpointing) -> Iterator[None]:
    """A process that is interrupted when it has saved `after` checkpoints."""
    saves, save = [], kind.save

    def stop(self: Any, arrays: Any, state: Any) -> None:
        save(self, arrays, state)
        if type(self) is kind:
            saves.append(state)
            if len(saves) == after:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ftnoise.training.loop.SAVE_SECONDS", 0)
        patch.setattr(kind, "save", stop)
        with contextlib.suppress(KeyboardInterrupt):
            yield
    assert len(saves) == after


@contextlib.contextmanager
def forked(act: Any, *arguments: Any, count: int = 1) -> Iterator[list[Any]]:
    """Processes that each call `act`, begun as copies of this one; none is left after the block."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=act, args=arguments) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


# A real training of milliseconds.


@dataclass(frozen=True, kw_only=True)
class Small(SequentialNetwork):
    """Three units."""

    input_shape: tuple[int, ...] = (3,)
    classes: int = 2
    units: int = 3

    def layers(self) -> list[Any]:
        from keras.layers import Dense

        return [Dense(self.units, activation="relu"), Dense(self.classes)]


RUN = Run(
    architecture=Small(),
    data=fake.Dots(),
    training=Training(),
    schedule=Schedule(epochs=3, batch_size=16, learning_rate=0.1, momentum=0.9, drops=(3,)),
)
MEASURES: tuple[Measure, ...] = (Generalization(), ParameterSpread())


def unit(root: Path, run: Run = RUN, measures: tuple[Measure, ...] = MEASURES) -> runner.Unit:
    return runner.Unit(run, measures, root, SOURCES, run.data.digest(SOURCES))


def folder_of(unit: runner.Unit) -> RunFolder:
    return Store(unit.root).run(unit.id)


def numbers(folder: RunFolder, measures: tuple[Measure, ...] = MEASURES) -> dict[str, Any]:
    return {spec_id(measure): folder.read_measure(spec_id(measure)) for measure in measures}
