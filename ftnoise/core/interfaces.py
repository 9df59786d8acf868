"""The base class of each kind of member, and the run that combines them.

Everything optional is a method or a class attribute with a default here, so callers never test
whether a member has it. A new member is a subclass in a file of its own.

| kind | must define | where members live |
|---|---|---|
| `DataSet` | `load`, `digest` | `datasets/` |
| `Architecture` | `build` | `architectures.py` |
| `Inputs` | `objective` | `training/inputs/` |
| `Penalty` | `value` | `training/penalties.py` |
| `Gradients` | `start` | `training/gradients/` |
| `Weights` | nothing; all hooks are optional | `training/weights/` |
| `Augmentation` | `augment` | `training/augmentation.py` |
| `Procedure` | `build`, `train` | `training/` |
| `Measure` | `evaluate` | `measures/` |
| `Figure` | `measures`, `check` | `core/figures.py`, drawn by `report/figures/` |

Attacks have their base in `attacks/attack.py`, faults theirs in `faults/`.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect, instance, is_name, is_number
from ftnoise.core.data import Data, Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import keras, np, tf
from ftnoise.core.preset import Preset
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import JSON, Spec

# The type of a tensor in a signature, as TensorFlow has no type stubs.
Tensor = Any


@dataclass(frozen=True, kw_only=True)
class DataSet(Spec, ABC):
    """Examples to train and to test on.

    Attributes:
        train_size, test_size: number of examples, if known without reading.
        random: whether the examples are drawn at random, so that they can be `redrawn`.
    """

    train_size: ClassVar[int | None] = None
    test_size: ClassVar[int | None] = None
    random: ClassVar[bool] = False

    @abstractmethod
    def load(self, sources: Sources) -> Data:
        """The arrays.

        Raises:
            BadInput: they are missing or invalid.
        """

    @abstractmethod
    def digest(self, sources: Sources) -> str:
        """`load(sources).digest`, without reading the arrays where it is known."""

    def may_be(self, digest: str, source: str, train: int | None, test: int | None) -> bool:
        """Whether a part of these data (see `Data.take`) has this digest, or may be from `source`.

        Without looking for data that may have to be fetched: those of a library do not change.
        """
        del digest, source, train, test
        return True

    def redrawn(self, number: int) -> DataSet:
        """Draw `number` of a random data set; 0 is the set itself.

        Raises:
            BadInput: the data are not drawn at random.
        """
        raise BadInput(
            "Expected --data-seeds with data that are drawn, such as the circles of table3. "
            f"Received: data={self.slug!r}."
        )


@dataclass(frozen=True, kw_only=True)
class Architecture(Spec, ABC):
    """A network before it is trained."""

    @abstractmethod
    def build(self) -> keras.Model:
        """A new, untrained `keras.Model`: `[batch, ...]` -> logits `[batch, classes]`."""


@dataclass(frozen=True, kw_only=True)
class Inputs(Spec, ABC):
    """The `inputs` slot: the objective, such as the loss on noisy or adversarial examples.

    Attributes:
        needs_unit_range: examples have to lie in [0, 1], to which the member clips.
        one_pass: an example's loss comes from one forward pass of that example alone, so that
            DP-SGD can clip its gradient.
    """

    needs_unit_range: ClassVar[bool] = False
    one_pass: ClassVar[bool] = False

    @abstractmethod
    def objective(
        self, network: keras.Model, x: Tensor, y: Tensor, seed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Losses `[batch]` and the logits `[batch, classes]` that the training accuracy counts.

        Args:
            network: gives logits.
            x: examples `[batch, ...]`.
            y: integer labels `[batch]`.
            seed: int64 pair for stateless generators, different at every step.
        """

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        """Raises `BadInput` where it cannot work with this network on examples of this shape."""


@dataclass(frozen=True, kw_only=True)
class Penalty(Spec, ABC):
    """The `penalty` slot: a scalar added to the mean loss, outside any clipping.

    Attributes:
        looks_at_data: whether the value depends on the examples.
    """

    looks_at_data: ClassVar[bool] = True

    @abstractmethod
    def value(self, network: keras.Model, x: Tensor) -> Tensor:
        """The penalty, a scalar, on a batch `[batch, ...]`."""


Objective = Callable[[], tuple[Tensor, Tensor]]


class Updater:
    """Turns losses into updates of the network, for one training of a `Gradients` member.

    Attributes:
        optimizer: the Keras optimizer, whose variables a checkpoint holds.
        metrics: Keras metrics of its own, reset at the start of each log interval and logged.
        secret: the noise has a key that nobody knows. Then noise on the examples has one too, and
            no exact statistic of the training examples is logged.
    """

    optimizer: Any
    metrics: tuple[Any, ...] = ()
    secret: bool = False

    @abstractmethod
    def batch(self, order: Tensor, step: Tensor) -> tuple[Tensor, Tensor | None]:
        """The examples of a step.

        Args:
            order: this epoch's permutation of the examples, int32 `[examples]`.
            step: number of the step since the start of the training, int64 scalar.

        Returns:
            Indices `[batch]`, and for each whether it counts, bool `[batch]`; None if all do.
        """

    @abstractmethod
    def update(
        self, objective: Objective, penalty: Callable[[], Tensor] | None, present: Tensor | None
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """One step.

        Args:
            objective: gives losses `[batch]` and logits `[batch, classes]`; called once.
            penalty: gives a scalar to be added to the mean loss, or None.
            present: which examples count, from `batch`.

        Returns:
            The mean loss, penalty included; the logits; and the gradients that the optimizer
            applied, one for each trainable variable of the network, in its order.
        """

    def resume(self, kept: JSON, step: int, repeats: bool) -> None:
        """Called once before the first step of this process.

        Args:
            kept: the last value of `announce`, or None at the very start.
            step: number of the step that comes next.
            repeats: whether steps that an earlier process may have taken after `step` come out the
                same, bit for bit; False also if `kept` should exist and was lost.
        """

    def at_most(self) -> JSON:
        """The value of `announce` before the last step: all that this process may release."""
        return None

    def announce(self, step: int) -> JSON:
        """The value that a checkpoint keeps before the steps up to `step` (exclusive) are taken."""
        return None


@dataclass(frozen=True, kw_only=True)
class Gradients(Spec, ABC):
    """The `gradients` slot: how batches are drawn, and how losses become an update.

    Attributes:
        noisy: the update has noise that grows with the learning rate.
    """

    noisy: ClassVar[bool] = False

    @abstractmethod
    def start(self, network: keras.Model, run: Run, examples: int, *, xla: bool) -> Updater:
        """The updater of one training on `examples` training examples.

        Raises:
            BadInput: it cannot work with this network, schedule or number of examples.
        """

    def check(
        self, inputs: Inputs | None, penalty: Penalty | None, weights: Weights | None
    ) -> None:
        """Raises `BadInput` where it cannot be combined with the other slots."""


@dataclass(frozen=True, kw_only=True)
class Weights(Spec):
    """The `weights` slot: noise or a constraint on the network itself.

    Variables of its own belong to the network that `rebuild` returns, for example as weights of a
    layer: then they are stored, checkpointed and resumed with it. A layer that draws takes the key
    of the draw from `layers.drawing`, which the loop sets anew at each step.
    """

    def rebuild(self, network: keras.Model) -> keras.Model:
        """The network that is trained, stored and measured instead of `network`.

        It does not get the run: what depends on the schedule is set by `callbacks`.
        """
        return network

    @property
    def validation(self) -> float:
        """Share of the training examples, in [0, 1), that is held out of the training.

        Their accuracy is `val_held_out_accuracy` in the logs that `callbacks` get at the end of an
        epoch. Measures of a trained network still count all training examples.
        """
        return 0.0

    def settings(self, network: keras.Model) -> list[tf.Variable]:
        """Variables with settings or a schedule's position of this member.

        A training that starts from the weights of another one has its own values of them.

        Args:
            network: the network that `rebuild` returned.
        """
        return []

    def during_pass(self, network: keras.Model, seed: Tensor) -> AbstractContextManager[None]:
        """A block in which the compiled step calls the objective, and another for the penalty.

        It is for changes that leave no trace in the network: a value in the place of a weight, for
        instance. The gradient passes through what is computed from a weight in the block.

        Args:
            network: the network that `rebuild` returned.
            seed: the pair of `before_step`.
        """
        return nullcontext()

    def before_step(self, network: keras.Model, seed: Tensor) -> None:
        """Called in the compiled step before the forward pass.

        Noise that it adds to weights stays in them. To undo it, `after_step` needs a copy of the
        weights in variables of the network: (w + n) - n is not w in floating point.

        Args:
            network: the network that `rebuild` returned.
            seed: int64 pair `[key, step]`; `seed[1]` is the number of the step, from 0.
        """

    def after_step(self, network: keras.Model, gradients: list[Tensor], seed: Tensor) -> None:
        """Called in the compiled step after the update.

        Args:
            network: the network that `rebuild` returned, updated.
            gradients: the applied gradients, one for each trainable variable.
            seed: the same pair as before the step.
        """

    def callbacks(self, network: keras.Model, run: Run) -> list[keras.callbacks.Callback]:
        """Keras callbacks for `fit`, such as a schedule of the noise.

        An epoch of `fit` is a log interval, `Schedule.epochs_per_interval` epochs of the run; a
        batch of `fit` is many steps. A resumed training calls them again from the last checkpoint
        on: everything they change must follow from the epoch's number, or be kept in variables of
        the network.
        """
        return []


@dataclass(frozen=True, kw_only=True)
class Augmentation(Spec, ABC):
    """Changes the examples of a batch before anything else uses them."""

    @abstractmethod
    def augment(self, x: Tensor, seed: Tensor) -> Tensor:
        """The images `[batch, height, width, channels]`, each changed by itself."""


@dataclass(frozen=True, kw_only=True)
class Procedure(Spec, ABC):
    """Makes a run's network: one training, or several that build on each other."""

    @property
    def noisy(self) -> bool:
        """Whether gradients of a training in it have noise that grows with the learning rate."""
        values = [getattr(self, f.name) for f in dataclasses.fields(self)]
        return any(value.noisy for value in values if isinstance(value, Procedure))

    @property
    def beginning(self) -> Procedure:
        """What it begins with: one process does that once for the runs that have it in common."""
        return self

    def origin(self, run: Run) -> Run | None:
        """Another run, whose trained network `train` gets to start from where it is stored."""
        return None

    def scaled_schedule(self, schedule: Schedule, preset: Preset) -> Schedule:
        """Fewer epochs; a larger rate where the gradients have no noise."""
        schedule = schedule.scaled(preset)
        if self.noisy or preset.rate == 1:
            return schedule
        return dataclasses.replace(schedule, learning_rate=preset.rate * schedule.learning_rate)

    @abstractmethod
    def build(self, run: Run) -> keras.Model:
        """The untrained network of a run, as `train` returns it: stored weights are put in it."""

    @abstractmethod
    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        """The trained network of a run.

        Args:
            run: its architecture, schedule and seed are used.
            data: the training and test examples.
            checkpointing: where to keep partial work and logs; with it, an interrupted training
                resumes and ends with the same weights, bit for bit, on the same CPU with the same
                number of threads. `checkpointing.part(name)` is for one training of several.
            network: start from the weights of this network, as `build` returned it, or from the
                trained network of `origin`; None builds a new one.

        Raises:
            RunFailed: the loss is no longer finite.
            BadInput: the data do not fit the architecture.
        """


@dataclass(frozen=True, kw_only=True)
class Run(Spec):
    """One trained network: its architecture, data, training, schedule and seed.

    Args:
        architecture, data, training, schedule: the parts.
        train_examples, test_examples: use a fixed random subset of this size; None uses all.
        seed: an integer >= 0.
    """

    architecture: Architecture
    data: DataSet
    training: Procedure
    schedule: Schedule
    train_examples: int | None = None
    test_examples: int | None = None
    seed: int = 0

    limits = (("train_examples", "train_examples"), ("test_examples", "test_examples"))

    def __post_init__(self) -> None:
        instance(Architecture, "an architecture", architecture=self.architecture)
        instance(DataSet, "a data set", data=self.data)
        instance(Procedure, "a training or another procedure", training=self.training)
        instance(Schedule, "a schedule", schedule=self.schedule)
        count(optional=True, train_examples=self.train_examples, test_examples=self.test_examples)
        count(least=0, seed=self.seed)

    @property
    def slug(self) -> str:
        size = f"-{self.train_examples}x" if self.train_examples else "-"
        return (
            f"{self.data.slug}-{self.architecture.slug}-{self.training.slug}"
            f"{size}{self.schedule.epochs}e-s{self.seed}"
        )

    def first_epoch(self, training: Procedure) -> Run:
        """The first epoch by this procedure, which runs with other numbers of epochs may share."""
        return dataclasses.replace(
            self, training=training, schedule=dataclasses.replace(self.schedule, epochs=1)
        )

    def scaled(self, preset: Preset) -> Run:
        """Fewer epochs and examples; see `Procedure.scaled_schedule`."""
        schedule = self.training.scaled_schedule(self.schedule, preset)
        return super().scaled(preset).changed(schedule=schedule)

    def others(self, measures: Iterable[Measure]) -> tuple[Run, ...]:
        """The other runs that its training and these measures need, each once."""
        origin = self.training.origin(self)
        found = [origin] if origin else []
        return tuple(dict.fromkeys([*found, *(o for one in measures for o in one.others(self))]))

    def examples(self) -> int | None:
        """Training examples, or None if only the data set itself shows their number.

        With those that the `weights` slot holds out.
        """
        size = self.data.train_size
        if size is None or self.train_examples is None:
            return self.train_examples if size is None else size
        return min(size, self.train_examples)

    def steps(self) -> int | None:
        """Steps of the whole training, or None if only the data set itself shows their number.

        With examples held out by the `weights` slot, there are fewer.
        """
        examples = self.examples()
        if examples is None:
            return None
        return self.schedule.epochs * self.schedule.steps_per_epoch(examples)


@dataclass(frozen=True, kw_only=True)
class MeasureInput:
    """The input of a measure.

    Attributes:
        network: the trained `keras.Model`, giving logits; measures leave it bit-identical.
        data: the arrays that it was trained and is tested on.
        run: the run that it comes from; of a network without one, None (`Measure.needs_run`).
        checkpointing: progress, and partial results: after a kill, `load` returns the last `save`
            to the next process.
        record: the content of the run's spec.json.
        others: the trained networks of the runs that the measure's `others(run)` names, by run.
            Measures leave them bit-identical too.
    """

    network: keras.Model
    data: Data
    run: Run | None
    checkpointing: Checkpointing
    record: dict[str, JSON] = field(default_factory=dict)
    others: Mapping[Run, keras.Model] = field(default_factory=dict)

    @property
    def epochs(self) -> Any:
        """The epochs of the entries of the record's history, `[entries]`.

        A training that goes on from the network of another run counts on from there.
        """
        entries = np.arange(1.0, len(self.record.get("history") or []) + 1)
        origin = self.run.training.origin(self.run) if self.run else None
        before = origin.schedule.epochs if origin else 0
        return before + self.record.get("epochs_per_entry", 1) * entries


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The result of a measure. Names are lower case letters, digits and _.

    Attributes:
        scalars: finite numbers by name.
        arrays: numbers (NaN too) of any shape by name.
        info: JSON by name, such as the names of layers. `measure` is reserved.
    """

    scalars: dict[str, float]
    arrays: dict[str, Any] = field(default_factory=dict)
    info: dict[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, values in dataclasses.asdict(self).items():
            expect(
                all(map(is_name, values)),
                f"{kind} named in lower case letters, digits and _",
                names=list(values),
            )
        expect("measure" not in self.info, "info without `measure`", names=list(self.info))
        expect(is_json(self.info), "info to be JSON with finite numbers", info=self.info)


@dataclass(frozen=True, kw_only=True)
class Measure(Spec, ABC):
    """A measurement of a trained network; results are stored by run and measure."""

    @property
    def needs_run(self) -> bool:
        """Whether it reads the run, its record or other runs: a network alone is not enough."""
        return False

    @property
    def needs_training_data(self) -> bool:
        """Whether it reads the training examples."""
        return False

    @abstractmethod
    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Measures the network, and leaves it bit-identical."""

    def others(self, run: Run) -> tuple[Run, ...]:
        """Other runs whose trained networks it needs to measure this one."""
        return ()

    def red_flags(self, info: dict[str, JSON]) -> Sequence[str]:
        """Sentences about a stored measurement that every form of the report has to show."""
        return info.get("red_flags", ())


@dataclass(frozen=True, kw_only=True)
class Figure(Spec):
    """A figure of a table: a description, which `report/` draws.

    Args:
        name: ends the names of the figure's files; lower case letters, digits and _.
        title: what the figure shows.

    Attributes:
        module: file of `report/figures/` that shows the kind, if not its name in snake case.
    """

    module: ClassVar[str] = ""

    name: str
    title: str

    def __post_init__(self) -> None:
        expect(
            isinstance(self.name, str) and re.fullmatch("[a-z0-9_]+", self.name) is not None,
            "a figure named in lower case letters, digits and _",
            name=self.name,
        )

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The measures whose arrays are shown."""
        return ()

    def check(self, rows: Sequence[str], columns: Mapping[str, str]) -> None:
        """Raises `BadInput` unless the figure fits a table.

        Args:
            rows: names of the rows.
            columns: unit of each column by its name.
        """


def is_json(value: object) -> bool:
    """Whether a value comes back as it is when it is written as JSON: no tuple, no NumPy number."""
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and all(map(is_json, value.values()))
    if isinstance(value, list):
        return all(map(is_json, value))
    return (
        value is None
        or type(value) in (str, bool)
        or (type(value) in (int, float) and is_number(value))
    )
