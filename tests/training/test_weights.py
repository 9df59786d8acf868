"""The `weights` slot, by a member that uses all of it: noise of a learned scale on the weights."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Weights
from ftnoise.layers.drawing import StochasticLayer, forward
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.gradients.plain import Adam
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.penalties import L2
from tests.members import ALL

STEPS = 19


class NoisyDense(StochasticLayer):
    """A dense layer whose kernel is multiplied by 1 + strength * exp(log_scale) * noise."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (shape[-1], self.units))
        self.bias = self.add_weight("bias", (self.units,), initializer="zeros")
        scale = keras.initializers.Constant(-2.0)
        self.log_scale = self.add_weight("log_scale", (), initializer=scale)
        # What is scheduled, counted and summed is kept with the network.
        self.strength = self.add_weight("strength", (), initializer="ones", trainable=False)
        self.steps = self.add_weight("steps", (), initializer="zeros", trainable=False)
        self.size = self.add_weight("size", (), initializer="zeros", trainable=False)

    def call(self, inputs):
        noise = tf.random.stateless_normal(self.kernel.shape, self.seed())
        scale = self.strength * tf.exp(self.log_scale)
        return inputs @ (self.kernel * (1 + scale * noise)) + self.bias


@dataclass(frozen=True, kw_only=True)
class KernelNoise(Weights):
    """Noise with a learned scale that decays, and counters that each step changes."""

    decay: float = 0.5

    def rebuild(self, network):
        layers = [
            NoisyDense(layer.units, name=f"noisy_{n}")
            if isinstance(layer, keras.layers.Dense)
            else type(layer).from_config(layer.get_config())
            for n, layer in enumerate(network.layers)
        ]
        inputs = keras.layers.InputLayer(network.input_shape[1:])
        return keras.Sequential([inputs, *layers], name=network.name)

    def noisy(self, network):
        return [layer for layer in network.layers if isinstance(layer, NoisyDense)]

    def before_step(self, network, seed):
        for layer in self.noisy(network):
            layer.steps.assign_add(1 + tf.random.stateless_uniform([], seed))

    def after_step(self, network, gradients, seed):
        shapes = [variable.shape for variable in network.trainable_variables]
        assert [gradient.shape for gradient in gradients] == shapes
        for layer in self.noisy(network):
            layer.size.assign_add(tf.linalg.global_norm(gradients))
            layer.steps.assign_sub(tf.random.stateless_uniform([], seed))

    def callbacks(self, network, run):
        def decay(epoch, logs):
            for layer in self.noisy(network):
                layer.strength.assign(self.decay**epoch)

        return [keras.callbacks.LambdaCallback(on_epoch_begin=decay)]


TRAINING = Training(weights=KernelNoise())


def noisy_layer(network):
    return network.get_layer("noisy_2")


@pytest.mark.parametrize(
    "training",
    [
        TRAINING,
        Training(
            weights=KernelNoise(),
            inputs=GaussianNoise(sigma=0.1),
            penalty=L2(weight=0.01),
            gradients=Adam(),
        ),
        *(Training(weights=spec) for spec in ALL if isinstance(spec, Weights)),
    ],
    ids=lambda training: training.slug,
)
def test_an_interrupted_training_ends_with_the_same_weights(training, run_of, memory, trained):
    run = run_of(training, momentum=0.0)
    whole = memory()
    known = trained(run, whole)
    broken = memory(after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    # Resumed, and stopped again in the third epoch, before its checkpoint.
    late = next(done for done, total, _ in whole.positions if 3 * done > 2 * total)
    broken.after_epoch, broken.at_position = None, late
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    assert len(broken.history) == 2
    broken.at_position = None
    assert trained(run, broken) == known
    assert broken.history == whole.history


def test_the_member_acts_where_its_methods_say(run_of, images, memory):
    checkpointing = memory()
    network = run_of(TRAINING).training.train(run_of(TRAINING), images(), checkpointing)
    layer = noisy_layer(network)
    # Three epochs: the callback sees their numbers, both step hooks every step and the same seed.
    assert float(layer.strength) == 0.25
    assert float(layer.steps) == pytest.approx(3 * STEPS, abs=1e-3)
    assert float(layer.size) > 1
    assert float(layer.log_scale) != -2.0
    assert len(checkpointing.load()[0]) == len(network.weights) + 1 + len(network.trainable_weights)
    rebuilt = TRAINING.build(run_of(TRAINING))
    rebuilt.set_weights(network.get_weights())
    x = images().x_test
    np.testing.assert_array_equal(forward(rebuilt, x, [1, 2]), forward(network, x, [1, 2]))
    assert (forward(network, x, [1, 3]).numpy() != forward(network, x, [1, 2]).numpy()).any()


def test_a_step_draws_by_its_key_and_the_test_pass_by_a_fixed_one(run_of, images, memory):
    data, checkpointing = images(), memory()
    training = Training(weights=KernelNoise(decay=1.0), penalty=L2(weight=0.1))
    # The rate is too small to change a weight.
    run = run_of(training, epochs=2, batch_size=37, learning_rate=1e-30, momentum=0.0)
    network = training.train(run, data, checkpointing)

    def loss(x, y, purpose, step):
        logits = forward(network, x, seeds.at_step(seeds.key(run.seed, purpose), step))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(y, tf.int32), logits)
        return float(tf.reduce_mean(losses))

    extra = float(training.penalty.value(network, None))
    for step, entry in enumerate(checkpointing.history):
        known = loss(data.x_train, data.y_train, "draw", step) + extra
        assert entry["loss"] == pytest.approx(known, rel=1e-5)
        known = loss(data.x_test, data.y_test, "test draw", 0)
        assert entry["val_loss"] == pytest.approx(known, rel=1e-5)
    first, second = checkpointing.history
    assert first["loss"] != pytest.approx(second["loss"], rel=1e-5)
    assert first["val_loss"] == second["val_loss"]


def test_compiled_by_xla_it_trains_too(run_of, images, memory):
    network = TRAINING.train(run_of(TRAINING, epochs=1), images(), memory(xla=True))
    assert float(noisy_layer(network).steps) == pytest.approx(STEPS, abs=1e-3)


def test_private_gradients_refuse_it():
    with pytest.raises(BadInput, match="`weights` to be empty"):
        Training(weights=KernelNoise(), gradients=DPSGD(noise_multiplier=1.0))
