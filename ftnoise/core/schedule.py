"""Stochastic gradient descent's schedule: epochs, batches, learning rate."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ftnoise.core.checks import count, expect, fraction, is_count, positive
from ftnoise.core.preset import Preset, limited
from ftnoise.core.spec import Spec

# Short epochs are tested and logged in groups: at most this many steps in a group,
# and at least this many groups in a run.
STEPS_PER_INTERVAL, INTERVALS = 64, 80


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec):
    """Stochastic gradient descent with momentum and a learning rate that falls in steps.

    Args:
        epochs: passes over the training set, 1 to a million.
        batch_size: examples a step, 1 to a million; the last batch of an epoch may be smaller.
        learning_rate: positive.
        momentum: in [0, 1).
        drops: epochs in order, counted from 1, at whose start the rate is multiplied by
            `drop_factor`; an epoch that is listed twice multiplies twice.
        drop_factor: in (0, 1].
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.0
    drops: tuple[int, ...] = ()
    drop_factor: float = 0.1

    def __post_init__(self) -> None:
        count(limit=10**6, epochs=self.epochs, batch_size=self.batch_size)
        positive(learning_rate=self.learning_rate)
        fraction(momentum=self.momentum, one=False)
        expect(
            isinstance(self.drops, tuple)
            and all(is_count(epoch) for epoch in self.drops)
            and list(self.drops) == sorted(self.drops),
            "drops to be epochs in order, counted from 1",
            drops=self.drops,
        )
        fraction(drop_factor=self.drop_factor, zero=False)

    def steps_per_epoch(self, examples: int) -> int:
        """Steps in an epoch over `examples` training examples."""
        return -(-examples // self.batch_size)

    def epochs_per_interval(self, examples: int) -> int:
        """Epochs in a log interval, after which a run is tested and logged."""
        most = STEPS_PER_INTERVAL // self.steps_per_epoch(examples)
        most = min(most, self.epochs // INTERVALS)
        return max(n for n in range(1, max(1, most) + 1) if self.epochs % n == 0)

    def resized(self, epochs: int) -> Schedule:
        """The schedule in another number of epochs; the drops keep their relative positions."""
        scale = epochs / self.epochs
        drops = tuple(round((drop - 1) * scale) + 1 for drop in self.drops)
        return dataclasses.replace(self, epochs=epochs, drops=drops)

    def scaled(self, preset: Preset) -> Schedule:
        """Fewer epochs and smaller batches; the rate is the run's to scale."""
        epochs = 1 if preset.epochs is None else max(1, round(preset.epochs * self.epochs))
        batch_size = limited(self.batch_size, preset.batch_size) or self.batch_size
        schedule = self if epochs == self.epochs else self.resized(epochs)
        return schedule.changed(batch_size=batch_size)
