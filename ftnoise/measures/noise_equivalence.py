"""Is training with input noise training with a penalty? The claim, measured at fixed weights.

Source: Bishop (1995), "Training with Noise is Equivalent to Tikhonov Regularization", to which the
paper appeals in sections 4.1 and 4.3: up to terms of order sigma^4, the expected loss under noise
of standard deviation sigma on the inputs is the loss without noise and a penalty on the derivatives
of the network's outputs in its inputs. For cross-entropy that is sigma^2 / 2 * trace(J^T H J), with
J = d logits / d x and H = diag(p) - p p^T.

Deviations
1. Bishop's penalty has a second term, the residuals times the outputs' second derivatives, which
   vanishes where the network gives the distribution of the labels. So the labels here are drawn
   from the network's own answer at the clean example.
2. The theory takes four derivatives. A network of rectified units has none where a unit switches:
   there the difference falls as sigma^3, as the share of units that switch falls with sigma too.
3. The expectation is an average over antithetic draws, from each of which its second-order form is
   taken off, of which the mean is known. All of it is computed in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftnoise import seeds
from ftnoise.pictures import Series
from ftnoise.spec import Column, Spec, expect, is_count, is_number
from ftnoise.workspace import Answer, Subject

if TYPE_CHECKING:
    import keras
    import numpy as np

SIGMAS = tuple(0.1 / 2**k for k in range(6))


@dataclass(frozen=True, kw_only=True)
class NoiseEquivalence(Spec):
    """How the noisy objective and two penalized ones differ, as the noise becomes small.

    Scalars: `slope_jacobian` and `slope_l2`, the slopes of log |difference| against log sigma: 4
    where a penalty is equivalent to the noise, 2 where it is another one; `penalty_jacobian` (the
    factor of sigma^2 / 2, in nats per squared unit of the input) and `penalty_l2` (the sum of the
    squared kernels, by which it is replaced: equal for a linear network of one layer and squared
    error). Arrays `[sigmas]`: `log_sigma`, `log_jacobian`, `log_l2` (logarithms to base 10 of the
    noise and of the two differences in nats) and `error` (standard error of the difference).

    Args:
        sigmas: falling standard deviations > 0, in units of the inputs, at least two.
        examples: training examples that are looked at, >= 1; chosen once for all models.
        draws: antithetic pairs of noise for each, >= 2.
    """

    sigmas: tuple[float, ...] = SIGMAS
    examples: int = 30
    draws: int = 100

    def __post_init__(self) -> None:
        expect(
            isinstance(self.sigmas, tuple)
            and len(self.sigmas) > 1
            and all(is_number(sigma) and sigma > 0 for sigma in self.sigmas)
            and list(self.sigmas) == sorted(set(self.sigmas), reverse=True),
            "sigmas to be at least two numbers > 0 that fall",
            sigmas=self.sigmas,
        )
        expect(is_count(self.examples), "examples >= 1", examples=self.examples)
        expect(is_count(self.draws, least=2), "draws >= 2", draws=self.draws)

    def evaluate(self, subject: Subject) -> Answer:
        """Averages over draws of noise at all strengths."""
        import numpy as np

        x = subject.data.x_train
        count = min(self.examples, len(x))
        chosen = x if count == len(x) else x[seeds.subset(len(x), count, "noise equivalence")]
        twin = in_double_precision(subject.network)
        jacobian = jacobian_trace(twin, chosen)
        kernels = [w for w in subject.network.get_weights() if w.ndim > 1]
        l2 = float(sum(np.square(kernel.astype(np.float64)).sum() for kernel in kernels))
        generator = seeds.generator(0, "noise equivalence")
        drawn = np.zeros((self.draws, len(self.sigmas)))
        for draw in range(self.draws):
            noise = generator.standard_normal(chosen.shape)
            drawn[draw] = remainders(twin, chosen, noise, self.sigmas)
            subject.workspace.progress(draw + 1, self.draws, f"noise {draw + 1} of {self.draws}")
        sigmas = np.array(self.sigmas)
        differences = {
            "jacobian": drawn.mean(axis=0),
            "l2": drawn.mean(axis=0) + sigmas**2 / 2 * (jacobian - l2),
        }
        smallest = np.finfo(np.float64).tiny
        logs = {
            name: np.log10(np.maximum(np.abs(values), smallest))
            for name, values in differences.items()
        }
        error = drawn.std(axis=0, ddof=1) / np.sqrt(self.draws)
        return Answer(
            scalars={
                **{
                    f"slope_{name}": float(np.polyfit(np.log10(sigmas), values, 1)[0])
                    for name, values in logs.items()
                },
                "penalty_jacobian": jacobian,
                "penalty_l2": l2,
            },
            arrays={
                "log_sigma": np.log10(sigmas),
                **{f"log_{name}": values for name, values in logs.items()},
                "error": error,
            },
        )


def in_double_precision(network: keras.Model) -> keras.Model:
    """A copy of a Sequential network that computes in float64.

    Raises:
        BadInput: it is no Sequential network.
    """
    import keras

    expect(
        isinstance(network, keras.Sequential),
        "a Sequential network",
        network=type(network).__name__,
    )
    twin = keras.Sequential([keras.layers.InputLayer(network.input_shape[1:], dtype="float64")])
    for layer in network.layers:
        twin.add(type(layer).from_config(layer.get_config() | {"dtype": "float64"}))
    twin.set_weights(network.get_weights())
    return twin


def jacobian_trace(network: keras.Model, x: np.ndarray) -> float:
    """The mean over examples of trace(J^T H J)."""
    import tensorflow as tf

    inputs = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = network(inputs, training=False)
    jacobian = tape.batch_jacobian(logits, inputs)
    flat = tf.reshape(jacobian, [*logits.shape, -1])
    p = tf.nn.softmax(logits)
    centered = flat - tf.einsum("nc,nci->ni", p, flat)[:, None]
    return float(tf.reduce_mean(tf.einsum("nc,nci->n", p, tf.square(centered))))


def remainders(
    network: keras.Model, x: np.ndarray, noise: np.ndarray, sigmas: tuple[float, ...]
) -> list[float]:
    """Mean loss under noise and its mirror image, minus loss and second-order form, by sigma."""
    import tensorflow as tf

    inputs, direction = tf.constant(x, tf.float64), tf.constant(noise, tf.float64)
    with tf.autodiff.ForwardAccumulator(inputs, direction) as accumulator:
        logits = network(inputs, training=False)
    p, log_p = tf.nn.softmax(logits), tf.nn.log_softmax(logits)
    derivative = accumulator.jvp(logits)
    centered = derivative - tf.reduce_sum(p * derivative, axis=-1, keepdims=True)
    form = tf.reduce_sum(p * tf.square(centered), axis=-1)

    def excess(moved: Any) -> Any:
        # The loss minus that without noise: the divergence between the two answers.
        log_q = tf.nn.log_softmax(network(moved, training=False))
        return tf.reduce_sum(p * (log_p - log_q), axis=-1)

    found = []
    for sigma in sigmas:
        pair = excess(inputs + sigma * direction) + excess(inputs - sigma * direction)
        found.append(float(tf.reduce_mean(pair / 2 - sigma**2 / 2 * form)))
    return found


MEASURE = NoiseEquivalence()
COLUMNS = (
    Column(name="slope_jacobian", measure=MEASURE, title="Slope, noise minus Jacobian penalty"),
    Column(name="slope_l2", measure=MEASURE, title="Slope, noise minus L2 penalty"),
)
_SHARED: dict[str, Any] = {
    "measure": MEASURE,
    "x": "log_sigma",
    "x_title": "Standard deviation of the noise, log10",
    "y_title": "Difference of the objectives in nats, log10",
}
PICTURES = (
    Series(
        name="jacobian",
        title="The noisy objective minus that with the Jacobian penalty",
        y="log_jacobian",
        table=("error",),
        **_SHARED,
    ),
    Series(
        name="l2",
        title="The noisy objective minus that with the L2 penalty",
        y="log_l2",
        **_SHARED,
    ),
)
