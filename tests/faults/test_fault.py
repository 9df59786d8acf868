"""The short form of a fault says what it says, and what is wrong with it is said in one line."""

from __future__ import annotations

import gc
import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.campaigns.question import question
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import canonical
from ftnoise.faults.effects import BitFlip, Drift, Effect, RandomValue, SignFlip, StuckAt
from ftnoise.faults.fault import (
    EXPLAINED,
    Fault,
    effects,
    form,
    rate,
    restored,
    sites,
)
from ftnoise.faults.rates import Bernoulli, Count, Rate, Share
from ftnoise.faults.where import Biases, Channels, Filters, Neurons, Parameters, Weights

HALF = Share(rate=0.5)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("weights:stuck_at_zero:0.5", Fault(where=Weights(), what=StuckAt(), rate=HALF)),
        ("neurons:stuck_at_one:50%", Fault(where=Neurons(), what=StuckAt(value=1), rate=HALF)),
        (
            "channels@conv2d,1:stuck_at=-0.7:n=3",
            Fault(
                where=Channels(layers=("conv2d", 1)),
                what=StuckAt(value=-0.7),
                rate=Count(faults=3),
            ),
        ),
        (
            "filters:sign_flip:p=1e-3",
            Fault(where=Filters(), what=SignFlip(), rate=Bernoulli(rate=0.001)),
        ),
        (
            "biases:bit_flip:0:permanent",
            Fault(where=Biases(), what=BitFlip(), rate=Share(rate=0)),
        ),
        (
            "parameters@0:bit_flip=31:1:transient",
            Fault(
                where=Parameters(layers=(0,)),
                what=BitFlip(bit=31),
                rate=Share(rate=1),
                transient=True,
            ),
        ),
        ("weights:random_value:.5", Fault(where=Weights(), what=RandomValue(), rate=HALF)),
        (
            "weights:random_value=-2..+3.5:5e-1",
            Fault(where=Weights(), what=RandomValue(low=-2, high=3.5), rate=HALF),
        ),
        ("neurons:drift=0.1:0.5", Fault(where=Neurons(), what=Drift(sigma=0.1), rate=HALF)),
        (
            "weights-output:drift_absolute=0.1:each=50%",
            Fault(
                where=Weights(output_layer=False),
                what=Drift(sigma=0.1, relative=False),
                rate=Share(rate=0.5, per_tensor=True),
            ),
        ),
        (
            "neurons+output@2[3,17]:stuck_at_zero:n=1",
            Fault(
                where=Neurons(layers=(2,), indices=(3, 17), output_layer=True),
                what=StuckAt(),
                rate=Count(faults=1),
            ),
        ),
        (
            "biases[0]:stuck_at_zero:n=1",
            Fault(where=Biases(indices=(0,)), what=StuckAt(), rate=Count(faults=1)),
        ),
    ],
)
def test_a_fault_is_what_its_short_form_says(text, fault):
    assert parse_fault(text) == fault


@given(rate=st.floats(0, 1))
def test_a_rate_is_read_as_it_is_written(rate):
    assert rate(repr(rate)) == Share(rate=rate)
    assert rate(f"p={rate!r}") == Bernoulli(rate=rate)


@given(faults=st.integers(0, 10**18 - 1))
def test_a_number_of_faults_is_read_exactly(faults):
    assert rate(f"n={faults}") == Count(faults=faults)


def test_the_form_names_all_there_is():
    for word in (*sites(), *effects()):
        assert word in form()


BAD = [
    ("", "Expected a fault WHERE"),
    ("weights", "Expected a fault WHERE"),
    ("weights:stuck_at_zero", "Expected a fault WHERE"),
    ("weights:stuck_at_zero:0.5:often", "Expected a fault WHERE"),
    ("weights:stuck_at_zero:0.5:transient:x", "Expected a fault WHERE"),
    ("weight:stuck_at_zero:0.5", "where to be one of neurons, channels, filters, weights, biases"),
    ("weights@:stuck_at_zero:0.5", "then @ and layers"),
    ("weights@a,,b:stuck_at_zero:0.5", "then @ and layers"),
    ("weights+outputs:stuck_at_zero:0.5", "+output or -output for the output layer in or out"),
    ("weights@a+output:stuck_at_zero", "Expected a fault WHERE"),
    ("weights@1[]:stuck_at_zero:0.5", "SITE to be a whole number. Received: ''"),
    ("weights@1[1,x]:stuck_at_zero:0.5", "SITE to be a whole number. Received: 'x'"),
    ("weights@1[1,1]:stuck_at_zero:0.5", "indices to be different integers"),
    ("weights@1[1:stuck_at_zero:0.5", "then @ and layers"),
    ("weights@1[1]2:stuck_at_zero:0.5", "then @ and layers"),
    (f"weights@1[{'9' * 5000}]:stuck_at_zero:0.5", "SITE to be a whole number"),
    ("weights:drift_absolute:0.5", "what to be one of"),
    ("weights:stuck_at_zero:each=2", "rate in [0, 1]. Received: rate=2.0"),
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
        parse_fault(text)
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
        ("rate", 0.5, "rate of type Rate. Received: rate=0.5"),
        ("transient", 1, "transient True or False. Received: transient=1"),
    ],
)
def test_a_part_of_another_kind_is_refused(name, value, said):
    parts = {"where": Weights(), "what": StuckAt(), "rate": HALF}
    with pytest.raises(BadInput) as refused:
        Fault(**{**parts, name: value})
    assert said in str(refused.value)


def test_more_digits_than_python_reads_are_a_name():
    assert parse_fault(f"weights@{'9' * 5000}:stuck_at_zero:0.5").where.layers == ("9" * 5000,)


def test_one_class_is_enough_for_a_new_part():
    @dataclass(frozen=True, kw_only=True)
    class Halved(Effect):
        """The value is half of what it should be."""

        def faulty(self, values, draw):
            return values / 2

        @property
        def label(self):
            return "halved"

    @dataclass(frozen=True, kw_only=True)
    class Scaled(Effect):
        """The value is a multiple of what it should be."""

        factor: float
        forms: ClassVar[dict[str, str]] = {"scaled": "=FACTOR"}

        @classmethod
        def from_short(cls, form, value):
            return cls(factor=float(value))

        def faulty(self, values, draw):
            return values * self.factor

    @dataclass(frozen=True, kw_only=True)
    class EvenLayers(Weights):
        """Weights of every other layer."""

        def candidates(self, network):
            return super().candidates(network)[::2]

    @dataclass(frozen=True, kw_only=True)
    class First(Rate):
        """The first sites."""

        sites: int
        forms: ClassVar[dict[str, str]] = {"first=": "first=2 sites"}
        label = "the first"

        @classmethod
        def from_short(cls, form, text):
            return cls(sites=int(text))

    try:
        found = parse_fault("even_layers@0:halved:first=3")
        assert found == Fault(where=EvenLayers(layers=(0,)), what=Halved(), rate=First(sites=3))
        assert parse_fault("weights:scaled=1.5:0.5").what == Scaled(factor=1.5)
        for fault in (found, parse_fault("weights:scaled=1.5:0.5")):
            written = json.dumps(canonical(fault, everything=True))
            assert restored(json.loads(written)) == fault
        for word in ("even_layers", "halved", "scaled=FACTOR", "first=2 sites"):
            assert word in form()
        with pytest.raises(BadInput, match=r"what to be one of .*scaled=FACTOR"):
            parse_fault("weights:scaled:0.5")
        assert question("weights:halved:0.5", rates=["first=1", "first=2"]).rates
    finally:
        del Halved, Scaled, EvenLayers, First, found, fault
        gc.collect()
    assert "halved" not in effects()


def test_what_the_words_of_the_short_form_mean_is_said():
    for word in ("SIGMA is the standard deviation", "BIT 0", "31 is the sign", "output layer"):
        assert word in EXPLAINED


def test_the_same_fault_in_another_rate():
    fault = parse_fault("weights:drift=0.5:0.5")
    assert fault.at(Count(faults=2)) == parse_fault("weights:drift=0.5:n=2")
