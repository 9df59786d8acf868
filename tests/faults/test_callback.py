"""Faults in training steps, held against the same training with the faults written out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.faults.callback import FaultInjection, TrainingStep
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Count
from tests.faults.networks import CLASSES, bits, made

RATE = 0.1
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(name="dense", optimizer=None, **options):
    network, x, y = made(name)
    loss = "sparse_categorical_crossentropy" if name == "residual" else LOSS
    network.compile(optimizer or keras.optimizers.SGD(RATE), loss, ["accuracy"], **options)
    return network, x, y


def fit(network, x, y, *callbacks, epochs=2, **options):
    options = {"batch_size": 10, "shuffle": False, "verbose": 0, **options}
    return network.fit(x, y, epochs=epochs, callbacks=list(callbacks), **options)


def values(network):
    return [weight.numpy() for weight in network.weights]


def by_hand(x, y, epochs, forward, start, batch=10):
    """Plain gradient descent on `forward(variables, x, epoch)`, which gives logits."""
    variables = [tf.Variable(value) for value in start]
    for epoch in range(epochs):
        for at in range(0, len(x), batch):
            with tf.GradientTape() as tape:
                logits = forward(variables, x[at : at + batch].reshape(-1, 6), epoch)
                loss = LOSS(y[at : at + batch], logits)
            for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
                variable.assign_sub(RATE * gradient)
    return [variable.numpy() for variable in variables]


def dense(variables, x, keep=(1.0, 1.0)):
    """The network `dense`, the units of its hidden layers times `keep`."""
    w1, b1, w2, b2, w3, b3 = variables
    h = tf.nn.relu(x @ w1 + b1) * keep[0]
    return (tf.tanh(h @ w2 + b2) * keep[1]) @ w3 + b3


class Trials(keras.callbacks.Callback):
    """Keeps what a `FaultInjection` had in force, epoch by epoch."""

    def __init__(self, of):
        super().__init__()
        self.of, self.seen = of, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.of.trial)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def untouched(network):
    """No layer has a tap, and every parameter is held by its layer."""
    layers = list(network._flatten_layers(recursive=True))
    # Keras gives an operator in a functional model a `call` of its own.
    layers = [layer for layer in layers if type(layer).__name__ != "TFOpLambda"]
    held = [v for layer in layers for v in vars(layer).values() if isinstance(v, tf.Tensor)]
    return not held and not any("call" in vars(layer) for layer in layers)


def test_crashed_neurons_train_as_if_their_outputs_were_times_0():
    network, x, y = compiled()
    start = values(network)
    faults = FaultInjection(parse_fault("neurons:stuck_at_zero:0.4"), schedule=0.4)
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=3)
    keep = [[1 - hit.astype(np.float32) for hit in trial.hits] for trial in trials.seen]
    expected = by_hand(x, y, 3, lambda v, x, epoch: dense(v, x, keep[epoch]), start)
    for found, wanted in zip(values(network), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert [trial.count for trial in trials.seen] == [6, 6, 6]


def test_a_crashed_unit_gets_no_gradient_and_the_others_do():
    network, x, y = compiled()
    before = values(network)
    faults = FaultInjection(
        parse_fault("neurons,layers=dense:stuck_at_zero:0"), schedule=Count(faults=3)
    )
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=1)
    (hit,) = trials.seen[0].hits
    kernel, bias, outgoing = (a != b for a, b in zip(values(network)[:3], before[:3], strict=True))
    assert hit.sum() == 3
    assert not kernel[:, hit].any()
    assert not bias[hit].any()
    assert not outgoing[hit].any()
    assert kernel[:, ~hit].any(axis=0).sum() >= 4
    assert outgoing[~hit].any(axis=1).sum() >= 4


def test_stuck_weights_train_as_if_the_kernels_were_times_0():
    network, x, y = compiled()
    start = values(network)
    faults = FaultInjection(parse_fault("weights:stuck_at_zero:0.3"), schedule={0: 0.3, 2: 0.6})
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=3)
    assert trials.seen[1] is None

    def forward(variables, x, epoch):
        if trials.seen[epoch] is None:
            return dense(variables, x)
        keep = [1 - hit.astype(np.float32) for hit in trials.seen[epoch].hits]
        return dense([v if n % 2 else v * keep[n // 2] for n, v in enumerate(variables)], x)

    for found, wanted in zip(values(network), by_hand(x, y, 3, forward, start), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


class Probe(keras.layers.Dense):
    """Writes down the kernel with which it computes."""

    read: list[np.ndarray]

    def call(self, inputs):
        kernel = tf.convert_to_tensor(self.kernel)
        tf.numpy_function(lambda k: [self.read.append(k), np.float32(0)][1], [kernel], tf.float32)
        return super().call(inputs)


def probed(steps_per_execution=1, optimizer=None):
    _, x, y = made("dense")
    probe = Probe(CLASSES, name="probe")
    probe.read = []
    layers = [keras.layers.InputLayer((3, 2)), keras.layers.Flatten(), probe]
    network = keras.Sequential(layers)
    network.compile(optimizer or "adam", LOSS, steps_per_execution=steps_per_execution)
    return network, x, y, probe


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("what", ["stuck_at=0.25", "random_value=2,high=3", "bit_flip=31"])
def test_stuck_weights_are_read_as_the_same_value_in_every_step(what, steps):
    network, x, y, probe = probed(steps, keras.optimizers.SGD(RATE))
    stored = probe.kernel.numpy()
    faults = FaultInjection(parse_fault(f"weights:{what}:0.5"), schedule=0.5)
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=1)
    (hit,), (draw,) = trials.seen[0].hits, trials.seen[0].draws
    stuck = {"s": np.full_like(stored, 0.25), "r": draw, "b": -stored}[what[0]]
    assert len(probe.read) == 4
    for read in probe.read:
        np.testing.assert_array_equal(read[hit], stuck[hit])
    assert np.all(probe.read[0] != probe.read[3], where=~hit)
    # What is stored waits for its release, and is what others see.
    np.testing.assert_array_equal(probe.kernel.numpy() == stored, hit)


def test_noise_on_weights_passes_gradients_through():
    network, x, y, probe = probed()
    before = probe.kernel.numpy()
    faults = FaultInjection(parse_fault("weights:drift=0.5:1"), schedule=1)
    fit(network, x, y, faults, epochs=1)
    assert np.all(probe.kernel.numpy() != before)


def test_without_hold_weights_are_hit_once_and_train_on():
    network, x, y = compiled()
    other, *_ = compiled()
    faults = FaultInjection(parse_fault("weights:stuck_at_one:0.3"), schedule={1: 0.3}, hold=False)
    trials = Trials(faults)
    fit(network, x, y, faults, trials)
    fit(other, x, y, epochs=1)
    for layer, hit in zip(other.layers[1:], trials.seen[1].hits, strict=True):
        layer.kernel.assign(np.where(hit, np.float32(1), layer.kernel.numpy()))
    fit(other, x, y, epochs=1)
    assert trials.seen[0] is None
    assert same(values(network), values(other))


def test_each_example_has_its_own_transient_faults():
    _, x, y = made("dense")
    rows = []

    class Seen(keras.layers.Layer):
        def call(self, inputs):
            tf.numpy_function(lambda v: [rows.append(v), np.float32(0)][1], [inputs], tf.float32)
            return inputs

    hidden = keras.layers.Dense(8, activation="sigmoid")
    layers = [keras.layers.Flatten(), hidden, Seen(), keras.layers.Dense(CLASSES)]
    network = keras.Sequential([keras.layers.InputLayer((3, 2)), *layers])
    network.compile("sgd", LOSS)
    fault = parse_fault("neurons:stuck_at_zero:0.25:transient")
    fit(network, x, y, FaultInjection(fault, schedule={0: 0.25}))
    first, second = np.concatenate(rows[:4]), np.concatenate(rows[4:])
    np.testing.assert_array_equal((first == 0).sum(axis=1), 2)
    assert len(np.unique(first == 0, axis=0)) > 10
    assert np.all(second != 0)


@pytest.mark.parametrize("where", ["neurons", "parameters"])
def test_a_seed_says_all_and_each_epoch_has_another_trial(where):
    found = []
    for seed in (1, 1, 2):
        network, x, y = compiled()
        faults = FaultInjection(parse_fault(f"{where}:stuck_at_zero:0.4"), seed=seed, schedule=0.4)
        trials = Trials(faults)
        fit(network, x, y, faults, trials)
        found.append(bits(network))
        first, second = (np.concatenate([h.ravel() for h in m.hits]) for m in trials.seen)
        assert first.sum() == second.sum()
        assert (first != second).any()
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_without_redraw_the_places_stay_and_a_higher_rate_hits_more():
    network, x, y = compiled()
    fault = parse_fault("weights:stuck_at_zero:0.2")
    faults = FaultInjection(fault, schedule=lambda epoch: [0.2, 0.2, 0.5][epoch], redraw=False)
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=3)
    first, second, third = (np.concatenate([h.ravel() for h in m.hits]) for m in trials.seen)
    assert (first == second).all()
    assert third[first].all()
    assert third.sum() == 66  # half of 132


@pytest.mark.parametrize("fault", ["neurons:stuck_at_zero:0.4", "weights:random_value:0.4"])
def test_a_training_that_is_resumed_draws_the_same(fault):
    whole, x, y = compiled()
    fit(whole, x, y, FaultInjection(parse_fault(fault), schedule=0.4), epochs=3)
    parts, *_ = compiled()
    fit(parts, x, y, FaultInjection(parse_fault(fault), schedule=0.4), epochs=2)
    fit(parts, x, y, FaultInjection(parse_fault(fault), schedule=0.4), epochs=3, initial_epoch=2)
    assert bits(whole) == bits(parts)


def test_epochs_without_faults_are_those_of_a_training_without_the_callback():
    network, x, y = compiled("residual")
    other, *_ = compiled("residual")
    faults = FaultInjection(parse_fault("parameters:stuck_at_zero:0.5"), schedule={0: None, 1: 0.0})
    fit(network, x, y, faults, epochs=3)
    fit(other, x, y, epochs=3)
    assert bits(network) == bits(other)


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"steps_per_execution": 3}])
@pytest.mark.parametrize("where", ["neurons", "weights"])
def test_it_does_not_matter_how_keras_runs_the_step(where, options):
    found = []
    for more in ({}, options):
        network, x, y = compiled(**more)
        faults = FaultInjection(parse_fault(f"{where}:stuck_at_zero:0.4"), schedule=0.4)
        fit(network, x, y, faults)
        found.append(values(network))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_another_mask_or_amount_is_not_compiled_anew():
    network, x, y = made("dense")
    traced = []

    def loss(labels, logits):
        traced.append(1)
        return LOSS(labels, logits)

    network.compile("sgd", loss)
    first = FaultInjection(
        parse_fault("neurons:stuck_at_zero:0.4"), schedule=lambda epoch: 0.1 * epoch
    )
    second = FaultInjection(parse_fault("weights:drift=0.1:0.4"), schedule=0.4)
    fit(network, x, y, first, second, epochs=5)
    # The second alone in the first epoch, and then both; each step may be traced twice.
    assert len(traced) <= 4


def test_faults_of_several_callbacks_are_in_force_together():
    network, x, y = compiled()
    start = values(network)
    units = FaultInjection(parse_fault("neurons:stuck_at_zero:0.4"), schedule=0.4)
    weights = FaultInjection(parse_fault("weights:stuck_at_zero:0.3"), schedule=0.3)
    seen = Trials(units), Trials(weights)
    fit(network, x, y, units, weights, *seen)

    def forward(variables, x, epoch):
        keep, lost = ([1 - hit.astype(np.float32) for hit in one.seen[epoch].hits] for one in seen)
        kernels = [v if n % 2 else v * lost[n // 2] for n, v in enumerate(variables)]
        return dense(kernels, x, keep)

    for found, wanted in zip(values(network), by_hand(x, y, 2, forward, start), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert untouched(network)


@pytest.mark.parametrize("name", ["convolutions", "residual", "attention", "nested"])
@pytest.mark.parametrize("where", ["neurons", "parameters"])
def test_every_usual_network_trains_under_faults_and_is_sound_afterwards(name, where):
    network, x, y = compiled(name)
    before, predicted = bits(network), network.predict(x, verbose=0)
    compiled_before = network.predict_function
    faults = FaultInjection(parse_fault(f"{where}:stuck_at_zero:0.3"), schedule={0: 0.3})
    fit(network, x, y, faults, epochs=1)
    assert bits(network) != before
    assert untouched(network)
    assert not isinstance(network.train_function, TrainingStep)
    assert network.predict_function is compiled_before
    after = network.predict(x, verbose=0)
    assert (after != predicted).any()
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    np.testing.assert_allclose(after, copy.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
