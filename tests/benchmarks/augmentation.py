"""The augmentation of a batch against the training step that it is part of.

    python -m tests.benchmarks.augmentation [--repetitions 15]

The step is the lightest that CIFAR-10 has, natural training of its network on 128 images, with
everything around it. The augmentation is timed alone, compiled, and as the difference that it makes
to the step. Target: alone, at most 3 % of the step.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from ftnoise.architectures import Cifar10CNN
from ftnoise.core import seeds
from ftnoise.training.augmentation import CropAndFlip
from ftnoise.training.loop import SLOW_STEPS_PER_CALL as STEPS
from tests.benchmarks.alternating import alternating, show
from tests.benchmarks.trades_step import BATCH, images, steps_of_the_loop

TARGET = 0.03


def augmentations() -> Callable[[], object]:
    """Augments a batch, with another seed each, as often as a call of the loop here has steps."""
    x = tf.constant(images(BATCH, Cifar10CNN().input_shape)[0])
    key, member = seeds.key(0, "augmentation"), CropAndFlip()

    @tf.function(autograph=False)
    def augmented(step: tf.Tensor) -> tf.Tensor:
        return member.augment(x, seeds.at_step(key, step))

    steps = [tf.constant(step, tf.int64) for step in range(STEPS)]
    return lambda: [np.asarray(augmented(step)) for step in steps]


def main() -> bool:
    """Measures. Whether the target is reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=15)
    repetitions = parser.parse_args().repetitions
    print(f"{Cifar10CNN().slug}, natural training on {BATCH} images")
    seconds = alternating(
        {
            "augmentation": augmentations(),
            "step": steps_of_the_loop(Cifar10CNN(), augmentation=CropAndFlip()),
            "step without augmentation": steps_of_the_loop(Cifar10CNN()),
        },
        repetitions,
        per=STEPS,
    )
    return show(
        seconds,
        {
            "augmentation / step": ("augmentation", "step", TARGET),
            "step / step without augmentation": ("step", "step without augmentation", None),
        },
    )


if __name__ == "__main__":
    sys.exit(not main())
