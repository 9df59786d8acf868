"""A fault from text is the fault that its parts name, and errors are one line."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import BitFlip, Drift, Effect, RandomValue, SignFlip, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import fault_of, form, parse_fault, rate_of
from ftnoise.faults.rates import Bernoulli, Count, Rate, Share
from ftnoise.faults.where import Biases, Channels, Filters, Neurons, Parameters, Weights

HALF = Share(rate=0.5)


@pytest.mark.parametrize(
    ("text", "where", "what", "rate"),
    [
        ("weights:stuck_at=0:rate=0.1", Weights(), StuckAt(), Share(rate=0.1)),
        ("weights:stuck_at:0.5", Weights(), StuckAt(), HALF),
        ("weights:stuck_at_zero:0.5", Weights(), StuckAt(), HALF),
        ("neurons:stuck_at_one:50%", Neurons(), StuckAt(value=1), HALF),
        (
            "channels=conv2d+1:stuck_at=-0.7:n=3",
            Channels(layers=("conv2d", 1)),
            StuckAt(value=-0.7),
            Count(faults=3),
        ),
        ("filters:sign_flip:p=1e-3", Filters(), SignFlip(), Bernoulli(rate=0.001)),
        ("biases:bit_flip:0:permanent", Biases(), BitFlip(), Share(rate=0)),
        ("biases:bit_flip=31:count=2", Biases(), BitFlip(bit=31), Count(faults=2)),
        ("weights:random_value:.5", Weights(), RandomValue(), HALF),
        (
            "weights:random_value=-2,high=+3.5:5e-1",
            Weights(),
            RandomValue(low=-2, high=3.5),
            HALF,
        ),
        (
            "weights,output_layer=false:drift=0.1,relative=false:share=50%,per_tensor=true",
            Weights(output_layer=False),
            Drift(sigma=0.1, relative=False),
            Share(rate=0.5, per_tensor=True),
        ),
        (
            "neurons,layers=2,indices=3+17,output_layer=true:stuck_at=0:bernoulli=0.5",
            Neurons(layers=(2,), indices=(3, 17), output_layer=True),
            StuckAt(),
            Bernoulli(rate=0.5),
        ),
    ],
)
def test_a_fault_is_what_its_parts_name(text, where, what, rate):
    fault = Fault(where=where, what=what, rate=rate)
    assert parse_fault(text) == fault_of(text) == fault_of(fault) == fault


def test_a_fault_may_be_transient():
    assert parse_fault("parameters:bit_flip=31:1:transient") == Fault(
        where=Parameters(), what=BitFlip(bit=31), rate=Share(rate=1), transient=True
    )


@given(rate=st.floats(0, 1))
def test_a_rate_is_read_as_it_is_written(rate):
    assert rate_of(rate) == rate_of(repr(rate)) == Share(rate=rate)
    assert rate_of(f"p={rate!r}") == Bernoulli(rate=rate)


@given(faults=st.integers(0, 10**18 - 1))
def test_a_number_of_faults_is_read_exactly(faults):
    assert rate_of(f"n={faults}") == Count(faults=faults)


BAD = [
    ("", "Expected a fault WHERE"),
    ("weights", "Expected a fault WHERE"),
    ("weights:stuck_at", "Expected a fault WHERE"),
    ("weights:stuck_at:0.5:often", "Expected a fault WHERE"),
    ("weights:stuck_at:0.5:transient:x", "Expected a fault WHERE"),
    (
        "weight:stuck_at:0.5",
        "where to be one of neurons, channels, parameters, weights, filters, biases",
    ),
    ("weights\n:stuck_at:0.5", "where to be one of"),
    ("weights@1:stuck_at:0.5", "where to be one of"),
    (
        "weights,layer=1:stuck_at:0.5",
        "fields of weights (layers, indices, output_layer, stored), each on",
    ),
    ("weights=1,layers=2:stuck_at:0.5", "each once"),
    ("weights,indices=1+x:stuck_at:0.5", "indices to be different integers"),
    ("weights,indices=1+1:stuck_at:0.5", "indices to be different integers"),
    ("weights,output_layer=no:stuck_at:0.5", "output_layer to be a bool"),
    ("weights:stuck_at_two:0.5", "what to be one of stuck_at, bit_flip, sign_flip"),
    ("weights:stuck_at=one:0.5", "value to be a finite number. Received: value='one'"),
    ("weights:stuck_at_zero=1:0.5", "value to be a finite number. Received: value='0=1'"),
    ("weights:stuck_at=1e999:0.5", "finite number. Received: value=inf"),
    ("weights:stuck_at=nan:0.5", "finite number. Received: value='nan'"),
    ("weights:sign_flip=1:0.5", "fields of sign_flip (none)"),
    ("weights:bit_flip=:0.5", "bit from 0 to 31, or None. Received: bit=''"),
    ("weights:bit_flip=1.5:0.5", "bit from 0 to 31, or None. Received: bit=1.5"),
    ("weights:bit_flip=32:0.5", "bit from 0 to 31, or None. Received: bit=32"),
    ("weights:random_value=2,high=1:0.5", "low < high. Received: low=2, high=1"),
    ("weights:drift:0.5", "Expected drift=VALUE. Received: 'drift'"),
    ("weights:drift=-1:0.5", "sigma >= 0. Received: sigma=-1.0"),
    ("weights:stuck_at:", "rate in [0, 1]. Received: rate=''"),
    ("weights:stuck_at:half", "rate to be one of share, count, bernoulli. Received: 'half'"),
    ("weights:stuck_at:150%", "rate in [0, 1]. Received: rate=1.5"),
    ("weights:stuck_at:-0.1", "rate in [0, 1]. Received: rate=-0.1"),
    ("weights:stuck_at:%", "rate in [0, 1]. Received: rate='%'"),
    ("weights:stuck_at:p=2", "rate in [0, 1]. Received: rate=2"),
    ("weights:stuck_at:n=-1", "faults to be an integer >= 0. Received: faults=-1.0"),
    ("weights:stuck_at:n=1.5", "faults to be an integer >= 0. Received: faults=1.5"),
    ("weights:stuck_at:\u0665", "rate in [0, 1]. Received: rate='\u0665'"),
    (f"weights:stuck_at:n={'9' * 5000}", "faults to be an integer >= 0"),
]


@pytest.mark.parametrize(("text", "error"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_named_in_one_line(text, error):
    with pytest.raises(BadInput) as refused:
        parse_fault(text)
    line = str(refused.value)
    assert error in line
    assert "Received: " in line
    assert repr(text) in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("where", "weights", "where to be of type Where. Received: where='weights'"),
        ("what", Weights(), "what to be of type Effect. Received: what=Weights("),
        ("rate", 0.5, "rate to be of type Rate. Received: rate=0.5"),
        ("transient", 1, "transient to be a bool. Received: transient=1"),
    ],
)
def test_a_part_of_another_kind_is_refused(name, value, error):
    parts = {"where": Weights(), "what": StuckAt(), "rate": HALF}
    with pytest.raises(BadInput) as refused:
        Fault(**{**parts, name: value})
    assert error in str(refused.value)


def test_one_class_is_enough_for_a_new_part():
    @dataclass(frozen=True, kw_only=True)
    class Scaled(Effect):
        """The value is a multiple of the fault-free one."""

        factor: float

        def faulty(self, values, draw):
            return values * self.factor

        label = "scaled"

    @dataclass(frozen=True, kw_only=True)
    class EvenLayers(Weights):
        """Weights of every other layer."""

        def candidates(self, network):
            return super().candidates(network)[::2]

    @dataclass(frozen=True, kw_only=True)
    class First(Rate):
        """The first sites."""

        sites: int

        def hits(self, keys, sizes):
            return keys < self.sites

        label = "the first"

    try:
        found = parse_fault("even_layers=0:scaled=1.5:first=3")
        assert found == Fault(
            where=EvenLayers(layers=(0,)), what=Scaled(factor=1.5), rate=First(sites=3)
        )
        for word in ("even_layers", "scaled (factor)", "first (sites)"):
            assert word in form()
    finally:
        del Scaled, EvenLayers, First, found
        gc.collect()
    assert "scaled" not in form()


def test_the_same_fault_at_another_rate():
    fault = parse_fault("weights:drift=0.5:0.5")
    assert fault.at(Count(faults=2)) == parse_fault("weights:drift=0.5:n=2")
