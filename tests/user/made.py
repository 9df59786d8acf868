"""Parts of a campaign for tests: a small model that is right on all of its examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ftnoise.faults.outcomes import OUTCOMES, Outcomes, TrialResults
from ftnoise.faults.rates import Share
from ftnoise.user.result import InjectionResult
from ftnoise.user.settings import CampaignSettings

FAULT = "weights:stuck_at_zero:0.5"


def model(activation: str = "relu", units: int = 8, name: str = "own") -> Any:
    import keras

    ones = [keras.initializers.GlorotUniform(seed=seed) for seed in (1, 2)]
    return keras.Sequential(
        [
            keras.layers.InputLayer((5,)),
            keras.layers.Dense(units, activation=activation, kernel_initializer=ones[0]),
            keras.layers.Dense(3, kernel_initializer=ones[1]),
        ],
        name=name,
    )


def examples(network: Any, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    return x, network.predict(x, verbose=0).argmax(axis=1)


def result(
    accuracies: Sequence[Sequence[float]] = ((81, 83) * 10, (61, 63) * 10),
    rates: Sequence[Any] = (0.25, 0.5),
    *,
    golden: float = 90,
    fault: str = FAULT,
    sites: int = 40,
    faults: float | None = None,
    deviation: float = 1.25,
    not_finite: int = 0,
    **settings: Any,
) -> InjectionResult:
    """A result with these accuracies (percent, `[rates][trials]`) on 1,000 examples.

    `not_finite` outputs are not finite in each trial; SDC-5 is not defined.
    """
    asked = CampaignSettings.of(fault, list(rates), **settings)
    order = np.arange(1000)
    kept = []
    for rate, row in zip(asked.rates, accuracies, strict=True):
        share = rate.rate if isinstance(rate, Share) else 1 / sites
        hits = sites * share if faults is None else faults
        numbers = (deviation, 2, not_finite > 0, hits, 10.0 * golden)
        numbers = [np.full(len(row), value) for value in numbers]
        correct = np.stack([order < 10 * accuracy for accuracy in row])
        outcomes = np.zeros((len(row), len(OUTCOMES)))
        outcomes[:, list(OUTCOMES).index("due_rate")] = not_finite
        outcomes[:, list(OUTCOMES).index("sdc_rate")] = 10 * (golden - np.minimum(row, golden))
        outcomes[:, list(OUTCOMES).index("sdc_5_rate")] = np.nan
        kept.append(TrialResults(correct, *numbers, outcomes).to_arrays())
    outcomes = Outcomes(asked.rates, order < 10 * golden, order % 2, kept)
    return InjectionResult(
        model="own",
        settings=asked,
        sites=sites,
        checks="on 1000 examples",
        weights="0123456789abcdef",
        outcomes=outcomes,
        float32_accuracy=golden,
    )
