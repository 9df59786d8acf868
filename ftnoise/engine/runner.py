"""One unit of work: train a run or load it, evaluate the measures that are missing, store both.

A unit is picklable and idempotent: it checks the store first, so it may be tried again anywhere,
and returns only the id of its run. Units know specs by their base classes, and the store by its
folders.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ftnoise.core import stopping
from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import FtnoiseError, RunFailed, first_line
from ftnoise.core.experiment import run_id
from ftnoise.core.interfaces import Measure, MeasureInput, Run
from ftnoise.core.lazy import keras
from ftnoise.core.spec import JSON, canonical, spec_id, weights_digest
from ftnoise.engine.environment import now
from ftnoise.engine.resuming import FolderCheckpointing
from ftnoise.store.folders import RunFolder, Store
from ftnoise.store.partial_work import PartialWork, Report


@dataclass(frozen=True)
class Unit:
    """A run, and the measures to evaluate on it, unless they are stored.

    `root` is the folder of the store, `digest` the data's expected content digest; see
    `Checkpointing` for `xla`. With `keep`, the weights stay stored. Otherwise a run without them is
    trained again for a further measure.
    """

    run: Run
    measures: tuple[Measure, ...]
    root: Path
    sources: Sources
    digest: str
    xla: bool = False
    keep: bool = True

    @property
    def id(self) -> str:
        """The run's id."""
        return run_id(self.run, self.digest)


def perform(unit: Unit, report: Report = lambda done, total, text: None) -> str | None:
    """Does what is missing of a unit; gives the run's id, None if another process works on the run.

    Interrupted at any moment, nothing finished is lost, and the next call resumes: a training from
    its newest checkpoint, a measure from its partial work. Meanwhile `report` gets the number of
    completed and of all steps, and a text.

    Raises `FtnoiseError` with a reason of one line if it failed. The run's failure.log keeps the
    reason, or the traceback of an unexpected exception.
    """
    folder = _store(unit.root).run(unit.id)
    with folder.locked() as mine:
        if not mine:
            return None
        folder.clean()
        try:
            with stopping.heeded(), _custom_gradients_freed():
                _perform(unit, folder, report)
        except FtnoiseError as failure:
            folder.write_failure(f"{failure}\n")
            raise
        except Exception as failure:  # a run may fail in any way; the others must go on
            details = folder.write_failure(traceback.format_exc())
            raise FtnoiseError(f"{first_line(failure)} (details: {details})") from failure
    return unit.id


def _perform(unit: Unit, folder: RunFolder, report: Report) -> None:
    if done(unit, folder):
        return
    # Weights that turn out to be damaged are set aside, and the run is trained again.
    network = stored_network(unit.run, folder) if folder.finished(weights=True) else None
    finish: Callable[[], None] | None = None
    if network is None:
        network, finish = _train(unit, folder, report)
        if unit.keep:
            # The weights come last: they mark the run as finished.
            finish()
            folder.save_weights(
                named_weights(network), {"architecture": unit.run.architecture.slug}
            )
    if unit.keep or finish is None:
        folder.drop_checkpoints()
    for measure in missing(folder, unit.measures):
        trained = MeasureInput(
            network=network,
            data=_data(unit),
            run=unit.run,
            checkpointing=PartialWork(folder.partial_work(spec_id(measure)), report),
            record=folder.spec() or {},
            others={
                run: network if run == unit.run else _needed_network(run, unit)
                for run in measure.others(unit.run)
            },
        )
        result = measure.evaluate(trained)
        info = {"measure": canonical(measure, everything=True), **result.info}
        folder.write_measure(spec_id(measure), result.scalars, result.arrays, info)
    if finish and not unit.keep:
        finish()
        folder.drop_checkpoints()


def _train(unit: Unit, folder: RunFolder, report: Report) -> tuple[keras.Model, Callable[[], None]]:
    """The trained network, and what writes that the run is finished."""
    run, data = unit.run, _data(unit)
    before = folder.spec() or {}
    started = before.get("started") or now()
    checkpointing = FolderCheckpointing(folder, report, xla=unit.xla, logs=unit.keep)
    checkpointing.announced = before.get("gradients")
    known = before.get("weights_sha256")

    def write(**times: JSON) -> None:
        """Writes what spec.json keeps: the run, its data, where and when it was made, history."""
        content = {
            "id": folder.id,
            "run": canonical(run),
            "fields": canonical(run, everything=True),
            "data": {"digest": data.digest, "source": data.source},
            "environment": checkpointing.environment,
            "steps": run.schedule.epochs * run.schedule.steps_per_epoch(len(data.y_train)),
            "weights_sha256": known,
            **checkpointing.summary(),
        }
        # What an earlier process announced for a part counts until the part announces more.
        parts = {name: part.summary() for name, part in checkpointing.parts.items()}
        if parts := before.get("parts", {}) | parts:
            content["parts"] = parts
        folder.write_spec(content | times)

    write(started=started)
    origin = run.training.origin(run)
    start = _other_network(origin, unit) if origin else None
    network = run.training.train(run, data, checkpointing, start)
    # Stored results are those of an earlier training, whose weights were damaged or not kept. They
    # stay valid if this one ends with the same weights.
    if (trained := weights_digest(network)) != known:
        folder.drop_measures()
        known = trained
    if not unit.keep:
        write(started=started)  # measures read the logs, before the run is finished

    def finish() -> None:
        kept: dict[str, JSON] = {} if unit.keep else {"weights": False}
        write(started=started, finished=now(), **kept)

    return network, finish


def done(unit: Unit, folder: RunFolder) -> bool:
    """Whether nothing of the unit is missing."""
    trained = folder.finished(weights=unit.keep) is not None
    return trained and not missing(folder, unit.measures)


def missing(folder: RunFolder, measures: Iterable[Measure]) -> list[Measure]:
    """The measures that a run's folder has no result of."""
    return [measure for measure in measures if not folder.measured(spec_id(measure))]


@contextlib.contextmanager
def _custom_gradients_freed() -> Iterator[None]:
    """Frees the graphs with custom gradients that are made inside.

    TensorFlow never does: each network would leave its graphs, and the training set with them.
    """
    before = {*_gradients()}
    try:
        yield
    finally:
        for name in {*_gradients()} - before:
            if name.startswith("CustomGradient-"):
                del _gradients()[name]
        gc.collect()


def _gradients() -> dict[str, Any]:
    """TensorFlow's gradient functions by name; none before it is imported."""
    ops = sys.modules.get("tensorflow.python.framework.ops")
    return ops.gradient_registry._registry if ops else {}


@cache
def _store(root: Path) -> Store:
    # One value for a process: it knows which locks the process holds.
    return Store(root)


_LOADED: dict[Any, Data] = {}


def _data(unit: Unit) -> Data:
    """The unit's data; those of the last unit are kept, as units often share them."""
    run = unit.run
    wanted = (run.data, run.train_examples, run.test_examples, unit.sources, unit.digest)
    if wanted not in _LOADED:
        _LOADED.clear()  # first, as memory may not hold two sets
        data = run.data.load(unit.sources)
        if data.digest != unit.digest:
            raise RunFailed(f"The data set {run.data.slug} has changed since this command began.")
        _LOADED[wanted] = data.take(run.train_examples, run.test_examples)
    return _LOADED[wanted]


def _needed_network(run: Run, unit: Unit) -> keras.Model:
    network = _other_network(run, unit)
    if network is None:
        raise RunFailed(f"Expected {run.slug}, another run, to be trained. It is not.")
    return network


def _other_network(run: Run, unit: Unit) -> keras.Model | None:
    """The trained network of another run, or None if its weights are not stored."""
    known = unit.digest if run.data == unit.run.data else run.data.digest(unit.sources)
    folder = _store(unit.root).run(run_id(run, known))
    with contextlib.ExitStack() as lock:
        # Where the folder can be locked, damaged weights are set aside.
        with contextlib.suppress(RunFailed):
            lock.enter_context(folder.locked())
        # The network that is measured is in use, so Keras' state stays as it is.
        return _rebuilt(run, folder) if folder.finished(weights=True) else None


def stored_network(run: Run, folder: RunFolder) -> keras.Model | None:
    """The trained network of a stored run, rebuilt from its spec; no code is read.

    None if its weights are damaged or do not fit: they are set aside then.
    """
    keras.backend.clear_session()
    return _rebuilt(run, folder)


def _rebuilt(run: Run, folder: RunFolder) -> keras.Model | None:
    weights = folder.load_weights()
    if weights is None:
        return None
    network = run.training.build(run)
    shapes = [tuple(variable.shape) for variable in network.weights]
    if [array.shape for _, array in weights] != shapes:
        folder.discard_weights(f"does not fit the network {network.name}")
        return None
    network.set_weights([array for _, array in weights])
    return network


def named_weights(network: Any) -> list[tuple[str, Any]]:
    """All variables in Keras' order, named by position, layer and kind."""
    return [
        (f"{n:02d}/{variable.name.split(':')[0]}", variable.numpy())
        for n, variable in enumerate(network.weights)
    ]
