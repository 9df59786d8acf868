"""A map of a user's own model: which bits in which layers, or which layers, faults hurt most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.lazy import keras, np, pandas
from ftnoise.core.spec import JSON
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Count
from ftnoise.report.figures.arrays import sensitivity_map
from ftnoise.stats.comparing import holm, paired
from ftnoise.stats.interval import student_interval
from ftnoise.user.folder import Job, Result, content_id
from ftnoise.user.inject import prepared
from ftnoise.user.settings import CampaignSettings
from ftnoise.user.text import table

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign
    from ftnoise.faults.maps import Cell

KINDS = ("bits", "layers")
LINES, WORST = 15, 10  # that are printed


@dataclass(frozen=True, kw_only=True, eq=False)
class FaultMap(Result):
    """The sensitivity of a model by bits and layers; printing it gives a table.

    Attributes:
        model: its name.
        by: `bits` or `layers`.
        settings: of the campaign.
        examples: their number.
        golden_accuracy: without faults, in percent.
        cells: the trials (`faults.maps.Cell`).
    """

    model: str
    by: str
    settings: CampaignSettings
    examples: int
    golden_accuracy: float
    cells: list[Cell]

    @cached_property
    def lines(self) -> pandas.DataFrame:
        """A line for each cell, the largest mean drop first; rates in percent, drops in points.

        Columns:
            layer, stored, bit: as in `Cell`.
            trials, sites: number of trials, and of the sites from which they are drawn.
            drop, low, high: mean drop in accuracy, and Student's interval; the drop itself where
                each site was hit once.
            sdc_1_rate, due_rate: means over trials.
            bound: how far from their means over all sites they may be, with the confidence of the
                settings, whatever their distribution (Serfling, 1974); 0 where each site was hit.
            p_value: of layers, that the mean drop is that of all other layers together, by the
                paired t test over trials, after Holm's correction for all layers.
        """
        rows = [self._row(cell) for cell in self.cells]
        frame = pandas.DataFrame(rows)
        if self.by == "layers" and len(self.cells) > 1:
            # Not with the worst layer, which is chosen by the same trials.
            accuracies = np.stack([cell.accuracy for cell in self.cells])
            others = (accuracies.sum(axis=0) - accuracies) / (len(self.cells) - 1)
            apart = np.round(accuracies - others, 9)  # equal ones differ by rounding
            tests = [paired(row, np.zeros_like(row)) for row in apart]
            frame["p_value"] = holm([test.p_value for test in tests])
        return frame.sort_values("drop", ascending=False, kind="stable", ignore_index=True)

    def _row(self, cell: Cell) -> dict[str, Any]:
        drops, trials = self.golden_accuracy - cell.accuracy, len(cell.accuracy)
        single = self.by == "bits"
        exhausted = single and trials == cell.sites
        mean = float(drops.mean())
        low = high = mean
        if not exhausted:
            most = self.golden_accuracy
            found = student_interval(drops, self.settings.confidence, most - 100, most)
            low, high = found.low, found.high
        left = 1 - (trials - 1) / cell.sites if single else 1.0
        spread = math.log(2 / (1 - self.settings.confidence)) / (2 * trials)
        return {
            "layer": cell.layer,
            "stored": cell.stored,
            "bit": cell.bit,
            "trials": trials,
            "sites": cell.sites,
            "drop": mean,
            "low": low,
            "high": high,
            "sdc_1_rate": float(cell.sdc_1_rate.mean()),
            "due_rate": float(cell.due_rate.mean()),
            "bound": 0.0 if exhausted else 100 * min(1.0, math.sqrt(left * spread)),
        }

    @property
    def worst(self) -> list[dict[str, Any]]:
        """The single flips with the lowest accuracy: `site`, `bit`, `accuracy` in percent."""
        from ftnoise.faults.maps import worst_sites

        found = worst_sites(self.cells, WORST)
        return [{"site": name, "bit": bit, "accuracy": value} for value, name, bit in found]

    def to_json(self) -> dict[str, JSON]:
        """All numbers as JSON."""
        lines = self.lines.astype(object).where(self.lines.notna(), None)
        return {
            "model": self.model,
            "by": self.by,
            "settings": self.settings.to_json(),
            "examples": self.examples,
            "golden_accuracy": self.golden_accuracy,
            "cells": [[one.layer, one.stored, one.bit, one.sites, one.names] for one in self.cells],
            "lines": lines.to_dict("records"),
            "worst": self.worst,
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The results of all trials, cell by cell, and the number of trials of each."""
        from ftnoise.faults.maps import NUMBERS

        joined = {name: np.concatenate([getattr(c, name) for c in self.cells]) for name in NUMBERS}
        return {"trials": np.array([len(cell.accuracy) for cell in self.cells]), **joined}

    def figure(self) -> dict[str, bytes]:
        """The drops, SDC-1 and DUE rates, by suffix (`png`, `pdf`)."""
        names = dict.fromkeys(self._name(cell.layer, cell.stored) for cell in self.cells)
        numbers: dict[str, dict[Any, float]] = {}
        for row in self.lines.to_dict("records"):
            place = self._name(row["layer"], row["stored"]), row["bit"]
            for title, key in (("Drop", "drop"), ("SDC-1", "sdc_1_rate"), ("DUE", "due_rate")):
                numbers.setdefault(title, {})[place] = row[key]
        return sensitivity_map(list(names), numbers, by_bit=self.by == "bits")

    def _name(self, layer: str, stored: str) -> str:
        return f"{layer} ({stored})" if stored and self.by == "bits" else layer

    def __str__(self) -> str:
        """The tables, for a terminal."""
        bits, confidence = self.by == "bits", f"{100 * self.settings.confidence:g} %"
        ranked = "p_value" in self.lines
        head = ["layer", *(["bit"] if bits else []), "trials", "of sites", "drop"]
        head += [f"{confidence} interval", "SDC-1 %", "DUE %", "bound"]
        head += ["p"] if ranked else []
        rows = [head]
        for row in self.lines.head(LINES).to_dict("records"):
            rows.append(
                [
                    self._name(row["layer"], row["stored"]),
                    *([str(row["bit"])] if bits else []),
                    f"{row['trials']:,}",
                    f"{row['sites']:,}",
                    f"{row['drop']:.2f}",
                    f"{row['low']:.2f} to {row['high']:.2f}",
                    f"{row['sdc_1_rate']:.2f}",
                    f"{row['due_rate']:.2f}",
                    f"{row['bound']:.1f}",
                ]
            )
            if ranked:
                rows[-1].append(f"{row['p_value']:.2g}")
        fault = "single flips" if bits else self.settings.fault.rate.label
        title = f"{self.model}, {self.settings.fault.where.label}, {fault} by {self.by}"
        lines = [
            f"{title}: {self.examples:,} examples, {self.golden_accuracy:.2f} % without faults, "
            f"seed {self.settings.seed}.",
            "",
            *table(rows),
        ]
        if (hidden := len(self.lines) - LINES) > 0:
            most = self.lines["drop"].to_numpy()[LINES:].max()
            lines.append(f"{hidden} more, with drops up to {most:.2f}, are in the CSV.")
        if bits:
            worst = [["accuracy %", "bit", "site"]]
            worst += [[f"{w['accuracy']:.2f}", str(w["bit"]), w["site"]] for w in self.worst]
            lines += ["", f"The {len(worst) - 1} worst flips of those tried:", "", *table(worst)]
        lines += [
            "",
            "Drop: points of accuracy, mean over trials. SDC-1: another class is ranked first, "
            "with finite outputs. DUE: outputs that are not all finite. Bound: how far drop and "
            f"rates may be from their means over all sites, with {confidence} confidence, for any "
            "distribution; 0 where each site was hit.",
        ]
        if ranked:
            lines.append(
                "p: that the layer's drop is the mean of the others', paired t test after Holm."
            )
        return "\n".join(lines)


def fault_map(
    model: keras.Model,
    x: Any,
    y: Any,
    fault: Fault | str,
    by: str = "bits",
    **settings: Any,
) -> FaultMap:
    """Measures which bits of which layers, or which layers, faults hurt most.

    Args:
        model: as for `ftnoise.inject`, as are x and y.
        x: examples.
        y: labels.
        fault: for bits, flips such as `"parameters,stored=int8:bit_flip:n=1"`, whose rate is not
            used: each trial flips one bit. For layers, any fault, at its rate in each layer.
        by: `bits` or `layers`.
        settings: further fields of `CampaignSettings`; `trials` are those of each bit and layer.

    Raises:
        BadInput: an argument does not fit.
    """
    checked = CampaignSettings.of(fault, **settings)
    check(checked, by)
    return job(prepared(model, x, y, checked), checked, by, {}).run(Checkpointing())


def check(settings: CampaignSettings, by: str) -> None:
    """Raises `BadInput` if there is no such map, or the settings do not fit it."""
    expect(by in KINDS, f"a map by {' or '.join(KINDS)}", by=by)
    half_width = settings.half_width
    expect(half_width is None, "a number of trials for a map", half_width=half_width)
    if by == "bits":
        single = settings.fault.rate == Count(faults=1)
        expect(single, "single flips, n=1, for a map of bits", rate=settings.fault.rate.label)


def job(
    campaign: Campaign, settings: CampaignSettings, by: str, about: dict[str, JSON]
) -> Job[FaultMap]:
    """The map for a campaign that `inject.prepared` made; see `fault_map`."""
    from ftnoise.faults.campaign import unchanged
    from ftnoise.faults.maps import NUMBERS, Cell, bit_map, layer_map

    def run(checkpointing: Checkpointing) -> FaultMap:
        network, x = campaign.network, campaign.x if len(campaign.x) > 1 else campaign.x[0]
        options = {
            "seed": settings.seed,
            "threshold": settings.threshold,
            "examples_per_call": settings.examples_per_call,
        }
        mapped = bit_map if by == "bits" else layer_map
        fault, trials = settings.fault, settings.trials
        with unchanged(network):
            cells = mapped(network, x, campaign.y, fault, trials, checkpointing, **options)
        return FaultMap(
            model=network.name,
            by=by,
            settings=settings,
            examples=len(campaign.y),
            golden_accuracy=float(100 * campaign.correct.mean()),
            cells=cells,
        )

    def load(content: dict[str, Any], arrays: Any) -> FaultMap:
        ends = np.cumsum(arrays["trials"])[:-1]
        parts = zip(*(np.split(arrays[name], ends) for name in NUMBERS), strict=True)
        cells = [
            Cell(layer, stored, bit, sites, tuple(sites_named), *numbers)
            for (layer, stored, bit, sites, sites_named), numbers in zip(
                content["cells"], parts, strict=True
            )
        ]
        own = {name: content[name] for name in ("model", "examples", "golden_accuracy")}
        return FaultMap(by=by, settings=settings, cells=cells, **own)

    identity = [settings.to_json(), by]
    arrays = (*campaign.x, campaign.y, campaign.golden)
    return Job(
        name="map",
        model=campaign.network.name,
        identify=lambda: content_id(campaign.network, identity, arrays),
        shape={"model": str, "examples": int, "golden_accuracy": float, "cells": list},
        run=run,
        load=load,
        about=about,
    )
