"""Accuracy with flips in stored parameters, and the map of bits, as measures."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.hardening import clamped
from ftnoise.faults.rates import Count
from ftnoise.measures.stored_faults import BitMap, StoredFaults
from ftnoise.training.weights.dropconnect import DropConnect
from ftnoise.training.weights.sdr_learnable import SDRLearnable
from tests.faults.networks import made
from tests.measures.given import evaluate


def measured(measure):
    network, x, y = made("dense")
    found = evaluate(measure, network, x_train=x, x_test=x, y_test=y)
    return found, network, x, y


def test_the_numbers_are_those_of_the_campaign():
    measure = StoredFaults(stored="int8", flips=(2, 20, 10_000), trials=5)
    found, network, x, y = measured(measure)
    campaign = Campaign(network, x, y, measure.fault)
    # More flips than there are bits are left out.
    assert found.arrays["flips"].tolist() == [2, 20]
    for n, flips in enumerate((2, 20)):
        correct = campaign.run(range(5), Count(faults=flips)).correct
        assert found.scalars[f"int8_accuracy_at_{flips}"] == pytest.approx(100 * correct.mean())
        np.testing.assert_allclose(found.arrays["accuracies"][n], 100 * correct.mean(axis=1))
    assert found.scalars["int8_golden_accuracy"] == pytest.approx(100 * campaign.correct.mean())
    assert "int8_accuracy_at_10000" not in found.scalars


def test_clamped_activations_are_those_of_the_training_examples():
    measure = StoredFaults(stored="float32", clamp="zero", flips=(3,), trials=4)
    found, network, x, y = measured(measure)
    hardened = clamped(network, x, per="channel", to="zero")
    correct = Campaign(hardened, x, y, measure.fault).run(range(4), Count(faults=3)).correct
    assert found.scalars["float32_zero_accuracy_at_3"] == pytest.approx(100 * correct.mean())


@pytest.mark.parametrize("member", [DropConnect(rate=0.2), SDRLearnable()])
def test_networks_that_draw_are_stored_and_clamped(member):
    network, x, y = made("dense")
    network = member.rebuild(network)
    for clamp in ("", "zero"):
        measure = StoredFaults(stored="int8", clamp=clamp, flips=(2,), trials=3)
        one, other = (
            evaluate(measure, network, x_train=x, x_test=x, y_test=y).scalars for _ in range(2)
        )
        assert one == other
        assert 0 <= one[f"{measure.prefix}accuracy_at_2"] <= 100


def test_the_map_has_empty_cells_where_codes_are_short():
    found, *_ = measured(BitMap(stored="int8", flips=2, examples=20))
    drop = found.arrays["drop"]
    assert drop.shape == (6, 32)
    assert found.info["layers"][:2] == ["dense, int8", "dense, int32"]
    assert np.isnan(drop[::2, 8:]).all()
    assert np.isfinite(drop[::2, :8]).all()
    assert np.isfinite(drop[1::2]).all()
    assert found.scalars["worst_drop"] == np.nanmax(drop)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stored": "int4"},
        {"clamp": "mean"},
        {"flips": (10, 10)},
        {"flips": (0,)},
        {"flips": ()},
        {"trials": 1},
        {"seed": -1},
    ],
)
def test_wrong_fields_are_refused(wrong):
    with pytest.raises(BadInput):
        StoredFaults(**{"stored": "int8", **wrong})
