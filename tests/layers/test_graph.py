"""Models inside models, tensors of all ranks, and layers with several outputs."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Input, Model, layers

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.where import Neurons, Parameters, Weights
from ftnoise.layers.graph import unfold

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(12, 4, 6)).astype(np.float32)
Y = np.arange(12) % 3


def names(network):
    return [step.layer.name for step in unfold(network).steps]


def same_as_keras(network, x, text, trials=2):
    """A campaign's distances are those of the model in which Keras finds the faults."""
    fault = parse_fault(text)
    campaign = Campaign(network, x, Y, fault, examples_per_call=5)
    golden = network.predict(x, verbose=0)
    np.testing.assert_allclose(campaign.golden, golden, rtol=1e-4, atol=1e-5)
    found = campaign.run(range(trials), campaign.fault.rate).output_deviation_max
    for trial in range(trials):
        with injected(network, fault, trial=trial):
            theirs = network.predict(x, verbose=0)
        far = np.linalg.norm(theirs.astype(float) - golden, axis=1).max()
        assert far > 1e-3
        np.testing.assert_allclose(found[trial], far, rtol=1e-3)


def two_by_two():
    """An inner model of two inputs and two outputs."""
    left, right = Input((6,)), Input((6,))
    both = layers.Concatenate(name="both")([left, right])
    outputs = [layers.Dense(5, activation="relu", name=name)(both) for name in ("one", "two")]
    return Model([left, right], outputs, name="inner")


def test_a_model_inside_of_several_inputs_and_outputs_is_unfolded():
    inputs = Input((4, 6))
    one, two = two_by_two()([inputs[:, 0], inputs[:, 1]])
    network = Model(inputs, layers.Dense(3)(layers.Subtract()([one, two])))
    assert {"both", "one", "two"} <= {*names(network)}
    assert "inner" not in names(network)
    assert {target.name for target in Neurons().targets(network)} == {"one", "two"}
    same_as_keras(network, X, "neurons,layers=two:stuck_at_zero:0.4")
    same_as_keras(network, X, "weights,layers=one:sign_flip:0.4")


@pytest.mark.parametrize(
    "call",
    [
        lambda inner, x: inner(x, training=True),
        lambda inner, x: inner(tf.cast(10 * x, tf.int32)),
        lambda inner, x: inner({"given": x}),
    ],
)
def test_a_model_that_is_called_in_another_way_is_one_layer(call):
    given = Input((6,), name="given")
    hidden = layers.Dense(5, activation="relu", name="hidden")(given)
    inner = Model(given, layers.BatchNormalization()(hidden), name="inner")
    inputs = Input((4, 6))
    network = Model(inputs, layers.Dense(3)(call(inner, inputs[:, 0])))
    assert "inner" in names(network)
    assert [target.name for target in Neurons().targets(network)] == ["inner"]


def test_a_number_may_cross_from_before_the_first_fault():
    inputs = Input((4, 6))
    batch = tf.shape(inputs)[0]
    x = layers.Dense(5, activation="relu", name="first")(inputs)
    x = tf.reshape(x, [batch, 20])
    network = Model(inputs, layers.Dense(3, name="last")(x))
    same_as_keras(network, X, "weights,layers=last:stuck_at_zero:0.5")
    same_as_keras(network, X, "neurons,layers=first:stuck_at_zero:0.5")


@pytest.mark.parametrize(
    ("kind", "effect"),
    [
        (layers.SimpleRNN, "stuck_at_zero:0.5"),
        (layers.SimpleRNN, "drift=0.5:0.5:transient"),
        (layers.LSTM, "stuck_at_zero:0.5"),
    ],
)
def test_the_state_of_a_recurrent_layer_is_struck_with_its_output(kind, effect):
    inputs = Input((4, 6))
    sequence, *state = kind(6, return_sequences=True, return_state=True, name="first")(inputs)
    decoded = kind(5, name="second")(layers.Dense(5)(sequence))
    last = layers.Concatenate()([decoded, *state])
    network = Model(inputs, layers.Dense(3, name="last")(last))
    text = f"neurons,layers=first:{effect}"
    same_as_keras(network, X, text)
    seen = Model(inputs, [sequence, *state])
    sound = seen(X)
    with injected(network, parse_fault(text)) as trial:
        found = seen(X)
    if "transient" in effect:
        return
    hit = trial.hits[0]
    assert 0 < hit.sum() < 6
    for one, other in zip(found, sound, strict=True):
        assert not one.numpy()[..., hit].any()
        np.testing.assert_array_equal(one.numpy()[..., ~hit], other.numpy()[..., ~hit])


def test_a_transient_fault_hits_the_same_unit_in_state_and_output():
    inputs = Input((4, 6))
    _, state = layers.GRU(6, return_state=True, name="first")(inputs)
    out = layers.Dense(3)(state)
    network = Model(inputs, out)
    seen = Model(inputs, network.get_layer("first").output)
    with injected(network, parse_fault("neurons,layers=first:stuck_at=9:n=2:transient")):
        found, held = (one.numpy() for one in seen(X))
    np.testing.assert_array_equal(found == 9, held == 9)
    assert ((found == 9).sum(axis=1) == 2).all()
    assert len(np.unique(found == 9, axis=0)) > 3


class Forked(layers.Layer):
    """Two outputs of one layer."""

    def build(self, shape):
        self.kernel = self.add_weight("kernel", (shape[-1], 4))

    def call(self, inputs):
        return inputs @ self.kernel, -inputs @ self.kernel


@pytest.mark.parametrize(
    "several",
    [
        lambda x: layers.Bidirectional(layers.LSTM(3), merge_mode=None, name="several")(x),
        lambda x: layers.Bidirectional(layers.GRU(3, return_state=True), name="several")(x),
        lambda x: Forked(name="several")(x[:, 0]),
        lambda x: layers.RNN(
            layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(3)]),
            return_state=True,
            name="several",
        )(x),
    ],
)
def test_other_layers_with_several_outputs_have_no_neurons_that_are_known(several):
    inputs = Input((4, 6))
    hidden = layers.Dense(5, activation="relu", name="hidden")(several(inputs)[-1])
    network = Model(inputs, layers.Dense(3)(hidden))
    with pytest.raises(BadInput, match="Received: layer='several'") as refused:
        Neurons().targets(network)
    assert "\n" not in str(refused.value)
    assert [target.name for target in Neurons(layers=("hidden",)).targets(network)] == ["hidden"]
    assert Weights().targets(network)


def test_layers_of_the_same_name_are_told_apart_by_position():
    def inner(name):
        return keras.Sequential(
            [layers.InputLayer((6,)), layers.Dense(5, activation="relu", name="dense")], name=name
        )

    inputs = Input((4, 6))
    both = layers.Concatenate()([inner("left")(inputs[:, 0]), inner("right")(inputs[:, 1])])
    network = Model(inputs, layers.Dense(3, name="last")(both), name="twins")
    first, second, last = (Weights(layers=(n,)).targets(network) for n in range(3))
    assert [len(one) for one in (first, second, last)] == [1, 1, 1]
    assert first[0].variable is not second[0].variable
    assert last[0].name == "last/kernel"
    with pytest.raises(BadInput) as refused:
        Parameters(layers=("dense",)).targets(network)
    assert str(refused.value) == (
        "Expected a layer of twins with parameters (dense, dense, last). "
        "Received: 'dense', the name of several: take a position from 0."
    )


class Failing(layers.Layer):
    """Cannot be traced with more than is known of its inputs."""

    def call(self, inputs):
        if isinstance(inputs, tf.Tensor):
            raise RuntimeError("a word\nof the user's")
        return inputs


def test_what_a_layer_raises_when_it_is_traced_is_one_line():
    inputs = Input((4, 6))
    x = layers.Dense(5)(inputs[:, 0])
    failing = Failing()
    failing.call = lambda inputs: inputs
    network = Model(inputs, layers.Dense(3)(failing(x)))
    del failing.call
    with pytest.raises(BadInput, match=r"that TensorFlow can compile\. .*a word") as e:
        Campaign(network, X, Y, parse_fault("weights:sign_flip:0.5"))
    assert "\n" not in str(e.value)
