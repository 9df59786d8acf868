"""Membership inference: how well an attacker distinguishes training examples from others.

Source: Yeom et al. (2018), "Privacy Risk in Machine Learning", for the loss threshold; Salem et al.
(2019), "ML-Leaks", for the entropy; Song and Mittal (2021) for attacks that look at both.

Members and non-members are drawn in equal numbers. On one half of them each attack is fitted and
the strongest chosen; on the other half it is measured, so that the choice adds no bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect
from ftnoise.core.experiment import Column
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np, special
from ftnoise.stats import proportion_interval


@dataclass(frozen=True, kw_only=True)
class Membership(Measure):
    """Membership inference with the model's own outputs.

    Scalars, in points: `membership_advantage` (rate of members found minus rate of non-members
    taken for members, of the strongest attack; 0 is chance, 100 is certainty),
    `membership_advantage_low` and `membership_advantage_high` (Clopper-Pearson, 95 %), and those of
    each attack: `membership_by_loss`, `membership_by_entropy`, `membership_by_regression`
    (scikit-learn's logistic regression on loss, entropy, margin and correctness).

    Args:
        examples: number of members, and of non-members, at most; an even number >= 4.
    """

    examples: int = 10_000

    needs_training_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        count(least=4, examples=self.examples)
        expect(self.examples % 2 == 0, "an even number of examples", examples=self.examples)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Fits each attack on one half and measures it on the other."""
        data = trained.data
        size = min(self.examples, len(data.y_train), len(data.y_test)) // 2 * 2
        expect(size >= 4, "at least 4 training and 4 testing examples", size=size)
        sets = []
        for x, y, kind in (
            (data.x_train, data.y_train, "members"),
            (data.x_test, data.y_test, "non-members"),
        ):
            generator = np.random.default_rng(seeds.key(0, "membership", kind, size))
            chosen = generator.choice(len(y), size, replace=False)
            sets.append(features(trained.network, x[chosen], y[chosen]))
        # In each half as many members as non-members.
        fitted, judged = (
            np.concatenate([found[half] for found in sets])
            for half in (slice(None, size // 2), slice(size // 2, None))
        )
        member = np.repeat([True, False], size // 2)
        attacks = {
            "loss": by_threshold(-fitted[:, 0], member, -judged[:, 0]),
            "entropy": by_threshold(-fitted[:, 1], member, -judged[:, 1]),
            "regression": by_regression(fitted, member, judged),
        }
        strongest = max(attacks, key=lambda name: attacks[name][0])
        scalars = {
            f"membership_by_{name}": advantage(guesses, member)
            for name, (_, guesses) in attacks.items()
        }
        right = int(np.count_nonzero(attacks[strongest][1] == member))
        low, high = proportion_interval(right, size)
        return Measurement(
            scalars={
                "membership_advantage": scalars[f"membership_by_{strongest}"],
                "membership_advantage_low": 100 * (2 * low - 1),
                "membership_advantage_high": 100 * (2 * high - 1),
                **scalars,
            }
        )


def features(network: keras.Model, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Loss, entropy (nats), margin (log odds) and correctness of each example, `[n, 4]` float64."""
    from ftnoise.layers.prediction import logits

    log_p = special.log_softmax(logits(network, x).astype(np.float64), axis=1)
    rows = np.arange(len(y))
    loss = -log_p[rows, y]
    others = log_p.copy()
    others[rows, y] = -np.inf
    margin = log_p[rows, y] - special.logsumexp(others, axis=1)
    entropy = -np.sum(np.exp(log_p) * log_p, axis=1)
    return np.stack([loss, entropy, margin, log_p.argmax(axis=1) == y], axis=1)


def by_threshold(
    scores: np.ndarray, member: np.ndarray, judged: np.ndarray
) -> tuple[float, np.ndarray]:
    """The attack that takes an example whose score reaches a threshold for a member.

    Returns the advantage (points) on the examples for fitting, with `scores` and `member` `[n]`,
    and its guesses for those for testing, with scores `judged` `[m]`: bool `[m]`.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(np.where(member[order], 1, -1))
    # A threshold cannot separate equal scores.
    ends = np.append(np.diff(scores[order]) != 0, True)
    best = int(np.argmax(np.where(ends, found, -1)))
    threshold = scores[order][best]
    return advantage(scores >= threshold, member), judged >= threshold


def by_regression(
    fitted: np.ndarray, member: np.ndarray, judged: np.ndarray
) -> tuple[float, np.ndarray]:
    """Logistic regression on standardized features `[n, 4]`; returns as `by_threshold` does."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    attack: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    attack.fit(fitted, member)
    return advantage(attack.predict(fitted), member), attack.predict(judged)


def advantage(guesses: np.ndarray, member: np.ndarray) -> float:
    """True positive rate minus false positive rate of the attack, in points."""
    return 100.0 * float(guesses[member].mean() - guesses[~member].mean())


_TITLE = "Membership advantage"
COLUMNS = (Column(name="membership_advantage", measure=Membership(), title=_TITLE, unit="points"),)
