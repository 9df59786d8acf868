"""DP-SGD as a member of the slot: what it refuses, what it draws, and what it owns up to."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.pgd import PGD
from ftnoise.core import seeds
from ftnoise.core.errors import BadInput
from ftnoise.training import Training
from ftnoise.training.augmentation import CropAndFlip
from ftnoise.training.gradients.dpsgd import DPSGD, Engine, Poisson, Reference, Shuffled
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.loop import Loop
from ftnoise.training.penalties import L1, L2, Jacobian

PRIVATE = Training(gradients=DPSGD(noise_multiplier=1.0))
STEPS = 10  # an epoch of 37 examples in batches of 4


def private_run(run_of, gradients=PRIVATE.gradients, **changes):
    return run_of(Training(gradients=gradients), batch_size=4, epochs=4, **changes)


def updater_of(run_of, spec, **changes):
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    return spec.start(network, private_run(run_of, spec, **changes), 37, xla=False)


def keys(updater):
    return int(updater.noise_key.numpy()), int(updater.batch_key.numpy())


# What is refused.


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"noise_multiplier": -1},
            "noise_multiplier 0, or in 0.001 to 10000. Received: noise_multiplier=-1",
        ),
        ({"noise_multiplier": float("nan")}, "noise_multiplier 0, or"),
        ({"noise_multiplier": 1e-4}, "noise_multiplier 0, or in 0.001"),
        ({"engine": Engine()}, "engine to be an engine, such as"),
        ({"clip": 0}, "clip > 0, in 1e-12 to 1e12. Received: clip=0"),
        ({"clip": 1e-30}, "clip > 0, in 1e-12"),
        ({"clip": float("inf")}, "clip > 0"),
        ({"sampler": "poisson"}, "sampler to be a sampler, such as Poisson()"),
        ({"engine": "reference"}, "engine to be an engine, such as Bookkeeping()"),
        ({"secret_key": 1}, "secret_key to be a bool"),
        ({"engine": Reference()}, "sampler=Shuffled() for the reference engine"),
        (
            {"engine": Reference(), "sampler": Shuffled(), "secret_key": True},
            "no secret_key for the reference engine",
        ),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(BadInput) as failure:
        DPSGD(**{"noise_multiplier": 1.0} | fields)
    assert message in str(failure.value)


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ({"inputs": TRADES(attack_epsilon=0.1)}, "leave `inputs` empty. Received: inputs=TRADES"),
        (
            {"inputs": AdversarialTraining(attack=PGD(attack_epsilon=0.1))},
            "leave `inputs` empty. Received: inputs=AdversarialTraining",
        ),
        ({"penalty": Jacobian(sigma=0.1)}, "use L2 or L1. Received: penalty=Jacobian"),
    ],
)
def test_slots_that_cannot_be_right_with_it_are_refused_at_construction(slots, message):
    with pytest.raises(BadInput) as failure:
        Training(gradients=DPSGD(noise_multiplier=1.0), **slots)
    assert message in str(failure.value)


def test_a_penalty_on_the_weights_alone_is_fine():
    for penalty in (L1(weight=0.1), L2(weight=0.1)):
        assert Training(gradients=DPSGD(noise_multiplier=1.0), penalty=penalty).penalty == penalty


def test_noise_on_the_inputs_is_clipped_by_example(run_of, images, memory):
    noise, clip, rate = GaussianNoise(sigma=0.3), 0.05, 0.5
    gradients = DPSGD(noise_multiplier=0.0, clip=clip, sampler=Shuffled())
    training = Training(inputs=noise, gradients=gradients)
    run = run_of(training, batch_size=37, epochs=1, learning_rate=rate, momentum=0.0)
    data = images()
    network = training.train(run, data, memory())

    # By a loop over the examples, in the one step of the training.
    seeds.fix_initialization(run.seed)
    start = run.architecture.build()
    x = noise.perturb(tf.constant(data.x_train), seeds.at_step(seeds.key(run.seed, "inputs"), 0))
    y = tf.constant(data.y_train, tf.int32)
    norms, total = [], [np.zeros(w.shape) for w in start.get_weights()]
    for n in range(37):
        with tf.GradientTape() as tape:
            logits = start(x[n : n + 1])
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y[n : n + 1], logits)
        slopes = tape.gradient(loss, start.trainable_variables)
        norms.append(float(tf.linalg.global_norm(slopes)))
        for part, slope in zip(total, slopes, strict=True):
            part += slope.numpy() * min(1.0, clip / norms[-1])
    assert min(norms) > clip
    for after, before, part in zip(network.get_weights(), start.get_weights(), total, strict=True):
        np.testing.assert_allclose(after, before - rate * part / 37, rtol=1e-4, atol=1e-6)


def test_noise_on_the_inputs_resumes_with_the_same_bits(run_of, memory, trained):
    training = Training(inputs=GaussianNoise(sigma=0.3), gradients=DPSGD(noise_multiplier=0.5))
    run = run_of(training, batch_size=4, epochs=2)
    known, broken = trained(run), memory(after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    broken.after_epoch = None
    assert trained(run, broken) == known


def test_batches_that_the_data_do_not_have_are_refused(run_of):
    run = private_run(run_of)
    with pytest.raises(BadInput, match="batch_size <= 3"):
        run.training.gradients.start(None, run, 3, xla=False)
    reference = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    with pytest.raises(BadInput, match="divide 37 examples"):
        updater_of(run_of, reference)


# What is in a batch, and what is not.


def step_on(updater, network, x, y, present):
    """By how much a step moves the weights, all of them in a row."""

    def objective():
        logits = network(x, training=True)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), logits

    before = np.concatenate([weight.ravel() for weight in network.get_weights()])
    tf.function(lambda: updater.update(objective, None, present))()
    return np.concatenate([weight.ravel() for weight in network.get_weights()]) - before


def padded_step(run_of, count, present, noise=0.0, bad=False):
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
    spec = DPSGD(noise_multiplier=noise)
    updater = spec.start(network, private_run(run_of, spec, momentum=0.0), 37, xla=False)
    updater.resume(None, 0, True)
    x = np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)
    x[-1] = np.nan if bad else x[-1]
    present = None if present is None else tf.constant(present)
    moved = step_on(updater, network, tf.constant(x), tf.constant([0, 1, 2, 1][:count]), present)
    return moved, updater


def test_rows_that_do_not_count_move_nothing(run_of):
    known, _ = padded_step(run_of, 2, None)
    for bad in (False, True):
        moved, updater = padded_step(run_of, 3, [True, True, False], bad=bad)
        np.testing.assert_allclose(moved, known, rtol=1e-5, atol=1e-8)
        assert float(updater.metrics[0].result()) == 0
    assert np.abs(known).max() > 1e-4
    assert not np.allclose(padded_step(run_of, 3, None)[0], known)
    assert float(padded_step(run_of, 3, None, bad=True)[1].metrics[0].result()) == 1


def test_an_empty_batch_moves_by_noise_alone_and_counts_a_step(run_of):
    still, _ = padded_step(run_of, 1, [False])
    assert not still.any()
    moved, updater = padded_step(run_of, 1, [False], noise=1.0)
    assert moved.all()
    assert int(updater.optimizer.iterations) == 1


# In a training.


def test_compiled_by_xla_it_ends_about_the_same(run_of, images, memory):
    run = private_run(run_of, DPSGD(noise_multiplier=0.5, sampler=Poisson()))
    plain, compiled = (
        run.training.train(run, images(), memory(xla=xla)).get_weights() for xla in (False, True)
    )
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("sampler", [Poisson(), Shuffled()])
def test_a_training_that_was_stopped_ends_with_the_same_bits(run_of, memory, trained, sampler):
    run = private_run(run_of, DPSGD(noise_multiplier=0.5, sampler=sampler))
    whole = memory()
    known = trained(run, whole)
    checkpointing = memory(after_epoch=2)
    with pytest.raises(memory.Stopped):
        trained(run, checkpointing)
    checkpointing.after_epoch = None
    assert trained(run, checkpointing) == known
    state = json.loads(checkpointing.kept[1])
    assert state["gradients"] == json.loads(whole.kept[1])["gradients"]
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [4 * STEPS]


def test_an_epoch_is_announced_before_it_begins(run_of, memory, trained):
    checkpointing = memory(at_position=20)
    with pytest.raises(memory.Stopped):
        trained(private_run(run_of), checkpointing)
    state = json.loads(checkpointing.kept[1])
    assert len(state["history"]) == 1
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [2 * STEPS]

    first = memory(at_position=10)
    with pytest.raises(memory.Stopped):
        trained(private_run(run_of), first)
    state = json.loads(first.kept[1])
    assert state["history"] == []
    assert [entry["to"] for entry in state["gradients"]["ledger"]] == [STEPS]


def test_going_on_elsewhere_counts_the_lost_steps_and_ends_otherwise(run_of, memory, trained):
    run = private_run(run_of)
    known = trained(run, memory())
    checkpointing = memory(at_position=30)
    with pytest.raises(memory.Stopped):
        trained(run, checkpointing)
    checkpointing.at_position, checkpointing.repeats = None, False
    assert trained(run, checkpointing) != known
    ledger = json.loads(checkpointing.kept[1])["gradients"]["ledger"]
    assert [(entry["from"], entry["to"]) for entry in ledger] == [(0, 30), (20, 40)]


def test_without_noise_and_clipping_it_is_plain_training_on_the_mean(run_of, trained):
    loose = DPSGD(noise_multiplier=0.0, clip=1e9, sampler=Shuffled())
    # Batches that divide the data: the sum is divided by the expected size.
    shared = {"batch_size": 37, "epochs": 3}
    private = trained(run_of(Training(gradients=loose), **shared))
    plain = trained(run_of(Training(), **shared))
    for one, other in zip(private, plain, strict=True):
        np.testing.assert_allclose(
            np.frombuffer(one, np.float32), np.frombuffer(other, np.float32), atol=1e-5
        )


def test_the_penalty_is_outside_the_clipping(run_of, trained):
    tiny = DPSGD(noise_multiplier=0.0, clip=1e-9, sampler=Shuffled())
    run = run_of(
        Training(gradients=tiny, penalty=L2(weight=0.5)),
        batch_size=37, epochs=1, learning_rate=0.1, momentum=0.0,
    )  # fmt: skip
    kernel = np.frombuffer(trained(run)[0], np.float32)
    seeds.fix_initialization(run.seed)
    start = run.training.build(run).get_weights()[0].ravel()
    np.testing.assert_allclose(kernel, 0.9 * start, rtol=1e-5, atol=1e-7)


def test_examples_without_a_finite_gradient_are_counted_in_the_history(
    run_of, memory, trained, images
):
    data = images()
    data.x_train[3] = np.nan
    checkpointing = memory()
    run = private_run(run_of, DPSGD(noise_multiplier=0.1, sampler=Shuffled()))
    trained(run, checkpointing, data)
    assert [epoch["not_finite"] for epoch in checkpointing.history] == [1.0] * 4
    assert all(np.isfinite(list(epoch.values())).all() for epoch in checkpointing.history)


def test_with_a_secret_key_nothing_exact_about_the_training_examples_is_logged(
    run_of, memory, trained
):
    checkpointing = memory()
    trained(private_run(run_of, DPSGD(noise_multiplier=1.0, secret_key=True)), checkpointing)
    assert [epoch.keys() for epoch in checkpointing.history] == [
        {"step", "val_loss", "val_accuracy"}
    ] * 4


def test_with_a_secret_key_noise_on_the_examples_has_secret_keys_too(run_of, images):
    """Known noise by places would let one more example change the gradients of all after it."""
    noise = {"inputs": GaussianNoise(sigma=0.3), "augmentation": CropAndFlip()}

    def keys(**fields):
        gradients = DPSGD(noise_multiplier=1.0, **fields)
        run = run_of(Training(gradients=gradients, **noise), batch_size=10)
        return Loop(run.training, run.training.build(run), run, images()).keys

    public, secret, other = keys(), keys(secret_key=True), keys(secret_key=True)
    assert public == keys()
    drawn = {"augmentation", "inputs", "draw"}
    assert {name for name in public if len({public[name], secret[name], other[name]}) == 3} == drawn


def test_with_a_secret_key_random_layers_of_keras_are_refused(run_of):
    network = keras.Sequential([keras.layers.Dropout(0.5, input_shape=(4,)), keras.layers.Dense(3)])
    run = run_of(Training(), batch_size=10)
    DPSGD(noise_multiplier=1.0).start(network, run, 37, xla=False)
    with pytest.raises(BadInput, match="random layers"):
        DPSGD(noise_multiplier=1.0, secret_key=True).start(network, run, 37, xla=False)


def test_the_reference_engine_takes_other_noise_after_a_stop(run_of):
    spec = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    run = run_of(Training(gradients=spec), batch_size=37, epochs=2)
    moved = []
    kept = None
    for step in (0, 1, 1):
        network = keras.Sequential([keras.layers.Dense(3, input_shape=(4,))])
        updater = spec.start(network, run, 37, xla=False)
        updater.resume(kept, step, True)
        kept = updater.announce(step + 1)
        before = network.get_weights()[0]
        update = tf.function(
            lambda updater=updater, network=network: updater.update(
                lambda: (tf.reduce_sum(network(tf.zeros([37, 4])), 1), None), None, None
            )
        )
        update()
        moved.append(network.get_weights()[0] - before)
    assert not np.allclose(moved[0], moved[1])
    assert not np.allclose(moved[1], moved[2])


def test_the_reference_engine_refuses_what_mixes_examples(run_of):
    spec = DPSGD(noise_multiplier=1.0, sampler=Shuffled(), engine=Reference())
    layers = [keras.layers.Dense(3, input_shape=(4,)), keras.layers.BatchNormalization()]
    run = run_of(Training(gradients=spec), batch_size=37)
    with pytest.raises(BadInput, match="mixes the examples"):
        spec.start(keras.Sequential(layers), run, 37, xla=False)


def test_the_reference_engine_trains_and_never_repeats(run_of, memory, trained):
    spec = DPSGD(noise_multiplier=0.1, sampler=Shuffled(), engine=Reference())
    run = run_of(Training(gradients=spec), batch_size=37, epochs=2)
    checkpointing = memory(after_epoch=1)
    with pytest.raises(memory.Stopped):
        trained(run, checkpointing)
    checkpointing.after_epoch = None
    trained(run, checkpointing)
    ledger = json.loads(checkpointing.kept[1])["gradients"]["ledger"]
    assert [(entry["from"], entry["to"]) for entry in ledger] == [(0, 2), (1, 2)]
    assert isinstance(spec.engine, Engine)
