"""Global robustness: how likely the prediction of an example can be changed, from both sides.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", Definitions 1 to 4 and
Theorems 1 and 2.

An attack gives one side: what it changes can be changed. The verifier gives the other: what it
verifies cannot. The truth lies between, whatever the attack missed, and each side has the
statistical error of its sample. The class that counts is the predicted one, right or wrong; where
two classes tie, it can be changed. All intervals are for the distribution that the test set was
drawn from.

Deviations
1. The paper's estimates are of one side, by an exhaustive search or FGSM.
2. The paper's interval is Hoeffding's, which fixes the number of examples. That of Clopper and
   Pearson for shares and the betting interval for means hold too, and are narrower. The latter
   takes the examples in a random order, whatever their order in the file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.evaluation import Evaluation
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect, fraction, instance, rising
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np
from ftnoise.core.preset import Preset, limited
from ftnoise.core.resumable import Resumable
from ftnoise.core.spec import spec_id
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.certificates import hoeffding_bounds, vote_bounds
from ftnoise.stats.comparing import holm
from ftnoise.stats.sampling import samples_needed
from ftnoise.verify.budget import Budget

AT_A_TIME = 100  # examples that are verified between two checkpoints


@dataclass(frozen=True, kw_only=True)
class GlobalRobustness(Measure):
    """R, the share of examples with one class in the whole ball, and D, the mean largest change.

    Scalars, for the first radius `..._1`, the second `..._2` and so on. R in percent: `robust` (not
    changed by an attack), `verified`, and `robust_low` and `robust_high`, between which R lies with
    the confidence. R_gamma likewise, for changes of the softmax up to gamma: `steady`,
    `steady_verified`, `steady_low`, `steady_high`. D, the mean of the largest change of a class's
    probability in the ball, in [0, 1]: `variation` (of the attacks), `variation_bounded`,
    `variation_low`, `variation_high`. `worst_class` (from 0) has the smallest share of examples not
    changed, and `worst_class_p` is the p-value of Fisher's test that it is below that of the
    others, with Holm's correction for all classes. Without the verifier, as for a network that
    draws, the verified numbers and the ends that rest on them are missing.

    Arrays, along the radii: `radii`, each of the above but the worst class, `robust_hoeffding_low`
    and `robust_hoeffding_high`, Hoeffding's interval of `robust`, and `class_robust`,
    `class_robust_low`, `class_robust_high` `[radii, classes]`, the share of each predicted class
    that these attacks do not change, with Clopper and Pearson's intervals of it, which hold for all
    classes at once; NaN for a class that is never predicted. Info: `attacks`, their
    labels; `examples`, their number; `undecided`, examples at each radius that are neither changed
    nor verified; and, where some are verified, the smallest `margin` and the largest `float_error`
    that a margin had to exceed (`verify/verifier.py`).

    Args:
        radii: rising, >= 0, in units of inputs in [0, 1].
        attacks: at least one, all in the same kind of ball; each is run at each of `radii`,
            whatever its own radius.
        verify: the budget of the verifier, for l_inf balls; its seconds are for all radii and
            examples together. With None, or for a network that draws or is wider than the budget
            allows, there is no verifier.
        tolerance: largest error of R and D by Hoeffding's bound, in (0, 1), which gives the number
            of examples; None takes all of the test set.
        most: examples at most, whatever the tolerance, or None.
        confidence: in (0, 1).
        family: number of networks for which the intervals hold at once (union bound), at least 1.
        gamma: largest change of a steady probability, in [0, 1].
        seed: >= 0; draws the examples without replacement.
    """

    radii: tuple[float, ...]
    attacks: tuple[Attack, ...]
    verify: Budget | None = None
    tolerance: float | None = 0.05
    most: int | None = None
    confidence: float = 0.95
    family: int = 1
    gamma: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        rising(radii=self.radii)
        instance(tuple, "a tuple of attacks", attacks=self.attacks)
        expect(len(self.attacks) > 0, "at least one attack", attacks=self.attacks)
        for attack in self.attacks:
            instance(Attack, "an attack, such as PGD(attack_epsilon=0.1)", attacks=attack)
            attack.at(self.radii[-1])
        balls = {attack.ball for attack in self.attacks}
        expect(len(balls) == 1, "attacks in one kind of ball", attacks=balls)
        (ball,) = balls
        if self.verify is not None:
            instance(Budget, "the budget of the verifier", verify=self.verify)
            expect(ball.label == "l_inf", "an l_inf ball to verify", attacks=ball.label)
        if self.tolerance is not None:
            fraction(zero=False, one=False, tolerance=self.tolerance)
        fraction(zero=False, one=False, confidence=self.confidence)
        fraction(gamma=self.gamma)
        count(family=self.family)
        count(optional=True, most=self.most)
        count(least=0, seed=self.seed)

    @property
    def needed(self) -> int | None:
        """The number of examples, or None for all."""
        if self.tolerance is None:
            return self.most
        wanted = samples_needed(self.tolerance, self.confidence, self.family)
        return limited(wanted, self.most)

    def scaled(self, preset: Preset) -> GlobalRobustness:
        """As many examples as the preset attacks, and CROWN alone where that is a limit."""
        if preset.attacked is None:
            return self
        verify = replace(self.verify, nodes=0) if self.verify else None
        return replace(self, most=limited(self.most, preset.attacked), verify=verify)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Measures the testing examples; raises as `measured`."""
        return self.measured(trained.network, trained.data.x_test, trained.checkpointing)

    def measured(
        self, network: keras.Model, x: np.ndarray, checkpointing: Checkpointing
    ) -> Measurement:
        """Attacks and verifies examples at one radius after the other; resumes if interrupted.

        Args:
            network: gives logits.
            x: the examples to draw from, `[n, ...]` in [0, 1].
            checkpointing: of the work.

        Raises:
            BadInput: the tolerance takes more examples than there are.
        """
        from ftnoise.layers.drawing import is_stochastic

        x = x[self.drawn(len(x))]
        evaluation = Evaluation(checkpointing, spec_id(self))
        attacked = self._attacked(evaluation, network, x)
        bounded = None
        if self.verify is not None and not is_stochastic(network) and self.verify.allows(network):
            bounded = self._verified(evaluation.resumable, network, x, ~attacked["changed"])
        outputs = int(network(x[:1]).shape[-1])
        return self._summary(attacked, bounded, max(2, outputs))

    def drawn(self, size: int) -> np.ndarray:
        """Sorted indices of the examples, drawn from `size` examples without replacement.

        Raises:
            BadInput: the tolerance needs more examples than `size`.
        """
        wanted = size if self.needed is None else self.needed
        expect(
            wanted <= size,
            f"a tolerance that takes at most the {size:,} examples there are",
            tolerance=self.tolerance,
            takes=wanted,
        )
        return np.sort(seeds.generator(self.seed, "global robustness").choice(size, wanted, False))

    def decided(self, trained: MeasureInput) -> tuple[np.ndarray, np.ndarray]:
        """For the test examples at the first radius: verified, and undecided, bool `[n]` each."""
        x = trained.data.x_test[: self.most]
        evaluation = Evaluation(trained.checkpointing, spec_id(self))
        left = ~self._attacked(evaluation, trained.network, x)["changed"]
        found = self._verified(evaluation.resumable, trained.network, x, left)
        verified, refuted = (found[name][0] for name in ("verified", "refuted"))
        return verified, left[0] & ~verified & ~refuted

    def _attacked(
        self, evaluation: Evaluation, network: keras.Model, x: np.ndarray
    ) -> dict[str, np.ndarray]:
        """`changed` and `variation` `[radii, n]`, and `predicted` `[n]`, by the worst attack.

        A change that is found in a ball counts in the larger balls, too.
        """
        found = [
            [
                evaluation.varied(f"at_{n}_by_{m}", attack.at(radius), network, x)
                for m, attack in enumerate(self.attacks)
            ]
            for n, radius in enumerate(self.radii)
        ]
        worst = {
            name: np.maximum.accumulate(
                [np.max([part[name] for part in parts], axis=0) for parts in found]
            )
            for name in ("changed", "variation")
        }
        return worst | {"predicted": found[0][0]["predicted"]}

    def _verified(
        self, work: Resumable, network: keras.Model, x: np.ndarray, left: np.ndarray
    ) -> dict[str, np.ndarray]:
        """`verified`, `refuted`, `margin`, `float_error` and `variation` `[radii, n]`.

        Only examples where `left` are verified; all have a `variation`. What is verified in a ball
        is verified in the smaller balls, too.
        """
        from ftnoise.verify.verifier import ATTACKED, VERIFIED, Verifier

        verifier = Verifier(network, clip=(0.0, 1.0))
        budget = self.verify or Budget()
        clock = _Clock(budget.seconds, 2 * len(self.radii) * -(-len(x) // AT_A_TIME))
        found: list[dict[str, np.ndarray]] = []
        # From the largest radius down.
        for n, radius in reversed(list(enumerate(self.radii))):
            already = found[-1]["verified"] if found else np.zeros(len(x), bool)

            def batch(
                start: int,
                stop: int,
                radius: float = radius,
                already: np.ndarray = already,
                undecided: np.ndarray = left[n] & ~already,
            ) -> dict[str, Any]:
                part = np.arange(start, stop)
                status = np.full(len(part), "", object)
                margin, error = np.full(len(part), np.nan), np.full(len(part), np.nan)
                wanted, seconds = np.flatnonzero(undecided[part]), clock.share()
                if len(wanted) and seconds != 0:
                    limits = replace(budget, seconds=seconds)
                    outcomes = verifier.verify(x[part[wanted]], radius, budget=limits)
                    status[wanted] = outcomes.status
                    proved = wanted[outcomes.status == VERIFIED]
                    margin[proved] = outcomes.margin[outcomes.status == VERIFIED]
                    error[proved] = outcomes.float_error
                variation, seconds = np.ones(len(part)), clock.share()
                if seconds != 0:
                    variation = verifier.variation_bounds(x[part], radius, seconds)
                return {
                    "verified": (status == VERIFIED) | already[part],
                    "refuted": status == ATTACKED,
                    "margin": margin,
                    "float_error": error,
                    "variation": variation,
                }

            text = f"verifying at {radius:.3g}"
            found.append(
                work.batches(batch, len(x), AT_A_TIME, series=f"verified_at_{n}", text=text)
            )
        stacked = {name: np.stack([part[name] for part in found[::-1]]) for name in found[0]}
        least = np.flip(np.minimum.accumulate(np.flip(stacked["variation"], 0)), 0)
        refuted = np.maximum.accumulate(stacked["refuted"])
        return stacked | {"refuted": refuted, "variation": least}

    def _summary(
        self,
        attacked: dict[str, np.ndarray],
        bounded: dict[str, np.ndarray] | None,
        classes: int,
    ) -> Measurement:
        changed, variation = attacked["changed"], attacked["variation"]
        if bounded is not None:
            changed = changed | bounded["refuted"]
        confidence, size = 1 - (1 - self.confidence) / self.family, changed.shape[1]
        tail = (1 - confidence) / 2
        arrays: dict[str, np.ndarray] = {"radii": np.array(self.radii)}
        for name, kept in {"robust": ~changed, "steady": variation <= self.gamma}.items():
            arrays[name] = 100 * kept.mean(axis=1)
            arrays[f"{name}_high"] = 100 * vote_bounds(kept.sum(axis=1), size, tail)[1]
        undecided, margins = [], {}
        if bounded is not None:
            proved = np.isfinite(bounded["margin"])
            if proved.any():
                margins = {
                    "margin": float(bounded["margin"][proved].min()),
                    "float_error": float(bounded["float_error"][proved].max()),
                }
            verified = bounded["verified"] & ~changed
            undecided = (~changed & ~verified).sum(axis=1).tolist()
            steady = (bounded["variation"] <= self.gamma) & (variation <= self.gamma)
            surely = {
                ("verified", "robust_low"): verified,
                ("steady_verified", "steady_low"): steady,
            }
            for (name, low), kept in surely.items():
                arrays[name] = 100 * kept.mean(axis=1)
                arrays[low] = 100 * vote_bounds(kept.sum(axis=1), size, tail)[0]
        ends = hoeffding_bounds((~changed).mean(axis=1), size, tail)
        arrays["robust_hoeffding_low"], arrays["robust_hoeffding_high"] = 100 * np.array(ends)
        # The betting interval takes values in the order in which they were drawn. That of the
        # examples, which batches share, is the file's, and may tell what comes next.
        order = seeds.generator(self.seed, "order").permutation(size)
        arrays["variation"] = variation.mean(axis=1)
        arrays["variation_low"] = np.array(
            [bounded_interval(row, confidence).low for row in variation[:, order]]
        )
        if bounded is not None:
            most = np.maximum(bounded["variation"], variation)
            arrays["variation_bounded"] = most.mean(axis=1)
            arrays["variation_high"] = np.array(
                [bounded_interval(row, confidence).high for row in most[:, order]]
            )
        by_class = _by_class(~changed, attacked["predicted"], classes, confidence)
        scalars = {
            f"{name}_{n}": float(value)
            for name, values in arrays.items()
            if name != "radii"
            for n, value in enumerate(values, 1)
        }
        for n, (worst, p) in enumerate(by_class.pop("worst"), 1):
            scalars |= {f"worst_class_{n}": float(worst), f"worst_class_p_{n}": p}
        return Measurement(
            scalars=scalars,
            arrays=arrays | by_class,
            info={
                "attacks": [attack.at(self.radii[-1]).name for attack in self.attacks],
                "examples": size,
                "undecided": undecided,
                **margins,
            },
        )


class _Clock:
    """Shares seconds out among calls; what one does not take is left for the others."""

    def __init__(self, seconds: float | None, calls: int) -> None:
        self.seconds, self.calls, self.began = seconds, calls, time.monotonic()

    def share(self) -> float | None:
        """The seconds of the next call, 0 if there are none left; None without a limit."""
        if self.seconds is None:
            return None
        left = max(0.0, self.seconds - (time.monotonic() - self.began))
        self.calls -= 1
        return left / max(1, self.calls + 1)


def _by_class(
    kept: np.ndarray, predicted: np.ndarray, number: int, confidence: float
) -> dict[str, Any]:
    """Shares of each predicted class `[radii, classes]`, and the worst class with its p-value."""
    from scipy.stats import fisher_exact

    present = np.unique(predicted).tolist()
    shares = np.full((3, len(kept), number), np.nan)
    worst = []
    for n, row in enumerate(kept):
        p = []
        for c in present:
            own, others = row[predicted == c], row[predicted != c]
            each = 1 - (1 - confidence) / number
            ends = vote_bounds(own.sum(), len(own), (1 - each) / 2)
            shares[:, n, c] = 100 * np.array([own.mean(), *ends])
            table = [[part.sum(), len(part) - part.sum()] for part in (own, others)]
            p.append(float(fisher_exact(table, alternative="less").pvalue))
        lowest = int(np.nanargmin(shares[0, n]))
        worst.append((lowest, holm(p)[present.index(lowest)]))
    names = ("class_robust", "class_robust_low", "class_robust_high")
    return dict(zip(names, shares, strict=True)) | {"worst": worst}


def columns(measure: GlobalRobustness) -> tuple[Column, ...]:
    """For each radius the two sides of R and D, and the interval of R; `robust_1` and so on."""
    found: list[Column] = []
    for n, radius in enumerate(measure.radii, 1):
        at = measure.attacks[0].at(radius).region
        titles = {
            "verified": (f"R, verified ({at})", "%", 2),
            "robust": (f"R, not changed by attacks ({at})", "%", 2),
            "robust_low": (f"Low end of the interval of R ({at})", "%", 2),
            "robust_high": (f"High end of the interval of R ({at})", "%", 2),
            "variation": (f"D, attacked ({at})", "", 3),
            "variation_bounded": (f"D, bounded ({at})", "", 3),
        }
        known = {"robust", "robust_high", "variation"} if measure.verify is None else titles
        shown = {f"{name}_{n}": text for name, text in titles.items() if name in known}
        ends = {f"robust_{n}": (f"robust_low_{n}", f"robust_high_{n}")}
        found += columns_of(measure, shown, **ends)
    return tuple(found)


def picture(measure: GlobalRobustness) -> Series:
    """R against the radius: the share that no attack changes, and the interval of R."""
    sure = measure.verify is not None
    low, high = ("robust_low", "robust_high") if sure else ("robust_hoeffding_low", "robust_high")
    return Series(
        name="radius",
        title="Global robustness against the radius",
        measure=measure,
        x="radii",
        x_title="Radius of the attack",
        y="robust",
        y_title="Examples whose prediction is not changed",
        y_unit="%",
        low=low,
        high=high,
        band=f"R lies in it with {100 * measure.confidence:g} % confidence, whatever attacks miss"
        if sure
        else "from Hoeffding's lower end for these attacks to Clopper and Pearson's upper one",
        table=("verified", "variation", "variation_bounded") if sure else ("variation",),
    )
