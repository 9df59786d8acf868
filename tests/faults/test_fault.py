"""The short form of a fault says what it says, and what is wrong with it is said in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.errors import BadInput
from ftnoise.faults.amounts import Bernoulli, Count, Share
from ftnoise.faults.effects import BitFlip, Drift, RandomValue, SignFlip, StuckAt
from ftnoise.faults.fault import FORM, WHAT, WHERE, Fault, amount, parse
from ftnoise.faults.places import Biases, Channels, Filters, Neurons, Parameters, Weights

HALF = Share(rate=0.5)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("weights:stuck_at_zero:0.5", Fault(where=Weights(), what=StuckAt(), amount=HALF)),
        ("neurons:stuck_at_one:50%", Fault(where=Neurons(), what=StuckAt(value=1), amount=HALF)),
        (
            "channels@conv2d,1:stuck_at=-0.7:n=3",
            Fault(
                where=Channels(layers=("conv2d", 1)),
                what=StuckAt(value=-0.7),
                amount=Count(faults=3),
            ),
        ),
        (
            "filters:sign_flip:p=1e-3",
            Fault(where=Filters(), what=SignFlip(), amount=Bernoulli(rate=0.001)),
        ),
        (
            "biases:bit_flip:0:permanent",
            Fault(where=Biases(), what=BitFlip(), amount=Share(rate=0)),
        ),
        (
            "parameters@0:bit_flip=31:1:transient",
            Fault(
                where=Parameters(layers=(0,)),
                what=BitFlip(bit=31),
                amount=Share(rate=1),
                transient=True,
            ),
        ),
        ("weights:random_value:.5", Fault(where=Weights(), what=RandomValue(), amount=HALF)),
        (
            "weights:random_value=-2..+3.5:5e-1",
            Fault(where=Weights(), what=RandomValue(low=-2, high=3.5), amount=HALF),
        ),
        ("neurons:drift=0.1:0.5", Fault(where=Neurons(), what=Drift(sigma=0.1), amount=HALF)),
    ],
)
def test_a_fault_is_what_its_short_form_says(text, fault):
    assert parse(text) == fault


@given(rate=st.floats(0, 1))
def test_a_rate_is_read_as_it_is_written(rate):
    assert amount(repr(rate)) == Share(rate=rate)
    assert amount(f"p={rate!r}") == Bernoulli(rate=rate)


@given(faults=st.integers(0, 10**18 - 1))
def test_a_number_of_faults_is_read_exactly(faults):
    assert amount(f"n={faults}") == Count(faults=faults)


def test_the_form_names_all_there_is():
    for word in (*WHERE, *WHAT):
        assert word in FORM


BAD = [
    ("", "Expected a fault WHERE"),
    ("weights", "Expected a fault WHERE"),
    ("weights:stuck_at_zero", "Expected a fault WHERE"),
    ("weights:stuck_at_zero:0.5:often", "Expected a fault WHERE"),
    ("weights:stuck_at_zero:0.5:transient:x", "Expected a fault WHERE"),
    ("weight:stuck_at_zero:0.5", "where to be one of neurons, channels, filters, weights, biases"),
    ("weights@:stuck_at_zero:0.5", "then @ and layers"),
    ("weights@a,,b:stuck_at_zero:0.5", "then @ and layers"),
    ("weights:stuck_at_two:0.5", "what to be one of stuck_at_zero, stuck_at_one, stuck_at=VALUE"),
    ("weights:stuck_at_zero=1:0.5", "what to be one of"),
    ("weights:stuck_at:0.5", "what to be one of"),
    ("weights:stuck_at=:0.5", "what to be one of"),
    ("weights:stuck_at=one:0.5", "VALUE to be a number. Received: 'one'"),
    ("weights:stuck_at=1e999:0.5", "finite number. Received: value=inf"),
    ("weights:stuck_at=nan:0.5", "VALUE to be a number. Received: 'nan'"),
    ("weights:bit_flip=:0.5", "BIT to be a whole number. Received: ''"),
    ("weights:bit_flip=1.5:0.5", "BIT to be a whole number. Received: '1.5'"),
    ("weights:bit_flip=32:0.5", "bit from 0 to 31, or None. Received: bit=32"),
    (f"weights:bit_flip={'9' * 5000}:0.5", "BIT to be a whole number"),
    ("weights:random_value=1:0.5", "HIGH to be a number. Received: ''"),
    ("weights:random_value=..1:0.5", "LOW to be a number. Received: ''"),
    ("weights:random_value=2..1:0.5", "low < high. Received: low=2.0, high=1.0"),
    ("weights:drift:0.5", "what to be one of"),
    ("weights:drift=-1:0.5", "sigma >= 0. Received: sigma=-1.0"),
    ("weights:stuck_at_zero:", "a share to be a number. Received: ''"),
    ("weights:stuck_at_zero:half", "a share to be a number. Received: 'half'"),
    ("weights:stuck_at_zero:150%", r"rate in [0, 1]. Received: rate=1.5"),
    ("weights:stuck_at_zero:-0.1", r"rate in [0, 1]. Received: rate=-0.1"),
    ("weights:stuck_at_zero:%", "a share in percent to be a number. Received: ''"),
    ("weights:stuck_at_zero:p=2", r"rate in [0, 1]. Received: rate=2.0"),
    ("weights:stuck_at_zero:n=-1", "a number of faults to be a whole number. Received: '-1'"),
    ("weights:stuck_at_zero:n=1.5", "a number of faults to be a whole number. Received: '1.5'"),
    (f"weights:stuck_at_zero:n={'9' * 400}", "a number of faults to be a whole number"),
    ("weights:stuck_at_zero:\u0665", "a share to be a number"),
    ("weights\n:stuck_at_zero:0.5", "where to be one of"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said_in_one_line(text, said):
    with pytest.raises(BadInput) as refused:
        parse(text)
    line = str(refused.value)
    assert said in line
    assert "Received: " in line
    assert repr(text) in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("where", "weights", "where of type Where. Received: where='weights'"),
        ("what", Weights(), "what of type Effect. Received: what=Weights("),
        ("amount", 0.5, "amount of type Amount. Received: amount=0.5"),
        ("transient", 1, "transient True or False. Received: transient=1"),
    ],
)
def test_a_part_of_another_kind_is_refused(name, value, said):
    parts = {"where": Weights(), "what": StuckAt(), "amount": HALF}
    with pytest.raises(BadInput) as refused:
        Fault(**{**parts, name: value})
    assert said in str(refused.value)


def test_the_same_fault_in_another_amount():
    fault = parse("weights:drift=0.5:0.5")
    assert fault.at(Count(faults=2)) == parse("weights:drift=0.5:n=2")
