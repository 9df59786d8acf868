"""Standard deviations of random weights against the epoch, as they were logged in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ftnoise.core.figures import HeatMap
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np

LOGGED = "std "  # and the name of a layer


@dataclass(frozen=True, kw_only=True)
class NoiseHistory(Measure):
    """The mean standard deviation of each layer's parameters, epoch by epoch; nothing is evaluated.

    Scalars: `last_std`, the mean over layers at the end; missing for a training that logs none.
    Arrays: `epochs`, and `std` `[layers, epochs]`. Info: `layers`, their names.
    """

    needs_run: ClassVar[bool] = True

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Reads the run's record."""
        history = trained.record.get("history") or []
        names = [name for name in (history[-1] if history else {}) if name.startswith(LOGGED)]
        if not names:
            return Measurement(scalars={})
        std = np.array([[logs[name] for logs in history] for name in names])
        return Measurement(
            scalars={"last_std": float(std[:, -1].mean())},
            arrays={"epochs": trained.epochs, "std": std},
            info={"layers": [name.removeprefix(LOGGED) for name in names]},
        )


PICTURE = HeatMap(
    name="std",
    title="Mean standard deviation of each layer's parameters against the epoch",
    measure=NoiseHistory(),
    x="epochs",
    x_title="Epoch",
    values="std",
    labels="layers",
    value_title="Standard deviation",
    digits=2,
)
