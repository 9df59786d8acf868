"""Which layers a network can least do without: accuracy against the rate, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ftnoise.faults.amounts import Share
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.pictures import HeatMap
from ftnoise.spec import Spec, expect
from ftnoise.workspace import Answer, Subject, Workspace

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign

RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True, kw_only=True)
class LayerFaults(Spec):
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

    @property
    def passes(self) -> int:
        """Passes over the test set that it takes at most, of the layers together."""
        return 2 * len(self.faults.rates) * self.faults.masks

    def with_masks(self, masks: int) -> LayerFaults:
        """The same from a third of so many masks, as there are several layers; at least 2."""
        return replace(self, faults=self.faults.with_masks(max(2, masks // 3)))

    def evaluate(self, subject: Subject) -> Answer:
        """A campaign for each layer that has such places."""
        import numpy as np

        from ftnoise.faults.campaign import Campaign, digest
        from ftnoise.faults.gates import untouched

        before = digest(subject.network)
        faults, data = self.faults, subject.data
        sites = faults.where.sites(subject.network)
        layers = list(dict.fromkeys(site.layer for site in sites))
        kept = subject.workspace.load()
        rows: list[Any] = list(kept[0]["accuracies"]) if kept else []
        for n in range(len(rows), len(layers)):
            where = replace(faults.where, layers=(n,))
            campaign = Campaign(
                subject.network,
                data.x_test,
                data.y_test,
                replace(faults.fault, where=where),
                seed=faults.seed,
            )
            rows.append(_accuracies(campaign, faults, subject.workspace, n, len(layers)))
            subject.workspace.save({"accuracies": np.stack(rows)}, {})
        places = [sum(site.size for site in sites if site.layer is layer) for layer in layers]
        labels = [
            f"{n + 1} {type(layer).__name__} ({size:,})"
            for n, (layer, size) in enumerate(zip(layers, places, strict=True))
        ]
        accuracies = np.stack(rows)
        untouched(subject.network, before)
        means = accuracies.mean(axis=2)
        return Answer(
            scalars={"most_sensitive_layer": float(means.mean(axis=1).argmin() + 1)},
            arrays={
                "rates": 100 * np.array(faults.rates),
                "layer_accuracy": means,
                "layer_spread": accuracies.std(axis=2, ddof=1),
            },
            info={"layers": labels},
        )


def _accuracies(
    campaign: Campaign, faults: FaultTolerance, workspace: Workspace, layer: int, layers: int
) -> Any:
    """Accuracies of a layer's masks in percent, `[rates, masks]`."""
    import numpy as np

    rows = []
    for n, rate in enumerate(faults.rates):
        outcome = campaign.run(range(faults.masks), Share(rate=rate))
        rows.append(100 * outcome.correct.mean(axis=1))
        done = layer * len(faults.rates) + n + 1
        workspace.progress(done, layers * len(faults.rates), f"layer {layer + 1} of {layers}")
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
