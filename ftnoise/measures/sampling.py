"""Whether a sampler of a posterior works: acceptance, energy error, and agreement of its chains.

Sources: Vehtari et al. (2021), "Rank-normalization, folding, and localization: an improved R-hat",
for what R-hat and the effective sample size mean; both are TensorFlow Probability's. They are taken
of predictions, as weights are not identified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.checks import count
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np, tf

STUCK = 0.01  # share of accepted trajectories below which a chain has not moved


@dataclass(frozen=True, kw_only=True)
class Sampling(Measure):
    """Diagnostics of the chains that a Bayesian network's samples come from.

    Scalars: `acceptance`, the share of accepted trajectories after the burn-in (%); `step_size`,
    their mean step size; `energy_error`, the mean absolute error of the energy in a trajectory; and
    of the probability of the class that the network predicts, for each test example, over examples
    the 90 % quantile of `r_hat` and its median `r_hat_median` (split chains; missing with fewer
    than 4 samples, or where no prediction changes) and the median of `effective_samples`. All are
    missing for a network that is not Bayesian. Info: `red_flags`, sentences: chains that accept
    hardly anything, and predictions that differ between chains and change in none.

    Args:
        examples: number of test examples, at least 1.
    """

    examples: int = 200

    needs_run: ClassVar[bool] = True
    limits = (("examples", "attacked"),)

    def __post_init__(self) -> None:
        count(examples=self.examples)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Reads the logs of the chains, and predicts with each sample."""
        import tensorflow_probability as tfp

        from ftnoise.layers.posterior import PosteriorMean

        layer = next(
            (one for one in trained.network.layers if isinstance(one, PosteriorMean)), None
        )
        # What each chain has logged after its burn-in.
        chains = {
            name: [entry for entry in part["history"] if not entry["burn_in"]]
            for name, part in trained.record.get("parts", {}).items()
            if name.startswith("chain-")
        }
        if layer is None or not chains:
            return Measurement(scalars={})
        logs = [entry for chain in chains.values() for entry in chain]

        def mean(entries: list[Any], name: str) -> float:
            """The mean over trajectories; an entry of the log is the mean of some."""
            numbers = [one["averaged"] for one in entries]
            return float(np.average([one[name] for one in entries], weights=numbers))

        scalars = {
            name: factor * mean(logs, name)
            for name, factor in (("acceptance", 100), ("step_size", 1), ("energy_error", 1))
        }
        accepted = {name: mean(chain, "acceptance") for name, chain in sorted(chains.items())}
        flags = [
            f"{name} accepts {100 * share:.1f} % of its trajectories."
            for name, share in accepted.items()
            if share < STUCK
        ]
        predicted = _predictions(layer, trained.network, trained.data.x_test[: self.examples])
        each = predicted.reshape(len(chains), -1, predicted.shape[-1])
        if each.shape[1] >= 4:
            halves = np.concatenate(np.split(each[:, : each.shape[1] // 2 * 2], 2, axis=1))
            moved = halves.swapaxes(0, 1)[:, :, halves.std(axis=(0, 1)) > 0]
            if moved.shape[-1]:
                with np.errstate(all="ignore"):
                    r_hat = np.asarray(tfp.mcmc.potential_scale_reduction(moved))
                    effective = np.asarray(
                        tfp.mcmc.effective_sample_size(moved, cross_chain_dims=1)
                    )
                if stuck := int(np.isinf(r_hat).sum()):
                    flags.append(
                        f"{stuck} of {r_hat.size} predictions differ between chains and change in "
                        "none."
                    )
                for key, values, share in (
                    ("r_hat", r_hat, 0.9),
                    ("r_hat_median", r_hat, 0.5),
                    ("effective_samples", effective, 0.5),
                ):
                    if (finite := values[np.isfinite(values)]).size:
                        scalars[key] = float(np.quantile(finite, share))
        return Measurement(scalars=scalars, info={"red_flags": flags})


def _predictions(layer: Any, network: Any, x: Any) -> Any:
    """The probability of the class that the network predicts, in each sample; `[samples, n]`."""
    predicted = tf.argmax(network(x), axis=-1)

    @tf.function(autograph=False)
    def one(number: Any) -> Any:
        found = layer.probabilities(layer.samples(), number, tf.constant(x))
        return tf.gather(found, predicted, axis=1, batch_dims=1)

    return np.stack([one(tf.constant(number)).numpy() for number in range(layer.count)])


def columns(measure: Sampling) -> tuple[Column, ...]:
    """Columns of the diagnostics."""
    titles = {
        "acceptance": ("Accepted trajectories", "%", 1),
        "energy_error": ("Error of the energy", "", 2),
        "r_hat": ("R-hat of predictions, 90 % quantile", "", 2),
        "r_hat_median": ("R-hat of predictions, median", "", 2),
        "effective_samples": ("Effective samples, median", "", 0),
    }
    return columns_of(measure, titles)
