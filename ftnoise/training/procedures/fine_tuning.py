"""Fine-tuning: a second training goes on from the network of a first one.

Source: Jeddi et al. (2020), "A Simple Fine-tuning Is All You Need: Towards Robust Deep Learning Via
Adversarial Fine-tuning", where a natural training comes first and a short adversarial one second.

Deviations
1. Their learning rate rises and falls within the second training; here both trainings have a
   schedule of the user's choice. The optimizer's momentum starts anew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect, instance
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Procedure, Run
from ftnoise.core.lazy import keras
from ftnoise.core.preset import Preset
from ftnoise.core.schedule import Schedule
from ftnoise.training import Training


@dataclass(frozen=True, kw_only=True)
class FineTuning(Procedure):
    """Two trainings in turn; the run's schedule is that of the second.

    The network of the first is that of a run of its own, which is trained once for all runs that
    start from it. Private gradients are refused: a guarantee for the second training does not
    cover the examples of the first.

    Args:
        training: the second training.
        first: the first training.
        first_schedule: its schedule.
    """

    training: Training
    first: Training
    first_schedule: Schedule

    def __post_init__(self) -> None:
        instance(Training, "a Training", training=self.training, first=self.first)
        instance(Schedule, "a Schedule", first_schedule=self.first_schedule)
        for name, part in (("training", self.training), ("first", self.first)):
            expect(not part.noisy, f"{name} without private gradients", gradients=part.gradients)

    @property
    def slug(self) -> str:
        return f"{self.first.slug}_then_{self.training.slug}"

    def scaled(self, preset: Preset) -> FineTuning:
        """Both trainings' smaller selves, and the first one's schedule as of a run of its own."""
        return dataclasses.replace(
            self,
            training=self.training.scaled(preset),
            first=self.first.scaled(preset),
            first_schedule=self.first.scaled_schedule(self.first_schedule, preset),
        )

    def origin(self, run: Run) -> Run:
        return dataclasses.replace(run, training=self.first, schedule=self.first_schedule)

    def build(self, run: Run) -> keras.Model:
        return self.training.build(run)

    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        """See `Procedure.train`; with `network`, that of the first training, only the second."""
        if network is None:
            part = checkpointing.part("first") if checkpointing else None
            network = self.first.train(self.origin(run), data, part)
        return self.training.train(run, data, checkpointing, network)
