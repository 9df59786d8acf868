"""Which layers a network can least do without: accuracy against the rate, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.figures import HeatMap
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement
from ftnoise.core.preset import Preset
from ftnoise.faults.amounts import Share
from ftnoise.measures.fault_tolerance import FaultTolerance

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign

RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class LayerFaults(Measure):
    """Testing accuracy with faults in one layer at a time.

    Scalars: `most_sensitive_layer` (its position, from 1, among the layers with such places: the
    one with the lowest accuracy, on average over the rates). Arrays: `rates` `[rates]` (percent of
    the layer's places), `layer_accuracy` `[layers, rates]` (percent, means over masks),
    `layer_spread` `[layers, rates]` (standard deviation over masks, points). Info: `layers`, what
    the lines are called.

    Args:
        faults: what is asked of each layer.
    """

    faults: FaultTolerance = field(default_factory=lambda: FaultTolerance(rates=RATES, masks=20))

    def __post_init__(self) -> None:
        expect(
            isinstance(self.faults, FaultTolerance) and not self.faults.where.layers,
            "faults to be FaultTolerance of all layers",
            faults=self.faults,
        )

    def scaled(self, preset: Preset) -> LayerFaults:
        """The same from a third of so many masks, as there are several layers; at least 2."""
        if preset.trials is None:
            return self
        fewer = replace(preset, trials=max(2, preset.trials // 3))
        return replace(self, faults=self.faults.scaled(fewer))

    def evaluate(self, trained: MeasureInput) -> Measurement:
        """A campaign for each layer that has such places."""
        import numpy as np

        from ftnoise.faults.campaign import Campaign, digest
        from ftnoise.faults.gates import untouched

        before = digest(trained.network)
        faults, data = self.faults, trained.data
        sites = faults.where.sites(trained.network)
        layers = list(dict.fromkeys(site.layer for site in sites))
        kept = trained.checkpointing.load()
        rows: list[Any] = list(kept[0]["accuracies"]) if kept else []
        for n in range(len(rows), len(layers)):
            where = replace(faults.where, layers=(n,))
            campaign = Campaign(
                trained.network,
                data.x_test,
                data.y_test,
                replace(faults.fault, where=where),
                seed=faults.seed,
            )
            rows.append(_accuracies(campaign, faults, trained.checkpointing, n, len(layers)))
            trained.checkpointing.save({"accuracies": np.stack(rows)}, {})
        places = [sum(site.size for site in sites if site.layer is layer) for layer in layers]
        labels = [
            f"{n + 1} {type(layer).__name__} ({size:,})"
            for n, (layer, size) in enumerate(zip(layers, places, strict=True))
        ]
        accuracies = np.stack(rows)
        untouched(trained.network, before)
        means = accuracies.mean(axis=2)
        return Measurement(
            scalars={"most_sensitive_layer": float(means.mean(axis=1).argmin() + 1)},
            arrays={
                "rates": 100 * np.array(faults.rates),
                "layer_accuracy": means,
                "layer_spread": accuracies.std(axis=2, ddof=1),
            },
            info={"layers": labels},
        )


def _accuracies(
    campaign: Campaign,
    faults: FaultTolerance,
    checkpointing: Checkpointing,
    layer: int,
    layers: int,
) -> Any:
    """Accuracies of a layer's masks in percent, `[rates, masks]`."""
    import numpy as np

    rows = []
    for n, rate in enumerate(faults.rates):
        outcome = campaign.run(range(faults.masks), Share(rate=rate))
        rows.append(100 * outcome.correct.mean(axis=1))
        done = layer * len(faults.rates) + n + 1
        checkpointing.progress(done, layers * len(faults.rates), f"layer {layer + 1} of {layers}")
    return np.stack(rows)


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
