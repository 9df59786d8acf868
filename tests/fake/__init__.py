"""A table that is trained in milliseconds, without TensorFlow, for tests of what stands around.

What happens is steered and told by environment variables, so that it works across processes:
FAKE_LOG is a file that gets a line for each training, epoch and measure; FAKE_PAUSE are seconds
an epoch; FAKE_HOLD (`<slug> 2`) stands still after that epoch, to be killed; FAKE_FAILS
(`noisy=crash`) lets the training of that name fail in that way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import ftnoise.experiments
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Data
from ftnoise.core.errors import RunFailed
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import Curves
from ftnoise.core.interfaces import Architecture, DataSet, Measure, Measurement, Procedure, Run
from ftnoise.core.schedule import Schedule
from ftnoise.engine import resuming, runner
from ftnoise.report.figures import canvas

EXPERIMENTS = Path(__file__).with_name("experiments")
ENVIRONMENT = {
    "python": "3.11",
    "tensorflow": "2.15.1",
    "processor": "abacus",
    "threads": 2,
    "gpus": [],
}
SCHEDULE = Schedule(epochs=4, batch_size=10, learning_rate=0.1)


def note(*words: object) -> None:
    """A line for the test."""
    if "FAKE_LOG" in os.environ:
        with open(os.environ["FAKE_LOG"], "a") as log:
            log.write(" ".join(map(str, words)) + "\n")


@dataclass(frozen=True, kw_only=True)
class Dots(DataSet):
    """50 examples; `content` says which, and is known by the digest alone."""

    train_size: ClassVar[int | None] = 40

    content: int = field(default=0, metadata={"identity": False})

    def digest(self, sources: Any) -> str:
        return hashlib.sha256(f"dots {self.content}".encode()).hexdigest()

    def load(self, sources: Any) -> Data:
        x = np.random.default_rng(self.content).random((50, 3), np.float32)
        y = np.arange(50) % 2
        digest = self.digest(sources)
        return Data(x[:40], y[:40], x[40:], y[40:], classes=2, digest=digest, source="memory")


@dataclass(frozen=True, kw_only=True)
class OtherDots(Dots):
    """A second data set."""


class Variable:
    """What one needs of a `tf.Variable`."""

    def __init__(self, name: str, value: np.ndarray) -> None:
        self.name, self.value, self.shape = name, value, value.shape

    def numpy(self) -> np.ndarray:
        return self.value


class Network:
    """What one needs of a `keras.Model`."""

    def __init__(self, units: int) -> None:
        self.weights = [Variable("kernel:0", np.zeros((3, units), np.float32))]

    def set_weights(self, values: list[np.ndarray]) -> None:
        for variable, value in zip(self.weights, values, strict=True):
            variable.value = np.array(value)


@dataclass(frozen=True, kw_only=True)
class Units(Architecture):
    """An architecture."""

    units: int = 2

    @property
    def slug(self) -> str:
        return f"units{self.units}"

    def build(self) -> Network:
        return Network(self.units)


@dataclass(frozen=True, kw_only=True)
class Pretended(Procedure):
    """A training whose weights depend on seed, data and every epoch, with a checkpoint each."""

    name: str

    @property
    def slug(self) -> str:
        return self.name

    def build(self, run: Run) -> Network:
        return run.architecture.build()

    def train(
        self, run: Run, data: Data, checkpointing: Any = None, network: Any = None
    ) -> Network:
        checkpointing = checkpointing or Checkpointing()
        network = network or self.build(run)
        (kernel,) = network.weights
        value, state = kernel.value, {"history": [], "seconds": 0.0}
        if (kept := checkpointing.load()) is not None:
            value, state = kept[0]["kernel"], kept[1]
        done = len(state["history"])
        note("train", run.slug, "from", done)
        for epoch in range(done, run.schedule.epochs):
            time.sleep(float(os.environ.get("FAKE_PAUSE", "0")))
            fail(self.name)
            noise = np.random.default_rng([run.seed, epoch, len(self.name)]).normal(
                size=value.shape
            )
            value = (value / 2 + noise + data.x_train.mean()).astype(np.float32)
            history = [*state["history"], {"loss": float(np.abs(value).sum())}]
            state = {"history": history, "seconds": epoch + 1.0}
            checkpointing.save({"kernel": value}, state)
            checkpointing.progress(epoch + 1, run.schedule.epochs, f"epoch {epoch + 1}")
            note("epoch", run.slug, epoch + 1)
            if os.environ.get("FAKE_HOLD") == f"{run.slug} {epoch + 1}":
                note("hold", os.getpid())
                time.sleep(60)
        if os.environ.get("FAKE_FAILS") == f"{self.name}=nan":
            value = value * np.nan
        network.set_weights([value])
        return network


def fail(name: str) -> None:
    """Fails as FAKE_FAILS asks."""
    how = os.environ.get("FAKE_FAILS", "").removeprefix(f"{name}=")
    if how == "run":
        raise RunFailed("The loss is no longer finite.")
    if how == "memory":
        raise MemoryError("cannot allocate 2 GB")
    if how == "crash":
        raise ZeroDivisionError("first line\nsecond line")


@dataclass(frozen=True, kw_only=True)
class Total(Measure):
    """A measure: the sum of all weights, and how many examples there were."""

    factor: float = 1.0

    def evaluate(self, trained: Any) -> Measurement:
        note("measure", self.slug, trained.run.slug)
        values = np.concatenate([w.numpy().ravel() for w in trained.network.weights])
        total = self.factor * float(values.astype(np.float64).sum())
        examples = float(len(trained.data.y_train))
        return Measurement(
            scalars={"total": total, "examples": examples}, arrays={"values": values}
        )


def row(name: str, training: str, **changes: Any) -> Row:
    """A row of the table."""
    run = Run(
        architecture=Units(), data=Dots(), training=Pretended(name=training), schedule=SCHEDULE
    )
    return Row(name=name, run=dataclasses.replace(run, **changes), paper={"total": 1.5})


def column(factor: float = 1.0) -> Column:
    """A column of the table."""
    return Column(name="total", measure=Total(factor=factor), title="Total")


TABLE = Experiment(
    name="tiny",
    title="A table for tests",
    source="Nobody",
    rows=(
        row("small natural", "natural"),
        row("small noisy", "noisy"),
        row("large natural", "natural", architecture=Units(units=9)),
    ),
    columns=(column(),),
    notes=("A note of the table.",),
    figures=(Curves(name="curve", title="A line", x="total", panels=(("total",),)),),
)


def install(put: Any = setattr) -> None:
    """Makes `tiny` the only experiment of the command line, without what takes time.

    Args:
        put: `setattr` or alike.
    """
    put(ftnoise.experiments, "__path__", [str(EXPERIMENTS)])
    put(resuming, "environment", lambda: dict(ENVIRONMENT))
    put(runner.gc, "collect", lambda: 0)
    put(runner, "stored_network", runner._rebuilt)
    put(os, "fsync", lambda file: None)
    pictures = {"png": b"a picture", "pdf": b"the same"}
    put(canvas, "rendered", lambda draw, title: dict(pictures))
