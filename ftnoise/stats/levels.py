"""How much of the variance of an accuracy comes from training seeds, fault trials and examples.

Source: the random-effects analysis of variance of a crossed design with one observation per cell
(Searle, Casella and McCulloch (1992), "Variance Components", chapter 4): mean squares are set equal
to their expectations and solved for the components.

correct[s, t, e] is whether the network of seed s is right about example e in trial t; a trial
has the same fault sites in every network, and every example is seen in every trial. Trials times
examples are not independent: over new draws of all three levels the grand mean has the variance

  V_s/S + V_t/T + V_e/E + V_st/(S T) + V_se/(S E) + V_te/(T E) + V_r/(S T E)

so more trials do not reduce the first and the third term.

Deviations
1. Negative estimates, which occur by chance where a component is small, are set to 0. The estimates
   are unbiased before that.
2. With one seed nothing that involves seeds can be separated. It is part of what is left:
   "trial" is V_t + V_st, "example" V_e + V_se, and "residual" V_te + V_r. The variance is then that
   of this one network's mean over new trials and examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ftnoise.core.checks import expect
from ftnoise.core.lazy import np

LEVELS = ("seed", "trial", "example")
COMPONENTS: dict[str, tuple[str, ...]] = {
    "seed": ("seed",),
    "trial": ("trial",),
    "example": ("example",),
    "seed_trial": ("seed", "trial"),
    "seed_example": ("seed", "example"),
    "trial_example": ("trial", "example"),
    "residual": LEVELS,
}
ONE_SEED = {"trial": ("trial",), "example": ("example",), "residual": ("trial", "example")}
ROUNDING = 1e-12  # of a component, which is at most 1/4


@dataclass(frozen=True)
class VarianceComponents:
    """Where the variance of a mean of 0s and 1s comes from.

    Attributes:
        sizes: number of seeds, trials and examples, by the names in `LEVELS`.
        mean: the grand mean, in [0, 1].
        standard_errors: contribution of each effect in `COMPONENTS` to the standard error of the
            grand mean: the square root of its component over its number of levels. None where there
            is one seed and the component is part of another (Deviation 2).
        variance: of the grand mean over new seeds, trials and examples; the sum of the squares of
            `standard_errors`.
        enlarge: the level whose doubling lowers the variance most; None where the variance is 0.
            Never the seeds where there is one.
    """

    sizes: dict[str, int]
    mean: float
    standard_errors: dict[str, float | None]
    variance: float
    enlarge: str | None

    @property
    def standard_error(self) -> float:
        """Of the grand mean."""
        return math.sqrt(self.variance)


def variance_components(correct: np.ndarray) -> VarianceComponents:
    """The components of the variance of `correct`, and which level to enlarge.

    Args:
        correct: [seeds, trials, examples] booleans, with at least 1, 2 and 2 of them.

    Raises:
        BadInput: it has another type or shape.
    """
    array = np.asarray(correct)
    expect(
        array.dtype == np.bool_
        and array.ndim == 3
        and array.shape[0] > 0
        and min(array.shape[1:]) > 1,
        "booleans [seeds, trials, examples] of at least 1 seed, 2 trials and 2 examples",
        dtype=str(array.dtype),
        shape=array.shape,
    )
    sizes = dict(zip(LEVELS, array.shape, strict=True))
    estimates = _estimates(array)
    # Of the variance of the grand mean; doubling a level halves the parts that it is in.
    parts = {
        name: value / math.prod(sizes[level] for level in COMPONENTS[name])
        if value > ROUNDING
        else 0.0
        for name, value in estimates.items()
    }
    gains = {
        level: math.fsum(part for name, part in parts.items() if level in COMPONENTS[name])
        for level in ("example", "trial", "seed")
        if sizes[level] > 1
    }
    variance = math.fsum(parts.values())
    return VarianceComponents(
        sizes=sizes,
        mean=int(np.count_nonzero(array)) / array.size,
        standard_errors={
            name: math.sqrt(parts[name]) if name in parts else None for name in COMPONENTS
        },
        variance=variance,
        enlarge=max(gains, key=gains.__getitem__) if variance > 0 else None,
    )


def _estimates(correct: np.ndarray) -> dict[str, float]:
    """Each component that can be estimated, negative ones as they are."""
    sizes = dict(zip(LEVELS, correct.shape, strict=True))
    names = COMPONENTS if sizes["seed"] > 1 else ONE_SEED
    total = int(np.count_nonzero(correct))
    squares: dict[str, int] = {}  # sums of squares, times all cells: integers, so nothing cancels
    for name, levels in names.items():
        square = total * correct.size  # of the residual: a 1 is its own square
        if name != "residual":
            axes = tuple(axis for axis, level in enumerate(LEVELS) if level not in levels)
            sums = correct.sum(axis=axes, dtype=np.int64)
            square = int(np.square(sums).sum()) * sums.size
        coarser = sum(squares[other] for other, of in names.items() if set(of) < set(levels))
        squares[name] = square - total**2 - coarser
    # The expectation of a mean square is the sum of its own component and those of all finer
    # effects, each times the cells that share the effect; so the finest is solved first.
    estimates: dict[str, float] = {}
    for name, levels in reversed(names.items()):
        shared = {
            other: correct.size // math.prod(sizes[level] for level in COMPONENTS[other])
            for other in (name, *estimates)
        }
        finer = sum(
            estimates[other] * shared[other]
            for other in estimates
            if set(levels) < set(names[other])
        )
        freedom = math.prod(sizes[level] - 1 for level in levels)
        estimates[name] = (squares[name] / (freedom * correct.size) - finer) / shared[name]
    return estimates
