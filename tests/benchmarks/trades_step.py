"""A TRADES step through the loop against the work that it cannot do without.

    python -m tests.benchmarks.trades_step [--repetitions 15]

The floor is ten forward passes with a backward pass to the input alone and two full forward and
backward passes, of the same network on 128 images, as one compiled function: no noise, no
projection, no optimizer, no batches. Target: a step takes at most 1.15 times the floor, for all
networks. Also shown: the floor with Keras' own Conv2D in place of ours, and with the two full
passes as one of 256 images, as the loop takes them.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ftnoise.architectures import Cifar10CNN, FmnistCNN2, FmnistDNN
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import SLOW_STEPS_PER_CALL, Loop
from tests.benchmarks.alternating import alternating, show

BATCH = 128
TARGET = 1.15
TRADES_2 = TRADES(attack_epsilon=2 / 255)
SCHEDULE = Schedule(epochs=100, batch_size=BATCH, learning_rate=0.01, momentum=0.9, drops=(55,))


def images(count: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    generator = np.random.default_rng(0)
    return generator.random((count, *shape), np.float32), generator.integers(0, 10, count)


def steps_of_the_loop(architecture: Any, **slots: Any) -> Any:
    """Runs `SLOW_STEPS_PER_CALL` steps, as `fit` does; the slots of `Training`."""
    x, y = images(BATCH * SLOW_STEPS_PER_CALL, architecture.input_shape)
    data = Data(x, y, x[:BATCH], y[:BATCH], classes=10, digest="")
    training = Training(**slots)
    run = Run(architecture=architecture, data=FashionMNIST(), training=training, schedule=SCHEDULE)
    loop = Loop(training, architecture.build(), run, data)
    execute = tf.function(loop.train_step, autograph=False)
    steps = tf.constant(0, tf.int64), tf.constant(SLOW_STEPS_PER_CALL, tf.int64)
    return lambda: tf.nest.map_structure(np.asarray, execute(steps))


def floor_of(network: Any, *, full_passes: int = 2, one_batch: bool = False) -> Any:
    """Runs the floor `SLOW_STEPS_PER_CALL` times."""
    batch, labels = images(BATCH, network.input_shape[1:])
    inputs = [tf.constant(batch + 1e-3 * n) for n in range(TRADES_2.steps)]
    x, y = inputs[0], tf.constant(labels, tf.int32)
    target = tf.fill([BATCH, 10], 0.1)

    def input_gradient(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = network(x, training=False)
            losses = tf.nn.softmax_cross_entropy_with_logits(target, logits)
        return tape.gradient(losses, x)

    def weight_gradients(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network(x, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
        return tape.gradient(loss, network.trainable_variables)

    @tf.function
    def floor(inputs: list[Any], x: Any, y: Any) -> Any:
        # One after the other, as in an attack; different inputs, so that none is left out.
        found: list[Any] = []
        for candidate in inputs:
            with tf.control_dependencies(found[-1:]):
                found.append(input_gradient(tf.identity(candidate)))
        with tf.control_dependencies(found[-1:]):
            if one_batch:
                full = weight_gradients(tf.concat([x, inputs[1]], 0), tf.concat([y, y], 0))
            else:
                full = weight_gradients(tf.identity(x), y)
            if full_passes == 2 and not one_batch:
                with tf.control_dependencies(full):
                    full += weight_gradients(tf.identity(inputs[1]), y)
        return found, full

    def run() -> None:
        for _ in range(SLOW_STEPS_PER_CALL):
            found, _ = floor(inputs, x, y)
        np.asarray(found[-1])

    return run


def with_keras_convolutions(network: Any) -> Any:
    """The same network with `keras.layers.Conv2D`."""

    def clone(layer: Any) -> Any:
        kind = keras.layers.Conv2D if isinstance(layer, ImageConv2D) else type(layer)
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=clone)


def main() -> bool:
    """Measures all networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    reached = True
    for architecture in (FmnistDNN(), FmnistCNN2(), Cifar10CNN()):
        print(f"{architecture.slug}, a step of TRADES on {BATCH} images")
        network = architecture.build()
        seconds = alternating(
            {
                "step": steps_of_the_loop(architecture, inputs=TRADES_2),
                "floor": floor_of(network),
                "floor, full passes as one batch": floor_of(network, one_batch=True),
                "floor with Keras' Conv2D": floor_of(with_keras_convolutions(network)),
            },
            repetitions,
            per=SLOW_STEPS_PER_CALL,
        )
        reached &= show(
            seconds,
            {
                "step / floor": ("step", "floor", TARGET),
                "step / floor, one batch": ("step", "floor, full passes as one batch", None),
                "step / floor with Keras' Conv2D": ("step", "floor with Keras' Conv2D", None),
            },
        )
    return reached


if __name__ == "__main__":
    sys.exit(not main())
