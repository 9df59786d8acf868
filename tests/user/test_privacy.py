"""Statements of privacy from parameters and from a run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import ftnoise
from ftnoise.core.errors import BadInput
from ftnoise.privacy import Mechanism, statement

SIZES = {"batch_size": 250, "examples": 60_000, "epochs": 60}


def private(data=None, **how):
    gradients = ftnoise.DPSGD(noise_multiplier=1.1, **how)
    return ftnoise.Run(
        architecture=ftnoise.FmnistCNN2(),
        data=data or ftnoise.MNIST(),
        training=ftnoise.Training(gradients=gradients),
        schedule=ftnoise.Schedule(epochs=60, batch_size=250, learning_rate=0.1),
    )


def test_a_run_has_the_statement_of_its_parameters():
    mechanism = Mechanism(noise_multiplier=1.1, batch_size=250, examples=60_000, steps=14_400)
    known = statement(mechanism)
    of_run = ftnoise.privacy_statement(private())
    alone = ftnoise.privacy_statement(noise_multiplier=1.1, **SIZES)
    assert of_run.epsilon == alone.epsilon == known.epsilon
    assert of_run.mechanism == alone.mechanism == mechanism
    assert "key is NOT secret" in str(of_run)
    assert str(of_run).startswith(str(alone))
    assert str(ftnoise.privacy_statement(private(secret_key=True))) == str(alone)


def test_shuffled_batches_of_a_part_of_the_data(tmp_path):
    x, y = np.zeros((50, 3), np.float32), np.arange(50) % 2
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    run = private(ftnoise.NpzFile(path=tmp_path / "d.npz"), sampler=ftnoise.Shuffled())
    schedule = ftnoise.Schedule(epochs=2, batch_size=10, learning_rate=0.1)
    run = dataclasses.replace(run, schedule=schedule, train_examples=40)
    found = ftnoise.privacy_statement(run, delta=1e-3).mechanism
    assert (found.examples, found.steps, found.sampler, found.delta) == (40, 8, "shuffled", 1e-3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "batch_size, examples, epochs and either noise_multiplier or target_epsilon"),
        (SIZES, "either noise_multiplier or target_epsilon"),
        ({**SIZES, "noise_multiplier": 1.0, "target_epsilon": 1.0}, "either noise_multiplier or"),
        ({**SIZES, "noise_multiplier": -1.0}, "noise_multiplier > 0"),
        ({**SIZES, "target_epsilon": float("nan")}, "target_epsilon > 0"),
        ({**SIZES, "noise_multiplier": 1.0, "delta": 2}, r"delta in \(0, 1\)"),
        ({**SIZES, "noise_multiplier": 1.0, "epochs": 0}, "epochs > 0"),
        ({**SIZES, "noise_multiplier": 1.0, "sampler": "x"}, "sampler in"),
        ({"run": private(), "examples": 9}, "a run, or parameters without one"),
        ({"run": "table7"}, "run to be a Run"),
        (
            {"run": dataclasses.replace(private(), training=ftnoise.Training())},
            "a run with DPSGD and noise in its gradients. Received: gradients=None",
        ),
    ],
)
def test_a_wrong_argument_is_one_line(given, message):
    with pytest.raises(BadInput, match=message) as error:
        ftnoise.privacy_statement(**given)
    assert "\n" not in str(error.value)
