"""A measure that takes long, keeps what it has found, and finds arrays; a table with its pictures.

FAKE_HOLD (`sweep <slug> 2`) stands still after that part, to be killed.
"""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ftnoise.core.experiment import Experiment
from ftnoise.core.figures import HeatMap, Pairs, Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.spec import spec_id
from tests import fake

RATES = np.array([0.0, 0.1, 0.2, 0.4])
DRAWS = 6
LABELS = ["dense", "output"]


@dataclass(frozen=True, kw_only=True)
class Sweep(Measure):
    """What is left of the weights at each rate: a part of the work each."""

    def evaluate(self, trained: MeasureInput) -> Measurement:
        (kernel,) = trained.network.weights
        weight = float(np.abs(kernel.numpy()).mean())
        kept = trained.checkpointing.load()
        values, state = (
            (kept[0]["values"], kept[1]) if kept else (np.zeros((0, DRAWS)), {"done": 0})
        )
        fake.note("sweep", trained.run.slug, "from", state["done"])
        for part in range(state["done"], len(RATES)):
            draws = np.random.default_rng(part).random(DRAWS)
            values = np.concatenate([values, [100 * (1 - RATES[part] * draws) * weight]])
            trained.checkpointing.save({"values": values}, {"done": part + 1})
            trained.checkpointing.progress(part + 1, len(RATES), f"rate {part + 1}")
            fake.note("part", trained.run.slug, part + 1)
            if os.environ.get("FAKE_HOLD") == f"sweep {trained.run.slug} {part + 1}":
                time.sleep(60)
        mean, spread = values.mean(axis=1), values.std(axis=1)
        return Measurement(
            scalars={"least": float(values.min())},
            arrays={
                "rates": RATES,
                "mean": mean,
                "low": mean - spread,
                "high": mean + spread,
                "worst": values.min(axis=1),
                "by_layer": np.stack([mean, mean - 1]),
                "values": values,
            },
            info={"layers": LABELS},
        )


SWEEP = Sweep()
ID = spec_id(SWEEP)
SHARED: dict[str, Any] = {"measure": SWEEP, "x": "rates", "x_title": "Rate"}
SERIES = Series(
    name="against_rate",
    title="Value against rate",
    y="mean",
    low="low",
    high="high",
    band="one standard deviation over draws",
    y_title="Value",
    y_unit="%",
    table=("worst",),
    **SHARED,
)
HEAT_MAP = HeatMap(
    name="layers",
    title="Value by layer",
    values="by_layer",
    labels="layers",
    value_title="Value",
    **SHARED,
)
PAIRS = Pairs(
    name="compared",
    title="Values compared",
    values="values",
    value_title="Value",
    value_unit="points",
    **SHARED,
)
# None of the columns asks for the sweep.
TABLE = dataclasses.replace(fake.TABLE, figures=(SERIES, HEAT_MAP, PAIRS))


def without_pictures() -> Experiment:
    """The table that does not show arrays."""
    return dataclasses.replace(TABLE, figures=())
