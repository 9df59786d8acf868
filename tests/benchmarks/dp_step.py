"""A DP-SGD step against plain training and against other implementations of it.

    python -m tests.benchmarks.dp_step [--repetitions 15]

Batches of 250 real images. Targets: a step of the default engine takes at most 1.4 times Keras'
plain `train_on_batch` (fmnist_dnn, fmnist_cnn1), at most a 50th (a 100th) of a step of
`DPKerasSGDOptimizer`, and on fmnist_cnn1 at most half of a step of tensorflow-privacy's
`DPSequential`; through the whole `fit`, with drawing, testing, logging and checkpoints, a step
takes at most 1.1 times as long as alone. Finds the data like any run (`FTNOISE_DATA`, ...).
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from tensorflow_privacy import DPKerasSGDOptimizer, DPSequential

from ftnoise.architectures import FmnistCNN1, FmnistDNN, SequentialNetwork
from ftnoise.core.data import Data, Sources
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from tests.benchmarks.alternating import alternating, show
from tests.benchmarks.natural_epoch import ours

SPEC = DPSGD(noise_multiplier=1.1)
SCHEDULE = Schedule(epochs=3, batch_size=250, learning_rate=0.15)
STEPS = 10
OURS, FIT, PLAIN, LIBRARY, SEQUENTIAL = (
    "ours, a step alone",
    "ours, a step through fit",
    "Keras, train_on_batch",
    "DPKerasSGDOptimizer",
    "DPSequential",
)


def our_step(run: Run, x: Any, y: Any) -> Any:
    """A step on a given batch, `STEPS` times."""
    network = run.architecture.build()
    updater = SPEC.start(network, run, len(y), xla=False)
    updater.resume(None, 0, True)

    @tf.function
    def step(x: Any, y: Any) -> Any:
        def objective() -> tuple[Any, Any]:
            logits = network(x, training=True)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits

        return updater.update(objective, None, None)[0]

    x, y = tf.constant(x), tf.constant(y, tf.int32)
    return lambda: [float(step(x, y)) for _ in range(STEPS)]


def plain_step(run: Run, x: Any, y: Any) -> Any:
    """Keras' SGD on the same network, `STEPS` times."""
    network = run.architecture.build()
    network.compile(
        tf.keras.optimizers.legacy.SGD(SCHEDULE.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return lambda: [network.train_on_batch(x, y) for _ in range(STEPS)]


def library_step(run: Run, x: Any, y: Any) -> Any:
    """tensorflow-privacy's optimizer, once."""
    network = run.architecture.build()
    network.compile(
        DPKerasSGDOptimizer(
            l2_norm_clip=SPEC.clip,
            noise_multiplier=SPEC.noise_multiplier,
            learning_rate=SCHEDULE.learning_rate,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none"),
    )
    return lambda: network.train_on_batch(x, y)


def sequential_step(run: Run, x: Any, y: Any) -> Any:
    """tensorflow-privacy's model class, `STEPS` times."""
    architecture = run.architecture
    assert isinstance(architecture, SequentialNetwork)
    network = DPSequential(
        l2_norm_clip=SPEC.clip,
        noise_multiplier=SPEC.noise_multiplier,
        layers=[keras.layers.InputLayer(architecture.input_shape), *architecture.layers()],
    )
    network.compile(
        tf.keras.optimizers.legacy.SGD(SCHEDULE.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none"),
    )
    return lambda: [network.train_on_batch(x, y) for _ in range(STEPS)]


def main() -> bool:
    """Measures both networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    data: Data = FashionMNIST().load(Sources.from_environment())
    x, y = data.x_train[: SCHEDULE.batch_size], data.y_train[: SCHEDULE.batch_size]
    reached = True
    for architecture, times in ((FmnistDNN(), 50), (FmnistCNN1(), 100)):
        run = Run(
            architecture=architecture,
            data=FashionMNIST(),
            training=Training(gradients=SPEC),
            schedule=SCHEDULE,
        )
        print(f"{architecture.slug}, batches of {len(y)}")
        seconds = alternating(
            {OURS: our_step(run, x, y), PLAIN: plain_step(run, x, y)}, repetitions, STEPS
        )
        seconds |= alternating({LIBRARY: library_step(run, x, y)}, 3)
        seconds |= alternating({SEQUENTIAL: sequential_step(run, x, y)}, 3, STEPS)
        steps = SCHEDULE.steps_per_epoch(len(data.y_train))
        seconds[FIT] = [epoch / steps for epoch in ours(run, data)[0]]
        half = 0.5 if isinstance(architecture, FmnistCNN1) else None
        reached &= show(
            seconds,
            {
                "ours / Keras' plain": (OURS, PLAIN, 1.4),
                "ours / DPKerasSGDOptimizer": (OURS, LIBRARY, 1 / times),
                "ours / DPSequential": (OURS, SEQUENTIAL, half),
                "through fit / alone": (FIT, OURS, 1.1),
            },
        )
    return reached


if __name__ == "__main__":
    sys.exit(not main())
