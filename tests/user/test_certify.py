"""Certificates of a user's own model: a known boundary, what is printed, and what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as kl

import ftnoise
from ftnoise.core.errors import BadInput
from ftnoise.user.certify import CertificationSettings
from tests.verify.networks import randomized

X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)


def model(last="sigmoid", units=1):
    network = keras.Sequential(
        [kl.InputLayer((3,)), kl.Dense(units, activation=last)], name="linear"
    )
    return randomized(network)


def labels(network):
    return (network(X).numpy()[:, 0] > 0.5).astype(int)


def test_no_certificate_reaches_beyond_a_linear_boundary():
    network = model()
    before = network.get_weights()
    found = ftnoise.certify(network, X, labels(network), sigma=0.5, draws=2000)
    kernel, bias = before
    distance = np.abs(X @ kernel[:, 0] + bias) / np.linalg.norm(kernel)
    for kind in ("votes", "bernstein", "gaussian", "cohen"):
        assert np.all(found.arrays[f"size_{kind}"] <= distance + 0.02)
    near = (distance > 0.1) & (distance < 0.8)
    assert np.median(found.arrays["size_cohen"][near] / distance[near]) > 0.7
    assert found.scalars["vote_accuracy"] > 95
    assert all(map(np.array_equal, before, network.get_weights()))
    assert list(found.lines["radius"]) == [0.125, 0.25, 0.5, 0.75]
    assert np.all(np.diff(found.lines["cohen"]) <= 0)
    text = str(found)
    assert "80 examples, 2,000 draws each" in text
    assert "chance of at most 0.001" in text
    assert found.figure().keys() == {"png", "pdf"}


def test_examples_are_limited_and_radii_given():
    network = model("softmax", 3)
    y = network(X).numpy().argmax(1)
    found = ftnoise.certify(network, X, y, sigma=0.2, radius=(0.1, 0.3), draws=50, examples=7)
    assert found.examples == 7
    index = found.arrays["index"]
    assert len({*index}) == 7
    certified = found.arrays["size_cohen"]
    alone = ftnoise.certify(network, X[index], y[index], sigma=0.2, radius=(0.1, 0.3), draws=50)
    assert np.array_equal(alone.arrays["size_cohen"], certified)
    assert list(found.lines["radius"]) == [0.1, 0.3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": 0.0}, "sigma > 0"),
        ({"sigma": float("nan")}, "sigma > 0"),
        ({"draws": 1}, "draws"),
        ({"confidence": 1.0}, "confidence"),
        ({"radius": (0.2, 0.1)}, "rising"),
        ({"examples": 0}, "examples"),
        ({"selection": 0}, "selection"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(BadInput, match=message):
        CertificationSettings(**{"sigma": 0.1, **changes})


def test_other_models_are_refused():
    for network in (model("linear"), model("sigmoid", 3)):
        with pytest.raises(BadInput, match="one sigmoid"):
            ftnoise.certify(network, X, np.zeros(80, int), sigma=0.1, draws=10)
    with pytest.raises(BadInput, match="labels"):
        ftnoise.certify(model(), X, np.full(80, 7), sigma=0.1, draws=10)
