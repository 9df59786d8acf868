"""Trials of flips in stored formats, clamps, the worst case and a map, against their floors.

    python -m tests.benchmarks.storage [--repetitions 7]

The networks are the committed fmnist_dnn and fmnist_cnn2 with natural training, on 10,000 test
images. The floor is that of `tests.benchmarks.faults`: one fault-free forward pass, compiled, that
counts what is right. Targets: a trial of 10 flips in each format, with its drawing and its
outcomes, takes at most 1.1 floors, and at most 1.1 of a trial that computes logits alone; a clamped
forward pass 1.1 of the network's; the map of bits of fmnist_dnn in four formats, 100 flips a cell
on 1,000 images, takes at most 3 minutes, and the search on its int8 weights at most 1 minute and 60
flips to 20 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from ftnoise.core.data import Sources
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.engine.runner import stored_network
from ftnoise.experiments import table5
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.hardening import clamped
from ftnoise.faults.maps import bit_map
from ftnoise.faults.outcomes import OUTCOMES
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.where import FORMATS
from ftnoise.faults.worst_case import worst_case
from ftnoise.store.folders import Store
from tests.benchmarks.alternating import ROOT, alternating, show
from tests.benchmarks.faults import GROUP, fastest, trials_of

NOTHING = ("sums", "largest", "not_finite", "golden_right")
CHECKED = 20  # percent, for the worst case


class LogitsAlone(Campaign):
    """A campaign whose compiled function computes logits, and nothing from them."""

    def _results_of(
        self, before: list[Any], reference: list[Any], trials: list[Any], draws: Any
    ) -> dict[str, Any]:
        logits = tf.stack([self.faulty.outputs(before, trial)[0] for trial, _ in trials])
        nothing = {name: tf.zeros(len(trials), tf.float64) for name in NOTHING}
        nothing["outcomes"] = tf.zeros([len(trials), len(OUTCOMES)], tf.float64)
        correct = tf.zeros(tf.shape(logits)[:2], tf.bool)
        return {"outputs": logits[0], "logits": logits, "correct": correct, **nothing}


def network(name: str) -> Any:
    """A committed network."""
    run = table5.EXPERIMENT.row(f"{name} natural").run
    store = Store(ROOT / "runs" / "reference")
    (folder,) = (found for found, _ in store.finished([run.slug]) if f"-s{run.seed}-" in found.id)
    found = stored_network(run, folder)
    assert found is not None
    return found


def trials(model: Any, x: Any, y: Any, repetitions: int) -> bool:
    """Trials of 10 flips in each format, and clamped passes. Whether the targets are reached."""
    reached, (_, floor) = True, fastest(model, x, y)
    for stored in FORMATS:
        fault = parse_fault(f"parameters,stored={stored}:bit_flip:n=10")
        things = {
            "10 flips": trials_of(Campaign(model, x, y, fault)),
            "logits alone": trials_of(LogitsAlone(model, x, y, fault)),
            "floor": floor,
        }
        seconds = alternating(things, repetitions, per=GROUP)
        ratios: dict[str, Any] = {
            f"trial in {stored} / {name}": ("10 flips", name, 1.1)
            for name in ("floor", "logits alone")
        }
        reached &= show(seconds, ratios)
    images = tf.constant(x)
    calls = {"clamped": clamped(model, x), "as it is": model}
    passes: dict[str, Any] = {}
    for name, one in calls.items():
        call = tf.function(lambda x, one=one: one(x, training=False), autograph=False)
        passes[name] = lambda call=call: call(images).numpy()
    seconds = alternating(passes, repetitions)
    return reached & show(seconds, {"clamped / as it is": ("clamped", "as it is", 1.1)})


def main() -> bool:
    """Measures all of it. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=7)
    repetitions = parser.parse_args().repetitions
    data, reached = FashionMNIST().load(Sources()), True
    x, y = data.x_test, data.y_test
    for name in ("fmnist_cnn2", "fmnist_dnn"):
        print(name)
        model = network(name)
        reached &= trials(model, x, y, repetitions)
    began = time.perf_counter()
    for stored in FORMATS:
        fault = parse_fault(f"parameters,stored={stored}:bit_flip:n=1")
        bit_map(model, x[:1000], y[:1000], fault, 100)
    seconds = time.perf_counter() - began
    print(f"  map of bits in four formats: {seconds:.0f} s (target 180)")
    began = time.perf_counter()
    found = worst_case(
        Campaign(model, x, y, parse_fault("weights,stored=int8:bit_flip:n=1")), CHECKED, 60
    )
    search = time.perf_counter() - began
    accuracy = found[-1].accuracy
    print(f"  worst case: {len(found)} flips to {accuracy:.1f} %, {search:.0f} s (target 60)")
    return reached & (seconds <= 180) & (found[-1].accuracy < CHECKED) & (search <= 60)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
