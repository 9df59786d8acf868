"""A measure that needs another run, and a table with it.

The other is the natural training with the next seed; FAKE_FAILS lets it fail like any other.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement, Procedure, Run
from tests import fake


@dataclass(frozen=True, kw_only=True)
class Against(Measure):
    """How far the weights are from those of another run."""

    other: Procedure = dataclasses.field(default_factory=lambda: fake.Pretended(name="natural"))

    def others(self, run: Run) -> tuple[Run, ...]:
        return (replace(run, training=self.other, seed=run.seed + 1),)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        fake.note("against", trained.run.slug, len(trained.others))
        (other,) = self.others(trained.run)
        here, there = (
            network.weights[0].numpy() for network in (trained.network, trained.others[other])
        )
        assert trained.others[other] is trained.others[other]
        return Measurement(
            scalars={"distance": float(abs(here - there).sum())},
            info={"red_flags": ["far away"] if abs(here - there).sum() > 0 else []},
        )

    def red_flags(self, info: dict[str, Any]) -> list[str]:
        return info["red_flags"]


def table(*, rows: tuple[Any, ...] = fake.TABLE.rows, other: str = "natural") -> Any:
    """The fake table, its measure that needs another run first."""
    measure = Against(other=fake.Pretended(name=other))
    column = Column(name="distance", measure=measure, title="Distance")
    return replace(
        fake.TABLE,
        rows=tuple(replace(row, paper={}) for row in rows),
        columns=(column, *fake.TABLE.columns),
        figures=(),
    )
