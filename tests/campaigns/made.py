"""A question's parts for tests: a small model that is right about all of its examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ftnoise.campaigns.injection import Injection, Line
from ftnoise.faults.amounts import Share
from ftnoise.faults.fault import parse
from ftnoise.stats.interval import STUDENT

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


def line(**changes: Any) -> Line:
    given: dict[str, Any] = {
        "amount": "50 %",
        "share": 0.5,
        "faults": 20.0,
        "masks": 100,
        "accuracy": 80.0,
        "spread": 5.0,
        "low": 79.0,
        "high": 81.0,
        "free_low": 75.0,
        "free_high": 85.0,
        "method": STUDENT,
        "silent_corruptions": 12.5,
        "distance_mean": 1.25,
        "distance_max": 3.5,
        "not_finite": 0.0,
        "class_accuracies": (80.0, None),
        "unclear": False,
        "mask_error": 0.5,
        "example_error": 1.25,
        "enlarge": "examples",
    }
    return Line(**given | changes)


def injection(**changes: Any) -> Injection:
    given: dict[str, Any] = {
        "model": "own",
        "fault": parse(FAULT),
        "places": 40,
        "images": 1000,
        "seed": 0,
        "confidence": 0.95,
        "golden_accuracy": 90.0,
        "amounts": (Share(rate=0.25), Share(rate=0.5)),
        "lines": (line(amount="25 %", share=0.25, faults=10.0), line()),
        "summaries": {
            "area_under_curve": 84.5,
            "rate_1_point_lost": 2.5,
            "rate_5_points_lost": None,
            "largest_rate_surely_under_1_point_lost": None,
            "largest_rate_surely_under_5_points_lost": 25.0,
        },
        "gates": "all is well",
        "digest": "0123456789abcdef",
    }
    return Injection(**given | changes)
