"""Members of several slots at once: one step is what they say together, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.pgd import PGD
from ftnoise.core import seeds
from ftnoise.training import Training
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import natural_objective
from ftnoise.training.penalties import L2, Jacobian

RATE = 0.1
INPUTS = {
    "natural": None,
    "additive": GaussianNoise(sigma=0.3),
    "multiplicative": GaussianNoise(sigma=0.3, multiplicative=True),
    "adversarial": AdversarialTraining(attack=PGD(attack_epsilon=0.2, steps=2)),
    "trades": TRADES(attack_epsilon=0.2, steps=2),
}
PENALTIES = {"l2": L2(weight=0.1), "jacobian": Jacobian(sigma=0.5)}


def noisy(inputs, network, x, y, seed):
    """The examples that a member makes of clean ones."""
    if isinstance(inputs, GaussianNoise):
        return inputs.perturb(x, seed)
    if isinstance(inputs, TRADES):
        return inputs.perturb(network, x, seed)
    return inputs.attack.perturb(network, x, y, seed)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("inputs", INPUTS.values(), ids=INPUTS)
def test_a_step_is_that_of_the_objective_and_the_penalty(inputs, penalty, run_of, images, memory):
    # One epoch of one step: the loss is that of the initial network, the update follows it.
    data, checkpointing = images(), memory()
    run = run_of(
        Training(inputs=inputs, penalty=penalty),
        epochs=1,
        batch_size=64,
        momentum=0.0,
        learning_rate=RATE,
    )
    network = run.training.train(run, data, checkpointing)

    seeds.fix_initialization(0)
    start = run.architecture.build()
    x, y = tf.constant(data.x_train), tf.constant(data.y_train, tf.int32)
    key = seeds.at_step(seeds.key(0, "inputs"), 0)
    objective = inputs.objective if inputs else natural_objective
    with tf.GradientTape(persistent=True) as tape:
        mean = tf.reduce_mean(objective(start, x, y, key)[0])
        extra = penalty.value(start, x)
        loss = mean + extra
    assert float(extra) > 0.01
    assert checkpointing.history[0]["loss"] == pytest.approx(float(loss), rel=1e-5)

    known, without = (
        [
            before - RATE * slope
            for before, slope in zip(
                start.get_weights(), tape.gradient(what, start.trainable_variables), strict=True
            )
        ]
        for what in (loss, mean)
    )
    for after, expected in zip(network.get_weights(), known, strict=True):
        np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-6)
    gap = max(np.abs(one - other).max() for one, other in zip(known, without, strict=True))
    assert gap > 1e-3

    if inputs and penalty.looks_at_data:
        # It looks at the clean examples, not at those of the loss.
        elsewhere = penalty.value(start, noisy(inputs, start, x, y, key))
        assert float(elsewhere) != pytest.approx(float(extra), rel=1e-3)
