"""The clipped sum on the paper's networks against tensorflow-privacy's two ways to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_privacy import DPKerasSGDOptimizer, DPSequential

from ftnoise.architectures import FmnistCNN1, FmnistDNN
from tests.training.gradients.test_clipping import assert_same, batch, cross_entropy, fast

EXAMPLES = 8


class Kept(tf.keras.optimizers.legacy.SGD):
    """Keeps the gradients that it is given; a movement of the weights would round them."""

    def __init__(self, variables):
        super().__init__()
        self.given = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def apply_gradients(self, grads_and_vars, **options):
        for place, (gradient, _) in zip(self.given, grads_and_vars, strict=True):
            place.assign(gradient)


def of_the_optimizer(network, x, y, clip):
    optimizer = DPKerasSGDOptimizer(l2_norm_clip=clip, noise_multiplier=0.0, learning_rate=1.0)
    variables = network.trainable_variables

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            losses = cross_entropy(network, x, y)
        return [
            gradient for gradient, _ in optimizer._compute_gradients(losses, variables, tape=tape)
        ]

    return compute()


def of_the_model_class(network, x, y, clip):
    model = DPSequential(l2_norm_clip=clip, noise_multiplier=0.0, layers=network.layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
    model.compile(Kept(model.trainable_variables), loss)
    model.train_on_batch(x, y)
    return model.optimizer.given


# The clipping norms are medians: half of the examples are clipped.
@pytest.mark.parametrize(
    ("architecture", "clip"), [(FmnistDNN(), 28.7), (FmnistCNN1(), 13.2)], ids=["dnn", "cnn1"]
)
@pytest.mark.parametrize("known", [of_the_optimizer, of_the_model_class])
def test_the_sum_is_the_librarys(known, architecture, clip):
    keras.utils.set_random_seed(0)
    network = architecture.build()
    x, y = batch((28, 28, 1), count=EXAMPLES)
    mean = [np.asarray(gradient, np.float64) for gradient in known(network, x, y, clip)]
    assert_same(fast(network, x, y, clip)[0], [EXAMPLES * gradient for gradient in mean])
