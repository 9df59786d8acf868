"""A step of PGD training through the loop against the work that it cannot do without.

    python -m tests.benchmarks.adversarial_step [--repetitions 15]

The floor is ten forward passes with a backward pass to the input alone and one full forward and
backward pass, of the same network on 128 images, as one compiled function: no start noise, no
projection, no optimizer, no batches. Target: a step takes at most 1.15 times the floor, for all
networks.
"""

from __future__ import annotations

import argparse
import sys

from ftnoise.architectures import Cifar10CNN, FmnistCNN2, FmnistDNN
from ftnoise.attacks.pgd import PGD
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.loop import SLOW_STEPS_PER_CALL
from tests.benchmarks.alternating import alternating, show
from tests.benchmarks.trades_step import BATCH, TARGET, TRADES_2, floor_of, steps_of_the_loop

PGD_2 = PGD(attack_epsilon=TRADES_2.attack_epsilon, steps=TRADES_2.steps)


def main() -> bool:
    """Measures all networks. Whether the targets are reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    reached, member = True, AdversarialTraining(attack=PGD_2)
    for architecture in (FmnistDNN(), FmnistCNN2(), Cifar10CNN()):
        print(f"{architecture.slug}, a step of PGD training on {BATCH} images")
        seconds = alternating(
            {
                "step": steps_of_the_loop(architecture, inputs=member),
                "floor": floor_of(architecture.build(), full_passes=1),
            },
            repetitions,
            per=SLOW_STEPS_PER_CALL,
        )
        reached &= show(seconds, {"step / floor": ("step", "floor", TARGET)})
    return reached


if __name__ == "__main__":
    sys.exit(not main())
