"""Whether each prediction is certified at one radius, with draws only until it is decided.

Sources: Cohen, Rosenfeld and Kolter (2019), "Certified Adversarial Robustness via Randomized
Smoothing", for the class probability that a radius requires; Voracek (2024), "Treatment of
Statistical Estimation Problems in Randomized Smoothing for Adversarial Robustness" (arXiv
2406.17830), for confidence sequences instead of a number of draws that is fixed in advance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ftnoise.attacks.evaluation import chosen
from ftnoise.core.checks import count, expect, fraction, non_negative
from ftnoise.core.experiment import Column, columns_of
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.preset import Preset, limited
from ftnoise.core.resumable import Resumable
from ftnoise.core.spec import spec_id
from ftnoise.measures.certified_accuracy import AT_A_TIME, NORMS
from ftnoise.stats.certificates import probability_of


@dataclass(frozen=True, kw_only=True)
class SequentialCertification(Measure):
    """The share of examples that are right and certified at a radius, and the draws that it took.

    Scalars, in percent: `sequential_certified`, right and certified; `sequential_share`, certified
    whether right or not; `sequential_undecided`. And `sequential_draws`, the mean number of draws
    of an example, those that select its class included. A network without a noise layer has none.

    Args:
        radius: >= 0, in `norm`, in units of inputs in [0, 1].
        norm: "l_1" or "l_2".
        most: most draws that test an example, at least 1; after them it is undecided.
        selection: number of other draws that select the class, at least 1.
        examples: most test examples, one random subset for all runs; None is all.
        confidence: of each statement, in (0, 1).
    """

    radius: float = 0.1
    norm: str = "l_2"
    most: int = 2000
    selection: int = 20
    examples: int | None = 1000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        non_negative(radius=self.radius)
        expect(self.norm in NORMS, f"norm {' or '.join(NORMS)}", norm=self.norm)
        count(most=self.most, selection=self.selection)
        count(optional=True, examples=self.examples)
        fraction(zero=False, one=False, confidence=self.confidence)

    def scaled(self, preset: Preset) -> SequentialCertification:
        """Fewer examples, and ten draws at most for each trial where the preset limits them."""
        most = self.most if preset.trials is None else min(self.most, 10 * preset.trials)
        return replace(self, examples=limited(self.examples, preset.attacked), most=most)

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """Draws for one batch of examples after the other; resumes if interrupted."""
        from ftnoise.layers.noisy import has_noise, noisy_layer
        from ftnoise.layers.sensitivity import sensitivity
        from ftnoise.verify.smoothing import NoisyNetwork

        network = trained.network
        if not has_noise(network):
            return Measurement(scalars={})
        part = chosen(len(trained.data.x_test), self.examples)
        x, y = trained.data.x_test[part], trained.data.y_test[part]
        layer, noisy = noisy_layer(network), NoisyNetwork(network)
        reached = sensitivity(network, self.norm, "l_1" if layer.kind == "laplace" else "l_2")
        threshold = probability_of(self.radius * reached, layer.scale, layer.kind)

        def batch(start: int, stop: int) -> dict[str, Any]:
            classes, result, draws = noisy.sequentially(
                x[start:stop],
                threshold,
                alpha=1 - self.confidence,
                most=self.most,
                selection=self.selection,
            )
            return {"right": classes == y[start:stop], "result": result, "draws": draws}

        work = Resumable(trained.checkpointing, spec_id(self))
        found = work.batches(batch, len(x), AT_A_TIME, text="sequential draws")
        certified = found["result"] == 1
        return Measurement(
            scalars={
                "sequential_certified": 100 * float((certified & found["right"]).mean()),
                "sequential_share": 100 * float(certified.mean()),
                "sequential_undecided": 100 * float((found["result"] == 0).mean()),
                "sequential_draws": float(np.mean(found["draws"])),
            },
            info={"threshold": threshold, "examples": len(x)},
        )


def columns(measure: SequentialCertification) -> tuple[Column, ...]:
    """The columns of a table of this measure."""
    at = f"{measure.norm} {measure.radius:g}"
    titles = {
        "sequential_certified": (f"Right and certified at {at} (sequential)", "%", 2),
        "sequential_undecided": (f"Undecided at {at} (sequential)", "%", 2),
        "sequential_draws": (f"Draws for an image at {at} (sequential)", "", 0),
    }
    return columns_of(measure, titles)
