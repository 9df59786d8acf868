"""Global robustness of a user's own model: how likely it is that a prediction can be changed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect, fraction, is_number, rising, several
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.core.progress import duration
from ftnoise.core.spec import JSON
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.user.classifier import attackable, check_range
from ftnoise.user.folder import Job, Result, content_id
from ftnoise.user.text import counted, table
from ftnoise.verify.budget import Budget

POINTS = 5  # of a curve up to one radius
BALLS = {"l_inf": LinfBall(), "l_2": L2Ball()}
PILOT = 20  # examples that show the time


@dataclass(frozen=True, kw_only=True)
class RobustnessSettings:
    """The settings of global robustness, as `ftnoise.global_robustness` and the command take them.

    Attributes:
        radius: of the ball, > 0, in units of the input: several in rising order, which form the
            curve, or a single one, which becomes the last of five equally spaced radii
        tolerance: largest error of the sample, in (0, 1), by Hoeffding's bound, which gives the
            number of examples; 0 takes all of them
        confidence: of all intervals, in (0, 1)
        budget: of the verifier: a time in total, such as 60s; or a whole number, the most bounds
            for each rival class of an example, whose result repeats exactly; or none
        norm: l_inf, or l_2, which has no verifier
        gamma: largest change of a probability that counts as steady, in [0, 1]
        low: lowest value of an input
        high: highest value of an input
        seed: draws the examples, an integer >= 0
    """

    radius: tuple[float, ...]
    tolerance: float = 0.05
    confidence: float = 0.95
    budget: str | int = "60s"
    norm: str = "l_inf"
    gamma: float = 0.5
    low: float = 0.0
    high: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        rising(radius=self.radius)
        positive = bool(self.radius) and self.radius[0] > 0
        expect(positive, "radii > 0", radius=self.radius)
        check_range(self.low, self.high)
        fraction(one=False, tolerance=self.tolerance)
        widest = self.norm != "l_inf" or self.radius[-1] <= self.high - self.low
        expect(widest, "a radius up to the range of inputs", radius=self.radius[-1])
        expect(self.norm in BALLS, f"norm {' or '.join(BALLS)}", norm=self.norm)
        count(least=0, seed=self.seed)
        _ = self.measure  # checks the others

    @classmethod
    def of(cls, radius: float | Sequence[float], **others: Any) -> RobustnessSettings:
        """Settings from one radius or several.

        Raises:
            BadInput: a value is wrong.
        """
        if hasattr(radius, "__len__") and not isinstance(radius, str):
            return cls(radius=several(radius), **others)
        (largest,) = several(radius)
        good = is_number(largest) and largest > 0
        expect(good, "radius > 0, or several", radius=radius)
        # To 12 digits, so that a fifth of 0.3 is 0.06.
        points = range(1, POINTS + 1)
        return cls(radius=tuple(float(f"{largest * n / POINTS:.12g}") for n in points), **others)

    @property
    def verify(self) -> Budget | None:
        """The budget of the verifier."""
        if self.norm != "l_inf" or self.budget == "none":
            return None
        if isinstance(self.budget, int) and not isinstance(self.budget, bool):
            return Budget(nodes=self.budget)
        text = str(self.budget)
        if re.fullmatch(r"\d{1,9}", text):
            return Budget(nodes=int(text))
        seconds = re.fullmatch(r"(\d{1,9}(\.\d*)?)s", text)
        expect(
            seconds is not None and float(seconds[1]) > 0,
            "budget such as 60s, a whole number of bounds, or none",
            budget=self.budget,
        )
        assert seconds is not None
        return Budget(nodes=10**9, seconds=float(seconds[1]))

    @property
    def measure(self) -> GlobalRobustness:
        """What is measured, with inputs and radii in units of the range."""
        radii = tuple(radius / (self.high - self.low) for radius in self.radius)
        ball = BALLS[self.norm]
        return GlobalRobustness(
            radii=radii,
            attacks=(
                PGD(attack_epsilon=radii[-1], restarts=3, ball=ball),
                Variation(attack_epsilon=radii[-1], ball=ball),
            ),
            verify=self.verify,
            tolerance=self.tolerance or None,
            confidence=self.confidence,
            gamma=self.gamma,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustnessResult(Result):
    """How likely it is that a prediction of a model can be changed; printing it gives a table.

    Attributes:
        model: name of the model.
        settings: what was measured.
        available: number of examples that were drawn from.
        accuracy: on all of them without an attack, in percent, if labels were given.
        arrays, info: those of `measures.global_robustness.GlobalRobustness`.
    """

    model: str
    settings: RobustnessSettings
    available: int
    accuracy: float | None
    arrays: dict[str, np.ndarray]
    info: dict[str, Any]

    @property
    def verified(self) -> bool:
        """Whether the verifier took part."""
        return "verified" in self.arrays

    @cached_property
    def lines(self) -> pandas.DataFrame:
        """A line for each radius, in units of the input; R and R_gamma in percent, D in [0, 1].

        Columns: `radius`, `undecided`, and the arrays of `GlobalRobustness` along the radii.
        """
        along = {name: values for name, values in self.arrays.items() if values.ndim == 1}
        frame = pandas.DataFrame({**along, "radii": self.settings.radius})
        if self.verified:
            frame.insert(1, "undecided", self.info["undecided"])
        return frame.rename(columns={"radii": "radius"})

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "model": self.model,
            "available": self.available,
            "accuracy": self.accuracy,
            "info": self.info,
            "settings": asdict(self.settings),
            "lines": self.lines.to_dict("records"),
        }

    def figure(self) -> dict[str, bytes]:
        """R against the radius, by suffix (`png`, `pdf`)."""
        from ftnoise.report.figures.arrays import named_curves

        arrays = self.arrays
        low = arrays.get("robust_low", np.zeros(len(self.settings.radius)))
        curves = {"not changed by attacks": [arrays["robust"], low, arrays["robust_high"]]}
        if self.verified:
            curves["verified"] = [arrays["verified"]]
        where = "R is in it" if self.verified else "R is below its upper end"
        return named_curves(
            self.settings.radius,
            {name: [values.tolist() for values in parts] for name, parts in curves.items()},
            x_title=f"Radius ({self.settings.norm})",
            y_title="Inputs that keep their class (%)",
            band=f"{where} with {100 * self.settings.confidence:g} % confidence",
        )

    def __str__(self) -> str:
        """The table and what it means, for a terminal."""
        settings, sure = self.settings, self.verified
        confidence = f"{100 * settings.confidence:g} %"
        head = ["radius", *(["verified %"] if sure else []), "not changed %", "R in %"]
        head += ["undecided"] if sure else []
        head += ["D attacked", *(["D bounded"] if sure else []), "D in"]
        rows = [head]
        for row in self.lines.to_dict("records"):
            # Without the verifier nothing is known from below.
            low, most = row.get("robust_low", 0.0), row.get("variation_high", 1.0)
            rows.append(
                [
                    f"{row['radius']:.4g}",
                    *([f"{row['verified']:.2f}"] if sure else []),
                    f"{row['robust']:.2f}",
                    f"{low:.1f} to {row['robust_high']:.1f}",
                    *([str(row["undecided"])] if sure else []),
                    f"{row['variation']:.4f}",
                    *([f"{row['variation_bounded']:.4f}"] if sure else []),
                    f"{row['variation_low']:.3f} to {most:.3f}",
                ]
            )
        drawn = f"{self.info['examples']:,} of {counted(self.available, 'example')}"
        accuracy = "" if self.accuracy is None else f", accuracy {self.accuracy:.2f} % on all"
        last = self.lines.iloc[-1]
        moved = "each number of an input is changed by up to"
        if settings.norm == "l_2":
            moved = "an input is moved, in l_2, by up to"
        steady = f"{last.get('steady_low', 0.0):.1f} to {last['steady_high']:.1f} %"
        lines = [
            f"{self.model}: {drawn}{accuracy}; inputs in [{settings.low:g}, {settings.high:g}], "
            f"seed {settings.seed}.",
            "",
            *table(rows),
            "",
            f"R: {rows[-1][head.index('R in %')]} % of inputs keep the class that is predicted, "
            f"however {moved} {settings.radius[-1]:g}.",
            f"R_gamma: for {steady} of inputs, no class's probability changes by more than "
            f"{settings.gamma:g}.",
            f"D: the largest change of a class's probability is {rows[-1][-1]} on average.",
            *self._worst(),
            f"Each interval holds with {confidence} confidence, at its own radius, for the "
            "distribution that the examples were drawn from. An example is robust if it keeps its "
            "predicted class, right or wrong; a tie counts as changed.",
            f"Attacked by {' and '.join(self.info['attacks'])}.",
        ]
        if not sure:
            return "\n".join([*lines, "Nothing was verified: other attacks may change more."])
        if (margin := self.info.get("margin")) is not None:
            lines.append(
                f"The smallest verified margin is {margin:.3g}; it has to exceed "
                f"{self.info['float_error']:.3g}, 10 times the largest rounding error that was "
                "measured. The bounds hold for all real-valued inputs in the ball."
            )
        if (
            settings.verify is not None
            and settings.verify.seconds is not None
            and any(self.info["undecided"])
        ):
            lines.append(
                "Which examples stay undecided depends on the speed of this machine: the verifier "
                f"had {settings.budget}. A larger budget may decide more."
            )
        return "\n".join(lines)

    def _worst(self) -> list[str]:
        """A line about the class that is changed most often."""
        shares = self.arrays["class_robust"][-1]
        known = np.isfinite(shares)
        if known.sum() < 2:
            return []
        worst = int(np.nanargmin(shares))
        low, high = (self.arrays[f"class_robust_{end}"][-1, worst] for end in ("low", "high"))
        return [
            f"Class {worst} is changed most often: of the examples predicted as {worst}, attacks "
            f"leave {shares[worst]:.1f} % unchanged; the interval of that share under these "
            f"attacks, {low:.1f} to {high:.1f} %, and those of the other classes hold at once."
        ]


def global_robustness(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    radius: float | Sequence[float],
    **settings: Any,
) -> RobustnessResult:
    """How likely it is that a prediction of a model can be changed, from both sides.

    Attacks show which predictions can be changed, a verifier which cannot; R, the share that
    cannot, lies between them, whatever the attacks missed. The intervals add the error of the
    sample on either side. Source: "Global Adversarial Robustness Guarantees for Neural Networks",
    Definitions 1 to 4.

    Args:
        model: a Sequential or functional `keras.Model` with one input, that ends in at least two
            logits, their softmax or one sigmoid; left bit-identical.
        x: examples `[n, ...]` in the model's range; nothing is scaled.
        y: integer labels `[n]`, for the accuracy; no other number needs them.
        radius: see `RobustnessSettings`.
        settings: further fields of `RobustnessSettings`: `tolerance`, `confidence`, `budget`,
            `norm`, `gamma`, `low`, `high`, `seed`.

    Raises:
        BadInput: an argument does not fit, the tolerance takes more examples than there are, the
            model is no classifier or random in inference, or bounds for one of its layers are
            unknown (`budget="none"` attacks it all the same).
    """
    checked = RobustnessSettings.of(radius, **settings)
    return job(*prepared(model, x, y, checked), checked, {}).run(Checkpointing())


def prepared(
    model: keras.Model, x: Any, y: Any, settings: RobustnessSettings
) -> tuple[keras.Model, np.ndarray, float | None]:
    """The model from [0, 1] to logits, the examples in [0, 1], and the accuracy with labels."""
    network, examples, labels = attackable(model, x, y, settings.low, settings.high)
    settings.measure.drawn(len(examples))
    if settings.verify is not None:
        from ftnoise.verify.program import program

        program(network)
    if labels is None:
        return network, examples, None
    logits = network.predict(examples, verbose=0)
    return network, examples, 100.0 * float((logits.argmax(1) == labels).mean())


def job(
    network: keras.Model,
    x: np.ndarray,
    accuracy: float | None,
    settings: RobustnessSettings,
    about: dict[str, JSON],
) -> Job[RobustnessResult]:
    """The measurement of what `prepared` made; see `GlobalRobustness.measured`."""

    def run(checkpointing: Checkpointing) -> RobustnessResult:
        found = settings.measure.measured(network, x, checkpointing)
        return RobustnessResult(
            model=network.name,
            settings=settings,
            available=len(x),
            accuracy=accuracy,
            arrays=found.arrays,
            info=found.info,
        )

    def identify() -> str:
        parts = [x, network(x[:PILOT]).numpy()]
        return content_id(network.network, [asdict(settings), accuracy], parts)

    return Job(
        name="robustness",
        model=network.name,
        identify=identify,
        shape={"model": str, "available": int, "info": dict},
        run=run,
        load=lambda content, arrays: RobustnessResult(
            settings=settings,
            arrays=dict(arrays),
            **{name: content[name] for name in ("model", "available", "accuracy", "info")},
        ),
        about=about,
    )


def plan(
    network: keras.Model, x: np.ndarray, accuracy: float | None, settings: RobustnessSettings
) -> str:
    """How many examples the tolerance takes, and how long, from `PILOT` at the largest radius."""
    import time

    del accuracy
    needed, measure = settings.measure.needed, settings.measure
    wanted = len(x) if needed is None else needed
    # The verifier's seconds are for all examples and radii.
    limit = measure.verify and measure.verify.seconds
    few = replace(
        measure,
        radii=measure.radii[-1:],
        tolerance=None,
        most=min(PILOT, wanted),
        verify=None if limit else measure.verify,
    )
    begin = time.monotonic()
    few.measured(network, x, Checkpointing())
    seconds = (time.monotonic() - begin) / min(PILOT, wanted) * wanted * len(settings.radius)
    seconds += limit or 0
    why = "all of them"
    if needed is not None:
        why = (
            f"for R within {settings.tolerance:g} with {100 * settings.confidence:g} % confidence, "
            "by Hoeffding's bound"
        )
    return (
        f"{wanted:,} of {counted(len(x), 'example')}, {why}.\n"
        f"At most about {duration(seconds)} for {len(settings.radius)} radii, from the time of "
        f"{min(PILOT, wanted)} examples at the largest."
    )
