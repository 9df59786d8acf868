"""Maps by bits and layers, from the trials to the text."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault
from ftnoise.user.fault_map import fault_map
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
    assert lines["p_value"].isna().sum() == 1
    campaign = Campaign(network, x, y, parse_fault("weights,layers=1:stuck_at_zero:0.9"))
    theirs = campaign.run(range(30), parse_fault("weights:stuck_at_zero:0.9").rate)
    np.testing.assert_array_equal(found.cells[1].accuracy, 100 * theirs.correct.mean(axis=1))
    assert {"png", "pdf"} == set(found.figure())
    assert "after Holm" in str(found)


def test_the_bound_covers_the_mean_over_all_sites():
    network, x, y = made("dense")
    whole = fault_map(network, x, y, BITS, trials=1000).lines
    part = fault_map(network, x, y, BITS, trials=10, seed=1).lines
    joined = whole.merge(part, on=["layer", "stored", "bit"])
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
    with pytest.raises(BadInput, match="a number of trials for a map"):
        fault_map(network, x, y, BITS, half_width=1.0)
