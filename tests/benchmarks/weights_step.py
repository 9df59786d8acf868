"""A training step with noise in the weights against a natural step of the same network.

    python -m tests.benchmarks.weights_step [--repetitions 15]

The network is that of Khan et al. on batches of 64 with Adam, through the loop; beside it Keras'
own `fit` of as many steps. Targets: a step of SDR-Learnable takes at most 2.7 natural steps and 1.3
of Keras', of DropConnect 2.2 and 1.0, and of faults 1.5 natural ones.
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

from ftnoise.architectures import MnistMLP
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Run, Weights
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.faults.parsing import parse_fault
from ftnoise.training import Training
from ftnoise.training.gradients.plain import Adam
from ftnoise.training.loop import Loop
from ftnoise.training.weights.dropconnect import DropConnect
from ftnoise.training.weights.faults_in_training import FaultsInTraining
from ftnoise.training.weights.sdr_decay import SDRDecay
from ftnoise.training.weights.sdr_learnable import SDRLearnable
from tests.benchmarks.alternating import alternating, show

BATCH, STEPS = 64, 256
SCHEDULE = Schedule(epochs=15, batch_size=BATCH, learning_rate=1e-3)
NATURAL, KERAS = "natural", "Keras, fit"
# Each with its targets, against NATURAL and KERAS.
MEMBERS: dict[str, tuple[Weights, float | None, float | None]] = {
    "SDR-Learnable": (SDRLearnable(), 2.7, 1.3),
    "SDR-Decay": (SDRDecay(beta=0.05, zeta=0.7, tau=10), None, None),
    "DropConnect": (DropConnect(), 2.2, 1.0),
    **{
        name: (FaultsInTraining(fault=parse_fault(text)), target, None)
        for name, text, target in (
            ("faults of neurons", "neurons:stuck_at_zero:0.1", 1.5),
            ("faults of weights", "weights:stuck_at_zero:0.1", 1.5),
            ("faults of weights, each by chance", "weights:stuck_at_zero:p=0.1", None),
        )
    },
}


def data() -> Data:
    """Random images and labels."""
    generator = np.random.default_rng(0)
    x = generator.random((BATCH * STEPS, 28, 28, 1), np.float32)
    y = generator.integers(0, 10, len(x))
    return Data(x, y, x[:BATCH], y[:BATCH], classes=10, digest="")


def steps_of_the_loop(weights: Weights | None) -> Any:
    """Runs `STEPS` steps in one call."""
    training = Training(weights=weights, gradients=Adam())
    run = Run(architecture=MnistMLP(), data=MNIST(), training=training, schedule=SCHEDULE)
    loop = Loop(training, training.build(run), run, data())
    execute = tf.function(loop.train_step, autograph=False)
    steps = tf.constant(0, tf.int64), tf.constant(STEPS, tf.int64)
    return lambda: tf.nest.map_structure(np.asarray, execute(steps))


def steps_of_keras() -> Any:
    """Runs an epoch of `STEPS` steps with the same optimizer."""
    network, examples = MnistMLP().build(), data()
    network.compile(
        optimizer=tf.keras.optimizers.legacy.Adam(SCHEDULE.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return lambda: network.fit(
        examples.x_train, examples.y_train, batch_size=BATCH, epochs=1, verbose=0
    )


def main() -> bool:
    """Measures all members. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    things = {NATURAL: steps_of_the_loop(None), KERAS: steps_of_keras()}
    things |= {name: steps_of_the_loop(member) for name, (member, *_) in MEMBERS.items()}
    seconds = alternating(things, repetitions, per=STEPS)
    ratios = {
        f"{name} / {other}": (name, other, target)
        for name, (_, *targets) in MEMBERS.items()
        for other, target in zip((NATURAL, KERAS), targets, strict=True)
    }
    return show(seconds, ratios | {f"{NATURAL} / {KERAS}": (NATURAL, KERAS, None)})


if __name__ == "__main__":
    sys.exit(not main())
