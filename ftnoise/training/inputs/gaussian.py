"""Gaussian noise on the inputs, additive or multiplicative: cross-entropy at the noisy example.

Source: section 4.1 and Table 3 of the paper; Bishop (1995), "Training with Noise is Equivalent to
Tikhonov Regularization", for the effect of small additive noise.

Deviations
1. The paper does not define the strength of multiplicative noise. Here it is the standard deviation
   of the factor, whose mean is 1: Keras' GaussianDropout of rate sigma^2 / (1 + sigma^2).
2. Noisy inputs are not clipped to the range of the data, so that the noise is Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.checks import boolean, non_negative
from ftnoise.core.interfaces import Inputs
from ftnoise.core.lazy import keras, tf


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Inputs):
    """The `inputs` member of the paper's Table 3.

    Args:
        sigma: standard deviation, >= 0, of the added noise in units of the inputs, or of the
            factor.
        multiplicative: whether inputs are multiplied by 1 + noise instead of having it added.
    """

    sigma: float
    multiplicative: bool = False

    one_pass: ClassVar[bool] = True

    def __post_init__(self) -> None:
        non_negative(sigma=self.sigma)
        boolean(multiplicative=self.multiplicative)

    def objective(self, network: keras.Model, x: Any, y: Any, seed: Any) -> tuple[Any, Any]:
        """Losses `[batch]` and logits `[batch, classes]`, both at the noisy examples."""
        logits = network(self.perturb(x, seed), training=True)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits

    def perturb(self, x: Any, seed: Any) -> Any:
        """The noisy examples, as `x`."""
        noise = self.sigma * tf.random.stateless_normal(tf.shape(x), seed, dtype=x.dtype)
        return x * (1.0 + noise) if self.multiplicative else x + noise
