"""Searches and PGD over draws of 1,000 images, on a natural network and on one that draws.

    python -m tests.benchmarks.stochastic_attacks [--repetitions 3] [--images 1000]

The networks are 784-100-100-100-10, trained for an epoch on MNIST; in the other one each weight has
normal noise, drawn once a pass. Targets, in seconds on two free cores: FGSMSearch 5, DeepFool 10,
LocalSearch 10, and PGD of 40 steps over 20 draws 4. The time to compile is not counted. As these
are seconds, each stands beside the forward and backward passes that it cannot do without, measured
in turn, so that a busy machine shows.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ftnoise.attacks.deep_fool import DeepFool
from ftnoise.attacks.fgsm_search import FGSMSearch
from ftnoise.attacks.local_search import LocalSearch
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Compiled
from ftnoise.core.data import Sources
from ftnoise.datasets.mnist import MNIST
from ftnoise.layers.drawing import StochasticLayer
from tests.benchmarks.alternating import alternating, show

SHAPE = (28, 28, 1)
TARGETS = {"FGSMSearch": 5.0, "DeepFool": 10.0, "LocalSearch": 10.0, "PGD": 4.0}
SEED = tf.constant([1, 2], tf.int64)
SEARCHES = (FGSMSearch(), DeepFool(), LocalSearch())
ATTACK = PGD(attack_epsilon=0.1, steps=40, draws=20)


class NoisyDense(StochasticLayer):
    """A dense layer with normal noise on its kernel."""

    def __init__(self, units: int, sigma: float, activation: str | None, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.sigma = units, sigma
        self.activation = keras.activations.get(activation)

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight("kernel", (shape[-1], self.units))
        self.bias = self.add_weight("bias", (self.units,), initializer="zeros")

    def call(self, x: Any) -> Any:
        kernel = self.kernel
        if not self.is_mean and self.sigma:
            noise = tf.random.stateless_normal(self.kernel.shape, self.seed())
            kernel = kernel + self.sigma * noise
        return self.activation(x @ kernel + self.bias)


def trained(sigma: float, x: np.ndarray, y: np.ndarray) -> keras.Model:
    """The network after an epoch."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.InputLayer(SHAPE), keras.layers.Flatten()]
    for number, units in enumerate((100, 100, 100, 10)):
        activation = "relu" if units == 100 else None
        layers.append(NoisyDense(units, sigma, activation, name=f"dense_{number}"))
    network = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss)
    network.fit(x, y, batch_size=64, epochs=1, verbose=0)
    return network


class Counted(Compiled):
    """Counts the examples of the functions that a search has compiled."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(network, SHAPE)
        self.examples = 0

    def once(self, key: Any, function: Any, *signature: Any) -> Any:
        compiled = super().once(key, function, *signature)

        def counted(x: Any, *others: Any) -> Any:
            self.examples += len(x)
            return compiled(x, *others)

        return counted


def main() -> bool:
    """Measures both networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    data = MNIST().load(Sources(data_dir=Path(os.environ["FTNOISE_DATA"])))
    x = tf.constant(data.x_test[: arguments.images])
    y = tf.constant(data.y_test[: arguments.images], tf.int32)
    reached = True
    for name, sigma in (("natural", 0.0), ("noise of 0.1", 0.1)):
        network = trained(sigma, data.x_train, data.y_train)
        reached &= measured(name, network, x, y, arguments.repetitions)
    return reached


def measured(name: str, network: keras.Model, x: Any, y: Any, repetitions: int) -> bool:
    """Measures a network. Whether the targets are reached."""
    target = Compiled(network, SHAPE)
    things: dict[str, Any] = {
        search.label: lambda search=search: search.search(target, x, y, SEED)[0].numpy()
        for search in SEARCHES
    }
    things["PGD"] = lambda: ATTACK.perturb(target, x, y, SEED).numpy()
    counts = examples(network, x, y)
    seconds = alternating(things | floors_of(target, x, y, counts), repetitions)
    print(f"{name}, {len(x):,} images; images in all rounds: {counts}")
    show(seconds, {f"{n} / its passes": (n, f"passes of {n}", None) for n in things})
    reached = True
    for thing, most in TARGETS.items():
        found = min(seconds[thing])
        reached &= found <= most
        missed = "" if found <= most else " MISSED"
        print(f"  {thing:44} {found:10.2f} s    target <= {most:g} s{missed}", flush=True)
    return reached


def examples(network: keras.Model, x: Any, y: Any) -> dict[str, int]:
    """The number of examples in all rounds of each search."""
    counts = {}
    for search in SEARCHES:
        counted = Counted(network)
        search.search(counted, x, y, SEED)
        counts[search.label] = counted.examples
    return counts


def floors_of(target: Compiled, x: Any, y: Any, counts: dict[str, int]) -> dict[str, Any]:
    """The passes of each thing, in calls of all examples."""
    # Forward passes of an example in a round, and backward passes.
    costs = {"FGSMSearch": (10, 0), "DeepFool": (1, 10), "LocalSearch": (129, 0)}
    work = {name: (counts[name] * one, counts[name] * two) for name, (one, two) in costs.items()}
    work["PGD"] = (0, len(x) * ATTACK.steps * ATTACK.draws)

    def run(forward: int, back: int) -> None:
        found = x
        for _ in range(-(-forward // len(x))):
            found = target.logits(x, SEED)
        for _ in range(-(-back // len(x))):
            found = target.gradient(x, y, SEED)
        found.numpy()

    return {f"passes of {name}": lambda parts=parts: run(*parts) for name, parts in work.items()}


if __name__ == "__main__":
    sys.exit(not main())
