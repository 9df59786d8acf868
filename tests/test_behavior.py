"""Every member does what its kind promises, on small networks and few examples."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest

from ftnoise.architectures import CirclesNet
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Data
from ftnoise.core.interfaces import MeasureInput, Measurement
from ftnoise.measures.certified_accuracy import CertifiedAccuracy
from ftnoise.measures.decision_boundary import DecisionBoundary
from ftnoise.measures.sampling import Sampling
from ftnoise.measures.sequential_certification import SequentialCertification
from ftnoise.training.gradients.plain import Adam
from tests.members import RUN, documented, each
from tests.training.test_weights import KernelNoise

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
    if isinstance(spec, CirclesNet):
        # One output has no more classes than two.
        return
    other = dataclasses.replace(spec, classes=7)
    assert other.build().output_shape == (None, 7)


@each("data")
def test_a_data_set_knows_its_sizes_without_reading(spec):
    assert spec.train_size is None or spec.train_size > 0
    assert spec.test_size is None or spec.test_size > 0
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
    # Adam has a momentum of its own.
    momentum = 0.0 if isinstance(spec, Adam) else RUN.schedule.momentum
    run = dataclasses.replace(RUN, schedule=dataclasses.replace(RUN.schedule, momentum=momentum))
    updater = spec.start(network, run, len(y), xla=False)
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
    _, logits, gradients = steps[0]
    assert logits.shape == (8, CLASSES)
    assert [g.shape for g in gradients] == [v.shape for v in network.trainable_variables]
    values = [float(loss) for loss, _, _ in steps]
    assert np.isfinite(values).all()
    assert values[-1] < values[0]


@each("weights", KernelNoise())
def test_noise_in_the_weights_is_keyed_and_keeps_its_state_in_the_network(spec, network, images):
    import keras
    import tensorflow as tf

    from ftnoise.layers.drawing import forward

    x, y = tf.constant(images[0]), tf.constant(images[1], tf.int32)

    def rebuilt() -> Any:
        seeds.fix_initialization(0)
        return spec.rebuild(keras.models.clone_model(network))

    def trained(process: int) -> Any:
        model = rebuilt()
        # A draw that does not follow from its key would differ.
        keras.utils.set_random_seed(process)
        variables, before = model.trainable_variables, [v.shape for v in model.weights]

        @tf.function
        def step(number: Any) -> Any:
            seed = seeds.at_step(5, number)
            spec.before_step(model, seed)
            with tf.GradientTape() as tape, spec.during_pass(model, seed):
                logits = forward(model, x, seed, training=True)
                loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
            for variable, gradient in zip(variables, gradients, strict=True):
                variable.assign_sub(0.1 * gradient)
            spec.after_step(model, gradients, seed)
            return loss

        losses = [step(tf.constant(number, tf.int64)) for number in range(3)]
        assert np.isfinite(losses).all()
        assert [v.shape for v in model.weights] == before
        return model

    model = trained(1)
    assert model.input_shape == network.input_shape
    assert model.output_shape == network.output_shape
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert bits(trained(2)) == bits(model) != bits(rebuilt())
    # Stored weights are put into a network that is rebuilt.
    again = rebuilt()
    again.set_weights(model.get_weights())
    outputs = forward(model, x, [1, 2]).numpy()
    assert np.isfinite(outputs).all()
    np.testing.assert_array_equal(forward(model, x, [1, 2]), outputs)
    np.testing.assert_array_equal(forward(again, x, [1, 2]), outputs)
    assert all(
        isinstance(callback, keras.callbacks.Callback) for callback in spec.callbacks(model, RUN)
    )


@each("augmentation")
def test_an_augmentation_is_keyed_and_keeps_the_shape(spec, images):
    x = images[0]
    one, again, other = (spec.augment(x, [1, seed]).numpy() for seed in (2, 2, 3))
    assert one.shape == x.shape
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


CHAIN = {
    "trajectories": 6,
    "averaged": 1,
    "burn_in": False,
    "acceptance": 0.5,
    "step_size": 0.1,
    "energy_error": 1.0,
}


@each("measure")
def test_a_measure_is_deterministic_and_leaves_the_network_as_it_is(spec, network, images):
    if isinstance(spec, DecisionBoundary):
        network = CirclesNet(units=3).build()
        images = images[0].reshape(-1, 2)[:8], images[1] % 2
    if isinstance(spec, CertifiedAccuracy | SequentialCertification):
        from ftnoise.layers.noisy import with_noise

        network = with_noise(network, scale=0.2)
    if isinstance(spec, Sampling):
        from ftnoise.layers.posterior import posterior_network

        network = posterior_network(network, 6)
    x, y = images
    data = Data(x, y, x[:5], y[:5], classes=CLASSES, digest="0" * 64, source="memory")
    answers, before = [], bits(network)
    for _ in range(2):
        answers.append(
            spec.evaluate(
                MeasureInput(
                    network=network,
                    data=data,
                    run=RUN,
                    checkpointing=Checkpointing(),
                    record={
                        "history": [{"accuracy": 0.5, "val_accuracy": 0.25, "std dense": 0.1}],
                        "parts": {"chain-0": {"history": [CHAIN]}},
                    },
                    others=dict.fromkeys(spec.others(RUN), network),
                )
            )
        )
        assert bits(network) == before
        np.testing.assert_array_equal(x, images[0])
    one, two = answers
    assert isinstance(one, Measurement)
    assert one.scalars
    for name, value in one.scalars.items():
        assert type(value) is float
        assert math.isfinite(value)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert documented(name, spec), f"{name} is not in the docstring"
    assert two.scalars == one.scalars
    assert two.info == one.info
    assert two.arrays.keys() == one.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], values)


@pytest.fixture
def convolution() -> Any:
    import keras

    layers = keras.layers
    seeds.fix_initialization(0)
    middle = layers.Conv2D(4, 2, activation="tanh", bias_initializer="ones", name="middle")
    tail = [layers.Flatten(), layers.Dense(CLASSES)]
    return keras.Sequential([layers.InputLayer(SHAPE), middle, *tail])


@each("where")
def test_sites_are_where_a_fault_changes_the_network_and_only_for_a_while(
    spec, convolution, images
):
    from ftnoise.faults.effects import StuckAt
    from ftnoise.faults.fault import Fault
    from ftnoise.faults.injection import injected
    from ftnoise.faults.rates import Share

    targets = spec.targets(convolution)
    assert [target.name for target in targets] == [
        target.name for target in spec.targets(convolution)
    ]
    assert len({target.name for target in targets}) == len(targets)
    assert all(target.size >= 1 for target in targets)
    names = {layer.name for layer in convolution.layers}
    assert {target.layer.name for target in targets} <= names
    if not spec.outputs:
        for target in targets:
            assert np.broadcast_shapes(target.grid, target.variable.shape) == target.variable.shape
    before, golden = bits(convolution), convolution(images[0]).numpy()
    fault = Fault(where=spec, what=StuckAt(value=0.5), rate=Share(rate=1))
    with injected(convolution, fault) as trial:
        assert [hit.shape for hit in trial.hits] == [target.grid for target in targets]
        assert trial.count == (len(spec.indices) or sum(target.size for target in targets))
        assert (convolution(images[0]).numpy() != golden).any()
    assert bits(convolution) == before
    np.testing.assert_array_equal(convolution(images[0]), golden)


@each("effect")
def test_an_effect_is_a_function_of_the_value_and_of_a_draw_for_each_site(spec):
    import tensorflow as tf

    values = np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 3, 4)
    draws = [spec.draw(np.random.default_rng(1), (3, 4)) for _ in range(2)]
    for kind in (tf.float32, tf.float16):
        one, two = (spec.faulty(tf.cast(values, kind), draw) for draw in draws)
        assert one.shape == values.shape
        assert one.dtype == kind
        np.testing.assert_array_equal(one, two)
    keyed = [spec.keyed_draw([1, seed], (3, 4)) for seed in (2, 2, 3)]
    assert (keyed[0] is None) == (draws[0] is None)
    if draws[0] is not None:
        assert keyed[0].shape == (3, 4)
        assert keyed[0].dtype.as_numpy_dtype == draws[0].dtype
        np.testing.assert_array_equal(keyed[0], keyed[1])
        assert (keyed[0].numpy() != keyed[2].numpy()).any()
        assert draws[0].shape == (3, 4)
        np.testing.assert_array_equal(draws[0], draws[1])
        assert (draws[0] != spec.draw(np.random.default_rng(2), (3, 4))).any()
    compiled = tf.function(lambda v: spec.faulty(v, draws[0]))(tf.constant(values))
    np.testing.assert_array_equal(compiled, spec.faulty(tf.constant(values), draws[0]))
    assert (spec.faulty(tf.constant(values), draws[0]).numpy() != values).any()


@each("rate")
def test_a_rate_takes_sites_by_their_keys_and_by_nothing_else(spec):
    sizes = [7, 1, 12]
    keys = np.random.default_rng(0).integers(0, 2**64, (50, 20), np.uint64)
    hits = np.stack([spec.hits(row, sizes) for row in keys])
    assert hits.shape == (50, 20)
    assert hits.dtype == bool
    assert hits.any()
    assert not hits.all()
    np.testing.assert_array_equal(hits, [spec.hits(row.copy(), sizes) for row in keys])
    keyed = np.stack([spec.keyed_hits([1, seed], sizes) for seed in range(50)])
    np.testing.assert_array_equal(keyed[7], spec.keyed_hits([1, 7], sizes))
    assert keyed.shape == (50, 20)
    assert keyed.dtype == bool
    # Exact counts are as exact, together or target by target.
    for part, known in zip(np.split(keyed, [7, 8], 1), np.split(hits, [7, 8], 1), strict=True):
        assert part.sum() == pytest.approx(known.sum(), abs=5 * np.sqrt(part.size / 2))
    assert keyed.sum(axis=1).std() == pytest.approx(hits.sum(axis=1).std(), abs=1)
    # Those that are hit have the smallest keys of their target.
    for row, hit in zip(keys, hits, strict=True):
        for part, taken in zip(np.split(row, [7, 8]), np.split(hit, [7, 8]), strict=True):
            assert not taken.any() or taken.all() or part[taken].max() < part[~taken].min()
    spec.check(20)
    assert spec.label
    assert "\n" not in spec.label
    assert len(spec.label) < 20
