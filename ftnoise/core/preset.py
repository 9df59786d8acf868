"""Presets: the paper's whole protocol, a version of minutes, or a smoke test.

A preset is a set of limits. Each spec, and an experiment, returns its smaller version under them
(`scaled`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ftnoise.core.checks import expect, is_count


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Limits on a protocol; None leaves a size as it is.

    Args:
        name: the argument of `--preset`.
        summary: one line for `--help` and for the report.
        epochs: factor of each schedule's epochs, > 0 (drops of the learning rate keep their
            relative positions), or None for exactly one epoch.
        rate: factor of the learning rate, > 0, where the gradients have no noise, which would grow
            with it. Above 1 for few steps, which otherwise move the weights too little for a
            penalty to take effect or a network to overfit.
        batch_size: largest batch.
        attack_steps: most steps of an attack in training.
        train_examples, test_examples: most examples; the subset is the same for all runs.
        trials: most trials of a fault campaign.
        attacked: most test examples that a measure attacks.
        adopted: whether an experiment that reuses published models (`Experiment.adopts`) trains
            them within these limits too, instead of taking the published ones.
        secret_key: noise in the gradients takes its key from the operating system.
        data_seeds: number of draws of a random data set; the first is the paper's.
        trainings: most of a grid.
    """

    name: str
    summary: str
    epochs: float | None = 1.0
    rate: float = 1.0
    batch_size: int | None = None
    attack_steps: int | None = None
    train_examples: int | None = None
    test_examples: int | None = None
    trials: int | None = None
    attacked: int | None = None
    adopted: bool = True
    secret_key: bool = False
    data_seeds: int = 1
    trainings: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it limits nothing: the paper's whole protocol."""
        sizes: tuple[int | None, ...] = (self.train_examples, self.test_examples, self.attacked)
        sizes += (self.trials, self.batch_size, self.attack_steps, self.trainings)
        return (self.epochs, self.rate) == (1.0, 1.0) and not any(sizes)

    def with_secret_key(self) -> Preset:
        """The same limits for a private release, under another name."""
        return dataclasses.replace(
            self,
            name=f"{self.name}-secret",
            summary=f"{self.summary}; noise with a secret key",
            secret_key=True,
        )

    def with_data_seeds(self, number: int) -> Preset:
        """The same limits on several draws of the data, under another name."""
        expect(is_count(number), "--data-seeds to be at least 1", data_seeds=number)
        if number == 1:
            return self
        return dataclasses.replace(
            self,
            name=f"{self.name}-{number}-data-seeds",
            summary=f"{self.summary}; {number} draws of the data",
            data_seeds=number,
        )


def limited(own: int | None, most: int | None) -> int | None:
    """The smaller of two sizes; None is no limit."""
    sizes = [size for size in (own, most) if size is not None]
    return min(sizes) if sizes else None


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(name="paper", summary="the paper's protocol"),
        Preset(
            name="quick",
            summary="1,500 training and 2,000 test images, half the epochs, 3 times the learning "
            "rate (without noise in the gradients), 2 attack steps in training, 8 fault trials, "
            "200 attacked examples: a trend",
            epochs=0.5,
            rate=3.0,
            train_examples=1500,
            test_examples=2000,
            attack_steps=2,
            trials=8,
            attacked=200,
            adopted=False,
            trainings=4,
        ),
        Preset(
            name="smoke",
            summary="one epoch on a few images, to see that everything runs",
            epochs=None,
            train_examples=256,
            test_examples=256,
            trials=2,
            attacked=32,
            trainings=1,
        ),
    )
}
