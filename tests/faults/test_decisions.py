"""The outcomes of faults, against plain loops over the outputs of each trial."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.faults.campaign import Campaign
from ftnoise.faults.compatibility import gives_probabilities
from ftnoise.faults.decisions import Decisions
from ftnoise.faults.outcomes import OUTCOMES
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import made, run

TRIALS = 6


def network(classes, last):
    keras.utils.set_random_seed(1)
    sizes = [layers.InputLayer((6,)), layers.Dense(12, activation="relu")]
    return keras.Sequential([*sizes, layers.Dense(classes, kernel_initializer="normal"), *last])


def confidences(outputs, probabilities):
    """Of each class, `[n, classes]`; two for one output."""
    if outputs.shape[1] == 1:
        one = outputs if probabilities else 1 / (1 + np.exp(-outputs))
        return np.concatenate([1 - one, one], axis=1)
    if probabilities:
        return outputs
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def classified(outputs, golden, y, probabilities):
    """The number of examples with each outcome, example by example."""
    found = dict.fromkeys(OUTCOMES, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        ours = confidences(outputs.astype(float), probabilities)
        theirs = confidences(golden.astype(float), probabilities)
    for n, label in enumerate(y):
        if not np.isfinite(outputs[n]).all():
            found["due_rate"] += 1
            continue
        now, before = ours[n].argmax(), theirs[n].argmax()
        found["sdc_1_rate"] += now != before
        found["sdc_5_rate"] += now not in np.argsort(theirs[n])[-5:]
        found["sdc_rate"] += before == label != now
        found["repaired_rate"] += before != label == now
        change = abs(ours[n, now] / theirs[n, before] - 1)
        found["sdc_10_percent_rate"] += change > 0.1
        found["sdc_20_percent_rate"] += change > 0.2
        found["masked_rate"] += (outputs[n] == golden[n]).all()
    if golden.shape[1] <= 5:
        found["sdc_5_rate"] = np.nan
    return found


FAULTS = ("weights:stuck_at_zero:0.3", "weights:bit_flip=30:n=2", "neurons:stuck_at_zero:n=2")


@pytest.mark.parametrize("text", FAULTS)
@pytest.mark.parametrize("classes", [1, 3, 10])
@pytest.mark.parametrize("probabilities", [True, False])
def test_outcomes_are_those_of_plain_loops(classes, probabilities, text):
    last = [layers.Activation("sigmoid" if classes == 1 else "softmax")] if probabilities else []
    model = network(classes, last)
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    y = np.random.default_rng(1).integers(0, max(2, classes), 50)
    campaign = Campaign(model, x, y, parse_fault(text), seed=2, examples_per_call=16)
    results = run(campaign, range(TRIALS))
    for n in range(TRIALS):
        outputs = campaign.outputs(n, campaign.fault.rate)
        expected = classified(outputs, campaign.golden, y, probabilities)
        np.testing.assert_array_equal(results.outcomes[n], list(expected.values()))
    some = dict(zip(OUTCOMES, results.outcomes.sum(axis=0), strict=True))
    silent = ("sdc_1_rate", "sdc_rate", "sdc_10_percent_rate", "repaired_rate")
    if text == FAULTS[0]:
        assert all(some[name] > 0 for name in silent)
        assert classes < 10 or some["sdc_5_rate"] > 0


def test_an_infinite_logit_may_be_right_and_is_no_silent_corruption_or_repair():
    decisions = Decisions(threshold=0.0, probabilities=False)
    golden, y = np.float32([[2, 1], [2, 1], [2, 1]]), np.array([0, 1, 0])
    outputs = np.float32([[np.inf, 1], [1, np.inf], [-np.inf, np.nan]])
    reference = [tf.constant(one) for one in decisions.reference(golden, y)]
    assert decisions.right(tf.constant(outputs), reference[1]).numpy().tolist() == [1, 1, 0]
    found = dict(
        zip(OUTCOMES, decisions.outcomes(tf.constant(outputs), reference).numpy(), strict=True)
    )
    assert found.pop("due_rate") == 3
    assert np.isnan(found.pop("sdc_5_rate"))
    assert set(found.values()) == {0}


def test_no_faults_are_masked_everywhere():
    model, x, y = made("dense")
    results = run(Campaign(model, x, y, parse_fault("weights:sign_flip:0")), range(2))
    found = dict(zip(OUTCOMES, results.outcomes.T.tolist(), strict=True))
    assert found["masked_rate"] == [40, 40]
    assert found["due_rate"] == found["sdc_20_percent_rate"] == [0, 0]


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([], False),
        ([layers.Softmax()], True),
        ([layers.Activation("softmax"), layers.Reshape((3,))], True),
        ([layers.Activation("tanh")], False),
        ([layers.Activation("hard_sigmoid")], True),
        ([layers.Dense(3, activation=layers.Softmax())], True),
    ],
)
def test_probabilities_are_known_by_the_last_activation(last, expected):
    assert gives_probabilities(network(3, last)) == expected
