"""Certified accuracy: the share of examples that are right, and stay right within a radius.

Source and bounds: `verify/certificate.py`.

A certificate is for one example, and for the prediction over infinitely many draws, by votes or by
the mean softmax. As it is computed from a finite number of draws, it is wrong with a probability of
at most 1 - confidence. No attack is needed. It assumes normal (or Laplace) noise; the draws are
pseudo-random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.evaluation import chosen, perturbing
from ftnoise.attacks.target import Compiled
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import boolean, count, expect, fraction, instance, rising
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.figures import Series
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import keras, np, tf
from ftnoise.core.preset import Preset, limited
from ftnoise.core.resumable import Resumable
from ftnoise.core.spec import spec_id
from ftnoise.stats.certificates import bernstein_bounds, vote_bounds

if TYPE_CHECKING:
    from ftnoise.verify.certificate import Certificate
    from ftnoise.verify.smoothing import NoisyNetwork

AT_A_TIME = 100  # examples between two checkpoints
POINTS = 61  # of a curve
JUDGES = 500  # draws that judge an attack, at most
FARTHEST = 1000.0  # times the radius of an attack, for sizes without limit
KINDS = ("votes", "hoeffding", "bernstein", "gaussian", "cohen")
NORMS = ("l_1", "l_2")


@dataclass(frozen=True, kw_only=True)
class CertifiedAccuracy(Measure):
    """The share of examples that are right and certified, by each bound; nothing without noise.

    Scalars, shares in percent: `vote_accuracy` and `averaged_accuracy`, of votes and of the mean
    softmax; for each bound (votes, hoeffding, bernstein, gaussian, cohen) and each radius (numbered
    from 1, as in `certified_votes_1`) `certified_...`, right and certified, and `share_...`,
    certified whether right or not; for each bound `median_size_...`; `sensitivity`; `noise`, the
    scale of the noise. With an attack, for each radius at which an example is certified by its
    votes (cohen; with Laplace noise: votes) or its mean softmax (gaussian; bernstein),
    `refuted_...`: the share of these examples for which the attack at the radius, stretched to the
    size that is certified, leads to another vote, or mean, of those certified, by Clopper-Pearson
    or Bernstein bounds at 0.001 each; up to 1 - confidence of the certificates may be wrong. A
    network without a noise layer has no scalars.
    Arrays: `at` `[points]`, radii of a curve; for each bound `curve_...` `[points]`, right and
    certified in percent, and `size_...` and `right_...` `[n]` of each example.

    Args:
        radii: rising, >= 0, in `norm`, in units of inputs in [0, 1].
        norm: "l_1" or "l_2".
        draws: number of draws that bound the probabilities, at least 2.
        selection: number of other draws that select Cohen's class, at least 1.
        examples: most test examples, one random subset for all runs; None is all.
        confidence: of each certificate, in (0, 1).
        all_at_once: the confidence holds for all certificates at once (union bound).
        attack: on the certified examples, in an l_2 or l_inf ball that lies within the radius, with
            their predictions as labels; None leaves it out.
    """

    radii: tuple[float, ...] = (0.1, 0.2, 0.4)
    norm: str = "l_2"
    draws: int = 2000
    selection: int = 100
    examples: int | None = 1000
    confidence: float = 0.95
    all_at_once: bool = False
    attack: Attack | None = None

    def __post_init__(self) -> None:
        rising(radii=self.radii)
        expect(self.norm in NORMS, f"norm {' or '.join(NORMS)}", norm=self.norm)
        count(least=2, draws=self.draws)
        count(selection=self.selection)
        count(optional=True, examples=self.examples)
        fraction(zero=False, one=False, confidence=self.confidence)
        boolean(all_at_once=self.all_at_once)
        if self.attack is not None:
            instance(Attack, "an attack", attack=self.attack)
            fits = self.norm == "l_2" and self.attack.ball.label in ("l_2", "l_inf")
            expect(fits, "an attack in an l_2 or l_inf ball with norm l_2", norm=self.norm)

    def scaled(self, preset: Preset) -> CertifiedAccuracy:
        """Fewer examples, and ten draws for each trial where the preset limits them."""
        draws = self.draws if preset.trials is None else min(self.draws, 10 * preset.trials)
        examples = limited(self.examples, preset.attacked)
        attack = None if self.attack is None else self.attack.scaled(preset)
        return replace(self, examples=examples, draws=max(2, draws), attack=attack)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Draws for one batch of examples after the other; resumes if interrupted."""
        from ftnoise.layers.noisy import has_noise

        if not has_noise(trained.network):
            return Measurement(scalars={})
        part = chosen(len(trained.data.x_test), self.examples)
        x, y = trained.data.x_test[part], trained.data.y_test[part]
        return self.measured(trained.network, x, y, trained.checkpointing)

    def measured(
        self,
        network: keras.Model,
        x: np.ndarray,
        y: np.ndarray,
        checkpointing: Checkpointing,
    ) -> Measurement:
        """The measurement of examples `[n, ...]` with labels `[n]`.

        Args:
            network: with one noise layer.
            x: the examples.
            y: their labels.
            checkpointing: of the work.

        Raises:
            BadInput: the sensitivity of what is in front of the noise is not known.
        """
        from ftnoise.layers.noisy import noisy_layer
        from ftnoise.layers.sensitivity import sensitivity
        from ftnoise.verify.certificate import certified
        from ftnoise.verify.smoothing import Draws, NoisyNetwork

        layer, noisy = noisy_layer(network), NoisyNetwork(network)
        reached = sensitivity(network, self.norm, "l_1" if layer.kind == "laplace" else "l_2")
        keys = {part: seeds.key(0, "certificate", part) for part in ("selection", "estimation")}
        numbers = {"selection": self.selection, "estimation": self.draws}

        def batch(start: int, stop: int) -> dict[str, Any]:
            quantity = noisy.front(x[start:stop])
            found = {}
            for name, key in keys.items():
                drawn = noisy.draws(quantity, numbers[name], key=key)
                for field in ("votes", "sums", "squares"):
                    found[f"{name}_{field}"] = getattr(drawn, field)
            return found

        work = Resumable(checkpointing, spec_id(self))
        arrays = work.batches(batch, len(x), AT_A_TIME, text=f"{self.draws:,} draws")
        parts = [
            Draws(number, *(arrays[f"{name}_{field}"] for field in ("votes", "sums", "squares")))
            for name, number in numbers.items()
        ]
        alpha = (1 - self.confidence) / (len(x) if self.all_at_once else 1)
        found = certified(
            *parts, kind=layer.kind, scale=layer.scale, sensitivity=reached, alpha=alpha
        )
        if self.attack is not None:
            refuted = self._refuted(work, noisy, x, found)
        else:
            refuted = {}
        scalars = {
            "vote_accuracy": 100 * float((found["votes"].predicted == y).mean()),
            "averaged_accuracy": 100 * float((found["bernstein"].predicted == y).mean()),
            **({"sensitivity": reached} if np.isfinite(reached) else {}),
            "noise": layer.scale,
            **refuted,
        }
        widest = max(
            float(one.sizes[np.isfinite(one.sizes)].max(initial=0)) for one in found.values()
        )
        at = np.linspace(0, max(widest, self.radii[-1]), POINTS)
        curves = {"at": at}
        for name, one in found.items():
            right = one.predicted == y
            for n, radius in enumerate(self.radii, 1):
                # Nothing is certified of a size of 0, not even at a radius of 0.
                sure = (one.sizes >= radius) & (one.sizes > 0)
                scalars[f"share_{name}_{n}"] = 100 * float(sure.mean())
                scalars[f"certified_{name}_{n}"] = 100 * float((sure & right).mean())
            scalars[f"median_size_{name}"] = float(np.median(np.minimum(one.sizes, at[-1])))
            sizes = np.where(right & (one.sizes > 0), one.sizes, -1.0)
            curves |= {
                f"curve_{name}": 100 * (sizes >= at[:, None]).mean(1),
                f"size_{name}": one.sizes,
                f"right_{name}": right,
            }
        return Measurement(
            scalars=scalars,
            arrays=curves,
            info={"examples": len(x), "kind": layer.kind, "alpha": alpha},
        )

    def _refuted(
        self, work: Resumable, noisy: NoisyNetwork, x: np.ndarray, found: dict[str, Certificate]
    ) -> dict[str, float]:
        """`refuted_...`: the attack at each radius, on what is certified there."""
        assert self.attack is not None
        target, key = Compiled(noisy.network, x.shape[1:]), seeds.key(0, "certificate", "attacked")
        shrinks = float(np.sqrt(x[0].size)) if self.attack.ball.label == "l_inf" else 1.0
        # The widest certificate of each prediction.
        voted = found["cohen" if "cohen" in found else "votes"]
        averaged = found["gaussian" if "gaussian" in found else "bernstein"]
        shares = {}
        for n, radius in enumerate(self.radii, 1):
            by_votes, by_mean = ((c.sizes >= radius) & (c.sizes > 0) for c in (voted, averaged))
            sure = np.flatnonzero(by_votes | by_mean)
            own = np.where(by_votes, voted.predicted, averaged.predicted)
            attack = self.attack.at(radius / shrinks)
            perturb = perturbing(attack, target)

            def batch(
                start: int,
                stop: int,
                sure: Any = sure,
                own: Any = own,
                perturb: Any = perturb,
                certified: Any = (by_votes, by_mean),
                radius: float = max(radius, 1e-9),
            ) -> Any:
                part = sure[start:stop]
                images = tf.constant(x[part], tf.float32)
                labels = tf.constant(own[part], tf.int32)
                moved = perturb(images, labels, start // AT_A_TIME).numpy() - x[part]
                number, rows = min(self.draws, JUDGES), np.arange(len(part))
                refuted = np.zeros(len(part), bool)
                for one, here in zip((voted, averaged), certified, strict=True):
                    # As far in the direction of the attack as the certificate reaches.
                    stretch = np.clip(one.sizes[part] / radius, 1, FARTHEST)
                    stretch = stretch.reshape(-1, *[1] * (x.ndim - 1))
                    there = np.clip(x[part] + stretch * moved, 0, 1).astype("float32")
                    drawn = noisy.draws(noisy.front(there), number, key=key)
                    if one is voted:
                        low, high = vote_bounds(drawn.votes, number, 0.001)
                    else:
                        low, high = bernstein_bounds(drawn.means, drawn.variances, number, 0.001)
                    beaten = low.max(axis=1) > high[rows, one.predicted[part]]
                    refuted |= here[part] & beaten
                return {"refuted": refuted}

            if len(sure):
                parts = work.batches(
                    batch, len(sure), AT_A_TIME, series=f"attacked_{n}", text=attack.label
                )
                shares[f"refuted_{n}"] = 100 * float(parts["refuted"].mean())
        return shares


def columns(measure: CertifiedAccuracy, kinds: tuple[str, ...] = KINDS) -> tuple[Column, ...]:
    """Accuracy of the votes, then for each radius what is certified by each bound."""
    titles = {"vote_accuracy": f"Accuracy of a vote of {measure.draws:,} draws"}
    for n, radius in enumerate(measure.radii, 1):
        for kind in kinds:
            for what, title in (("share", "Certified"), ("certified", "Right and certified")):
                titles[f"{what}_{kind}_{n}"] = f"{title} at {measure.norm} {radius:g} ({kind})"
    if measure.attack is not None:
        for n, radius in enumerate(measure.radii, 1):
            name = measure.attack.at(radius).name
            titles[f"refuted_{n}"] = f"Certificates at {radius:g} refuted by {name}"
    return columns_of(measure, titles)


def pictures(measure: CertifiedAccuracy, kinds: tuple[str, ...] = KINDS) -> tuple[Series, ...]:
    """Certified accuracy against the radius, a figure for each bound."""
    return tuple(
        Series(
            name=f"certified_{kind}",
            title=f"Certified accuracy against the radius, bound {kind}",
            measure=measure,
            x="at",
            x_title=f"Radius ({measure.norm})",
            y=f"curve_{kind}",
            y_title="Examples that are right and certified",
            y_unit="%",
            to_zero=True,
        )
        for kind in kinds
    )
