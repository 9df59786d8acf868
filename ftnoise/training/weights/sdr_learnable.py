"""SDR-Learnable: normal weights and biases whose means and standard deviations are trained.

w = mu + s * xi with a standard normal xi for each parameter, drawn once for each batch, so that the
gradient reaches mu and s (reparameterization). After each update s is clipped to thresholds
(Algorithm 3), which a schedule may move. The network draws at test time too.

Source: Khan et al., "Non-Determinism in Neural Networks for Adversarial Robustness", section 4.3.

Deviations
1. The paper's "variance" is the standard deviation here, as in its Algorithm 3.
2. The paper does not print how s starts; the start is that of the authors' code for SDR-Decay.
   Their code for this method starts the s of a kernel at Glorot's normal initialization, 10 to 30
   times as far from 0 on their network; a larger `start` comes close to it.
3. The paper moves the thresholds when the accuracy on the test data stops rising. `Plateau` looks
   at examples held out of the training data; `PlateauOnTestData` is the paper's way. A plateau,
   which the paper does not define, is an epoch without a new best accuracy since the last raise.
4. `Ramp` is ours: raising the smallest s at once destroyed the training of small networks.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ftnoise.core.checks import count, expect, fraction, instance, non_negative, positive
from ftnoise.core.interfaces import Run, Weights
from ftnoise.core.lazy import keras, tf
from ftnoise.core.preset import Preset
from ftnoise.core.spec import Spec


class Thresholds(NamedTuple):
    """What a schedule moves and remembers; kept with the network, in float32.

    `lowest` and `highest` are of the standard deviations. `best` is the best accuracy since the
    last raise, in [0, 1], or -1 for none, and `raised` the number of epochs completed at that
    raise.
    """

    lowest: float
    highest: float
    best: float = -1.0
    raised: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ThresholdSchedule(Spec):
    """Moves the thresholds between the epochs of `fit` (log intervals); this one leaves them."""

    @property
    def validation(self) -> float:
        """Share of the training examples to hold out, in [0, 1)."""
        return 0.0

    def at_begin(self, epochs: int, now: Thresholds) -> Thresholds:
        """The thresholds of the epoch that begins; `epochs` are completed."""
        return now

    def at_end(self, epochs: int, now: Thresholds, logs: dict[str, float]) -> Thresholds:
        """The thresholds after `epochs` epochs, given the logs of the last one."""
        return now

    def check(self, highest: float) -> None:
        """Raises `BadInput` where it does not fit the largest standard deviation."""


@dataclass(frozen=True, kw_only=True)
class Ramp(ThresholdSchedule):
    """The smallest standard deviation rises linearly, from 0, epoch by epoch.

    Args:
        target: reached at the beginning of epoch `epochs` (from 0); > 0.
        epochs: at least 1.
    """

    target: float
    epochs: int

    def __post_init__(self) -> None:
        positive(target=self.target)
        count(epochs=self.epochs)

    def at_begin(self, epochs: int, now: Thresholds) -> Thresholds:
        lowest = self.target * min(1.0, epochs / self.epochs)
        return now._replace(lowest=max(now.lowest, lowest))

    def check(self, highest: float) -> None:
        expect(self.target <= highest, f"target <= {highest}, the highest", target=self.target)

    def scaled(self, preset: Preset) -> Ramp:
        """Fewer epochs, like the schedule of the run."""
        return dataclasses.replace(self, epochs=_epochs(self.epochs, preset))


@dataclass(frozen=True, kw_only=True)
class _Plateau(ThresholdSchedule):
    """Base: raises both thresholds after an epoch without a new best accuracy.

    Args:
        step: by how much, > 0.
        every: at least this many epochs lie between two raises, >= 1.
    """

    step: float = 0.05
    every: int = 5

    accuracy: ClassVar[str]

    def __post_init__(self) -> None:
        positive(step=self.step)
        count(every=self.every)

    def at_end(self, epochs: int, now: Thresholds, logs: dict[str, float]) -> Thresholds:
        accuracy = logs[self.accuracy]
        if accuracy > now.best:
            return now._replace(best=accuracy)
        if epochs - now.raised < self.every:
            return now
        return Thresholds(now.lowest + self.step, now.highest + self.step, raised=epochs)

    def scaled(self, preset: Preset) -> Any:
        """Fewer epochs between two raises, like the schedule of the run."""
        return dataclasses.replace(self, every=_epochs(self.every, preset))


@dataclass(frozen=True, kw_only=True)
class Plateau(_Plateau):
    """Raises both thresholds after an epoch without a new best accuracy on held-out examples.

    Those are not trained on, but measures count them as training examples. After a raise in the
    last epoch no step follows that would clip the standard deviations.

    Args:
        step: by how much, > 0.
        every: at least this many epochs lie between two raises, >= 1.
        held_out: share of the training examples that is held out to judge by, in (0, 1).
    """

    held_out: float = 0.1

    accuracy: ClassVar[str] = "val_held_out_accuracy"

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction(zero=False, one=False, held_out=self.held_out)

    @property
    def validation(self) -> float:
        return self.held_out


@dataclass(frozen=True, kw_only=True)
class PlateauOnTestData(_Plateau):
    """Raises both thresholds after an epoch without a new best accuracy on the TEST examples.

    This is the paper's way. The test accuracy of such a network is no longer that of unseen data.

    Args:
        step: by how much, > 0.
        every: at least this many epochs lie between two raises, >= 1.
    """

    accuracy: ClassVar[str] = "val_accuracy"


@dataclass(frozen=True, kw_only=True)
class SDRLearnable(Weights):
    """Trains means and standard deviations of the weights and biases of Dense and Conv2D layers.

    Args:
        lowest, highest: thresholds of the standard deviations, 0 <= lowest <= highest; the
            schedule starts from them.
        start: the standard deviations start uniform in [0, start * sqrt(2 / elements)], with the
            number of elements of the kernel or bias, and are clipped after the first update.
        schedule: moves the thresholds, or None.
    """

    lowest: float = 0.0
    highest: float = 1.0
    start: float = 0.5
    schedule: ThresholdSchedule | None = None

    def __post_init__(self) -> None:
        non_negative(lowest=self.lowest, highest=self.highest, start=self.start)
        ordered = self.lowest <= self.highest
        expect(ordered, "lowest <= highest", lowest=self.lowest, highest=self.highest)
        instance(
            ThresholdSchedule,
            "a schedule of the thresholds, such as Plateau()",
            optional=True,
            schedule=self.schedule,
        )
        if self.schedule:
            self.schedule.check(self.highest)

    @property
    def validation(self) -> float:
        return self.schedule.validation if self.schedule else 0.0

    def rebuild(self, network: keras.Model) -> keras.Model:
        """All Dense and Conv2D layers draw; `BadInput` if there are none."""
        from ftnoise.layers.random_weights import GAUSSIAN, with_random_weights

        state = Thresholds(self.lowest, self.highest)
        return with_random_weights(network, GAUSSIAN, state=state, start=self.start, learnable=True)

    def settings(self, network: keras.Model) -> list[Any]:
        from ftnoise.layers.random_weights import gaussian_layers

        return [gaussian_layers(network)[0].state]

    def after_step(self, network: keras.Model, gradients: list[Any], seed: Any) -> None:
        """Clips the standard deviations (Algorithm 3)."""
        from ftnoise.layers.random_weights import gaussian_layers

        layers = gaussian_layers(network)
        lowest, highest, *_ = tf.unstack(layers[0].state)
        for std in (std for layer in layers for std in layer.stds):
            std.assign(tf.clip_by_value(std, lowest, highest))

    def callbacks(self, network: keras.Model, run: Run) -> list[keras.callbacks.Callback]:
        """One that moves the thresholds, where there is a schedule, and logs the noise.

        The logs of an epoch get the mean standard deviation of each layer, `std LAYER`.
        """
        from ftnoise.layers.random_weights import gaussian_layers

        schedule, layers = self.schedule or ThresholdSchedule(), gaussian_layers(network)
        state = layers[0].state

        def thresholds() -> Thresholds:
            return Thresholds(*state.numpy().tolist())

        class MoveThresholds(keras.callbacks.Callback):
            """Keeps the state in the network, so that a resumed training goes on from it."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                epochs = epoch * self.model.epochs_per_interval
                state.assign(schedule.at_begin(epochs, thresholds()))

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                epochs = (epoch + 1) * self.model.epochs_per_interval
                state.assign(schedule.at_end(epochs, thresholds(), logs))
                logs |= {f"std {layer.name}": layer.mean_std for layer in layers}

        return [MoveThresholds()]


def _epochs(epochs: int, preset: Preset) -> int:
    return 1 if preset.epochs is None else max(1, round(preset.epochs * epochs))
