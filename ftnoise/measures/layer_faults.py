"""Sensitivity of each layer to faults: accuracy against the rate, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from ftnoise.core.checks import expect
from ftnoise.core.figures import HeatMap
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.lazy import np
from ftnoise.core.preset import Preset
from ftnoise.core.resumable import Resumable
from ftnoise.core.spec import spec_id
from ftnoise.faults.outcomes import OUTCOMES, Outcomes
from ftnoise.faults.rates import Share
from ftnoise.measures.fault_tolerance import FaultTolerance

RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class LayerFaults(Measure):
    """Testing accuracy with faults in one layer at a time.

    Scalars: `most_sensitive_layer` (its position, from 1, among the layers with such sites: the one
    with the lowest accuracy, on average over the rates). Arrays: `rates` `[rates]` (percent of the
    layer's sites), `layer_accuracy` `[layers, rates]` (percent, means over trials), `layer_spread`
    `[layers, rates]` (standard deviation over trials, points), and `layer_due_rate`, ...,
    `[layers, rates]`: the outcomes of `Outcomes.outcome_rates` (percent, means over trials, without
    intervals). Info: `layers`, labels of the layers: position, class and number of sites.

    Args:
        faults: the campaign that runs on each layer.
    """

    faults: FaultTolerance = field(default_factory=lambda: FaultTolerance(rates=RATES, trials=20))

    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        expect(
            isinstance(self.faults, FaultTolerance) and not self.faults.where.layers,
            "faults to be FaultTolerance of all layers",
            faults=self.faults,
        )

    def scaled(self, preset: Preset) -> LayerFaults:
        """For each layer a third of the preset's trials, at least 2."""
        if preset.trials is None:
            return self
        fewer = replace(preset, trials=max(2, preset.trials // 3))
        return replace(self, faults=self.faults.scaled(fewer))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """A campaign for each layer that has such sites."""
        from ftnoise.faults.campaign import Campaign, unchanged

        faults, data = self.faults, trained.data
        targets = faults.where.targets(trained.network)
        layers = list(dict.fromkeys(target.layer for target in targets))

        def campaign_of(layer: int, _: int) -> dict[str, np.ndarray]:
            where = replace(faults.where, layers=(layer,))
            fault = replace(faults.fault, where=where)
            campaign = Campaign(trained.network, data.x_test, data.y_test, fault, seed=faults.seed)
            rates = [Share(rate=rate) for rate in faults.rates]
            results = [campaign.run(range(faults.trials), rate).to_arrays() for rate in rates]
            found = Outcomes(rates, campaign.correct, campaign.y, results)
            at = range(len(rates))
            return {
                "accuracies": np.array([[found.accuracies(index) for index in at]]),
                **{
                    name: np.array([[found.outcome_rates(index)[name].mean() for index in at]])
                    for name in OUTCOMES
                },
            }

        with unchanged(trained.network) as weights:
            work = Resumable(trained.checkpointing, f"{spec_id(self)} {weights}")
            measured = work.batches(campaign_of, len(layers), 1, text="layers")
        accuracies = measured["accuracies"]
        sizes = [sum(target.size for target in targets if target.layer is one) for one in layers]
        means = accuracies.mean(axis=2)
        return Measurement(
            scalars={"most_sensitive_layer": float(means.mean(axis=1).argmin() + 1)},
            arrays={
                "rates": 100 * np.array(faults.rates),
                "layer_accuracy": means,
                "layer_spread": accuracies.std(axis=2, ddof=1),
                **{f"layer_{name}": measured[name] for name in OUTCOMES},
            },
            info={
                "layers": [
                    f"{n} {type(layer).__name__} ({size:,})"
                    for n, (layer, size) in enumerate(zip(layers, sizes, strict=True), start=1)
                ]
            },
        )


_FAULT = LayerFaults().faults.fault
PICTURE = HeatMap(
    name="layers",
    title=f"Testing accuracy with {_FAULT.where.label} of one layer {_FAULT.what.label}",
    measure=LayerFaults(),
    x="rates",
    x_title=f"Share of the layer's {_FAULT.where.label} {_FAULT.what.label}",
    x_unit="%",
    values="layer_accuracy",
    labels="layers",
    value_title="Testing accuracy",
    value_unit="%",
)
