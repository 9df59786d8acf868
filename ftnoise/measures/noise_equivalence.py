"""Is training with input noise training with a penalty? The claim, measured at fixed weights.

Source: Bishop (1995), "Training with Noise is Equivalent to Tikhonov Regularization", which the
paper cites in sections 4.1 and 4.3: up to terms of order sigma^4, the expected loss under noise
of standard deviation sigma on the inputs is the loss without noise plus a penalty on the
derivatives of the outputs in the inputs. For cross-entropy it is sigma^2 / 2 * trace(J^T H J), with
J = d logits / d x and H = diag(p) - p p^T.

Deviations
1. Bishop's penalty has a second term, the residuals times the second derivatives of the outputs,
   which vanishes where the network gives the distribution of the labels. Here the labels are
   distributed as the network's own output at the clean example.
2. The theory takes four derivatives. A rectified unit has none where it switches: an example on
   such a kink adds a term in sigma^2, many examples spread evenly about it one in sigma^3, examples
   far from it one in sigma^4. With few examples the slope is between 2 and 4, or near it, and
   changes with sigma.
3. The expectation is an average over antithetic draws, minus the second-order form of each draw,
   whose mean is known. So the slopes do not depend on `jacobian_trace`; `form_over_jacobian` checks
   that: the mean of the form over draws, divided by the penalty. All is in double precision.
4. A difference within three standard errors of 0 has a meaningless logarithm. A slope is fitted on
   the smallest strengths in a row with significant differences of one sign, as a power neither
   changes its sign nor vanishes in between, and only if there are three or more: two points are
   always on a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect, is_number
from ftnoise.core.experiment import columns_of
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np, tf
from ftnoise.stats.interval import student_interval

SIGMAS = tuple(0.1 / 2**k for k in range(6))
SIGNIFICANT = 3.0  # standard errors
FEWEST = 3  # strengths for a slope
RESAMPLES = 2000
ENDS = ("", "_low", "_high")


@dataclass(frozen=True, kw_only=True)
class NoiseEquivalence(Measure):
    """How the noisy objective and two penalized ones differ, as the noise becomes small.

    Scalars: `slope_jacobian` and `slope_l2`, the slopes of log abs(difference) against log sigma: 4
    where a penalty is equivalent to the noise, 2 where it is not; their 95 % bootstrap
    intervals over draws (for this network and these examples) `slope_jacobian_low`,
    `slope_jacobian_high`, `slope_l2_low`, `slope_l2_high`; slopes without enough significant
    differences are missing. `penalty_jacobian` (the factor of sigma^2 / 2, in nats per squared unit
    of the input); `penalty_l2` (the sum of the squared kernels, which replaces it: equal for a
    linear network of one layer and squared error); `form_over_jacobian` (1 if the Jacobian penalty
    is the mean second-order form of the noise) with its standard error `form_over_jacobian_error`;
    `jacobian_per_l2` (the first penalty over the second). A ratio to 0 is missing.

    `slope_l2` is 2 by construction for all factors of the L2 penalty but one, sigma^2 / 2 *
    `jacobian_per_l2`, which differs from network to network.

    Arrays `[sigmas]`: `log_sigma`, `log_jacobian`, `log_l2` (logarithms to base 10 of the noise and
    of the two differences in nats), the latter with the ends of a 95 % interval over draws,
    `log_jacobian_low`, `log_jacobian_high`, `log_l2_low`, `log_l2_high` (an interval that contains
    0 is cut a decade below the difference), and `error` (standard error of either difference).

    Args:
        sigmas: falling standard deviations > 0, in units of the inputs, at least three.
        examples: number of training examples, >= 1; drawn once for all models.
        draws: antithetic pairs of noise for each, >= 2.
    """

    sigmas: tuple[float, ...] = SIGMAS
    examples: int = 30
    draws: int = 400

    revision: ClassVar[int] = 2

    needs_training_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        expect(
            isinstance(self.sigmas, tuple)
            and len(self.sigmas) >= FEWEST
            and all(is_number(sigma) and sigma > 0 for sigma in self.sigmas)
            and list(self.sigmas) == sorted(set(self.sigmas), reverse=True),
            f"sigmas to be at least {FEWEST} falling numbers > 0",
            sigmas=self.sigmas,
        )
        count(examples=self.examples)
        count(least=2, draws=self.draws)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Averages over draws of noise at all strengths."""
        from scipy.stats import sem

        x = trained.data.x_train
        if self.examples < len(x):
            x = x[seeds.subset(len(x), self.examples, "noise equivalence")]
        twin = in_double_precision(trained.network)
        jacobian = jacobian_trace(twin, x)
        kernels = [w for w in trained.network.get_weights() if w.ndim > 1]
        l2 = float(sum(np.square(kernel.astype(np.float64)).sum() for kernel in kernels))
        generator = seeds.generator(0, "noise equivalence")
        forms, drawn = np.zeros(self.draws), np.zeros((self.draws, len(self.sigmas)))
        evaluate = tf.function(
            lambda noise: form_and_remainders(twin, x, noise, self.sigmas), autograph=False
        )
        for draw in range(self.draws):
            noise = tf.constant(generator.standard_normal(x.shape))
            forms[draw], drawn[draw] = (part.numpy() for part in evaluate(noise))
            text = f"noise {draw + 1} of {self.draws}"
            trained.checkpointing.progress(draw + 1, self.draws, text)
        sigmas = np.array(self.sigmas)
        scalars = {"penalty_jacobian": jacobian, "penalty_l2": l2}
        if l2:
            scalars["jacobian_per_l2"] = jacobian / l2
        if jacobian:
            scalars["form_over_jacobian"] = float(forms.mean() / jacobian)
            scalars["form_over_jacobian_error"] = float(sem(forms) / jacobian)
        arrays = {"log_sigma": np.log10(sigmas), "error": sem(drawn)}
        differences = {"jacobian": drawn, "l2": drawn + sigmas**2 / 2 * (jacobian - l2)}
        for name, values in differences.items():
            fitted = slope(sigmas, values)
            if fitted is not None:
                scalars |= {f"slope_{name}{e}": v for e, v in zip(ENDS, fitted, strict=True)}
            arrays |= {f"log_{name}{e}": v for e, v in zip(ENDS, band(values), strict=True)}
        return Measurement(scalars=scalars, arrays=arrays)


def logarithm(values: np.ndarray) -> np.ndarray:
    """Base-10 logarithm of magnitudes, finite at 0 too."""
    return np.log10(np.maximum(np.abs(values), np.finfo(np.float64).tiny))


def slope(sigmas: np.ndarray, values: np.ndarray) -> tuple[float, float, float] | None:
    """The slope of log abs(mean over draws) against log sigma, and its 95 % bootstrap interval.

    `values` are `[draws, sigmas]`, the same draws at all sigmas. None if fewer than `FEWEST`
    sigmas are left (deviation 4).
    """
    from scipy.stats import sem

    means = values.mean(axis=0)
    signs = np.where(np.abs(means) > SIGNIFICANT * sem(values), np.sign(means), 0)
    last = max(np.flatnonzero(signs), default=-1)
    first = max(np.flatnonzero(signs[: last + 1] != signs[last]), default=-1) + 1
    if last + 1 - first < FEWEST:
        return None
    fitted = slice(first, last + 1)
    draws = len(values)
    generator = seeds.generator(0, "noise equivalence", "bootstrap")
    shares = generator.multinomial(draws, np.full(draws, 1 / draws), size=RESAMPLES) / draws
    # Whole draws are resampled, as the values at all sigmas rest on the same noise.
    each = np.concatenate([means[None], shares @ values])[:, fitted]
    slopes = np.polyfit(np.log10(sigmas[fitted]), logarithm(each).T, 1)[0]
    low, high = np.quantile(slopes[1:], [0.025, 0.975])
    return float(slopes[0]), float(low), float(high)


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log abs(mean over draws) of `[draws, sigmas]` and the ends of its 95 % interval, finite."""
    means = np.abs(values.mean(axis=0))
    intervals = [student_interval(column) for column in values.T]
    low, high = np.array([(found.low, found.high) for found in intervals]).T
    # Of a mean below 0 the low end is the one farther from 0.
    near, far = np.maximum(low, -high), np.maximum(-low, high)
    return logarithm(means), logarithm(np.maximum(near, means / 10)), logarithm(far)


def in_double_precision(network: keras.Model) -> keras.Model:
    """A copy of a Sequential network that computes in float64.

    Raises `BadInput` for other networks, and for those that draw: their loss is no function of the
    inputs, whose derivatives are compared.
    """
    from ftnoise.layers.drawing import is_stochastic

    kind = type(network).__name__
    expect(isinstance(network, keras.Sequential), "a Sequential network", network=kind)
    expect(not is_stochastic(network), "a network that does not draw", network=network.name)
    twin = keras.Sequential([keras.layers.InputLayer(network.input_shape[1:], dtype="float64")])
    for layer in network.layers:
        twin.add(type(layer).from_config(layer.get_config() | {"dtype": "float64"}))
    twin.set_weights(network.get_weights())
    return twin


def jacobian_trace(network: keras.Model, x: np.ndarray) -> float:
    """The mean over examples of trace(J^T H J)."""
    inputs = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        logits = network(inputs, training=False)
    jacobian = tape.batch_jacobian(logits, inputs)
    flat = tf.reshape(jacobian, [*logits.shape, -1])
    p = tf.nn.softmax(logits)
    centered = flat - tf.einsum("nc,nci->ni", p, flat)[:, None]
    return float(tf.reduce_mean(tf.einsum("nc,nci->n", p, tf.square(centered))))


def form_and_remainders(
    network: keras.Model, x: np.ndarray, noise: Any, sigmas: tuple[float, ...]
) -> tuple[Any, Any]:
    """The loss under noise and its mirror image: its second-order form, and the remainder.

    Both are means over the examples: the form, the factor of sigma^2 / 2; and `[sigmas]`, the mean
    loss of the pair minus the loss without noise and sigma^2 / 2 times the form. `noise` has
    standard deviation 1.
    """
    inputs, direction = (tf.convert_to_tensor(part, tf.float64) for part in (x, noise))
    with tf.autodiff.ForwardAccumulator(inputs, direction) as accumulator:
        logits = network(inputs, training=False)
    p, log_p = tf.nn.softmax(logits), tf.nn.log_softmax(logits)
    derivative = accumulator.jvp(logits)
    centered = derivative - tf.reduce_sum(p * derivative, axis=-1, keepdims=True)
    form = tf.reduce_sum(p * tf.square(centered), axis=-1)
    # All strengths in one pass: a small pass for each takes twice as long.
    steps = tf.constant([sign * sigma for sigma in sigmas for sign in (1, -1)], tf.float64)
    moved = inputs + tf.reshape(steps, [-1, *[1] * x.ndim]) * direction
    outputs = network(tf.reshape(moved, [-1, *x.shape[1:]]), training=False)
    log_q = tf.reshape(tf.nn.log_softmax(outputs), [len(sigmas), 2, *logits.shape])
    # The loss minus that without noise: the divergence between the two outputs.
    excess = tf.reduce_sum(p * (log_p - log_q), axis=-1)
    halves = tf.square(steps[::2]) / 2
    remainder = tf.reduce_mean(excess, axis=1) - halves[:, None] * form
    return tf.reduce_mean(form), tf.reduce_mean(remainder, axis=1)


MEASURE = NoiseEquivalence()
COLUMNS = columns_of(
    MEASURE,
    {
        "slope_jacobian": ("Slope, noise minus Jacobian penalty", "", 2),
        "slope_jacobian_low": ("Low end of its 95 % interval", "", 2),
        "slope_jacobian_high": ("High end of its 95 % interval", "", 2),
        "slope_l2": ("Slope, noise minus L2 penalty", "", 2),
        "form_over_jacobian": ("Second-order form of the noise / Jacobian penalty", "", 3),
        "form_over_jacobian_error": ("Its standard error", "", 3),
        "jacobian_per_l2": ("Jacobian penalty / L2 penalty", "", 4),
    },
    slope_jacobian=("slope_jacobian_low", "slope_jacobian_high"),
)
PICTURES = tuple(
    Series(
        name=name,
        title=f"The noisy objective minus that with the {penalty} penalty",
        measure=MEASURE,
        x="log_sigma",
        x_title="Standard deviation of the noise, log10",
        y=f"log_{name}",
        y_title="Difference of the objectives in nats, log10",
        low=f"log_{name}_low",
        high=f"log_{name}_high",
        band="95 % interval over draws of the noise, cut a decade below the line",
        table=("error",),
    )
    for name, penalty in (("jacobian", "Jacobian"), ("l2", "L2"))
)
