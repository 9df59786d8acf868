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
   an example on such a kink adds a term in sigma^2, many examples spread evenly about it one in
   sigma^3, as a share of them that falls with sigma is within reach of it, and examples far from
   any one in sigma^4. So with a few examples the slope is between 2 and 4 or near it, and changes
   with sigma.
3. The expectation is an average over antithetic draws, from each of which its second-order form is
   taken off, of which the mean is known. So the slopes look at the network and not at
   `jacobian_trace`, which `form_over_jacobian` checks: the mean of that form over draws, divided by
   the penalty. All of it is computed in double precision.
4. Where a difference is not told from 0 its logarithm is noise. A slope is fitted on the smallest
   strengths in a row at which it is more than three standard errors and of one sign, as a power
   neither changes its sign nor vanishes in between; and only where these are three or more, as two
   would give a slope without a sign of whether the points are on a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core import seeds
from ftnoise.core.checks import expect, is_count, is_number
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.stats.interval import student_interval

if TYPE_CHECKING:
    import keras
    import numpy as np

SIGMAS = tuple(0.1 / 2**k for k in range(6))
TOLD = 3.0  # standard errors of a difference that is told from 0
FEWEST = 3  # strengths for a slope
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class NoiseEquivalence(Measure):
    """How the noisy objective and two penalized ones differ, as the noise becomes small.

    Scalars: `slope_jacobian` and `slope_l2`, the slopes of log |difference| against log sigma: 4
    where a penalty is equivalent to the noise, 2 where it is another one; `slope_jacobian_low`,
    `slope_jacobian_high`, `slope_l2_low`, `slope_l2_high` (their 95 % bootstrap intervals over
    draws, for the one network and the examples at hand; slopes that cannot be told are missing with
    their intervals); `penalty_jacobian` (the factor of sigma^2 / 2, in nats per squared unit of the
    input) and `penalty_l2` (the sum of the squared kernels, by which it is replaced: equal for a
    linear network of one layer and squared error); `form_over_jacobian` (1 if the Jacobian penalty
    is the mean second-order form of the noise) and its standard error `form_over_jacobian_error`;
    `jacobian_per_l2` (the first penalty over the second; what is divided by 0 is missing).

    That `slope_l2` is 2 holds by construction, at one set of weights and for all factors of the L2
    penalty but one, sigma^2 / 2 * `jacobian_per_l2`. What says that no factor is equivalent to the
    noise is that this ratio differs from network to network.

    Arrays `[sigmas]`: `log_sigma`, `log_jacobian`, `log_l2` (logarithms to base 10 of the noise and
    of the two differences in nats), the latter with the ends of a 95 % interval over draws,
    `log_jacobian_low`, `log_jacobian_high`, `log_l2_low`, `log_l2_high` (one that holds 0 ends a
    decade below the difference), and `error` (standard error of either difference).

    Args:
        sigmas: falling standard deviations > 0, in units of the inputs, at least three.
        examples: training examples that are looked at, >= 1; chosen once for all models.
        draws: antithetic pairs of noise for each, >= 2.
    """

    sigmas: tuple[float, ...] = SIGMAS
    examples: int = 30
    draws: int = 400

    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        expect(
            isinstance(self.sigmas, tuple)
            and len(self.sigmas) >= FEWEST
            and all(is_number(sigma) and sigma > 0 for sigma in self.sigmas)
            and list(self.sigmas) == sorted(set(self.sigmas), reverse=True),
            f"sigmas to be at least {FEWEST} numbers > 0 that fall",
            sigmas=self.sigmas,
        )
        expect(is_count(self.examples), "examples >= 1", examples=self.examples)
        expect(is_count(self.draws, least=2), "draws >= 2", draws=self.draws)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Averages over draws of noise at all strengths."""
        import numpy as np
        import tensorflow as tf

        x = trained.data.x_train
        count = min(self.examples, len(x))
        chosen = x if count == len(x) else x[seeds.subset(len(x), count, "noise equivalence")]
        twin = in_double_precision(trained.network)
        jacobian = jacobian_trace(twin, chosen)
        kernels = [w for w in trained.network.get_weights() if w.ndim > 1]
        l2 = float(sum(np.square(kernel.astype(np.float64)).sum() for kernel in kernels))
        generator = seeds.generator(0, "noise equivalence")
        forms, drawn = np.zeros(self.draws), np.zeros((self.draws, len(self.sigmas)))
        look = tf.function(
            lambda noise: form_and_remainders(twin, chosen, noise, self.sigmas), autograph=False
        )
        for draw in range(self.draws):
            noise = tf.constant(generator.standard_normal(chosen.shape))
            forms[draw], drawn[draw] = (part.numpy() for part in look(noise))
            trained.checkpointing.progress(
                draw + 1, self.draws, f"noise {draw + 1} of {self.draws}"
            )
        sigmas = np.array(self.sigmas)
        scalars: dict[str, float | None] = {
            "penalty_jacobian": jacobian,
            "penalty_l2": l2,
            "jacobian_per_l2": jacobian / l2 if l2 else None,
            "form_over_jacobian": forms.mean() / jacobian if jacobian else None,
            "form_over_jacobian_error": standard_error(forms) / jacobian if jacobian else None,
        }
        arrays = {"log_sigma": np.log10(sigmas), "error": standard_error(drawn)}
        differences = {"jacobian": drawn, "l2": drawn + sigmas**2 / 2 * (jacobian - l2)}
        for name, values in differences.items():
            found = slope(sigmas, values) or (None, None, None)
            for end, value in zip(("", "_low", "_high"), found, strict=True):
                scalars[f"slope_{name}{end}"] = value
            for end, line in zip(("", "_low", "_high"), band(values), strict=True):
                arrays[f"log_{name}{end}"] = line
        return Measurement(
            scalars={name: float(value) for name, value in scalars.items() if value is not None},
            arrays=arrays,
        )


def standard_error(values: np.ndarray) -> Any:
    """Of the mean over the first axis, of at least two draws."""
    import numpy as np

    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def logarithm(values: np.ndarray) -> np.ndarray:
    """To base 10, of magnitudes; finite at 0 too."""
    import numpy as np

    return np.log10(np.maximum(np.abs(values), np.finfo(np.float64).tiny))


def slope(sigmas: np.ndarray, values: np.ndarray) -> tuple[float, float, float] | None:
    """The slope of log |mean over draws| against log sigma, with a 95 % bootstrap interval.

    Args:
        sigmas: `[sigmas]`, falling, > 0.
        values: `[draws, sigmas]`, the same draws at all of them.

    Returns:
        The slope, its low and its high end; None if fewer than `FEWEST` sigmas are left: the
        smallest whose mean is told from 0, and those before it without a gap or another sign.
    """
    import numpy as np

    means = values.mean(axis=0)
    signs = np.where(np.abs(means) > TOLD * standard_error(values), np.sign(means), 0)
    last = max(np.flatnonzero(signs), default=-1)
    first = max(np.flatnonzero(signs[: last + 1] != signs[last]), default=-1) + 1
    if last + 1 - first < FEWEST:
        return None
    kept = slice(first, last + 1)
    draws = len(values)
    generator = seeds.generator(0, "noise equivalence", "bootstrap")
    shares = generator.multinomial(draws, np.full(draws, 1 / draws), size=RESAMPLES) / draws
    # The draws are resampled whole: what is found at two sigmas rests on the same noise.
    each = np.concatenate([means[None], shares @ values])[:, kept]
    slopes = np.polyfit(np.log10(sigmas[kept]), logarithm(each).T, 1)[0]
    low, high = np.quantile(slopes[1:], [0.025, 0.975])
    return float(slopes[0]), float(low), float(high)


def band(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log |mean over draws| and the ends of its 95 % interval, each `[sigmas]` and finite.

    Args:
        values: `[draws, sigmas]`.
    """
    import numpy as np

    means = np.abs(values.mean(axis=0))
    intervals = [student_interval(column) for column in values.T]
    low, high = (np.array([getattr(found, end) for found in intervals]) for end in ("low", "high"))
    # Of a mean below 0 the low end is the one farther from 0.
    near, far = np.maximum(low, -high), np.maximum(-low, high)
    return logarithm(means), logarithm(np.maximum(near, means / 10)), logarithm(far)


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


def form_and_remainders(
    network: keras.Model, x: np.ndarray, noise: Any, sigmas: tuple[float, ...]
) -> tuple[Any, Any]:
    """The loss under noise and its mirror image: its second-order form, and what is beyond it.

    Args:
        network: computes in float64.
        x: `[examples, ...]`.
        noise: as `x`, of standard deviation 1.
        sigmas: its factors.

    Returns:
        Means over the examples: the second-order form, the factor of sigma^2 / 2; and `[sigmas]`,
        the mean loss of the pair minus the loss without noise and sigma^2 / 2 times the form.
    """
    import tensorflow as tf

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
    answers = network(tf.reshape(moved, [-1, *x.shape[1:]]), training=False)
    log_q = tf.reshape(tf.nn.log_softmax(answers), [len(sigmas), 2, *logits.shape])
    # The loss minus that without noise: the divergence between the two answers.
    excess = tf.reduce_sum(p * (log_p - log_q), axis=-1)
    halves = tf.square(steps[::2]) / 2
    beyond = tf.reduce_mean(excess, axis=1) - halves[:, None] * form
    return tf.reduce_mean(form), tf.reduce_mean(beyond, axis=1)


MEASURE = NoiseEquivalence()
COLUMNS = tuple(
    Column(name=name, measure=MEASURE, title=title, digits=digits)
    for name, title, digits in (
        ("slope_jacobian", "Slope, noise minus Jacobian penalty", 2),
        ("slope_jacobian_low", "Low end of its 95 % interval", 2),
        ("slope_jacobian_high", "High end of its 95 % interval", 2),
        ("slope_l2", "Slope, noise minus L2 penalty", 2),
        ("form_over_jacobian", "Second-order form of the noise / Jacobian penalty", 3),
        ("form_over_jacobian_error", "Its standard error", 3),
        ("jacobian_per_l2", "Jacobian penalty / L2 penalty", 4),
    )
)
_SHARED: dict[str, Any] = {
    "measure": MEASURE,
    "x": "log_sigma",
    "x_title": "Standard deviation of the noise, log10",
    "y_title": "Difference of the objectives in nats, log10",
    "band": "95 % interval over draws of the noise, cut a decade below the line",
    "table": ("error",),
}
PICTURES = (
    Series(
        name="jacobian",
        title="The noisy objective minus that with the Jacobian penalty",
        y="log_jacobian",
        low="log_jacobian_low",
        high="log_jacobian_high",
        **_SHARED,
    ),
    Series(
        name="l2",
        title="The noisy objective minus that with the L2 penalty",
        y="log_l2",
        low="log_l2_low",
        high="log_l2_high",
        **_SHARED,
    ),
)
