"""Spread of the parameters around their mean; the paper interprets a wide spread as an uneven load.

Source: section 4.3 and equation (10) of the paper.

Deviations
1. Equation (10) is printed without a square: sqrt(sum |theta - mean| / N). It is reported as
   printed, next to the standard deviation that its text names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement

if TYPE_CHECKING:
    import keras
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class ParameterSpread(Measure):
    """Spread over all trainable parameters together, kernels and biases.

    Scalars: `parameter_std` (population standard deviation), `parameter_spread_eq10`
    (equation (10) as printed), `parameter_count`.
    """

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Both spreads, computed in double precision."""
        return Measurement(scalars=spreads(parameters(trained.network)))


COLUMNS = (
    Column(
        name="parameter_std",
        measure=ParameterSpread(),
        title="Standard deviation of the parameters",
        digits=4,
    ),
    Column(
        name="parameter_spread_eq10",
        measure=ParameterSpread(),
        title="Spread of the parameters by equation (10)",
        digits=4,
    ),
)


def parameters(network: keras.Model) -> np.ndarray:
    """All trainable parameters of a network, float64 `[n]`."""
    import numpy as np

    parts = [variable.numpy().ravel() for variable in network.trainable_variables]
    return np.concatenate(parts).astype(np.float64)


def spreads(theta: np.ndarray) -> dict[str, float]:
    """The scalars of `ParameterSpread` for parameters `[n]` (float64)."""
    import numpy as np

    centered = theta - theta.mean()
    return {
        "parameter_std": float(np.sqrt(np.mean(np.square(centered)))),
        "parameter_spread_eq10": float(np.sqrt(np.mean(np.abs(centered)))),
        "parameter_count": float(theta.size),
    }
