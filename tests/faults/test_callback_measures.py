"""What a `FaultInjection` says of a training, what it refuses, and how it is stopped."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from ftnoise.core.errors import BadInput
from ftnoise.faults.callback import FaultInjection, TrainingStep
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Bernoulli, Count, Share
from tests.faults.networks import bits, made, run
from tests.faults.test_callback import Trials, compiled, fit, same, untouched, values

FAULT = parse_fault("weights:stuck_at_zero:0.4")


def test_the_accuracy_is_that_of_a_campaign_and_measuring_changes_nothing():
    network, x, y = compiled("residual")
    other, *_ = compiled("residual")
    # What lies before the last layer is kept, and has to be computed again.
    head = parse_fault("weights,layers=dense:stuck_at_zero:0.4")
    faults = FaultInjection(head, seed=4, evaluate=(x, y), trials=5)
    history = fit(network, x, y, faults).history
    fit(other, x, y)
    assert bits(network) == bits(other)
    correct = Campaign(other, x, y, head, seed=4).run(range(5), head.rate).correct.mean(axis=1)
    np.testing.assert_array_equal(faults.accuracies[1], correct)
    assert history["faulty_accuracy"][1] == correct.mean()
    assert history["faulty_accuracy_spread"][1] == np.std(correct, ddof=1)
    assert len(history["faulty_accuracy"]) == 2


def test_a_refreshed_campaign_is_as_a_new_one():
    network, x, y = made("convolutions")
    campaign = Campaign(network, x, y, parse_fault("neurons,layers=conv2d:stuck_at_one:0.4"))
    before, compiled_before = run(campaign, [0, 1]), campaign._faulty._compiled
    for weight in network.weights:
        weight.assign(weight.numpy()[::-1])
    campaign.refresh()
    new = Campaign(network, x, y, parse_fault("neurons,layers=conv2d:stuck_at_one:0.4"))
    np.testing.assert_array_equal(campaign.golden, new.golden)
    np.testing.assert_array_equal(campaign.correct, new.correct)
    after = run(campaign, [0, 1])
    np.testing.assert_array_equal(
        after.output_deviation_mean, run(new, [0, 1]).output_deviation_mean
    )
    assert (after.output_deviation_mean != before.output_deviation_mean).all()
    assert campaign._faulty._compiled is compiled_before


def test_faults_of_training_are_not_those_that_are_measured():
    network, x, y = compiled()
    faults = FaultInjection(FAULT, schedule=0.4, evaluate=(x, y), trials=2)
    trials = Trials(faults)
    fit(network, x, y, faults, trials)
    measured = [faults._campaign.sampler.trial(number, faults.fault.rate) for number in range(2)]
    for one in trials.seen:
        for other in measured:
            assert not same(one.hits, other.hits)


def test_validation_and_other_callbacks_see_the_sound_network():
    found = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            assert untouched(self.model)

        def on_epoch_end(self, epoch, logs=None):
            found.append(self.model.evaluate(x, y, verbose=0))

    network, x, y = compiled()
    faults = FaultInjection(FAULT, schedule=0.9)
    history = fit(network, x, y, Watch(), faults, validation_data=(x, y)).history
    assert history["val_loss"] == pytest.approx([loss for loss, _ in found], rel=1e-5)
    golden = Campaign(network, x, y, FAULT).correct
    assert history["val_accuracy"][-1] == pytest.approx(golden.mean())


def test_keras_stops_early_by_the_accuracy_under_faults():
    network, x, y = compiled(optimizer=keras.optimizers.SGD(0.0))
    faults = FaultInjection(FAULT, evaluate=(x, y), trials=2)
    stop = keras.callbacks.EarlyStopping("faulty_accuracy", patience=2)
    history = fit(network, x, y, faults, stop, epochs=9).history
    assert len(history["faulty_accuracy"]) == 3


@pytest.mark.parametrize(("every", "epochs"), [(1, [0, 1, 2, 3, 4]), (2, [1, 3, 4]), (None, [4])])
def test_it_measures_after_some_epochs_and_after_the_last(every, epochs):
    network, x, y = compiled()
    faults = FaultInjection(FAULT, evaluate=(x, y), trials=2, every=every, name="lost")
    history = fit(network, x, y, faults, epochs=5).history
    assert list(faults.accuracies) == epochs
    assert len(history["lost_accuracy"]) == len(history["lost_accuracy_spread"]) == len(epochs)


def test_it_measures_after_an_epoch_that_was_the_last_unexpectedly():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 2

    network, x, y = compiled()
    faults = FaultInjection(FAULT, evaluate=(x, y), trials=2, every=None)
    fit(network, x, y, faults, Stop(), epochs=9)
    assert list(faults.accuracies) == [2]
    fit(network, x, y, Stop(), faults, epochs=9)
    assert list(faults.accuracies) == [2]


def test_a_training_that_diverges_goes_on():
    network, x, y = compiled(optimizer=keras.optimizers.SGD(math.inf))
    faults = FaultInjection(FAULT, evaluate=(x, y), trials=2)
    history = fit(network, x, y, faults).history
    assert math.isnan(history["faulty_accuracy"][-1])
    assert math.isnan(history["faulty_accuracy_spread"][-1])


def test_tensorboard_gets_what_was_broken_and_what_was_measured(tmp_path):
    network, x, y = compiled()
    options = {"evaluate": (x, y), "trials": 2, "log_dir": tmp_path}
    faults = FaultInjection(FAULT, schedule={1: 0.25, 2: Count(faults=7)}, **options)
    history = fit(network, x, y, faults, epochs=4).history
    events = EventAccumulator(str(tmp_path / "faults"), size_guidance={"tensors": 0})
    events.Reload()

    def scalars(tag):
        return [float(make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]

    assert scalars("faulty_sites") == [0, 33, 7, 0]
    assert scalars("faulty_share") == pytest.approx([0, 0.25, 7 / 132, 0])
    for name in ("faulty_accuracy", "faulty_accuracy_spread"):
        assert scalars(name) == pytest.approx(history[name])
        assert [event.step for event in events.Tensors(name)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("rate", "strength", "expected"),
    [
        (Share(rate=0.5, per_tensor=True), 0.1, Share(rate=0.1, per_tensor=True)),
        (Bernoulli(rate=0.5), np.float32(0.25), Bernoulli(rate=0.25)),
        (Count(faults=2), 1, Share(rate=1)),
        (Count(faults=2), Count(faults=3), Count(faults=3)),
    ],
)
def test_a_rate_is_the_faults_own_amount_at_that_rate(rate, strength, expected):
    network, x, y = compiled()
    faults = FaultInjection(FAULT.at(rate), schedule=strength)
    trials = Trials(faults)
    fit(network, x, y, faults, trials, epochs=1)
    assert same(trials.seen[0].hits, faults._sampler.trial(0, expected).hits)


class Interrupt(keras.callbacks.Callback):
    """Raises in one of the hooks."""

    def __init__(self, hook, error):
        super().__init__()
        setattr(self, hook, self.interrupt)
        self.error = error

    def interrupt(self, at, logs=None):
        if at:
            raise self.error


@pytest.mark.parametrize(
    ("hook", "where", "error"),
    [
        ("on_train_batch_begin", "neurons", KeyboardInterrupt()),
        ("on_train_batch_begin", "weights", ValueError("no")),
        ("on_train_batch_end", "neurons", ValueError("no")),
        ("on_epoch_begin", "weights", KeyboardInterrupt()),
        ("on_epoch_end", "neurons", KeyboardInterrupt()),
    ],
)
def test_a_fit_that_is_stopped_leaves_no_faults(hook, where, error):
    network, x, y = compiled()
    with FaultInjection(parse_fault(f"{where}:stuck_at_zero:0.9"), schedule=0.9) as faults:
        with pytest.raises(type(error)):
            fit(network, x, y, faults, Interrupt(hook, error), epochs=3)
        assert untouched(network)
        expect_sound(network, x, y)
    assert not isinstance(network.train_function, TrainingStep)


def expect_sound(network, x, y):
    """The network predicts and trains on as one that never saw a fault."""
    other, *_ = compiled()
    other.set_weights(network.get_weights())
    np.testing.assert_array_equal(network.predict(x, verbose=0), other.predict(x, verbose=0))
    fit(network, x, y, epochs=1)
    fit(other, x, y, epochs=1)
    assert bits(network) == bits(other)


def test_an_error_inside_the_step_leaves_no_faults():
    network, x, y = compiled()
    faults = FaultInjection(FAULT, schedule=0.9)

    def batches():
        yield x[:10], y[:10]
        yield x[:10], y[:10]
        raise RuntimeError("the data end here")

    signature = (tf.TensorSpec([10, 3, 2]), tf.TensorSpec([10], tf.int64))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    with pytest.raises(tf.errors.OpError, match="the data end here"):
        network.fit(data, verbose=0, callbacks=[faults])
    assert untouched(network)
    expect_sound(network, x, y)
    faults.release()
    assert not isinstance(network.train_function, TrainingStep)


def test_after_a_stop_the_same_and_another_callback_train_as_they_should():
    network, x, y = compiled()
    faults = FaultInjection(FAULT, schedule=0.5)
    stop = Interrupt("on_train_batch_end", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        fit(network, x, y, faults, stop)
    for callback in (FaultInjection(FAULT, schedule=0.5), faults):
        other, *_ = compiled()
        other.set_weights(network.get_weights())
        fit(network, x, y, callback)
        fit(other, x, y, FaultInjection(FAULT, schedule=0.5))
        assert bits(network) == bits(other)
    assert not isinstance(network.train_function, TrainingStep)


def test_a_model_that_is_compiled_again_trains_anew():
    network, x, y = compiled()
    faults = FaultInjection(FAULT, schedule=0.5)
    fit(network, x, y, faults)
    network.compile(keras.optimizers.SGD(0.0), "mse")
    before = values(network)
    fit(network, x, np.eye(4)[y], faults)
    assert same(before, values(network))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fault": 0.5}, "Expected a fault or its text form. Received: fault=0.5"),
        ({"seed": -1}, "Expected seed to be an integer >= 0. Received: seed=-1"),
        ({"hold": 1}, "Expected hold to be a bool. Received: hold=1"),
        ({"redraw": 1}, "Expected redraw to be a bool. Received: redraw=1"),
        ({"trials": 1}, "Expected trials to be an integer >= 2. Received: trials=1"),
        ({"every": 0}, "Expected every to be an integer >= 1 or None. Received: every=0"),
        ({"name": ""}, "Expected name to be a non-empty string. Received: name=''"),
        ({"schedule": None}, "Expected schedule .* or evaluate .* Received: schedule=None"),
        ({"schedule": 1.5}, "Rates, rates in .0, 1. or None. Received: schedule=1.5"),
        ({"schedule": True}, "Rates, rates in .0, 1. or None. Received: schedule=True"),
        ({"schedule": {0: "all"}}, "Rates, rates in .0, 1. or None. Received: schedule='all'"),
        ({"schedule": {-1: 0.5}}, r"schedule with epochs >= 0. Received: epochs=\[-1\]"),
        ({"schedule": lambda epoch: 2}, "Rates, rates in .0, 1. or None. Received: schedule=2"),
        ({"schedule": {1: Count(faults=133)}}, "at most 132 faults. Received: faults=133"),
        ({"evaluate": 3}, r"Expected evaluate to be \(x, y\). Received: evaluate='int'"),
        ({"evaluate": (np.zeros((3, 2)), [0] * 3)}, r"examples of shape \[n, 3, 2\]"),
        ({"fault": parse_fault("neurons:sign_flip:1"), "hold": False}, "hold=True for neurons"),
        (
            {"fault": parse_fault("weights:sign_flip:1:transient")},
            "not transient, or one of neurons",
        ),
        ({"fault": parse_fault("filters:sign_flip:1")}, "Expected filters in sequential"),
        (
            {"fault": parse_fault("weights,layers=out:sign_flip:1")},
            r"\(dense, dense_1, dense_2\). Received",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_line(options, said):
    network, x, y = compiled()
    with pytest.raises(BadInput, match=said) as refused:
        fit(network, x, y, FaultInjection(**{"fault": FAULT, "schedule": 0.5, **options}))
    assert "\n" not in str(refused.value)
    assert untouched(network)
