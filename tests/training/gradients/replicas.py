"""Prints by how much a step on two replicas differs from one on a single device.

A process of its own: logical devices have to be made before TensorFlow starts.
"""

from __future__ import annotations

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from ftnoise.training.gradients.noise import BookkeepingSGD
from ftnoise.training.gradients.recording import RecordingTape

BATCH, STEPS = 12, 3


def trained(strategy: tf.distribute.Strategy, noise: float) -> np.ndarray:
    """All weights after a few steps on the same batches, minus those at the start."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(BATCH, 5)).astype(np.float32)
    y = generator.integers(0, 3, BATCH)
    with strategy.scope():
        keras.utils.set_random_seed(0)
        hidden = keras.layers.Dense(4, activation="relu")
        network = keras.Sequential([keras.layers.InputLayer((5,)), hidden, keras.layers.Dense(3)])
        optimizer = BookkeepingSGD(
            clip=0.5,
            noise_multiplier=noise,
            batch_size=BATCH,
            key=tf.Variable(3, dtype=tf.int64, trainable=False),
            learning_rate=1.0,
        )
        # Outside of the compiled step, which could not make them on two devices.
        optimizer._create_all_weights(network.trainable_variables)
    start = np.concatenate([weight.ravel() for weight in network.get_weights()])
    count = strategy.num_replicas_in_sync
    parts = [slice(n * BATCH // count, (n + 1) * BATCH // count) for n in range(count)]

    def batch(context: tf.distribute.ValueContext) -> tuple[tf.Tensor, tf.Tensor]:
        part = parts[context.replica_id_in_sync_group]
        return tf.constant(x[part]), tf.constant(y[part], tf.int32)

    def on_replica(pair: tuple[tf.Tensor, tf.Tensor]) -> None:
        with RecordingTape(network) as tape:
            logits = network(pair[0], training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(pair[1], logits)
        optimizer.minimize(losses, network.trainable_variables, tape=tape)

    @tf.function
    def step(pair: tuple[tf.Tensor, tf.Tensor]) -> None:
        strategy.run(on_replica, args=(pair,))

    for _ in range(STEPS):
        step(strategy.experimental_distribute_values_from_function(batch))
    return np.concatenate([weight.ravel() for weight in network.get_weights()]) - start


def main() -> None:
    """Compares one device with two."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    one = tf.distribute.MirroredStrategy(["CPU:0"])
    found = {}
    for noise in (0.0, 8.0):
        alone, together = trained(one, noise), trained(two, noise)
        found[str(noise)] = [float(np.abs(alone).max()), float(np.abs(alone - together).max())]
    json.dump(found | {"replicas": two.num_replicas_in_sync}, sys.stdout)


if __name__ == "__main__":
    main()
