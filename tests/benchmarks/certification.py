"""PixelDP's training step against a natural one, and draws for certificates against their floor.

    python -m tests.benchmarks.certification [--repetitions 9]

The network is that of the experiment `pixeldp`. The floor of a draw is a pass of the part behind
the noise, compiled alone, for the same images. Targets: a step takes at most 1.35 natural ones,
draws 1.1 floors.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from ftnoise.architectures import PixelDPCNN
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.layers.noisy import noisy_layer
from ftnoise.training import Training
from ftnoise.training.loop import Loop
from ftnoise.training.weights.pixeldp import PixelDP
from ftnoise.verify.smoothing import NoisyNetwork
from tests.benchmarks.alternating import alternating, show

BATCH, STEPS, IMAGES, DRAWS = 128, 16, 100, 40
SCHEDULE = Schedule(epochs=10, batch_size=BATCH, learning_rate=0.01, momentum=0.9)


def steps(training: Training) -> Any:
    """Runs `STEPS` steps of the loop in one call."""
    generator = np.random.default_rng(0)
    x = generator.random((BATCH * STEPS, 28, 28, 1), np.float32)
    data = Data(x, generator.integers(0, 10, len(x)), x[:9], np.arange(9), classes=10, digest="")
    run = Run(architecture=PixelDPCNN(), data=MNIST(), training=training, schedule=SCHEDULE)
    loop = Loop(training, training.build(run), run, data)
    execute = tf.function(loop.train_step, autograph=False)
    given = tf.constant(0, tf.int64), tf.constant(STEPS, tf.int64)
    return lambda: tf.nest.map_structure(np.asarray, execute(given))


def draws_and_floor() -> tuple[Any, Any]:
    """`DRAWS` draws for `IMAGES` images, and as many passes of the part behind the noise."""
    network = PixelDP().rebuild(PixelDPCNN().build())
    noisy = NoisyNetwork(network)
    quantity = noisy.front(np.random.default_rng(0).random((IMAGES, 28, 28, 1), np.float32))
    layer = noisy_layer(network)

    @tf.function(autograph=False)
    def behind(given: Any) -> Any:
        outputs = layer.after(given)
        for one in network.layers[1:]:
            outputs = one(outputs)
        return outputs

    return (
        lambda: noisy.draws(quantity, DRAWS, key=1),
        lambda: [behind(quantity) for _ in range(DRAWS)],
    )


def main() -> bool:
    """Measures both. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=9)
    repetitions = parser.parse_args().repetitions
    training = {"natural": steps(Training()), "PixelDP": steps(Training(weights=PixelDP()))}
    seconds = alternating(training, repetitions, per=STEPS)
    reached = show(seconds, {"PixelDP / natural": ("PixelDP", "natural", 1.35)})
    drawn, floor = draws_and_floor()
    seconds = alternating({"draws": drawn, "floor": floor}, repetitions, per=DRAWS)
    return show(seconds, {"draws / floor": ("draws", "floor", 1.1)}) and reached


if __name__ == "__main__":
    sys.exit(not main())
