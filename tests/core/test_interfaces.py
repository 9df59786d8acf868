"""What a member gets from its base class, and what a run and a measurement refuse."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re

import numpy as np
import pytest

from ftnoise.core import interfaces
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import (
    Architecture,
    Augmentation,
    DataSet,
    Figure,
    Gradients,
    Inputs,
    Measure,
    Measurement,
    Penalty,
    Procedure,
    Updater,
    Weights,
    is_json,
)
from ftnoise.core.spec import Spec
from tests.core.made import RUN, SCHEDULE, Count, Noise, Pixels, Random, Way


@pytest.mark.parametrize(
    ("kind", "required"),
    [
        (DataSet, {"load", "digest"}),
        (Architecture, {"build"}),
        (Inputs, {"objective"}),
        (Penalty, {"value"}),
        (Gradients, {"start"}),
        (Augmentation, {"augment"}),
        (Procedure, {"build", "train"}),
        (Measure, {"evaluate"}),
    ],
)
def test_a_kind_requires_what_its_table_lists_and_nothing_else(kind, required):
    assert issubclass(kind, Spec)
    assert kind.__abstractmethods__ == required
    with pytest.raises(TypeError, match="abstract"):
        kind()
    line = next(line for line in interfaces.__doc__.splitlines() if f"`{kind.__name__}`" in line)
    assert required == {*re.findall(r"`(\w+)`", line.split("|")[2])}


def test_everything_public_is_described():
    for kind in (DataSet, Inputs, Penalty, Updater, Gradients, Weights, Procedure, Measure, Figure):
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and method.__module__ == interfaces.__name__:
                assert method.__doc__, f"{kind.__name__}.{name}"


def test_what_a_member_may_do_has_a_default():
    network = object()
    assert (Inputs.needs_unit_range, Inputs.one_pass) == (False, False)
    assert Penalty.looks_at_data
    assert not Gradients.noisy
    assert Procedure.noisy.fget(RUN.training) is False
    weights = Weights()
    assert weights.rebuild(network) is network
    assert weights.before_step(network, None) is None
    assert weights.after_step(network, [], None) is None
    assert weights.callbacks(network, RUN) == []
    assert (Count().others(RUN), Count().red_flags({})) == ((), ())
    updater = Updater()
    assert (updater.metrics, updater.secret) == ((), False)
    assert updater.at_most() is None
    assert updater.announce(3) is None
    assert updater.resume(None, 0, True) is None


def test_data_that_are_not_drawn_cannot_be_redrawn():
    with pytest.raises(BadInput, match=r"Expected --data-seeds .*data='pixels'"):
        Pixels().redrawn(1)


def test_checkpointing_keeps_and_reports_nothing_by_default():
    checkpointing = Checkpointing()
    checkpointing.save({"w": np.zeros(2)}, {})
    assert checkpointing.load() is None
    assert checkpointing.log_dir is None
    assert checkpointing.part("round-1") is checkpointing
    checkpointing.progress(1, 2, "epoch 1")
    checkpointing.announce({"seed": 1})
    assert (checkpointing.announced, checkpointing.repeats) == ({"seed": 1}, True)
    checkpointing.discard("damaged")
    assert not checkpointing.repeats
    assert (Checkpointing.announced, Checkpointing.repeats) == (None, True)


BAD = [
    *[(SCHEDULE, {"epochs": bad}) for bad in (0, -1, 1.0, True, "1", None)],
    *[(SCHEDULE, {"batch_size": bad}) for bad in (0, 2.5, "128")],
    *[(SCHEDULE, {"learning_rate": bad}) for bad in (0, -0.1, math.nan, math.inf, "0.1", True)],
    *[(SCHEDULE, {"momentum": bad}) for bad in (-0.1, 1, math.nan)],
    *[(SCHEDULE, {"drops": bad}) for bad in ([5], (0,), (9, 5), (2.5,), 5)],
    *[(SCHEDULE, {"drop_factor": bad}) for bad in (0, 1.1, math.nan)],
    *[
        (RUN, {name: bad})
        for name in ("architecture", "data", "training", "schedule")
        for bad in (None, "natural", Noise, Noise())
    ],
    *[(RUN, {"train_examples": bad}) for bad in (0, 1.5, True)],
    *[(RUN, {"test_examples": bad}) for bad in (0, -3, "all")],
    *[(RUN, {"seed": bad}) for bad in (-1, 0.0, True, None)],
    *[(Figure(name="a", title="A"), {"name": bad}) for bad in ("", "A", "a b", "a.b", 1)],
]


@pytest.mark.parametrize(("spec", "change"), BAD, ids=str)
def test_a_wrong_field_is_refused_in_one_line(spec, change):
    (name,) = change
    with pytest.raises(BadInput) as failure:
        dataclasses.replace(spec, **change)
    line = str(failure.value)
    assert re.fullmatch(r"Expected .*\. Received: .*\.", line)
    assert "\n" not in line
    assert f"{name}=" in line


@pytest.mark.parametrize(
    ("data", "taken", "examples", "steps"),
    [
        (Pixels(), None, 1000, 800),
        (Pixels(), 200, 200, 200),
        (Pixels(), 5000, 1000, 800),
        (Random(), None, None, None),
        (Random(), 200, 200, 200),
    ],
)
def test_examples_and_steps_of_a_run(data, taken, examples, steps):
    run = dataclasses.replace(RUN, data=data, train_examples=taken)
    assert (run.examples(), run.steps()) == (examples, steps)


def test_a_runs_slug_names_its_parts():
    assert RUN.slug == "pixels-net-way-100e-s0"
    assert dataclasses.replace(RUN, train_examples=5, seed=2).slug == "pixels-net-way-5x100e-s2"


def test_a_measurement():
    info = {"layers": ["a", "b"], "deep": {"Any name": [1, 2.5, None, True]}}
    found = Measurement(scalars={"found": 1.0}, arrays={"hits_2": np.zeros(2)}, info=info)
    assert found.info == info


@pytest.mark.parametrize("kind", ["scalars", "arrays", "info"])
@pytest.mark.parametrize("name", ["", "A", "2", "a b", "a.b", "ä", "_a", 3, None])
def test_names_that_do_not_fit_are_refused_in_one_line(kind, name):
    with pytest.raises(BadInput, match=rf"Expected {kind} named .*\. Received: names="):
        Measurement(**{"scalars": {}, kind: {name: 1.0}})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, (1, 2), {1: 2}, np.float64(1), np.array([1]), {"a": [b"x"]}, {1}]
)
def test_values_that_json_would_change_are_refused(value):
    assert not is_json(value)
    with pytest.raises(BadInput, match="Expected info to be JSON"):
        Measurement(scalars={}, info={"layers": value})


def test_the_name_of_the_measure_is_reserved():
    with pytest.raises(BadInput, match="info without `measure`"):
        Measurement(scalars={}, info={"measure": 1})


def test_scaling_reaches_the_training_of_a_run():
    from ftnoise.core.preset import Preset

    few = Preset(name="few", summary="", attack_steps=2)
    assert RUN.scaled(few).training == Way(steps=2)
