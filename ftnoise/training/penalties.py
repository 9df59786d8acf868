"""Penalties, scalars added to the loss: L2 (Tikhonov), L1, Jacobian.

Source: section 4.1 of the paper; Bishop (1995), "Training with Noise is Equivalent to Tikhonov
Regularization", for the Jacobian form.

Deviations
1. The paper does not define its "Tikhonov" penalty. L2 on the kernels fits its text and is used in
   the tables; `Jacobian` is the form to which small input noise is equivalent.
2. `Jacobian` takes a forward pass of its own. With Keras' dropout, the penalty uses another draw
   than the loss; statistics of batch normalization are updated twice a step.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.checks import boolean, non_negative
from ftnoise.core.interfaces import Penalty
from ftnoise.core.lazy import keras, tf


@dataclass(frozen=True, kw_only=True)
class _Weights(Penalty):
    """Base of the penalties on the weights; zero for a network without such weights.

    Args:
        weight: factor of the penalty, >= 0.
        biases: whether vectors (biases, scales) and standard deviations of weights count too;
            False counts kernels only.
    """

    weight: float
    biases: bool = False

    looks_at_data: ClassVar[bool] = False

    def __post_init__(self) -> None:
        non_negative(weight=self.weight)
        boolean(biases=self.biases)

    def value(self, network: keras.Model, x: Any) -> Any:
        """The penalty, a scalar; it does not depend on `x`."""
        del x
        from ftnoise.layers.drawing import noise_weights

        noise = {id(variable) for variable in noise_weights(network)}
        variables = [
            variable
            for variable in network.trainable_variables
            if self.biases or (variable.shape.rank > 1 and id(variable) not in noise)
        ]
        sizes = [self.size(variable) for variable in variables]
        return self.weight * tf.add_n(sizes) if sizes else tf.zeros([])

    @abstractmethod
    def size(self, variable: Any) -> Any:
        """The penalty of one tensor, before the factor."""


@dataclass(frozen=True, kw_only=True)
class L2(_Weights):
    """Tikhonov: weight * sum of squares, as `keras.regularizers.L2` counts it."""

    def size(self, variable: Any) -> Any:
        return 2 * tf.nn.l2_loss(variable)


@dataclass(frozen=True, kw_only=True)
class L1(_Weights):
    """The penalty weight * sum of magnitudes, as `keras.regularizers.L1` counts it."""

    def size(self, variable: Any) -> Any:
        return tf.reduce_sum(tf.abs(variable))


@dataclass(frozen=True, kw_only=True)
class Jacobian(Penalty):
    """The penalty to which Gaussian input noise of small standard deviation is equivalent.

    sigma^2 / 2 * mean over the batch of trace(J^T H J), with J = d logits / d x of an example and
    H = diag(p) - p p^T the cross-entropy's Hessian in the logits (Bishop 1995, for softmax
    cross-entropy instead of squared error). Costs one backward pass per class.

    Args:
        sigma: standard deviation of the noise, in units of the input, >= 0.
    """

    sigma: float

    looks_at_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        non_negative(sigma=self.sigma)

    def value(self, network: keras.Model, x: Any) -> Any:
        """The penalty, a scalar."""
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(x)
            logits = network(x, training=True)
            classes = tf.unstack(logits, axis=-1)
        p = tf.nn.softmax(logits)
        # J^T H J = J^T A A^T J with A = diag(sqrt p) - p sqrt(p)^T; row k of A^T J is
        # sqrt(p_k) * (J_k - sum_c p_c J_c).
        rows = tf.stack([tape.gradient(logit, x) for logit in classes], axis=1)
        rows = tf.reshape(rows, [tf.shape(rows)[0], len(classes), -1])
        centered = rows - tf.matmul(p[:, None, :], rows)
        traces = tf.reduce_sum(p[:, :, None] * tf.square(centered), axis=[1, 2])
        return self.sigma**2 / 2 * tf.reduce_mean(traces)
