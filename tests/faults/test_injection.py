"""A network with faults for as long as a block lasts, held against one that was cut by hand."""

from __future__ import annotations

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from ftnoise.core.errors import BadInput
from ftnoise.faults.injection import COMPILED, injected
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import CLASSES, bits, made


def outputs(network, x):
    x = x if isinstance(x, list) else [x]
    return network(x if len(x) > 1 else x[0], training=False).numpy()


def zeroed(variable, hit, axis):
    """Puts 0 where `hit` along an axis of a variable."""
    value = variable.numpy()
    value[(slice(None),) * axis + (hit,)] = 0
    variable.assign(value)


def assert_same(found, wanted, golden):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(found - golden).max() > 1e-3


def test_a_crashed_dense_unit_is_its_outgoing_weights_at_0():
    network, x, _ = made("dense")
    golden = outputs(network, x)
    with injected(network, parse_fault("neurons:stuck_at_zero:0.5")) as trial:
        found = outputs(network, x)
    for hit, layer in zip(trial.hits, network.layers[2:], strict=True):
        zeroed(layer.kernel, hit, 0)
    assert_same(found, outputs(network, x), golden)


def test_a_crashed_channel_is_the_next_kernels_input_channel_at_0():
    network, x, _ = made("convolutions")
    golden = outputs(network, x)
    with injected(network, parse_fault("neurons:stuck_at_zero:0.4")) as trial:
        found = outputs(network, x)
    first, second, dense = trial.hits
    assert min(first.sum(), second.sum(), dense.sum()) > 0
    zeroed(network.get_layer("conv2d").kernel, first, 2)
    # The flattened image is rows, columns, channels.
    zeroed(network.get_layer("dense").kernel, np.tile(second, 4), 0)
    zeroed(network.get_layer("dense_1").kernel, dense, 0)
    assert_same(found, outputs(network, x), golden)


def test_normalization_is_inside_the_unit():
    network, x, _ = made("residual")
    golden = outputs(network, x)
    with injected(network, parse_fault("neurons:stuck_at_zero:0.5"), trial=1) as trial:
        found = outputs(network, x)
    for hit, name in zip(trial.hits, ("batch_normalization", "batch_normalization_1"), strict=True):
        assert 0 < hit.sum() < 5
        zeroed(network.get_layer(name).gamma, hit, 0)
        zeroed(network.get_layer(name).beta, hit, 0)
    assert_same(found, outputs(network, x), golden)


def test_a_filter_at_0_is_not_a_crashed_channel_if_normalization_follows():
    network, x, _ = made("residual")
    with injected(network, parse_fault("filters,layers=conv2d:stuck_at_zero:1")):
        filters = outputs(network, x)
    with injected(network, parse_fault("channels,layers=conv2d:stuck_at_zero:1")):
        channels = outputs(network, x)
    assert np.abs(filters - channels).max() > 1e-3


def test_a_crashed_attention_head_is_its_rows_of_the_output_projection_at_0():
    network, x, _ = made("attention")
    golden = outputs(network, x)
    with injected(
        network, parse_fault("neurons,layers=multi_head_attention:stuck_at_zero:n=2")
    ) as trial:
        found = outputs(network, x)
    (hit,) = trial.hits
    zeroed(network.get_layer("multi_head_attention")._output_dense.kernel, hit[:, 0], 0)
    assert_same(found, outputs(network, x), golden)


def test_a_crashed_recurrent_unit_is_its_outgoing_weights_at_0():
    network, x, _ = made("recurrent", examples=6)
    golden = outputs(network, x)
    with injected(network, parse_fault("neurons:stuck_at_zero:0.4"), trial=2) as trial:
        found = outputs(network, x)
    both, gru = trial.hits
    assert min(both.sum(), gru.sum()) > 0
    zeroed(network.get_layer("gru").cell.kernel, both, 0)
    zeroed(network.get_layer("dense").kernel, gru, 0)
    assert_same(found, outputs(network, x), golden)


def test_a_shared_layer_and_a_model_inside_are_broken_at_each_call():
    network, x, _ = made("nested")
    golden = outputs(network, x)
    with injected(network, parse_fault("neurons:stuck_at_zero:0.5")) as trial:
        found = outputs(network, x)
    shared, inner = trial.hits
    zeroed(network.get_layer("inner").layers[0].kernel, shared, 0)
    zeroed(network.get_layer("dense_2").kernel, np.tile(inner, 2), 0)
    assert_same(found, outputs(network, x), golden)


FILTERS = [
    (layers.Conv1D(4, 3), (8, 3)),
    (layers.Conv2D(4, 3), (8, 8, 3)),
    (layers.Conv2DTranspose(4, 3, strides=2), (5, 5, 3)),
    (layers.Conv2DTranspose(3, 3), (5, 5, 3)),
    (layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 3)),
]


@pytest.mark.parametrize(("layer", "shape"), FILTERS, ids=lambda v: str(getattr(v, "name", v)))
def test_a_filter_at_0_leaves_its_channel_only_the_bias(layer, shape):
    layer = type(layer).from_config(layer.get_config())
    head = [layers.Flatten(), layers.Dense(2)]
    network = keras.Sequential([layers.InputLayer(shape), layer, *head])
    layer.bias.assign(np.arange(1, layer.bias.shape[0] + 1) / 8)
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
    sound = layer(x).numpy()
    with injected(network, parse_fault("filters:stuck_at_zero:n=2")) as trial:
        found = layer(x).numpy()
    hit = trial.hits[0].ravel()
    assert hit.sum() == 2
    np.testing.assert_array_equal(found[..., ~hit], sound[..., ~hit])
    biases = np.broadcast_to(layer.bias.numpy()[hit], found[..., hit].shape)
    np.testing.assert_array_equal(found[..., hit], biases)


def test_each_weight_becomes_what_its_effect_says():
    network, *_ = made("convolutions")
    before = {variable.name: variable.numpy() for variable in network.weights}
    with injected(network, parse_fault("weights:bit_flip:0.5")) as trial:
        after = {variable.name: variable.numpy() for variable in network.weights}
    kernels = [name for name in before if "kernel" in name]
    for name, hit, draw in zip(kernels, trial.hits, trial.draws, strict=True):
        changed = before[name].view(np.int32) ^ after[name].view(np.int32)
        np.testing.assert_array_equal(changed, np.where(hit, draw, 0))
    for name in before.keys() - set(kernels):
        np.testing.assert_array_equal(before[name], after[name])
    assert trial.hits[-1].any()


def seen(network, layer, x, batch):
    """The outputs of a layer as `predict` computes them."""
    found = []

    class Seen(keras.layers.Layer):
        def call(self, inputs):
            tf.numpy_function(lambda v: [found.append(v), np.float32(0)][1], [inputs], tf.float32)
            return inputs

    tail = network.layers[network.layers.index(layer) + 1 :]
    head = network.layers[: network.layers.index(layer) + 1]
    model = keras.Sequential([layers.InputLayer(network.input_shape[1:]), *head, Seen(), *tail])
    return model, found


@pytest.mark.parametrize("batch", [1, 7, 40])
def test_a_permanent_fault_is_in_the_same_neurons_for_every_image_and_batch(batch):
    network, x, _ = made("dense")
    model, found = seen(network, network.layers[2], x, batch)
    with injected(model, parse_fault("neurons,layers=dense_1:stuck_at=9:n=3"), seed=4) as trial:
        model.predict(x, batch_size=batch, verbose=0)
        model.predict(x, batch_size=40, verbose=0)
    values = np.concatenate(found)
    assert values.shape == (80, 7)
    np.testing.assert_array_equal(values == 9, np.broadcast_to(trial.hits[0], (80, 7)))


def test_a_transient_fault_is_in_others_for_each_image_however_they_are_batched():
    network, x, _ = made("dense")
    model, found = seen(network, network.layers[2], x, 40)
    fault = parse_fault("neurons,layers=dense_1:stuck_at=9:n=3:transient")
    for batch in (40, 7):
        with injected(model, fault, seed=4) as trial:
            model.predict(x, batch_size=batch, verbose=0)
    one, other = found[0] == 9, np.concatenate(found[1:]) == 9
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one[0], trial.hits[0])
    np.testing.assert_array_equal(one.sum(axis=1), 3)
    assert len(np.unique(one, axis=0)) > 20


FAULTS = ("neurons:stuck_at=0.7:0.5", "weights:stuck_at_zero:0.5")


def state(network):
    """All that an injection could leave behind."""
    inside = list(network._flatten_layers(recursive=True))
    return (
        bits(network),
        [vars(network).get(name) for name in COMPILED],
        [vars(layer).get("call") for layer in inside],
        [sorted(vars(layer)) for layer in inside if layer is not network],
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_compiled_functions_see_the_faults_and_are_as_before_afterwards(fault):
    network, x, y = made("dense")
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    golden = network.predict(x, verbose=0)
    loss = network.evaluate(x, y, verbose=0)
    network.train_on_batch(x * 0, y)
    before, golden = state(network), network.predict(x, verbose=0)
    with injected(network, parse_fault(fault)):
        eager = outputs(network, x)
        assert np.abs(eager - golden).max() > 1e-2
        np.testing.assert_allclose(network.predict(x, verbose=0), eager, rtol=1e-5, atol=1e-6)
        assert network.evaluate(x, y, verbose=0) != pytest.approx(loss, rel=1e-3)
    after = state(network)
    assert before == after
    assert all(one is other for one, other in zip(before[1], after[1], strict=True))
    np.testing.assert_array_equal(network.predict(x, verbose=0), golden)


def test_fit_sees_the_faults():
    network, x, y = made("dense")
    network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.train_on_batch(x * 0, y)
    before = network.layers[2].kernel.numpy()
    with injected(network, parse_fault("neurons,layers=dense:stuck_at_zero:n=4")) as trial:
        network.fit(x, y, epochs=2, verbose=0)
    changed = network.layers[2].kernel.numpy() != before
    assert not changed[trial.hits[0]].any()
    assert changed[~trial.hits[0]].any()
    network.fit(x, y, verbose=0)
    assert (network.layers[2].kernel.numpy() != before)[trial.hits[0]].any()


def test_a_model_that_is_compiled_inside_keeps_what_it_was_compiled_to():
    network, x, y = made("dense")
    network.compile(keras.optimizers.SGD(1.0), "mse")
    network.train_on_batch(x, np.eye(CLASSES)[y])
    with injected(network, parse_fault("neurons:stuck_at_zero:0.5")):
        network.compile(keras.optimizers.SGD(0.0), "mae")
        network.train_on_batch(x, np.eye(CLASSES)[y])
    before = bits(network)
    network.train_on_batch(x, np.eye(CLASSES)[y])
    assert bits(network) == before


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "key"])
@pytest.mark.parametrize("fault", FAULTS)
def test_an_exception_leaves_the_network_as_it_was(fault, error):
    network, x, _ = made("dense")
    network.predict(x, verbose=0)
    before = state(network)

    def interrupted():
        network.predict(x, verbose=0)
        raise error

    with pytest.raises(type(error)), injected(network, parse_fault(fault)):
        interrupted()
    assert state(network) == before


def test_an_exception_inside_a_layer_leaves_the_network_as_it_was():
    network, x, _ = made("dense")
    before = state(network)
    with (
        pytest.raises(Exception, match="incompatible"),
        injected(network, parse_fault(FAULTS[0])),
        injected(network, parse_fault(FAULTS[1])),
    ):
        network.predict(x[:, :2], verbose=0)
    assert state(network) == before


def test_a_block_that_is_never_finished_leaves_the_network_as_it_was():
    network, *_ = made("dense")
    before = state(network)

    def paused():
        with injected(network, parse_fault(FAULTS[0])), injected(network, parse_fault(FAULTS[1])):
            yield

    generator = paused()
    next(generator)
    assert state(network) != before
    generator.close()
    assert state(network) == before


@pytest.mark.parametrize(
    "inner", ["neurons,layers=dense_1:stuck_at=2:n=2", "neurons,layers=dense:stuck_at=2:n=2"]
)
def test_blocks_inside_each_other_add_up_and_end_one_by_one(inner):
    network, x, _ = made("dense")
    outer = parse_fault("neurons,layers=dense:stuck_at=-1:n=3")
    golden = network.predict(x, verbose=0)
    before = state(network)
    with injected(network, outer, seed=1) as first:
        only = network.predict(x, verbose=0)
        with injected(network, parse_fault(inner), seed=2) as second:
            both = network.predict(x, verbose=0)
        np.testing.assert_array_equal(network.predict(x, verbose=0), only)
    assert state(network) == before
    np.testing.assert_array_equal(network.predict(x, verbose=0), golden)

    w1, b1, w2, b2, w3, b3 = (weight.numpy() for weight in network.weights)
    units = np.maximum(x.reshape(-1, 6) @ w1 + b1, 0)
    units[:, first.hits[0]] = -1
    if "dense_1" not in inner:
        units[:, second.hits[0]] = 2
    later = np.tanh(units @ w2 + b2)
    if "dense_1" in inner:
        later[:, second.hits[0]] = 2
    np.testing.assert_allclose(both, later @ w3 + b3, rtol=1e-4, atol=1e-5)


def test_weights_of_blocks_inside_each_other_are_put_back_one_by_one():
    network, *_ = made("dense")
    golden = bits(network)
    with injected(network, parse_fault("weights:stuck_at_one:0.5"), seed=1):
        outer = bits(network)
        with injected(network, parse_fault("parameters:sign_flip:0.5"), seed=2):
            assert bits(network) not in (outer, golden)
        assert bits(network) == outer
    assert bits(network) == golden


def test_a_seed_and_a_number_say_what_is_hit():
    network, x, _ = made("dense")
    found = {}
    for seed, number in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        with injected(network, parse_fault(FAULTS[1]), seed=seed, trial=number):
            values = outputs(network, x).tobytes()
        assert found.setdefault((seed, number), values) == values
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("where", ["neurons", "weights", "parameters"])
def test_no_faults_are_the_network_itself_bit_for_bit(where):
    network, x, _ = made("attention")
    golden = outputs(network, x)
    with injected(network, parse_fault(f"{where}:stuck_at_one:0")):
        np.testing.assert_array_equal(outputs(network, x), golden)


@pytest.mark.parametrize(
    ("fault", "options", "said"),
    [
        (FAULTS[0], {"seed": -1}, "Expected seed to be an integer >= 0. Received: seed=-1."),
        (FAULTS[0], {"seed": 1.0}, "Expected seed to be an integer >= 0. Received: seed=1.0."),
        (FAULTS[0], {"trial": -1}, "Expected trial to be an integer >= 0. Received: trial=-1."),
        ("weights:sign_flip:n=133", {}, "Expected at most 132 faults. Received: faults=133."),
        ("weights:sign_flip:1:transient", {}, "Expected a transient fault of neurons, as the"),
        ("filters:sign_flip:1", {}, "Expected filters in sequential. Received: none."),
        ("neurons,layers=x:sign_flip:1", {}, "neurons (dense, dense_1). Received: 'x'."),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_touched(fault, options, said):
    network, *_ = made("dense")
    before = state(network)
    with pytest.raises(BadInput) as refused, contextlib.ExitStack() as stack:
        stack.enter_context(injected(network, parse_fault(fault), **options))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert state(network) == before


def test_the_trial_names_layers_and_parameters():
    network, _, _ = made("dense")
    with injected(network, parse_fault("parameters:stuck_at=7:n=5")) as trial:
        values = {
            "/".join(v.name.split(":")[0].split("/")[-2:]): v.numpy() for v in network.weights
        }
        found = dict(trial.sites)
        for name, positions in found.items():
            assert (values[name][tuple(positions.T)] == 7).all()
    assert sum(map(len, found.values())) == 5
    with injected(network, parse_fault("neurons:stuck_at=0:0.5")) as trial:
        assert {name for name, _ in trial.sites} <= {layer.name for layer in network.layers}
        assert str(trial).count(" hit, at ") == len(trial.sites)
