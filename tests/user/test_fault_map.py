"""Maps by bits and layers, from the trials to the text."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.maps import Cell
from ftnoise.faults.parsing import parse_fault
from ftnoise.stats.comparing import holm
from ftnoise.user.fault_map import FaultMap, fault_map
from ftnoise.user.settings import CampaignSettings
from tests.faults.networks import made

BITS = "parameters,stored=int8:bit_flip:n=1"


def test_a_small_layer_is_exhausted_and_its_cell_is_the_enumeration():
    network, x, y = made("dense")
    found = fault_map(network, x, y, BITS, trials=50)
    lines = found.lines
    last = lines[(lines.layer == "dense_2") & (lines.stored == "int32") & (lines.bit == 25)]
    (row,) = last.to_dict("records")
    assert row["trials"] == row["sites"] == 4
    assert row["bound"] == 0
    assert row["low"] == row["drop"] == row["high"]
    campaign = Campaign(
        network, x, y, parse_fault("biases,layers=dense_2,stored=int8:bit_flip:n=1")
    )
    results = campaign.run_at([np.array([element * 32 + 25]) for element in range(4)])
    golden = 100 * campaign.correct.mean()
    assert row["drop"] == pytest.approx(golden - 100 * results.correct.mean())
    assert row["sdc_1_rate"] == pytest.approx(100 * results.outcomes[:, 1].mean() / len(y))
    # Every layer has 8 bits of weights and 32 of biases.
    assert len(lines) == 3 * 40
    assert lines["drop"].is_monotonic_decreasing


def test_a_cell_holds_flips_of_its_bit_only():
    network, x, y = made("dense")
    found = fault_map(network, x, y, "weights,stored=float32:bit_flip:n=1", trials=5)
    for cell in found.cells:
        assert len(cell.names) == len(set(cell.names)) == 5
        assert all(name.startswith(f"{cell.layer}/kernel[") for name in cell.names)
    high = [cell for cell in found.cells if cell.bit == 30]
    low = [cell for cell in found.cells if cell.bit == 0]
    assert max(c.sdc_1_rate.max() for c in low) < max(c.sdc_1_rate.max() for c in high)
    worst = found.worst
    assert worst[0]["accuracy"] == min(cell.accuracy.min() for cell in found.cells)
    assert str(worst[0]["site"]) in str(found)


def test_layers_are_ranked_at_the_rate_of_the_fault():
    network, x, y = made("dense")
    found = fault_map(network, x, y, "weights:stuck_at_zero:0.9", "layers", trials=30)
    assert [cell.layer for cell in found.cells] == ["dense", "dense_1", "dense_2"]
    lines = found.lines
    drops = np.stack([cell.accuracy for cell in found.cells])
    # A layer against the mean of the others, not against the worst of the same trials.
    p_values = [
        ttest_1samp(row - np.delete(drops, n, axis=0).mean(axis=0), 0).pvalue
        for n, row in enumerate(drops)
    ]
    named = dict(zip((cell.layer for cell in found.cells), holm(p_values), strict=True))
    for layer, p in zip(lines["layer"], lines["p_value"], strict=True):
        assert p == pytest.approx(named[layer])
    campaign = Campaign(network, x, y, parse_fault("weights,layers=1:stuck_at_zero:0.9"))
    theirs = campaign.run(range(30), parse_fault("weights:stuck_at_zero:0.9").rate)
    np.testing.assert_array_equal(found.cells[1].accuracy, 100 * theirs.correct.mean(axis=1))
    assert {"png", "pdf"} == set(found.figure())
    assert "after Holm" in str(found)


@cache
def every_layer(by):
    """The map of every layer."""
    return fault_map(*made("dense"), BITS, by, trials=4)


@pytest.mark.parametrize("by", ["bits", "layers"])
@pytest.mark.parametrize("layers", ["dense_2", "2", "dense_2+dense"])
def test_layers_that_are_named_are_those_that_are_hit(by, layers):
    every = every_layer(by)  # before the network, as it clears Keras' session
    network, x, y = made("dense")
    fault = f"parameters,layers={layers},stored=int8:bit_flip:n=1"
    found = fault_map(network, x, y, fault, by, trials=4)
    wanted = ["dense", "dense_2"] if "+" in layers else ["dense_2"]
    same = [cell for cell in every.cells if cell.layer in wanted]
    assert [cell.layer for cell in found.cells] == [cell.layer for cell in same]
    for one, other in zip(found.cells, same, strict=True):
        assert one.names == other.names
        assert one.sites == other.sites
        np.testing.assert_array_equal(one.accuracy, other.accuracy)


def test_layers_that_are_alike_do_not_differ():
    """Accuracies of one distribution: a p-value below 5 % in no more than 5 % of maps."""
    settings = CampaignSettings.of("weights:stuck_at_zero:0.5")
    generator, below, maps = np.random.default_rng(0), 0, 400
    for _ in range(maps):
        cells = [
            Cell(f"layer_{n}", "", None, 10, (), *generator.normal(50, 5, (3, 30)))
            for n in range(5)
        ]
        found = FaultMap(
            model="own",
            by="layers",
            settings=settings,
            examples=10,
            golden_accuracy=90.0,
            cells=cells,
        )
        below += found.lines["p_value"].min() < 0.05
    assert below <= 0.05 * maps + 3 * np.sqrt(0.05 * 0.95 * maps)


def test_the_bound_covers_the_mean_over_all_sites():
    network, x, y = made("dense")
    fault = "parameters,layers=dense+dense_2,stored=int8:bit_flip:n=1"
    whole = fault_map(network, x, y, fault, trials=1000).lines
    part = fault_map(network, x, y, fault, trials=10, seed=1).lines
    joined = whole.merge(part, on=["layer", "stored", "bit"])
    assert len(joined) == 2 * 40
    assert (abs(joined.sdc_1_rate_x - joined.sdc_1_rate_y) <= joined.bound_y).mean() >= 0.95
    assert (joined.bound_x == 0).all()


def test_wrong_arguments_are_refused():
    network, x, y = made("dense")
    for fault, by, error in (
        ("parameters,stored=int8:bit_flip:n=2", "bits", "single flips, n=1"),
        ("parameters,stored=int8:bit_flip=3:n=1", "bits", "flips of any bit"),
        ("parameters:stuck_at_zero:n=1", "bits", "flips of any bit"),
        (BITS, "columns", "a map by bits or layers"),
    ):
        with pytest.raises(BadInput, match=error):
            fault_map(network, x, y, fault, by)
    pictures = made("convolutions")
    with pytest.raises(BadInput, match="faults of single parameters, not of filters"):
        fault_map(*pictures, "filters,stored=int8:bit_flip:n=1")
    with pytest.raises(BadInput, match="a number of trials for a map"):
        fault_map(network, x, y, BITS, half_width=1.0)
