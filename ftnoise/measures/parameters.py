"""The distribution of the parameters of a network: its spread and a histogram.

Source: figure 2, section 4.3 and equation (10) of the paper, which interprets a wide spread as an
uneven load.

Deviations
1. Equation (10) is printed without a square: sqrt(sum |theta - mean| / N). It is reported as
   printed, next to the standard deviation that its text names.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import count, positive
from ftnoise.core.experiment import columns_of
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np


@dataclass(frozen=True, kw_only=True)
class ParameterSpread(Measure):
    """Spread over all trainable parameters together, kernels and biases.

    Scalars: `parameter_std` (population standard deviation), `parameter_spread_eq10`
    (equation (10) as printed), `parameter_count`.
    """

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Both spreads, computed in double precision."""
        return Measurement(scalars=spreads(parameters(trained.network)))


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


def parameters(network: keras.Model) -> np.ndarray:
    """All trainable parameters of a network but those that scale its noise, float64 `[n]`."""
    from ftnoise.layers.drawing import noise_weights

    noise = {id(variable) for variable in noise_weights(network)}
    counted = [one for one in network.trainable_variables if id(one) not in noise]
    parts = [variable.numpy().ravel() for variable in counted]
    return np.concatenate(parts).astype(np.float64)


def spreads(theta: np.ndarray) -> dict[str, float]:
    """The scalars of `ParameterSpread` for parameters `[n]` (float64)."""
    centered = theta - theta.mean()
    return {
        "parameter_std": float(np.sqrt(np.mean(np.square(centered)))),
        "parameter_spread_eq10": float(np.sqrt(np.mean(np.abs(centered)))),
        "parameter_count": float(theta.size),
    }


SPREAD_COLUMNS = columns_of(
    ParameterSpread(),
    {
        "parameter_std": ("Standard deviation of the parameters", "", 4),
        "parameter_spread_eq10": ("Spread of the parameters by equation (10)", "", 4),
    },
)
HISTOGRAM_COLUMNS = columns_of(
    ParameterHistogram(), {"parameters_beyond": "Parameters outside of the histogram"}
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
