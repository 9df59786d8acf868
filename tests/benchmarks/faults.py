"""A trial of a fault campaign against one fault-free forward pass, and against the naive loop.

    python -m tests.benchmarks.faults [fmnist_dnn|fmnist_cnn1|ResNet50|EfficientNetB0]
                                      [--repetitions 7]

10,000 real test images. The floor is one fault-free forward pass of all of them, compiled, that
counts what is right: the batches are tensors before the clock starts; their size is the fastest of
`BATCHES`, found in the same run. A trial is one of `GROUP` new ones of a campaign: drawing it and
packing what it did are inside. Targets for a trial over the floor, at a share of 0.5: 0.55 and 0.85
(fmnist_dnn, fmnist_cnn1) for all hidden neurons, 1.2 for all weights, and for the weights of the
last layer alone that layer's own share of the floor plus 0.1.

The naive loop takes the weights, edits them in NumPy, sets them, calls `model.evaluate` at Keras'
own batch size of 32, and sets the old ones again; a crashed neuron is a zero in the kernel that it
feeds. Targets: at least 4 times as fast for weights, 10 for neurons and 10 for the last layer on
fmnist_dnn; 1.5 and 2 on fmnist_cnn1.

ResNet50 and EfficientNetB0 of Keras, with random weights, have more sites than are worth drawing a
key for: one flipped bit of a weight, 100 random images of 32 x 32, against the naive loop with
`model.predict`. Target: at most its time. With weights stored in a format at most 0.8 of its time,
although the naive loop stores nothing and computes in float32.

Last, what figure 3 takes: 10 rates, 100 trials at each, 3 networks, extrapolated from a few trials
in a process of its own: at most 15 minutes. Finds the data like any run (`FTNOISE_DATA`, ...).
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ftnoise.architectures import FmnistCNN1, FmnistDNN, SequentialNetwork
from ftnoise.core import seeds
from ftnoise.core.data import Sources
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.faults.agreement import agreement
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.faults.sweep import sweep
from ftnoise.measures.fault_tolerance import FaultTolerance
from tests.benchmarks.alternating import ROOT, alternating, show

BATCHES = (250, 500, 1000, 2000, 5000, 10_000)
GROUP = 8  # trials, or passes, between two looks at the clock
FEW, MANY = 4, 8  # trials at each rate, from which 100 are extrapolated
MODELS, TRIALS, MINUTES = 3, 100, 15
FLOOR, ALONE = "fault-free forward pass", "last layer alone"
KINDS = ("neurons", "weights", "last layer")
LARGE = ("ResNet50", "EfficientNetB0")
FLIPS = {
    "weights:bit_flip:n=1": 1.0,
    **{f"weights,stored={one}:bit_flip:n=1": 0.8 for one in ("bfloat16", "float16", "int8")},
}
IMAGES = 100


@dataclass(frozen=True, kw_only=True)
class Goals:
    """A trial over the floor, and how many times as fast as the naive loop it is, by kind."""

    over_floor: dict[str, float]
    times: dict[str, float]


GOALS = {
    FmnistDNN(): Goals(
        over_floor={"neurons": 0.55, "weights": 1.2},
        times={"neurons": 10, "weights": 4, "last layer": 10},
    ),
    FmnistCNN1(): Goals(
        over_floor={"neurons": 0.85, "weights": 1.2}, times={"neurons": 2, "weights": 1.5}
    ),
}


def forward(function: Any, x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], object]:
    """Counts on how many images a network, or a layer of it, is right."""
    starts = range(0, len(y), batch)
    parts = [(tf.constant(x[n : n + batch]), tf.constant(y[n : n + batch])) for n in starts]
    shapes = [tf.TensorSpec([None, *x.shape[1:]]), tf.TensorSpec([None], y.dtype)]

    @tf.function(input_signature=shapes)
    def right(x: Any, y: Any) -> Any:
        outputs = function(x, training=False)
        return tf.math.count_nonzero(tf.argmax(outputs, axis=-1, output_type=y.dtype) == y)

    return lambda: sum(int(right(*part)) for part in parts)


def fastest(function: Any, x: np.ndarray, y: np.ndarray) -> tuple[int, Callable[[], object]]:
    """The size of the batches in which `forward` is fastest, and `GROUP` such passes."""
    passes = {batch: forward(function, x, y, batch) for batch in BATCHES}
    tried = alternating({str(batch): one for batch, one in passes.items()}, 3)
    best = min(passes, key=lambda batch: min(tried[str(batch)]))
    return best, lambda: [passes[best]() for _ in range(GROUP)]


def fault_of(kind: str, network: keras.Model) -> Fault:
    """Half of the sites stuck at 0."""
    where = {"last layer": f"weights={network.layers[-1].name}"}.get(kind, kind)
    return parse_fault(f"{where}:stuck_at=0:0.5")


def trials_of(campaign: Campaign) -> Callable[[], object]:
    """Computes `GROUP` trials that were never drawn before, and keeps their bits."""
    numbers = itertools.count(0, GROUP)

    def run() -> None:
        start = next(numbers)
        campaign.run(range(start, start + GROUP), campaign.fault.rate).to_arrays()

    return run


def naive_loop(network: keras.Model, kind: str, x: np.ndarray, y: np.ndarray) -> Any:
    """One trial as it is usually done."""
    generator = np.random.default_rng(0)
    kernels = [n for n, weight in enumerate(network.weights) if len(weight.shape) > 1]

    def hit(size: int) -> np.ndarray:
        return generator.choice(size, size // 2, replace=False)

    def edit(weights: list[np.ndarray]) -> None:
        if kind == "neurons":
            for before, after in itertools.pairwise(kernels):
                units = weights[before].shape[-1]
                # Flattened images keep the units in the last site.
                shape = weights[after].shape
                rows = weights[after].reshape(-1, units, shape[-1])
                rows[:, hit(units)] = 0
                weights[after] = rows.reshape(shape)
            return
        for n in kernels if kind == "weights" else kernels[-1:]:
            flat = weights[n].reshape(-1)
            flat[hit(flat.size)] = 0
            weights[n] = flat.reshape(weights[n].shape)

    def run() -> None:
        before = network.get_weights()
        weights = [weight.copy() for weight in before]
        edit(weights)
        network.set_weights(weights)
        network.evaluate(x, y, verbose=0)
        network.set_weights(before)

    return run


def measured(architecture: SequentialNetwork, repetitions: int) -> bool:
    """Measures the trials of a network. Whether the targets are reached."""
    data = FashionMNIST().load(Sources.from_environment())
    x, y = data.x_test, data.y_test
    seeds.fix_initialization(0)
    network = architecture.build()
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True), ["accuracy"])
    print(f"{architecture.slug}, a trial on {len(y)} images")

    best, floor = fastest(network, x, y)
    print(f"  the fastest fault-free forward pass is in batches of {best}")
    last = network.layers[-1]
    stored = keras.Model(network.inputs, last.input).predict(x, batch_size=best, verbose=0)
    things = {FLOOR: floor, ALONE: fastest(last, stored, y)[1]}
    campaigns = {kind: Campaign(network, x, y, fault_of(kind, network)) for kind in KINDS}
    things |= {ours(kind): trials_of(campaign) for kind, campaign in campaigns.items()}
    things |= {usual(kind): naive_loop(network, kind, x, y) for kind in KINDS}
    seconds = alternating(things, repetitions)
    for name in (FLOOR, ALONE, *map(ours, KINDS)):
        seconds[name] = [value / GROUP for value in seconds[name]]

    goals = GOALS[architecture]
    share = statistics.median(seconds[ALONE]) / statistics.median(seconds[FLOOR])
    limits = {**goals.over_floor, "last layer": round(share + 0.1, 3)}
    times = {
        kind: round(1 / goals.times[kind], 3) if kind in goals.times else None for kind in KINDS
    }
    ratios: dict[str, Any] = {f"{ALONE} / floor": (ALONE, FLOOR, None)}
    ratios |= {f"{kind} / floor": (ours(kind), FLOOR, limits[kind]) for kind in KINDS}
    ratios |= {f"{kind} / the naive loop": (ours(kind), usual(kind), times[kind]) for kind in KINDS}
    return show(seconds, ratios)


def flip_one(network: keras.Model, x: np.ndarray) -> Callable[[], object]:
    """`GROUP` trials of a flipped bit as they are usually done."""
    generator = np.random.default_rng(0)

    def run() -> None:
        for _ in range(GROUP):
            before = network.get_weights()
            weights = [weight.copy() for weight in before]
            kernels = [weight for weight in weights if weight.ndim > 1]
            bits = kernels[generator.integers(len(kernels))].reshape(-1).view(np.uint32)
            bits[generator.integers(bits.size)] ^= np.uint32(1 << int(generator.integers(32)))
            network.set_weights(weights)
            network.predict(x, verbose=0)
            network.set_weights(before)

    return run


def large(name: str, repetitions: int) -> bool:
    """Measures a large network. Whether a trial is as fast as the naive loop."""
    seeds.fix_initialization(0)
    build = getattr(keras.applications, name)
    network = build(weights=None, input_shape=(32, 32, 3), classes=10)
    x = np.random.default_rng(0).random((IMAGES, 32, 32, 3), np.float32)
    reached = True
    for flip, most in FLIPS.items():
        campaign = Campaign(network, x, np.arange(IMAGES) % 10, parse_fault(flip))
        print(f"{name}, {flip} on {IMAGES} images, {campaign.site_count:,} sites")
        things = {ours("flip"): trials_of(campaign), usual("flip"): flip_one(network, x)}
        seconds = alternating(things, repetitions, per=GROUP)
        reached &= show(seconds, {"flip / the naive loop": (ours("flip"), usual("flip"), most)})
    return reached


def ours(kind: str) -> str:
    """What a trial of a campaign is called."""
    return f"{kind}, a trial"


def usual(kind: str) -> str:
    """What a trial of the naive loop is called."""
    return f"{kind}, the naive loop"


def figure(architecture: SequentialNetwork) -> bool:
    """A few trials of figure 3, in this process. Whether all would take less than the limit."""
    data = FashionMNIST().load(Sources.from_environment())
    measure = FaultTolerance()
    seeds.fix_initialization(0)
    network = architecture.build()
    before = peak()
    began = time.monotonic()
    campaign = Campaign(network, data.x_test, data.y_test, measure.fault)
    rates = [Share(rate=rate) for rate in measure.rates]
    agreement(campaign)
    sweep(campaign, rates, trials=FEW)
    middle = time.monotonic()
    sweep(campaign, rates, trials=MANY)
    slope = (time.monotonic() - middle) / MANY
    once = middle - began - slope * FEW
    minutes = MODELS * (once + slope * TRIALS) / 60
    # The target is of the smaller network.
    most = MINUTES if architecture.slug == "fmnist_dnn" else None
    target = "" if most is None else f"   target <= {most}{'' if minutes <= most else ' MISSED'}"
    print(
        f"{architecture.slug}, {len(rates)} rates x {TRIALS} trials x {MODELS} networks, from "
        f"{MANY} trials\n  {minutes:.1f} min{target}"
        + f"\n  peak resident set {peak():.2f} GiB ({before:.2f} with data and network alone)\n"
    )
    return most is None or minutes <= most


def peak() -> float:
    """Of this process, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def chosen(name: str | None) -> Iterator[SequentialNetwork]:
    """The network of that name, or all."""
    yield from (one for one in GOALS if name in (None, one.slug))


def main() -> bool:
    """Measures one network or all. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*(architecture.slug for architecture in GOALS), *LARGE]
    parser.add_argument("network", nargs="?", choices=names, help="one of them (default: all)")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--figure", action="store_true", help="figure 3 alone, in this process")
    arguments = parser.parse_args()
    reached = True
    for name in LARGE:
        if arguments.network in (None, name) and not arguments.figure:
            reached &= large(name, arguments.repetitions)
    for architecture in chosen(arguments.network):
        if arguments.figure:
            reached &= figure(architecture)
            continue
        reached &= measured(architecture, arguments.repetitions)
        words = ["-m", "tests.benchmarks.faults", architecture.slug, "--figure"]
        reached &= subprocess.run([sys.executable, *words], cwd=ROOT, check=False).returncode == 0
    return reached


if __name__ == "__main__":
    sys.exit(not main())
