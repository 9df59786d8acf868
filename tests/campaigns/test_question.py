"""A question checks itself before there is a model."""

from __future__ import annotations

import math

import pytest

from ftnoise.campaigns.question import question, steps
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import canonical
from ftnoise.faults.amounts import Bernoulli, Count, Share
from ftnoise.faults.fault import Fault, fault_of, parse, restored
from tests.campaigns.made import FAULT
from tests.members import examples


def rates(fault: str) -> list[float]:
    return [share.rate for share in steps(parse(fault))]


def test_five_shares_up_to_that_of_the_fault():
    assert rates("weights:stuck_at_zero:0.5") == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert rates("weights:stuck_at_zero:0.3") == [0.06, 0.12, 0.18, 0.24, 0.3]
    assert rates("weights:stuck_at_zero:1e-14") == [2e-15, 4e-15, 6e-15, 8e-15, 1e-14]
    for other in ("n=3", "p=0.2", "0"):
        fault = parse(f"weights:stuck_at_zero:{other}")
        assert steps(fault) == [fault.amount]


def test_amounts_are_taken_in_every_form():
    asked = question(FAULT, amounts=[0.1, "20%", Share(rate=0.3)])
    assert [amount.rate for amount in asked.amounts] == [0.1, 0.2, 0.3]
    asked = question(FAULT, amounts=["n=1", "p=0.2"])
    assert asked.amounts == (Count(faults=1), Bernoulli(rate=0.2))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"amounts": []}, "at least one amount"),
        ({"amounts": [0.2, 0.1]}, "amounts that differ, and rise"),
        ({"amounts": [0.1, 0.1]}, "amounts that differ, and rise"),
        ({"amounts": ["n=2", 0.1, "n=2"]}, "amounts that differ, and rise"),
        ({"amounts": ["1.5"]}, r"rate in \[0, 1\]"),
        ({"amounts": ["few"]}, "a share to be a number"),
        ({"masks": 1}, "masks >= 2"),
        ({"masks": 2.5}, "masks >= 2"),
        ({"half_width": 0}, "half_width in points"),
        ({"half_width": math.nan}, "half_width in points"),
        ({"half_width": 100}, "half_width in points"),
        ({"half_width": 1, "max_masks": 1}, "max_masks >= 2"),
        ({"confidence": 1}, "confidence in"),
        ({"confidence": 0.0}, "confidence in"),
        ({"seed": -1}, "seed an integer >= 0"),
        ({"fault": "weights:stuck_at_zero"}, "Expected a fault WHERE"),
        ({"fault": "wheels:stuck_at_zero:0.5"}, "where to be one of neurons"),
        ({"fault": 3}, "a fault or its short form"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(words, said):
    with pytest.raises(BadInput, match=said) as refused:
        question(**{"fault": FAULT, **words})
    assert "Received" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_does_not_matter_is_not_part_of_the_form():
    fixed, half_width = question(FAULT), question(FAULT, half_width=1)
    assert "max_masks" not in fixed.form
    assert "masks" not in half_width.form
    assert question(FAULT, max_masks=7).form == fixed.form
    assert question(FAULT, half_width=1.0, masks=7).form == half_width.form
    others = [{"masks": 7}, {"seed": 1}, {"confidence": 0.9}, {"amounts": [0.5]}, {"half_width": 1}]
    forms = [question(FAULT, **other).form for other in others]
    assert all(form != fixed.form for form in forms)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("weights:stuck_at_zero:0.5", "weights stuck at 0"),
        ("neurons@dense,2:stuck_at_one:1", "neurons of dense, layer 2 stuck at 1"),
        ("weights:bit_flip:1", "weights with a random bit flipped"),
        ("weights:bit_flip=30:1", "weights with bit 30 flipped"),
        ("biases:sign_flip:1", "biases with the sign flipped"),
        ("filters:random_value:1", "filters random in -1 to 1"),
        ("parameters:drift=0.1:1", "parameters with noise of 10 %"),
        ("neurons:stuck_at=-2:1:transient", "neurons stuck at -2, anew for each input"),
    ],
)
def test_a_fault_says_what_it_is(text, label):
    assert parse(text).label == label


@pytest.mark.parametrize("fault", examples(Fault))
@pytest.mark.parametrize("everything", [False, True])
def test_a_fault_comes_back_from_its_canonical_form(fault, everything):
    assert restored(canonical(fault, everything=everything)) == fault
    assert fault_of(fault) is fault
