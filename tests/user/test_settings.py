"""Settings check themselves before there is a model."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from ftnoise.cli.own_model import descriptions
from ftnoise.core.errors import BadInput
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Bernoulli, Count, Share
from ftnoise.user.settings import CampaignSettings, curve
from tests.user.made import FAULT


@pytest.mark.parametrize(
    ("last", "rates"),
    [
        (0.5, [0.1, 0.2, 0.3, 0.4, 0.5]),
        (0.3, [0.06, 0.12, 0.18, 0.24, 0.3]),
        (1e-14, [2e-15, 4e-15, 6e-15, 8e-15, 1e-14]),
    ],
)
def test_five_shares_up_to_that_of_the_fault(last, rates):
    assert curve(Share(rate=last)) == [Share(rate=rate) for rate in rates]
    each = curve(Share(rate=last, per_tensor=True))
    assert each == [Share(rate=rate, per_tensor=True) for rate in rates]


@pytest.mark.parametrize("rate", [Count(faults=3), Bernoulli(rate=0.2), Share(rate=0)])
def test_other_rates_stand_alone(rate):
    assert curve(rate) == [rate]


def test_rates_are_taken_in_every_form():
    found = CampaignSettings.of(FAULT, [0.1, "20%", Share(rate=0.3)])
    assert [rate.rate for rate in found.rates] == [0.1, 0.2, 0.3]
    assert found.fault == parse_fault("weights:stuck_at_zero:0.3")
    found = CampaignSettings.of(parse_fault(FAULT), ["n=1", "p=0.2"])
    assert found.rates == (Count(faults=1), Bernoulli(rate=0.2))
    assert CampaignSettings.of(FAULT).rates[-1] == Share(rate=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": []}, "at least one rate"),
        ({"rates": [0.2, 0.1]}, "rates that differ and rise"),
        ({"rates": [0.1, 0.1]}, "rates that differ and rise"),
        ({"rates": ["n=2", 0.1, "n=2"]}, "rates that differ and rise"),
        ({"rates": ["1.5"]}, r"rate in \[0, 1\]"),
        ({"rates": ["few"]}, "rate to be one of"),
        ({"examples_per_call": 0}, "examples_per_call to be an integer >= 1 or None"),
        ({"trials": 1}, "trials to be an integer in 2 to 1,000,000"),
        ({"trials": 2.5}, "trials to be an integer in 2 to"),
        ({"trials": 10**12}, "trials to be an integer in 2 to"),
        ({"half_width": 1, "max_trials": 10**12}, "max_trials to be an integer in 2 to"),
        ({"half_width": 0}, "half_width in points"),
        ({"half_width": 1e-300}, r"half_width in points, in \[0.01, 100\)"),
        ({"half_width": math.nan}, "half_width in points"),
        ({"half_width": 100}, "half_width in points"),
        ({"half_width": 1, "max_trials": 1}, "max_trials to be an integer in 2 to"),
        ({"confidence": 1}, "confidence in"),
        ({"confidence": 0.9999999999999999}, "confidence=0.9999999999999999"),
        ({"confidence": 0.0}, "confidence in"),
        ({"seed": -1}, "seed to be an integer >= 0"),
        ({"fault": "weights:stuck_at_zero"}, "Expected a fault WHERE"),
        ({"fault": "wheels:stuck_at_zero:0.5"}, "where to be one of neurons"),
        ({"fault": 3}, "a fault or its text form"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(changes, message):
    with pytest.raises(BadInput, match=message) as refused:
        CampaignSettings.of(**{"fault": FAULT, **changes})
    assert "Received" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_setting_is_described():
    found = descriptions(CampaignSettings)
    assert [*found] == [field.name for field in fields(CampaignSettings)]
    assert found["fault"] == "a fault or its text form, such as weights:stuck_at_zero:0.5"
    assert found["max_trials"].endswith("2 to 1,000,000")
