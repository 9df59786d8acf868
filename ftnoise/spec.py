"""A spec is a frozen value that is also the behavior; its content is its identity.

`Spec` is the base of everything that can stand in a row of a table: data sets, architectures,
training slots, measures. `Run` puts them together, `Row`, `Column` and `Experiment` describe a
table. Nothing here imports TensorFlow or NumPy, so that reading an experiment is instant.

Identity. The canonical form of a spec names its class, its `revision` and the fields that differ
from their defaults; a number is written the same whether it came as 1 or 1.0. A run's id is a
readable slug and the SHA-256 of that form and of the data set's content digest.

Deviations
1. A run's randomness is keyed by its `seed`, not by its id (see `seeds.py`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ftnoise.errors import BadInput

JSON = Any
# A round has at most so many steps, if it is of several epochs; a training has at least so many.
STEPS_IN_A_ROUND, ROUNDS = 64, 80


def expect(condition: bool, expected: str, **received: object) -> None:
    """Raises `BadInput` ("Expected ... Received: name=value") unless the condition holds."""
    if not condition:
        got = ", ".join(f"{name}={value!r}" for name, value in received.items())
        raise BadInput(f"Expected {expected}. Received: {got}.")


def is_number(value: object) -> bool:
    """True for a finite int or float, False for bool, NaN, infinities and everything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def is_name(value: object) -> bool:
    """True for a lower case letter and then letters, digits and _: names of scalars and arrays."""
    return isinstance(value, str) and re.fullmatch("[a-z][a-z0-9_]*", value) is not None


def is_count(value: object, least: int = 1) -> bool:
    """True for an int (not bool) of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of all specs. Subclasses are frozen keyword-only dataclasses that check themselves.

    `revision` is raised by hand when the meaning of a class changes, so that stored results of
    the old meaning are not taken for results of the new one. A field with
    `metadata={"identity": False}` says where something lies, not what it is.
    """

    revision: ClassVar[int] = 1

    @property
    def slug(self) -> str:
        """A short readable name: the class name in snake case."""
        return snake_case(type(self).__name__)


def snake_case(name: str) -> str:
    """`FashionMNIST` -> `fashion_mnist`, `FMNISTCNN2` -> `fmnistcnn2`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def canonical(value: object, *, everything: bool = False) -> JSON:
    """The JSON form of a spec (or of a field's value) on which identity rests.

    With `everything`, fields that have their defaults are written too; that is what `spec.json`
    keeps for a reader. Fields that only say where something lies are never written.
    """
    if isinstance(value, Spec):
        form: dict[str, JSON] = {"class": type(value).__name__, "revision": value.revision}
        for f in dataclasses.fields(value):
            content = getattr(value, f.name)
            if f.metadata.get("identity", True) and (everything or content != _default(f)):
                form[f.name] = canonical(content, everything=everything)
        return form
    if isinstance(value, tuple):
        return [canonical(item, everything=everything) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        expect(math.isfinite(value), "a finite number in a spec", value=value)
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    raise BadInput(
        f"Expected a spec's field to be a number, string, tuple or spec. Received: {value!r}."
    )


def _default(f: dataclasses.Field) -> object:
    if f.default_factory is not dataclasses.MISSING:
        return f.default_factory()
    return f.default


def digest(form: JSON) -> str:
    """SHA-256 (hex) of a canonical form."""
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def spec_id(spec: Spec) -> str:
    """`<slug>-<8 hex digits>`: the id of a spec that stands by itself, such as a measure."""
    return f"{spec.slug}-{digest(canonical(spec))[:8]}"


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec):
    """Stochastic gradient descent with momentum and a learning rate that falls in steps.

    Args:
        epochs: passes over the training set, at least 1.
        batch_size: examples a step, at least 1; the last batch of an epoch may be smaller.
        learning_rate: positive.
        momentum: in [0, 1).
        drops: epochs in order, counted from 1, at whose start the rate is multiplied by
            `drop_factor`; an epoch that stands twice multiplies twice.
        drop_factor: in (0, 1].
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.0
    drops: tuple[int, ...] = ()
    drop_factor: float = 0.1

    def __post_init__(self) -> None:
        expect(is_count(self.epochs), "epochs to be an integer >= 1", epochs=self.epochs)
        expect(is_count(self.batch_size), "batch_size >= 1", batch_size=self.batch_size)
        expect(
            is_number(self.learning_rate) and self.learning_rate > 0,
            "learning_rate > 0",
            learning_rate=self.learning_rate,
        )
        expect(
            is_number(self.momentum) and 0 <= self.momentum < 1,
            "momentum in [0, 1)",
            momentum=self.momentum,
        )
        expect(
            isinstance(self.drops, tuple)
            and all(is_count(epoch) for epoch in self.drops)
            and list(self.drops) == sorted(self.drops),
            "drops to be epochs in order, counted from 1",
            drops=self.drops,
        )
        expect(
            is_number(self.drop_factor) and 0 < self.drop_factor <= 1,
            "drop_factor in (0, 1]",
            drop_factor=self.drop_factor,
        )

    def steps_per_epoch(self, examples: int) -> int:
        """Steps in an epoch over `examples` training examples."""
        return -(-examples // self.batch_size)

    def passes_in_a_round(self, examples: int) -> int:
        """Epochs that are logged, tested and kept together: more than one where they are short."""
        most = min(STEPS_IN_A_ROUND // self.steps_per_epoch(examples), self.epochs // ROUNDS)
        return max(count for count in range(1, max(1, most) + 1) if self.epochs % count == 0)

    def resized(self, epochs: int) -> Schedule:
        """The same schedule in another number of epochs; the drops keep their relative places."""
        scale = epochs / self.epochs
        drops = tuple(round((drop - 1) * scale) + 1 for drop in self.drops)
        return dataclasses.replace(self, epochs=epochs, drops=drops)


@dataclass(frozen=True, kw_only=True)
class Run(Spec):
    """One training: what is trained, on what, how, for how long, and with which seed.

    Args:
        architecture: a spec whose `build()` returns an untrained `keras.Model` giving logits.
        data: a spec whose `load(sources)` returns a `datasets.Data`.
        training: a spec whose `train(run, data, workspace)` returns the trained `keras.Model`.
        schedule: batches, epochs, learning rate.
        train_examples, test_examples: use a fixed random subset of this size; None uses all.
        seed: an integer >= 0.
    """

    architecture: Any
    data: Any
    training: Any
    schedule: Schedule
    train_examples: int | None = None
    test_examples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("architecture", "data", "training", "schedule"):
            value = getattr(self, name)
            expect(isinstance(value, Spec), f"{name} to be a spec", **{name: value})
        for name in ("train_examples", "test_examples"):
            value = getattr(self, name)
            expect(value is None or is_count(value), f"{name} >= 1 or None", **{name: value})
        expect(is_count(self.seed, least=0), "seed to be an integer >= 0", seed=self.seed)

    @property
    def slug(self) -> str:
        size = f"-{self.train_examples}x" if self.train_examples else "-"
        return (
            f"{self.data.slug}-{self.architecture.slug}-{self.training.slug}"
            f"{size}{self.schedule.epochs}e-s{self.seed}"
        )

    def examples(self) -> int | None:
        """Training examples an epoch, or None where the data set has to be read to know."""
        size = self.data.train_size
        if size is None or self.train_examples is None:
            return self.train_examples if size is None else size
        return min(size, self.train_examples)

    def steps(self) -> int | None:
        """Steps of the whole training, or None where the data set has to be read to know."""
        examples = self.examples()
        if examples is None:
            return None
        return self.schedule.epochs * self.schedule.steps_per_epoch(examples)


def run_id(run: Run, data_digest: str) -> str:
    """`<slug>-<10 hex digits>`: the identity of a run on data of this content."""
    return f"{run.slug}-{digest({'run': canonical(run), 'data': data_digest})[:10]}"


def seedless(form: JSON) -> str:
    """SHA-256 (hex) of a run's canonical form without its seed, which the seeds of a row share."""
    return digest({name: value for name, value in form.items() if name != "seed"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table: a named run, with the paper's number for each column that has one.

    `step_seconds` and `pass_seconds` are the measured times of a training step and of a forward
    pass over 10,000 test examples on the two-core machine of the reference runs; they only feed the
    estimate that is shown before training.
    """

    name: str
    run: Run
    paper: dict[str, float] = field(default_factory=dict)
    step_seconds: float = 0.01
    pass_seconds: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table: a scalar `name` out of what `measure` returns, in `unit`.

    `ranked`: the report compares the order of the rows in this column with the paper's.
    `vacuous`: from this value on the number, a bound, says nothing, and is printed so.
    """

    name: str
    measure: Any
    title: str
    unit: str = ""
    digits: int = 2
    ranked: bool = False
    vacuous: float | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A table: rows are runs, columns are measures; `source` says where it stands in print.

    `pictures` are what is shown of it beside the table and its own picture (see `pictures.py`).
    `seeds` is how many are trained unless a number is asked for. `presets` stand in the place of
    the common ones with their names (see `presets.py`).
    `adopts`: its models are those of other tables, so runs that were published are copied, where
    nobody has begun to train them here.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    pictures: tuple[Any, ...] = ()
    adopts: bool = False
    seeds: int = 1
    presets: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        expect(is_count(self.seeds), f"seeds >= 1 of {self.name}", seeds=self.seeds)
        for kind in ("rows", "columns", "pictures"):
            names = [item.name for item in getattr(self, kind)]
            expect(
                len(names) > 0 or kind == "pictures",
                f"{kind} of {self.name} not to be empty",
                **{kind: names},
            )
            expect(len(set(names)) == len(names), f"{kind} with different names", **{kind: names})
        # What is stored is found by its form, and the seeds are the command's.
        forms: dict[str, str] = {}
        for row in self.rows:
            same = forms.setdefault(seedless(canonical(row.run)), row.name)
            expect(
                same == row.name,
                f"rows of {self.name} with different runs (own files are told apart by `name`)",
                rows=[same, row.name],
            )
        columns = {column.name for column in self.columns}
        for row in self.rows:
            expect(
                row.paper.keys() <= columns,
                f"paper numbers of known columns in {row.name}",
                paper=sorted(row.paper),
            )
        for picture in self.pictures:
            picture.check(self)

    def pictured(self) -> tuple[Any, ...]:
        """The measures whose arrays its pictures show, each once."""
        return tuple(dict.fromkeys(m for picture in self.pictures for m in picture.measures))

    def measures(self) -> tuple[Any, ...]:
        """What is asked of each trained model, each measure once."""
        return tuple(dict.fromkeys([*(c.measure for c in self.columns), *self.pictured()]))

    def others(self, run: Run) -> tuple[Run, ...]:
        """The other runs that the measures of this one need, each once."""
        return tuple(dict.fromkeys(o for m in self.measures() for o in others(m, run)))


def others(measure: Any, run: Run) -> tuple[Run, ...]:
    """The other runs whose trained models a measure of this run needs; most need none."""
    return measure.others(run) if hasattr(measure, "others") else ()
