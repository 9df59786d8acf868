"""Certified robustness of a user's own model by noise on its inputs (randomized smoothing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from ftnoise.attacks.evaluation import chosen
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import positive, several
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.core.spec import JSON
from ftnoise.measures.certified_accuracy import CertifiedAccuracy
from ftnoise.stats.certificates import private_sizes
from ftnoise.user.classifier import checked_classifier
from ftnoise.user.folder import Job, Result, content_id
from ftnoise.user.text import counted, table

SHARES = (0.25, 0.5, 1.0, 1.5)  # of sigma: the radii of the table
KINDS = ("votes", "bernstein", "gaussian", "cohen")


@dataclass(frozen=True, kw_only=True)
class CertificationSettings:
    """The settings of `ftnoise.certify` and of the command.

    Attributes:
        sigma: standard deviation of the noise, > 0, in units of the input
        radius: l_2 radii of the table, in rising order, in units of the input; by default 0.25,
            0.5, 1 and 1.5 times sigma
        draws: number of noise draws that certify each example, at least 2
        selection: number of further draws that select the class for Cohen's certificate, at least 1
        confidence: of each certificate, in (0, 1)
        examples: most examples to certify, a random subset; by default all
    """

    sigma: float
    radius: tuple[float, ...] = ()
    draws: int = 1000
    selection: int = 100
    confidence: float = 0.999
    examples: int | None = None

    def __post_init__(self) -> None:
        positive(sigma=self.sigma)
        if not self.radius:
            object.__setattr__(self, "radius", tuple(share * self.sigma for share in SHARES))
        _ = self.measure  # checks the others

    @property
    def measure(self) -> CertifiedAccuracy:
        """What is measured."""
        return CertifiedAccuracy(
            radii=self.radius,
            draws=self.draws,
            selection=self.selection,
            examples=self.examples,
            confidence=self.confidence,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CertificationResult(Result):
    """What is certified of a model with noise on its inputs; printing it gives a table.

    Attributes:
        model: name of the model.
        settings: what was measured.
        examples: their number.
        scalars, arrays: those of `measures.certified_accuracy.CertifiedAccuracy`; `size_cohen` and
            so on are the certified sizes of the examples, whose positions in `x` are `index`.
    """

    model: str
    settings: CertificationSettings
    examples: int
    scalars: dict[str, float]
    arrays: dict[str, np.ndarray]

    @cached_property
    def lines(self) -> pandas.DataFrame:
        """A line for each radius: right and certified examples in percent, by each bound."""
        return pandas.DataFrame(
            [
                {
                    "radius": radius,
                    **{kind: self.scalars[f"certified_{kind}_{n}"] for kind in KINDS},
                }
                for n, radius in enumerate(self.settings.radius, 1)
            ]
        )

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        return {
            "model": self.model,
            "examples": self.examples,
            "scalars": self.scalars,
            "settings": asdict(self.settings),
            "lines": self.lines.to_dict("records"),
        }

    def figure(self) -> dict[str, bytes]:
        """Certified accuracy against the radius, by suffix (`png`, `pdf`)."""
        from ftnoise.report.figures.arrays import named_curves

        return named_curves(
            self.arrays["at"].tolist(),
            {kind: [self.arrays[f"curve_{kind}"].tolist()] for kind in KINDS},
            x_title="Radius (l_2)",
            y_title="Right and certified (%)",
        )

    def __str__(self) -> str:
        """The table and what it means, for a terminal."""
        settings, scalars = self.settings, self.scalars
        farthest = float(private_sizes(1.0, 0.0, settings.sigma))
        rows = [["radius", *(f"{kind} %" for kind in KINDS)]]
        rows += [
            [f"{row['radius']:.4g}", *(f"{row[kind]:.2f}" for kind in KINDS)]
            for row in self.lines.to_dict("records")
        ]
        return "\n".join(
            [
                f"{self.model} with noise of {settings.sigma:g} on its inputs: "
                f"{counted(self.examples, 'example')}, {settings.draws:,} draws each.",
                "",
                *table([rows[0], *rows[1:]]),
                "",
                f"Accuracy with this noise: {scalars['vote_accuracy']:.2f} % by vote, "
                f"{scalars['averaged_accuracy']:.2f} % by the mean of the probabilities.",
                "Each number is the share of examples that are right and whose prediction is the "
                "same for all inputs within that l_2 radius. votes and bernstein certify votes and "
                "mean probabilities by differential privacy (Lecuyer et al. 2019), which reaches "
                f"no further than {farthest:.2g} with this noise; cohen (Cohen et al. 2019) and "
                "gaussian certify the same by the normal distribution. All of them hold.",
                f"Each certificate is wrong with a chance of at most {1 - settings.confidence:.3g},"
                " and holds for one example, and for the prediction of the model over infinitely "
                "many draws of this noise, not for the model without noise.",
            ]
        )


def certify(
    model: keras.Model,
    x: Any,
    y: Any,
    *,
    sigma: float,
    radius: float | Sequence[float] = (),
    **settings: Any,
) -> CertificationResult:
    """Certifies predictions of a model with normal noise on its inputs, example by example.

    The model should have been trained with such noise, or its predictions are poor. Sources: Cohen,
    Rosenfeld and Kolter (2019), "Certified Adversarial Robustness via Randomized Smoothing";
    Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential Privacy".

    Args:
        model: a Sequential or functional `keras.Model` with one input, that ends in at least two
            logits, their softmax or one sigmoid; left bit-identical.
        x: examples `[n, ...]` as the model takes them; nothing is scaled.
        y: integer labels `[n]`.
        sigma: standard deviation of the noise, > 0, in units of the input.
        radius: see `CertificationSettings`.
        settings: further fields of `CertificationSettings`: `draws`, `selection`, `confidence`,
            `examples`.

    Raises:
        BadInput: an argument does not fit, or the model is no classifier or random in inference.
    """
    checked = CertificationSettings(sigma=sigma, radius=several(radius), **settings)
    return job(*prepared(model, x, y, checked), checked, {}).run(Checkpointing())


def prepared(
    model: keras.Model, x: Any, y: Any, settings: CertificationSettings
) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """The model with noise on its inputs, the examples and the labels."""
    from ftnoise.verify.smoothing import with_input_noise

    examples, labels = checked_classifier(model, x, y)
    assert labels is not None
    return with_input_noise(model, settings.sigma), examples, labels


def job(
    network: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    settings: CertificationSettings,
    about: dict[str, JSON],
) -> Job[CertificationResult]:
    """The measurement of what `prepared` made; see `certify` and `CertifiedAccuracy.measured`."""
    from ftnoise.layers.drawing import mean

    def run(checkpointing: Checkpointing) -> CertificationResult:
        index = np.arange(len(x))[chosen(len(x), settings.examples)]
        found = settings.measure.measured(network, x[index], y[index], checkpointing)
        return CertificationResult(
            model=network.name,
            settings=settings,
            examples=len(index),
            scalars=found.scalars,
            arrays=found.arrays | {"index": index},
        )

    def identify() -> str:
        with mean():
            golden = network(x[:20]).numpy()
        return content_id(network, asdict(settings), [x, y, golden])

    return Job(
        name="certification",
        model=network.name,
        identify=identify,
        shape={"model": str, "examples": int, "scalars": dict},
        run=run,
        load=lambda content, arrays: CertificationResult(
            settings=settings,
            arrays=dict(arrays),
            **{name: content[name] for name in ("model", "examples", "scalars")},
        ),
        about=about,
    )
