"""Verification of MNIST and Fashion-MNIST networks: seconds, and what is verified.

    python -m tests.benchmarks.verify [crown] [large] [gap] [--nodes 20000]

All networks are naturally trained, and balls are not clipped. `crown`: CROWN on 1,000 test images
of MNIST, compiled before, for 784-128-128-10 (SGD, learning rate .05, batches of 64, 5 epochs).
Targets: 3 seconds, and .80 verified at .01, .12 at .02. `large`: the same of the committed FMNIST
DNN (784-512-512-10) at 1/255, in 30 seconds. `gap`: PGD, then CROWN and branch and bound, on 738
images for 784-64-10 at .02 and 784-128-128-10 at .01. Targets: at most .01 undecided, within 3
minutes.

Each line has the wall time and the processor time over two, which on two idle cores are close to
each other. Targets are for the wall time. Finds the data like any run (`FTNOISE_DATA`, ...).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ftnoise.architectures import FmnistDNN
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Compiled
from ftnoise.core.data import Data, Sources
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.datasets.mnist import MNIST
from ftnoise.verify.budget import Budget
from ftnoise.verify.verifier import ATTACKED, UNDECIDED, VERIFIED, Outcomes, Verifier
from tests.benchmarks.alternating import ROOT

COMMITTED = "runs/reference/fashion_mnist-fmnist_dnn-natural-100e-s0-1749d28baf/weights.npz"


def trained(data: Data, *widths: int) -> keras.Model:
    """Hidden ReLU layers of these widths, trained on MNIST."""
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(width, activation="relu") for width in widths]
    layers = [keras.layers.InputLayer((28, 28, 1)), keras.layers.Flatten(), *hidden]
    network = keras.Sequential([*layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(tf.keras.optimizers.legacy.SGD(0.05), loss)
    network.fit(data.x_train, data.y_train, batch_size=64, epochs=5, verbose=0)
    return network


def timed(name: str, run: Callable[[], Outcomes], targets: dict[str, float]) -> bool:
    """Prints the time and the shares of outcomes; whether the targets are reached."""
    wall, processor = time.perf_counter(), time.process_time()
    outcomes = run()
    wall, processor = time.perf_counter() - wall, (time.process_time() - processor) / 2
    shares = {status: outcomes.share(status) for status in (VERIFIED, ATTACKED, UNDECIDED)}
    measured = {"seconds": wall, "undecided": shares[UNDECIDED], "verified": -shares[VERIFIED]}
    reached = all(measured[key] <= target for key, target in targets.items())
    text = ", ".join(f"{share:.4f} {status}" for status, share in shares.items())
    goals = ", ".join(f"{key} {abs(target):g}" for key, target in targets.items())
    print(
        f"  {name:28} {wall:7.1f} s ({processor:6.1f}) {text}; nodes {outcomes.nodes.sum():,}; "
        f"float error {outcomes.float_error:.1e}; targets {goals}{'' if reached else ' MISSED'}",
        flush=True,
    )
    return reached


def crown(name: str, network: keras.Model, x: Any, goals: dict[float, dict[str, float]]) -> bool:
    """CROWN alone, compiled before the clock starts."""
    verifier, reached = Verifier(network), True
    verifier.verify(x[:2], 0.01, budget=Budget(nodes=0))
    for radius, targets in goals.items():
        run = partial(verifier.verify, x, radius, budget=Budget(nodes=0))
        reached &= timed(f"{name}, CROWN, {radius:.4g}", run, targets)
    return reached


def gap(name: str, network: keras.Model, x: Any, radius: float, budget: Budget) -> bool:
    """All of it, compilation included."""
    pgd, target = PGD(attack_epsilon=radius, steps=40, restarts=5), Compiled(network, x.shape[1:])

    def run() -> Outcomes:
        predicted = network(x).numpy().argmax(1).astype(np.int32)
        moved = pgd.perturb(target, tf.constant(x), tf.constant(predicted), [1, 2])
        left = network(moved).numpy().argmax(1) == predicted
        found = Verifier(network).verify(x[left], radius, budget=budget)
        status = np.full(len(x), ATTACKED, object)
        status[left] = found.status
        return replace(found, status=status)

    return timed(f"{name}, {radius:g}", run, {"seconds": 180, "undecided": 0.01})


def main() -> bool:
    """Measures what is named, or all. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=["crown", "large", "gap", []])
    parser.add_argument("--nodes", type=int, default=20_000)
    arguments = parser.parse_args()
    parts, reached = arguments.parts or ["crown", "large", "gap"], True
    if {"crown", "gap"} & {*parts}:
        data = MNIST().load(Sources.from_environment())
        x = data.x_test
        middle = trained(data, 128, 128)
    if "crown" in parts:
        goals = {0.01: {"seconds": 3, "verified": -0.8}, 0.02: {"seconds": 3, "verified": -0.12}}
        reached &= crown("784-128-128-10", middle, x[:1000], goals)
    if "large" in parts:
        network = FmnistDNN().build()
        with np.load(ROOT / COMMITTED) as archive:
            network.set_weights(list(archive.values()))
        images = FashionMNIST().load(Sources.from_environment()).x_test[:1000]
        reached &= crown("784-512-512-10", network, images, {1 / 255: {"seconds": 30}})
    if "gap" in parts:
        budget = Budget(nodes=arguments.nodes)
        reached &= gap("784-64-10", trained(data, 64), x[:738], 0.02, budget)
        reached &= gap("784-128-128-10", middle, x[:738], 0.01, budget)
    return reached


if __name__ == "__main__":
    sys.exit(not main())
