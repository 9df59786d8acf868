"""Accuracy under PGD of 10,000 images against the work that it cannot do without.

    python -m tests.benchmarks.attack_evaluation [--repetitions 3] [--images 10000]

The floor is twenty forward passes with a backward pass to the input alone for each image, of the
same network in batches of the same size, as one compiled function: no start, no projection, no
judgment. Target: at most 1.2 times the floor. The evaluation is the whole measure; the time that it
takes to compile, once for each model, is shown apart: that of an evaluation of a single image.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from ftnoise.architectures import Cifar10CNN, FmnistCNN2, FmnistDNN
from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Target
from ftnoise.core.checkpointing import Checkpointing
from tests.benchmarks.alternating import show

TARGET = 1.2
ATTACK = PGD(attack_epsilon=2 / 255)


def floor_of(network: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """Runs the floor on all images."""

    @tf.function(autograph=False)
    def batch(x: Any, y: Any) -> Any:
        found: list[Any] = []
        for _ in range(ATTACK.steps):
            # One after the other, as in an attack.
            with tf.control_dependencies(found[-1:]), tf.GradientTape() as tape:
                candidate = tf.identity(x)
                tape.watch(candidate)
                losses = Target(network).cross_entropy(y)(candidate)
            found.append(tape.gradient(losses, candidate))
            x = x + 1e-9 * found[-1]
        return found[-1]

    def run() -> None:
        for start in range(0, len(y), ATTACK.batch_size):
            stop = start + ATTACK.batch_size
            batch(tf.constant(x[start:stop]), tf.constant(y[start:stop], tf.int32)).numpy()

    return run


def main() -> bool:
    """Measures all networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--images", type=int, default=10_000)
    arguments = parser.parse_args()
    reached = True
    for architecture in (FmnistDNN(), FmnistCNN2(), Cifar10CNN()):
        print(f"{architecture.slug}, {ATTACK.label} on {arguments.images:,} images")
        network, generator = architecture.build(), np.random.default_rng(0)
        x = generator.random((arguments.images, *architecture.input_shape), np.float32)
        y = generator.integers(0, 10, arguments.images)

        def evaluation(count: int, network: Any = network, x: Any = x, y: Any = y) -> None:
            Evaluation(Checkpointing()).attacked("all", ATTACK, network, x[:count], y[:count])

        floor = floor_of(network, x, y)
        floor()
        seconds: dict[str, list[float]] = {"evaluation": [], "compiling": [], "floor": []}
        for _ in range(arguments.repetitions):
            for name, thing in (
                ("evaluation", lambda: evaluation(arguments.images)),
                ("compiling", lambda: evaluation(1)),
                ("floor", floor),
            ):
                began = time.perf_counter()
                thing()
                seconds[name].append(time.perf_counter() - began)
        seconds["evaluation, compiled"] = [
            whole - compiling
            for whole, compiling in zip(seconds["evaluation"], seconds["compiling"], strict=True)
        ]
        ratio = ("evaluation, compiled", "floor", TARGET)
        reached &= show(seconds, {"evaluation without compiling / floor": ratio})
    return reached


if __name__ == "__main__":
    sys.exit(not main())
