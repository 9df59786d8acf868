"""The audit passes what is right and catches what is not."""

from __future__ import annotations

import pytest
import tensorflow as tf

from ftnoise.audit import audit
from ftnoise.core.errors import BadInput
from ftnoise.training.gradients.clipping import clipped_sum
from ftnoise.training.gradients.noise import BookkeepingSGD


class HalfTheNoise(BookkeepingSGD):
    """The standard deviation is half of the one that is stated."""

    factor = 0.5

    def __init__(self, *, noise_multiplier, **rest):
        super().__init__(noise_multiplier=self.factor * noise_multiplier, **rest)


class NoiseOverRootTwo(HalfTheNoise):
    """A variance for a standard deviation."""

    factor = 2**-0.5


class LooseClip(BookkeepingSGD):
    """Clips at twice the norm that the noise was made for."""

    factor = 2.0

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.clip *= self.factor


class SlightlyLooseClip(LooseClip):
    """Clips at five quarters of it."""

    factor = 1.25


class LayerByLayer(BookkeepingSGD):
    """Clips each layer by itself and calls it joint."""

    def _compute_gradients(self, loss, var_list, grad_loss=None, tape=None):
        self._was_dp_gradients_called = True
        gradients = tape.gradient(loss, [record.outputs for record in tape.records])
        sums = []
        for record, gradient, variable in zip(tape.records, gradients, var_list, strict=True):
            part = (record.layer, record.inputs, gradient)
            sums += clipped_sum([part], [variable], self.clip)[0]
        noised, _, _ = self.query.get_noised_result(sums, self.query.initial_global_state())
        pairs = zip(noised, var_list, strict=True)
        return [(total / self.batch_size, variable) for total, variable in pairs]


class SameNoiseAtEachStep(BookkeepingSGD):
    """The step is forgotten in the seed."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.query.step = lambda: tf.constant(0, tf.int64)


class SameNoiseInEachVariable(BookkeepingSGD):
    """Each variable draws for itself, from the same seed."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        joint = self.query.get_noised_result

        def alone(sums, state):
            return [joint([total], state)[0][0] for total in sums], state, None

        self.query.get_noised_result = alone


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_optimizer_keeps_its_claim_and_the_bound_is_close(seed):
    found = audit(seed=seed)
    assert found.claim == pytest.approx(4.377, abs=0.001)
    assert found.sound
    assert found.epsilon > 3.2
    assert found.correlation < 5


@pytest.mark.parametrize(
    "broken", [HalfTheNoise, NoiseOverRootTwo, LooseClip, SlightlyLooseClip, LayerByLayer]
)
def test_too_little_noise_is_caught(broken):
    found = audit(optimizer=broken)
    assert found.epsilon > found.claim
    assert not found.sound


@pytest.mark.parametrize("broken", [SameNoiseAtEachStep, SameNoiseInEachVariable])
def test_noise_that_is_used_twice_is_caught(broken):
    found = audit(optimizer=broken)
    assert found.correlation > 20
    assert not found.sound


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"noise_multiplier": 0}, "noise_multiplier > 0"),
        ({"steps": 1}, "steps in 2 to 1000"),
        ({"canaries": 101}, "canaries an even number in 100 to 10000"),
        ({"canaries": 10}, "canaries an even number in 100 to 10000"),
        ({"delta": 1}, "delta in (0, 1)"),
        ({"seed": -1}, "seed to be an integer >= 0"),
    ],
)
def test_bad_arguments_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        audit(**fields)
    assert message in str(failure.value)
