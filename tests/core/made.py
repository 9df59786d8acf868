"""Specs of every kind that a run is made of, without behavior."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ftnoise.core.interfaces import Architecture, DataSet, Measure, Measurement, Procedure, Run
from ftnoise.core.preset import Preset, limited
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Noise(Spec):
    scale: float = 1.0
    sizes: tuple[float, ...] = ()
    inner: Any = None


@dataclass(frozen=True, kw_only=True)
class Net(Architecture):
    units: int = 1

    def build(self):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Pixels(DataSet):
    train_size: ClassVar[int | None] = 1000

    draw: int = 0
    folder: str = field(default="here", metadata={"identity": False})

    def load(self, sources):
        raise NotImplementedError

    def digest(self, sources):
        return "d"


@dataclass(frozen=True, kw_only=True)
class Random(Pixels):
    train_size: ClassVar[int | None] = None

    def redrawn(self, number: int) -> Random:
        return dataclasses.replace(self, draw=number)


@dataclass(frozen=True, kw_only=True)
class Way(Procedure):
    steps: int = 10
    key: bool = False

    @property
    def noisy(self) -> bool:
        return self.key

    def scaled(self, preset: Preset) -> Way:
        fewer = limited(self.steps, preset.attack_steps)
        return dataclasses.replace(self, steps=fewer)

    def build(self, run):
        raise NotImplementedError

    def train(self, run, data, checkpointing=None, network=None):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Count(Measure):
    trials: int = 50

    limits = (("trials", "trials"),)

    def evaluate(self, trained):
        return Measurement(scalars={})


SCHEDULE = Schedule(epochs=100, batch_size=128, learning_rate=0.1, momentum=0.9, drops=(55, 75, 90))
RUN = Run(architecture=Net(), data=Pixels(), training=Way(), schedule=SCHEDULE)
