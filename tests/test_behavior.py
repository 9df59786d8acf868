"""Every member does what its kind promises, on small networks and few examples."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from ftnoise import seeds
from ftnoise.datasets import Data
from ftnoise.workspace import Answer, Subject, Workspace
from tests.members import (
    RUN,
    each,
)

CLASSES = 3
SHAPE = (2, 2, 3)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.random((8, *SHAPE), np.float32), np.arange(8) % CLASSES


@pytest.fixture
def network() -> Any:
    import keras

    seeds.fix_initialization(0)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer(SHAPE),
            layers.Flatten(),
            layers.Dense(5, activation="relu"),
            layers.Dense(CLASSES),
        ]
    )


def bits(network: Any) -> list[bytes]:
    return [weight.numpy().tobytes() for weight in network.weights]


@each("architecture")
def test_an_architecture_builds_a_network_that_gives_finite_logits(spec):
    seeds.fix_initialization(0)
    network = spec.build()
    assert network.input_shape == (None, *spec.input_shape)
    logits = network(np.full((2, *spec.input_shape), 0.5, np.float32)).numpy()
    assert logits.shape == (2, spec.classes)
    assert np.isfinite(logits).all()
    seeds.fix_initialization(0)
    assert bits(spec.build()) == bits(network)
    other = dataclasses.replace(spec, classes=7)
    assert other.build().output_shape == (None, 7)


@each("data")
def test_a_data_set_says_what_it_knows_without_reading(spec):
    assert spec.train_size is None or spec.train_size > 0
    assert spec.test_size is None or spec.test_size > 0
    assert spec.class_names is None or len(set(spec.class_names)) == len(spec.class_names) > 1
    assert dataclasses.replace(RUN, data=spec).examples() == spec.train_size


@each("inputs")
def test_an_objective_gives_a_finite_loss_for_each_example_and_is_keyed(spec, network, images):
    import tensorflow as tf

    x, y = tf.constant(images[0]), tf.constant(images[1], tf.int32)
    before = bits(network)
    with tf.GradientTape() as tape:
        losses, logits = spec.objective(network, x, y, tf.constant([1, 2], tf.int64))
    assert losses.shape == (8,)
    assert logits.shape == (8, CLASSES)
    assert np.isfinite(losses.numpy()).all()
    gradients = tape.gradient(losses, network.trainable_variables)
    assert all(g is not None and np.isfinite(g.numpy()).all() for g in gradients)
    again, _ = spec.objective(network, x, y, tf.constant([1, 2], tf.int64))
    np.testing.assert_array_equal(losses, again)
    np.testing.assert_array_equal(x, images[0])
    assert bits(network) == before


@each("penalty")
def test_a_penalty_is_a_finite_scalar_with_a_gradient(spec, network, images):
    import tensorflow as tf

    x, before = tf.constant(images[0]), bits(network)
    with tf.GradientTape() as tape:
        value = spec.value(network, x)
    assert value.shape == ()
    assert np.isfinite(value.numpy())
    assert value.numpy() >= 0
    gradients = tape.gradient(value, network.trainable_variables)
    found = [tf.convert_to_tensor(g).numpy() for g in gradients if g is not None]
    assert found
    assert all(np.isfinite(g).all() for g in found)
    assert spec.value(network, x).numpy() == value.numpy()
    assert bits(network) == before


@each("gradients")
def test_gradients_draw_every_example_and_take_a_step_against_the_loss(spec, network, images):
    import tensorflow as tf

    x, y = tf.constant(images[0]), tf.constant(images[1], tf.int32)
    updater = spec.start(network, RUN, len(y), xla=False)
    updater.resume(None, 0, True)
    order = tf.constant([5, 1, 0, 3, 2, 4, 7, 6])
    drawn: set[int] = set()
    for step in range(30):
        indices, present = updater.batch(order, tf.constant(step, tf.int64))
        drawn |= {*(indices if present is None else indices[present]).numpy().tolist()}
    assert drawn == set(range(8))

    def objective() -> tuple[Any, Any]:
        logits = network(x, training=True)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits

    steps = [updater.update(objective, None, None) for _ in range(20)]
    assert steps[0][1].shape == (8, CLASSES)
    values = [float(loss) for loss, _ in steps]
    assert np.isfinite(values).all()
    assert values[-1] < values[0]


@each("measure")
def test_a_measure_is_deterministic_and_leaves_the_network_as_it_is(spec, network, images):
    x, y = images
    data = Data(x, y, x[:5], y[:5], classes=CLASSES, digest="0" * 64, source="memory")
    answers, before = [], bits(network)
    for _ in range(2):
        answers.append(
            spec.evaluate(
                Subject(
                    network=network,
                    data=data,
                    run=RUN,
                    workspace=Workspace(),
                )
            )
        )
        assert bits(network) == before
        np.testing.assert_array_equal(x, images[0])
    one, two = answers
    assert isinstance(one, Answer)
    assert one.scalars
    for name, value in one.scalars.items():
        assert type(value) is float
        assert math.isfinite(value)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name in type(spec).__doc__, f"{name} is not in the docstring"
    assert two.scalars == one.scalars
    assert two.info == one.info
    assert two.arrays.keys() == one.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], values)
