"""DropConnect: the weights of the hidden layers are dropped at random, at test time too.

Sources: Wan et al. (2013), "Regularization of Neural Networks using DropConnect"; the baseline in
section 5 of Khan et al., "Non-Determinism in Neural Networks for Adversarial Robustness".

Deviations
1. Wan et al. approximate the mean of the outputs at test time. The code of Khan et al. drops
   nothing in the search for adversarial examples, and drops when it scores them. Here a network
   draws at test time in both; `layers.drawing.mean()` gives the network without noise.
2. All examples of a batch share a draw, as in Khan et al.; Wan et al. draw for each example.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftnoise.core.checks import fraction
from ftnoise.core.interfaces import Weights
from ftnoise.core.lazy import keras


@dataclass(frozen=True, kw_only=True)
class DropConnect(Weights):
    """Each weight (of a kernel) of the hidden layers is 0 with a probability, or else scaled up.

    Args:
        rate: probability of being dropped, in [0, 1).
    """

    rate: float = 0.2

    def __post_init__(self) -> None:
        fraction(one=False, rate=self.rate)

    def rebuild(self, network: keras.Model) -> keras.Model:
        """Hidden Dense and Conv2D layers draw; `BadInput` if there are none."""
        from ftnoise.layers.random_weights import DROP_CONNECT, with_random_weights

        return with_random_weights(network, DROP_CONNECT, output_layer=False, rate=self.rate)
