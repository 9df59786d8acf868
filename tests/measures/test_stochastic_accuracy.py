"""Accuracies of one pass and of many."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.layers.prediction import logits
from ftnoise.measures.stochastic_accuracy import StochasticAccuracy, columns
from tests.attacks.small import noisy, trained
from tests.measures.given import attackable, evaluate

TOGETHER = ("single_pass_accuracy", "mean_probability_accuracy", "vote_accuracy")


def test_a_deterministic_network_has_one_accuracy():
    given = attackable()
    scalars = evaluate(StochasticAccuracy(draws=3), trained(), **given).scalars
    right = logits(trained(), given["x_test"]).argmax(axis=1) == given["y_test"]
    assert [scalars[name] for name in TOGETHER] == pytest.approx([100 * right.mean()] * 3)
    assert scalars["single_pass_spread"] == 0


def test_they_are_those_of_the_draws():
    network, given = noisy(sigma=1.5), attackable()
    y, count = given["y_test"], 15
    outputs = np.stack([logits(network, given["x_test"], draw=n) for n in range(count)])
    single = 100 * (outputs.argmax(axis=2) == y).mean(axis=1)
    votes = np.stack([(outputs.argmax(axis=2) == k).sum(axis=0) for k in range(3)], axis=1)
    mean = tf.nn.softmax(outputs).numpy().mean(axis=0)
    scalars = evaluate(StochasticAccuracy(draws=count), network, **given).scalars
    assert scalars["single_pass_accuracy"] == pytest.approx(single.mean())
    assert scalars["single_pass_spread"] == pytest.approx(single.std(ddof=1))
    assert scalars["vote_accuracy"] == pytest.approx(100 * (votes.argmax(axis=1) == y).mean())
    known = 100 * (mean.argmax(axis=1) == y).mean()
    assert scalars["mean_probability_accuracy"] == pytest.approx(known, abs=0.6)
    assert scalars["vote_accuracy"] > scalars["single_pass_accuracy"] + 5


def test_columns_presets_and_bad_fields():
    measure = StochasticAccuracy()
    scalars = evaluate(StochasticAccuracy(draws=1), noisy(), **attackable(20)).scalars
    assert {column.name for column in columns(measure)} <= set(scalars)
    assert measure.scaled(PRESETS["quick"]) == StochasticAccuracy(draws=8)
    assert measure.scaled(PRESETS["paper"]) == measure
    with pytest.raises(BadInput, match="draws to be an integer >= 1"):
        StochasticAccuracy(draws=0)
