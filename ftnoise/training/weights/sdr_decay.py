"""SDR-Decay: normal weights and biases whose variances grow with the gradient and decay.

w ~ N(mu, S) in each batch, mu by the optimizer, S += beta * |gradient|, and S *= zeta every tau
batches. The network draws at test time too.

Source: Khan et al., "Non-Determinism in Neural Networks for Adversarial Robustness", section 4.2,
equation (1) and Algorithm 2, which "applies to every parameter"; after Hanson (1990) and
Frazier-Logue and Hanson (2018).

Deviations
1. Neither beta, zeta and tau nor the start of S are printed. Here the standard deviations start
   uniform in [0, 0.5 * sqrt(2 / elements)], the range of the authors' code, which rescales normal
   draws to it; it has beta 5 and zeta 0.99.
2. That code is another algorithm, `published=True`: it works on standard deviations, grows and
   decays them at two batches of each epoch, the 32nd and the 64th, and multiplies by zeta in the
   first two epochs and by zeta * exp(-0.1), zeta * exp(-0.2), ... in those that follow. Here they
   grow and decay every tau batches.
3. The batches are counted from the start of the training, not of the epoch.
4. The gradient is the one that the optimizer gets, with that of a penalty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import boolean, count, fraction, non_negative
from ftnoise.core.interfaces import Run, Weights
from ftnoise.core.lazy import keras, tf

# Per epoch, in the authors' code.
COOLING = 0.1


@dataclass(frozen=True, kw_only=True)
class SDRDecay(Weights):
    """Weights and biases of Dense and Conv2D layers with variances that grow and decay.

    Args:
        beta: growth of the variance for each unit of the gradient, >= 0.
        zeta: factor of the variance every `tau` batches, in (0, 1].
        tau: at least 1.
        start: the standard deviations start uniform in [0, start * sqrt(2 / elements)], with the
            number of elements of the kernel or bias; >= 0.
        published: the algorithm of the authors' code (deviation 2).
    """

    beta: float
    zeta: float
    tau: int
    start: float = 0.5
    published: bool = False

    def __post_init__(self) -> None:
        non_negative(beta=self.beta, start=self.start)
        fraction(zero=False, zeta=self.zeta)
        count(tau=self.tau)
        boolean(published=self.published)

    def rebuild(self, network: keras.Model) -> keras.Model:
        """All Dense and Conv2D layers draw; `BadInput` if there are none."""
        from ftnoise.layers.random_weights import GAUSSIAN, with_random_weights

        # The factor of this epoch.
        return with_random_weights(
            network, GAUSSIAN, state=(self.zeta,), start=self.start, learnable=False
        )

    def settings(self, network: keras.Model) -> list[Any]:
        from ftnoise.layers.random_weights import gaussian_layers

        return [gaussian_layers(network)[0].state]

    def after_step(self, network: keras.Model, gradients: list[Any], seed: Any) -> None:
        """Variances (standard deviations if `published`) grow and, when it is due, decay."""
        from ftnoise.layers.random_weights import gaussian_layers

        layers = gaussian_layers(network)
        by_variable = {
            variable.ref(): gradient
            for variable, gradient in zip(network.trainable_variables, gradients, strict=True)
        }
        due = tf.equal((seed[1] + 1) % self.tau, 0)
        factor = tf.where(due, layers[0].state[0], 1.0)
        growth = tf.where(due, float(self.beta), 0.0) if self.published else self.beta
        for layer in layers:
            for mean, std in zip(layer.means, layer.stds, strict=True):
                grown = growth * tf.abs(by_variable[mean.ref()])
                if self.published:
                    std.assign(factor * (std + grown))
                else:
                    std.assign(tf.sqrt(factor * (tf.square(std) + grown)))

    def callbacks(self, network: keras.Model, run: Run) -> list[keras.callbacks.Callback]:
        """One that lowers the factor epoch by epoch, if `published`."""
        if not self.published:
            return []
        from ftnoise.layers.random_weights import gaussian_layers

        state, zeta = gaussian_layers(network)[0].state, self.zeta

        class Cool(keras.callbacks.Callback):
            """Follows from the number of the epoch alone."""

            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                epochs = epoch * self.model.epochs_per_interval
                state.assign([zeta * math.exp(-COOLING * max(0, epochs - 1))])

        return [Cool()]
