"""Accuracy of a user's own model under an attack, at several radii."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ftnoise.attacks.attack import Attack
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect, instance, rising, several
from ftnoise.core.interfaces import MeasureInput
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.measures.robust_curve import RobustCurve
from ftnoise.user.classifier import arrays_only, attackable, check_range
from ftnoise.user.plausibility import guessing
from ftnoise.user.text import counted, table


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackResult:
    """The accuracy of a model under an attack; printing it gives a table.

    Attributes:
        model: name of the model.
        attack: with its settings; its own radius does not count.
        attack_epsilons: the radii, in units of the input.
        low: lowest value of an input.
        high: highest value of an input.
        examples: number of examples.
        clean_accuracy: without an attack, in percent.
        arrays: those of `measures.robust_curve.RobustCurve`, along the radii.
        warnings: signs that a number is not what it seems, one sentence each.
    """

    model: str
    attack: Attack
    attack_epsilons: tuple[float, ...]
    low: float
    high: float
    examples: int
    clean_accuracy: float
    arrays: dict[str, np.ndarray]
    warnings: tuple[str, ...] = ()

    @cached_property
    def lines(self) -> pandas.DataFrame:
        """A line for each radius: `attack_epsilon` in units of the input, and in percent `accuracy`
        with the ends `low` and `high` of its 95 % interval (Clopper-Pearson, over examples).
        """
        ends = {"low": "accuracy_low", "high": "accuracy_high"}
        numbers = {name: self.arrays[ends.get(name, name)] for name in ("accuracy", *ends)}
        return pandas.DataFrame({"attack_epsilon": self.attack_epsilons, **numbers})

    def __str__(self) -> str:
        """The table and what it means, for a terminal."""
        rows = [["radius", "accuracy %", "95 % interval"]]
        for row in self.lines.to_dict("records"):
            interval = f"{row['low']:.2f} to {row['high']:.2f}"
            rows.append([f"{row['attack_epsilon']:.4g}", f"{row['accuracy']:.2f}", interval])
        lines = [
            f"{self.model} under {self.attack.name} in {self.attack.ball.label} balls: "
            f"{counted(self.examples, 'example')}, accuracy {self.clean_accuracy:.2f} % without "
            f"the attack; inputs in [{self.low:g}, {self.high:g}].",
            "",
            *table(rows),
            "",
            "Accuracy: the share of examples that are right without the attack and with it. "
            "The intervals (Clopper-Pearson) are over examples, for this model and this attack.",
            "It is an upper bound: a stronger attack may succeed more often.",
            *(f"Warning: {text}" for text in self.warnings),
        ]
        return "\n".join(lines)


def attack(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    attack: Attack | type[Attack] = PGD,
    attack_epsilons: float | Sequence[float] | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> AttackResult:
    """Measures the accuracy of a trained model under an attack, at each of several radii.

    Every radius has the same examples and random starts. Source: Carlini et al. (2019), "On
    Evaluating Adversarial Robustness"; the file of each attack names its own.

    Args:
        model: a Sequential or functional `keras.Model` with one input, that ends in at least two
            logits, their softmax or one sigmoid; left bit-identical.
        x: examples `[n, ...]` in [low, high]; nothing is scaled.
        y: integer labels `[n]`.
        attack: a class, such as `PGD` (20 steps from one random start), or a value with settings of
            its own, such as `PGD(attack_epsilon=0.1, steps=40)`.
        attack_epsilons: radii of the balls, rising, from 0 to the widest of the ball, in units of
            the input; by default the attack's own, a share of high - low.
        low: lowest value of an input.
        high: highest value of an input.

    Raises:
        BadInput: an argument does not fit, or the model is no classifier, random in inference or
            without a gradient in its input.
    """
    check_range(low, high)
    if isinstance(attack, type) and issubclass(attack, Attack):
        attack = attack(attack_epsilon=0.0)
        expect(attack_epsilons is not None, "attack_epsilons", attack_epsilons=attack_epsilons)
    instance(Attack, "an attack, such as PGD", attack=attack)
    assert isinstance(attack, Attack)
    if attack_epsilons is None:
        attack_epsilons = (attack.attack_epsilon * (high - low),)
    given = several(attack_epsilons)
    rising(attack_epsilons=given)
    radii = tuple(float(radius) / (high - low) for radius in given)
    network, examples, labels = attackable(model, x, y, low, high)
    assert labels is not None
    widest = attack.ball.widest(examples.shape[1:])
    expect(
        radii[-1] <= widest,
        f"attack_epsilons up to {widest * (high - low):g}, the widest {attack.ball.label} distance "
        "between inputs",
        attack_epsilons=given,
    )
    measure = RobustCurve(attack=attack, radii=radii, examples=None)
    found = measure.evaluate(
        MeasureInput(
            network=network,
            data=arrays_only(examples, labels),
            run=None,
            checkpointing=Checkpointing(),
        )
    )
    golden = network.predict(examples, verbose=0).argmax(axis=1) == labels
    warnings = guessing(golden, labels)
    if (found.arrays["accuracy"][1:] > found.arrays["accuracy"][:-1]).any():
        warnings.append(
            "The accuracy rises with the radius, and a larger ball contains the smaller: the "
            "attack is too weak. Give it more steps or restarts."
        )
    return AttackResult(
        model=model.name,
        attack=attack,
        attack_epsilons=tuple(map(float, given)),
        low=low,
        high=high,
        examples=len(labels),
        clean_accuracy=100.0 * float(golden.mean()),
        arrays=found.arrays,
        warnings=tuple(warnings),
    )
