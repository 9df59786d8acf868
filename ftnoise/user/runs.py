"""Train a run, and evaluate measures on it or on a user's own model.

Runs are stored by their content, as those of the command line are: the same call resumes an
interrupted training, and never repeats one that is stored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect, instance, path
from ftnoise.core.data import Sources
from ftnoise.core.errors import StoredDamage
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement, Run
from ftnoise.core.lazy import keras, pandas
from ftnoise.core.progress import reporting
from ftnoise.core.spec import spec_id
from ftnoise.engine.executor import in_percent
from ftnoise.engine.runner import Unit, perform, stored_network
from ftnoise.store.folders import RunFolder, Store, default_root
from ftnoise.user.classifier import arrays_only, checked_classifier
from ftnoise.user.text import table


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationResult:
    """What measures found; printing it gives a table.

    Attributes:
        subject: name of the run or of the model.
        measurements: the result of each measure: `scalars`, `arrays` and `info`, whose names and
            units the documentation of the measure lists.
    """

    subject: str
    measurements: Mapping[Measure, Measurement]

    @property
    def scalars(self) -> dict[str, float]:
        """All scalars by name; of two with one name, that of the measure that was given last."""
        return {k: v for one in self.measurements.values() for k, v in one.scalars.items()}

    @property
    def lines(self) -> pandas.DataFrame:
        """A line for each scalar: `measure` (those of one kind are numbered), `scalar`, `value`."""
        kinds = [measure.slug for measure in self.measurements]
        lines = [
            (f"{kind} {kinds[:n].count(kind) + 1}" if kinds.count(kind) > 1 else kind, name, value)
            for n, (kind, found) in enumerate(zip(kinds, self.measurements.values(), strict=True))
            for name, value in found.scalars.items()
        ]
        return pandas.DataFrame(lines, columns=["measure", "scalar", "value"])

    def __str__(self) -> str:
        """The scalars and the red flags, for a terminal."""
        rows = [["measure", "scalar", "value"]]
        rows += [[m, n, f"{v:.6g}"] for m, n, v in self.lines.itertuples(index=False)]
        flags = [
            f"Red flag: {text}"
            for measure, found in self.measurements.items()
            for text in measure.red_flags(found.info)
        ]
        return "\n".join([f"{self.subject}:", "", *table(rows), *(["", *flags] if flags else [])])


def train(run: Run, *, runs: str | os.PathLike[str] | None = None) -> keras.Model:
    """Trains a run and stores it, or loads it if it is stored.

    Data come from the folder `FTNOISE_DATA`, the cache, or the network, as for the command line.
    An interrupted call resumes and ends with the same weights, bit for bit, on the same CPU with
    the same number of threads.

    Args:
        run: what to train on what, and how.
        runs: the folder of stored runs; by default `runs` in the working directory, or
            `FTNOISE_RUNS`.

    Returns:
        The trained `keras.Model`: `[batch, ...]` -> logits `[batch, classes]`.

    Raises:
        BadInput: the data are missing or do not fit, or the folder cannot be written.
        RunFailed: the loss is no longer finite.
    """
    # Damaged weights are set aside, and made again.
    while (network := stored_network(run, completed(run, (), runs))) is None:
        pass
    return network


def evaluate(
    subject: Run | keras.Model,
    *measures: Measure,
    x: Any = None,
    y: Any = None,
    x_train: Any = None,
    y_train: Any = None,
    runs: str | os.PathLike[str] | None = None,
) -> EvaluationResult:
    """Evaluates measures, on a run or on a trained model of one's own.

    A run is trained if it is not stored; its results are stored too. Of a model, nothing is stored.

    Args:
        subject: a `Run`, or a Sequential or functional `keras.Model` with one input, that ends in
            at least two logits, their softmax or one sigmoid; left bit-identical. Measures see its
            logits.
        measures: at least one, such as `FaultTolerance()`.
        x: test examples `[n, ...]` as the model takes them, for a model, which needs them.
            Measures that attack take them in [0, 1] only.
        y: their integer labels `[n]`.
        x_train: training examples, for a model whose measures need them.
        y_train: their integer labels.
        runs: see `train`.

    Raises:
        BadInput: an argument does not fit, or a measure needs a run.
        RunFailed: the training or a measure failed.
    """
    expect(len(measures) > 0, "at least one measure", measures=measures)
    for measure in measures:
        instance(Measure, "a measure, such as FaultTolerance()", measure=measure)
    if isinstance(subject, Run):
        arrays = {"x": x, "y": y, "x_train": x_train, "y_train": y_train}
        given = [name for name, array in arrays.items() if array is not None]
        expect(not given, "no arrays with a run, which has its own data", arrays=given)
        folder = completed(subject, measures, runs)
        stored = {measure: _stored(folder, measure) for measure in measures}
        return EvaluationResult(subject=subject.slug, measurements=stored)
    trained = _own(subject, measures, x, y, x_train, y_train)
    found = {measure: measure.evaluate(trained) for measure in measures}
    return EvaluationResult(subject=subject.name, measurements=found)


def completed(
    run: Run, measures: tuple[Measure, ...], runs: str | os.PathLike[str] | None = None
) -> RunFolder:
    """The folder of a run that is trained and measured, and before it those of its other runs."""
    instance(Run, "a Run", run=run)
    if runs is not None:
        path(runs=runs)
    store, sources = (
        Store(default_root() if runs is None else Path(runs)),
        Sources.from_environment(),
    )
    store.prepare()
    for one in (*(other for other in run.others(measures) if other != run), run):
        own = measures if one == run else ()
        unit = Unit(one, own, store.root, sources, one.data.digest(sources))
        folder = store.run(unit.id)
        while perform(unit, reporting(in_percent(one.slug))) is None:
            folder.wait(one.slug)
    return folder


def _stored(folder: RunFolder, measure: Measure) -> Measurement:
    id = spec_id(measure)
    arrays = folder.read_measure_arrays(id)  # if they are damaged, the scalars go with them
    scalars, info = folder.read_measure(id), folder.read_measure_info(id)
    if scalars is None:
        raise StoredDamage(f"The stored {measure.slug} was damaged. The next call makes it again.")
    return Measurement(
        scalars=scalars,
        arrays=arrays or {},
        info={name: value for name, value in (info or {}).items() if name != "measure"},
    )


def _own(
    model: Any, measures: tuple[Measure, ...], x: Any, y: Any, x_train: Any, y_train: Any
) -> MeasureInput:
    """What measures get of a model of a user's own."""
    from ftnoise.layers.logits import without_probabilities

    instance(keras.Model, "a Run or a keras.Model", subject=model)
    expect(x is not None and y is not None, "x and y, to test a model on", x=type(x), y=type(y))
    both = (x_train is None) == (y_train is None)
    expect(
        both, "both x_train and y_train, or neither", x_train=type(x_train), y_train=type(y_train)
    )
    for measure in measures:
        name = measure.slug
        expect(not measure.needs_run, f"a Run for {name}, which a model lacks", subject=model.name)
        fits = x_train is not None or not measure.needs_training_data
        expect(fits, f"x_train and y_train for {name}", x_train=x_train)
    examples, labels = checked_classifier(model, x, y)
    assert labels is not None
    if x_train is not None:
        x_train, y_train = checked_classifier(model, x_train, y_train)
    return MeasureInput(
        network=without_probabilities(model),
        data=arrays_only(examples, labels, x_train, y_train),
        run=None,
        checkpointing=Checkpointing(),
    )
