"""Hamiltonian trajectories of a network's weights, one after the other, by TensorFlow Probability.

A trajectory's draws follow from a seed of its own, and the state between two of them is a list of
arrays, so that a chain is resumed exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from ftnoise.core.errors import RunFailed
from ftnoise.layers.posterior import WeightsOf

ADAPTED = 0.8  # share of the burn-in in which the step size is adapted
# The largest energy error that is logged; that of a diverging trajectory is infinite.
WORST = 1000.0


class Trajectories:
    """The state of a chain, which starts at the network's weights.

    `spec` is an `hmc.HMC`, of which it takes the fields of a single chain.
    """

    def __init__(self, network: keras.Model, spec: Any) -> None:
        self.weights_of = WeightsOf(network)
        self.spec = spec
        self.position = [tf.identity(variable) for variable in self.weights_of.variables]
        self.deviations = [
            np.prod(variable.shape[:-1]) ** -0.5 if spec.fan_in and variable.shape.rank > 1 else 1.0
            for variable in self.weights_of.variables
        ]
        self._results: Any = None
        self._kept: Sequence[Any] = ()
        self._moved = tf.function(self._move, autograph=False, reduce_retracing=True)
        self._bootstrapped = tf.function(self._bootstrap, autograph=False, reduce_retracing=True)

    def log_density(self, values: Sequence[Any], x: Any, y: Any) -> Any:
        """The logarithm of prior times likelihood, up to a constant; a scalar.

        `values` are those of the trainable weights, in order.
        """
        logits = self.weights_of.logits(values, x)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        squares = [
            tf.reduce_sum(tf.square(value / deviation))
            for value, deviation in zip(values, self.deviations, strict=True)
        ]
        return -tf.reduce_sum(losses) - 0.5 * tf.add_n(squares)

    @property
    def begun(self) -> bool:
        """Whether `begin` was called."""
        return self._results is not None

    def begin(self, x: Any, y: Any, *, anew: bool) -> None:
        """Sets the examples of the likelihood, and goes on from what was restored unless `anew`.

        Raises `RunFailed` if the density is not finite here.
        """
        self.examples = x, y
        self._results = self._bootstrapped(self.position, x, y)
        if not np.isfinite(float(self._inner().accepted_results.target_log_prob)):
            raise RunFailed("The density is not finite where the chain is.")
        if self._kept and not anew:
            like = tf.nest.flatten(self._results)
            flat = [
                tf.constant(kept, one.dtype) for kept, one in zip(self._kept, like, strict=True)
            ]
            self._results = tf.nest.pack_sequence_as(self._results, flat)
        self._kept = ()

    def move(self, seed: Any) -> tuple[float, float, float]:
        """Moves by one trajectory; `seed` is an int64 pair.

        Gives whether it was accepted (1 or 0), the step size, and the absolute error of the energy.
        """
        step_size = self.step_size
        self.position, self._results = self._moved(
            self.position, self._results, *self.examples, seed
        )
        inner = self._inner()
        error = abs(float(inner.log_accept_ratio))
        error = min(error, WORST) if np.isfinite(error) else WORST
        return float(inner.is_accepted), step_size, error

    @property
    def step_size(self) -> float:
        """Of the next trajectory."""
        adapted = self.spec.acceptance is not None
        return float(self._results.new_step_size if adapted else self.spec.step_size)

    def kernel_state(self) -> list[Any]:
        """The sampler's state as arrays."""
        return [np.asarray(one) for one in tf.nest.flatten(self._results)]

    def restore(self, position: Sequence[Any], kernel_state: Sequence[Any]) -> None:
        """Puts a state back; it counts from the next `begin` on."""
        self.position = [tf.constant(one) for one in position]
        self._kept = kernel_state

    def _inner(self) -> Any:
        return self._results if self.spec.acceptance is None else self._results.inner_results

    def _kernel(self, x: Any, y: Any) -> Any:
        kernel = tfp.mcmc.HamiltonianMonteCarlo(
            lambda *values: self.log_density(values, x, y),
            step_size=tf.constant(self.spec.step_size),
            num_leapfrog_steps=self.spec.steps,
        )
        if self.spec.acceptance is None:
            return kernel
        return tfp.mcmc.DualAveragingStepSizeAdaptation(
            kernel,
            num_adaptation_steps=int(ADAPTED * self.spec.burn_in),
            target_accept_prob=self.spec.acceptance,
        )

    def _bootstrap(self, position: Sequence[Any], x: Any, y: Any) -> Any:
        return self._kernel(x, y).bootstrap_results(position)

    def _move(self, position: Any, results: Any, x: Any, y: Any, seed: Any) -> Any:
        own = tf.random.stateless_uniform([2], seed, None, None, tf.int32)
        return self._kernel(x, y).one_step(position, results, seed=own)
