"""A procedure of three trainings, each of which starts from the network of the one before."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Data
from ftnoise.core.experiment import Row
from ftnoise.core.interfaces import Procedure, Run
from tests import fake

PARTS = ("round-1", "round-2", "round-3")


@dataclass(frozen=True, kw_only=True)
class InParts(Procedure):
    """Three rounds, noted as trainings of the run."""

    def build(self, run: Run) -> fake.Network:
        return run.architecture.build()

    def train(
        self, run: Run, data: Data, checkpointing: Any = None, network: Any = None
    ) -> fake.Network:
        checkpointing = checkpointing or Checkpointing()
        for name in PARTS:
            training = fake.Pretended(name=name)
            network = training.train(run, data, checkpointing.part(name), network)
        return network


RUN = dataclasses.replace(fake.TABLE.rows[0].run, training=InParts())
TABLE = dataclasses.replace(fake.TABLE, rows=(Row(name="in parts", run=RUN),))
