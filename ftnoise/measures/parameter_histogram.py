"""The distribution of the parameters of a network.

Source: figure 2 of the paper; `parameter_spread.py` has the two numbers printed with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, positive
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.measures.parameter_spread import parameters


@dataclass(frozen=True, kw_only=True)
class ParameterHistogram(Measure):
    """A histogram of all trainable parameters together, kernels and biases.

    Scalars: `parameters_beyond` (percent of them that lie outside of the bins). Arrays, along the
    bins: `middles` and `density` (per unit; it integrates to the share of parameters within the
    bins).

    Args:
        bins: number of bins of equal width, >= 1.
        reach: the bins go from -reach to reach, > 0.
    """

    bins: int = 121
    reach: float = 0.3

    def __post_init__(self) -> None:
        count(bins=self.bins)
        positive(reach=self.reach)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Counts the parameters in each bin."""
        import numpy as np

        theta = parameters(trained.network)
        counts, edges = np.histogram(theta, self.bins, (-self.reach, self.reach))
        width = 2 * self.reach / self.bins
        return Measurement(
            scalars={"parameters_beyond": 100 * (1 - float(counts.sum()) / theta.size)},
            arrays={
                "middles": (edges[1:] + edges[:-1]) / 2,
                "density": counts / (theta.size * width),
            },
        )


COLUMNS = (
    Column(
        name="parameters_beyond",
        measure=ParameterHistogram(),
        title="Parameters outside of the histogram",
        unit="%",
    ),
)
PICTURE = Series(
    name="histogram",
    title="Distribution of the parameters",
    measure=ParameterHistogram(),
    x="middles",
    x_title="Parameter",
    y="density",
    y_title="Density",
    steps=True,
    logarithmic_y=True,
)
