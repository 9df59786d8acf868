"""Iterative magnitude pruning: exact numbers, exact zeros, what is rewound, and resuming."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftnoise.architectures import MnistMLP
from ftnoise.core import seeds
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import PRESETS
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.procedures import pruning
from ftnoise.training.procedures.pruning import IterativePruning, kernels
from ftnoise.training.weights.dropconnect import DropConnect
from ftnoise.training.weights.sdr_learnable import SDRLearnable


def pruned(run_of, images, memory=None, **fields):
    run = run_of(IterativePruning(**{"training": Training(), "reduction": 0.75} | fields))
    return run.training.train(run, images(), memory)


@pytest.mark.parametrize("reduction", [0.5, 0.75, 0.9, 0.99])
@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_the_numbers_of_survivors_are_exact(reduction, rounds, monkeypatch, run_of, images):
    seen = []

    def train(self, run, data, checkpointing=None, network=None):
        network = network or self.build(run)
        left = [np.count_nonzero(kernel.numpy()) for kernel in kernels(network)]
        seen.append((left, [kernel.numpy().size for kernel in kernels(network)]))
        return network

    monkeypatch.setattr(Training, "train", train)
    pruned(run_of, images, reduction=reduction, rounds=rounds)
    for number, (left, sizes) in enumerate(seen):
        share = (1 - reduction) ** (number / rounds)
        assert left == [round(share * size) for size in sizes]
    assert len(seen) == rounds + 1


@pytest.mark.parametrize("training", [Training(), Training(weights=DropConnect())])
def test_pruned_weights_are_0_after_every_step_whatever_the_momentum(
    training, run_of, images, monkeypatch
):
    steps, after = [], pruning._Masked.after_step

    def after_step(self, network, gradients, seed):
        import tensorflow as tf

        after(self, network, gradients, seed)
        for kernel, mask in zip(kernels(network), self.masks, strict=True):
            tf.debugging.assert_equal(kernel[mask == 0], 0.0)
        steps.append(seed)

    monkeypatch.setattr(pruning._Masked, "after_step", after_step)
    network = pruned(run_of, images, training=training, rounds=2)
    assert steps
    for kernel in kernels(network):
        values = kernel.numpy()
        assert np.count_nonzero(values) == round(0.25 * values.size)
    assert np.count_nonzero(network.layers[0].bias.numpy()) > 0


def test_the_largest_survive_and_return_to_their_initial_values(run_of, images, monkeypatch):
    run = run_of(IterativePruning(training=Training(), reduction=0.6))
    dense = Training().train(replace(run, training=Training()), images())
    trained = [kernel.numpy() for kernel in kernels(dense)]
    starts = []
    usual = Training.train

    def train(self, run, data, checkpointing=None, network=None):
        seeds.fix_initialization(run.seed)
        starts.append([kernel.numpy() for kernel in kernels(network or self.build(run))])
        return usual(self, run, data, checkpointing, network)

    monkeypatch.setattr(Training, "train", train)
    run.training.train(run, images())
    initial, after = starts
    for end, first, again in zip(trained, initial, after, strict=True):
        kept = again != 0
        assert np.abs(end[kept]).min() >= np.abs(end[~kept]).max()
        np.testing.assert_array_equal(again[kept], first[kept])
    starts.clear()
    kept_on = replace(run, training=replace(run.training, rewind=None))
    kept_on.training.train(kept_on, images())
    for end, again in zip(trained, starts[1], strict=True):
        np.testing.assert_array_equal(again[again != 0], end[again != 0])
    starts.clear()
    later = replace(run, training=replace(run.training, rewind=1))
    later.training.train(later, images())
    one = replace(run, training=Training(), schedule=replace(run.schedule, epochs=1))
    known = [kernel.numpy() for kernel in kernels(usual(Training(), one, images()))]
    for value, again in zip(known, starts[2], strict=True):
        np.testing.assert_array_equal(again[again != 0], value[again != 0])


def test_an_interrupted_pruning_ends_with_the_same_bits(run_of, memory, trained):
    run = run_of(IterativePruning(training=Training(), reduction=0.75, rounds=2, rewind=1))
    known = trained(run)
    broken = memory()
    broken.part("round-1").after_epoch = 2
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    broken.part("round-1").after_epoch = None
    assert trained(run, broken) == known
    assert [*broken.parts] == ["round-1", "rewind", "round-0", "round-2"]


def test_it_goes_with_trades_and_presets(run_of, images):
    inputs = TRADES(attack_epsilon=0.1, steps=2)
    network = pruned(run_of, images, training=Training(inputs=inputs), reduction=0.5)
    assert np.count_nonzero(network.layers[0].kernel.numpy()) == 18
    procedure = IterativePruning(
        training=Training(inputs=replace(inputs, steps=10)), reduction=0.5, rewind=4
    )
    quick = procedure.scaled(PRESETS["quick"])
    assert quick.training.inputs.steps == 2
    assert quick.rewind == max(1, round(4 * PRESETS["quick"].epochs))
    assert not procedure.noisy
    assert procedure.scaled(PRESETS["smoke"]).rewind == 1


def test_weights_that_are_drawn_are_not_pruned(run_of, images):
    with pytest.raises(BadInput, match="standard deviations"):
        pruned(run_of, images, training=Training(weights=SDRLearnable()))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reduction": 0}, r"reduction in \(0, 1\)"),
        ({"reduction": 1.0}, r"reduction in \(0, 1\)"),
        ({"reduction": float("nan")}, "reduction"),
        ({"rounds": 0}, "rounds"),
        ({"rewind": -1}, "rewind"),
        ({"training": None}, "a Training"),
        ({"training": Training(gradients=DPSGD(noise_multiplier=1.0))}, "`weights`"),
    ],
)
def test_bad_input(fields, message):
    with pytest.raises(BadInput, match=message):
        IterativePruning(**{"training": Training(), "reduction": 0.5} | fields)


def test_more_epochs_to_rewind_to_than_there_are(run_of, images):
    with pytest.raises(BadInput, match="rewind"):
        pruned(run_of, images, rewind=4)


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [1, 2])
def test_with_a_tenth_of_its_weights_it_is_within_a_point_of_the_dense_network(rounds):
    try:
        data = MNIST().load(Sources.from_environment(offline=True))
    except BadInput as error:
        pytest.skip(str(error))
    dense = Run(
        architecture=MnistMLP(),
        data=MNIST(),
        training=Training(),
        schedule=Schedule(epochs=8, batch_size=128, learning_rate=0.05, momentum=0.9),
    )
    pruned = replace(
        dense, training=IterativePruning(training=Training(), reduction=0.9, rounds=rounds)
    )
    right = []
    for run in (dense, pruned):
        network = run.training.train(run, data)
        logits = network.predict(data.x_test, batch_size=1000, verbose=0)
        right.append(100 * np.mean(logits.argmax(axis=1) == data.y_test))
    print("dense and pruned:", right)
    assert right[0] > 97
    assert right[1] >= right[0] - 1
