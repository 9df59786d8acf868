"""APGD against a plain loop over examples in NumPy; its losses; what it finds beyond PGD."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks import apgd
from ftnoise.attacks.apgd import APGD, TargetedAPGD, checked_steps
from ftnoise.attacks.ascent import L2Ball, LinfBall
from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.target import Target
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from tests.attacks.small import (
    SEED,
    SHAPE,
    Around,
    data,
    images,
    network_of,
    predicted,
    trained,
    two_layers,
)

BALLS = pytest.mark.parametrize("ball", [LinfBall(), L2Ball()], ids=["linf", "l2"])
RADIUS = {"l_inf": 0.15, "l_2": 0.6}


def five_classes():
    network = network_of(
        keras.layers.Dense(16, "sigmoid"), keras.layers.Dense(16, "tanh"), classes=5
    )
    # Bent enough that an ascent turns within the ball.
    network.set_weights([(8 if w.ndim > 1 else 1) * w for w in network.get_weights()])
    return network


def in_double_precision(network):
    """The same network; in single precision rounding decides whether a loss still rises."""
    twin = [
        type(layer).from_config(layer.get_config() | {"dtype": "float64"})
        for layer in network.layers
    ]
    twin = keras.Sequential([keras.layers.InputLayer(SHAPE, dtype="float64"), *twin])
    twin.set_weights(network.get_weights())
    return twin


def examples(network, count=40):
    """Images with the class that the network predicts."""
    x = images(count)
    return x, predicted(network, x)


# The oracle: the paper's Algorithm 1, line by line.


def cross_entropy(logits, y, other):
    return np.log(np.exp(logits - logits[y]).sum())


def dlr(logits, y, other):
    z = np.sort(logits)[::-1]
    return -(logits[y] - logits[other]) / (z[0] - 0.5 * (z[2] + z[3]) + 1e-12)


def compiled(network, targeted):
    """Logits of an image, and the gradient of its loss."""

    def gradient(image, y, other):
        with tf.GradientTape() as tape:
            tape.watch(image)
            logits = network(image[None])[0]
            if targeted:
                z = tf.sort(logits, direction="DESCENDING")
                loss = -(logits[y] - logits[other]) / (z[0] - (z[2] + z[3]) / 2 + 1e-12)
            else:
                loss = tf.reduce_logsumexp(logits) - logits[y]
        return tape.gradient(loss, image)

    return tf.function(lambda image: network(image[None])[0]), tf.function(gradient)


def project(moved, x, radius, ball):
    delta = np.clip(moved, 0, 1) - x
    if isinstance(ball, LinfBall):
        return x + np.clip(delta, -radius, radius)
    return x + delta * min(1, radius / max(np.linalg.norm(delta), 1e-12))


def algorithm_1(functions, x, y, other, start, attack):
    """The end of an ascent from `start` and the numbers of halvings, for one example."""
    ball, radius, steps = attack.ball, attack.attack_epsilon, attack.steps
    loss = dlr if isinstance(attack, TargetedAPGD) else cross_entropy
    logits, gradient = functions
    p = [0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    checks = [int(np.ceil(round(share * steps, 9))) for share in p if share <= 1]

    def f(point):
        return loss(logits(tf.constant(point)).numpy(), y, other)

    def ascended(point, size):
        slope = gradient(tf.constant(point), tf.constant(y), tf.constant(other)).numpy()
        unit = np.sign(slope) if isinstance(ball, LinfBall) else slope / np.linalg.norm(slope)
        return project(point + size * unit, x, radius, ball)

    iterates, values, sizes, halvings = [start], [f(start)], [2 * radius], 0
    best, wrong, rises = (values[0], start), None, []
    size_before, best_before = sizes[0], values[0]
    for k in range(steps):
        now, size = iterates[-1], sizes[-1]
        z = ascended(now, size)
        if k > 0:
            z = now + 0.75 * (z - now) + 0.25 * (now - iterates[-2])
        new = project(z, x, radius, ball)
        iterates.append(new)
        values.append(f(new))
        rises.append(values[-1] > values[-2])
        if values[-1] > best[0]:
            best = (values[-1], new)
        if np.argmax(logits(tf.constant(new))) != y:
            wrong = new
        if k + 1 in checks[1:]:
            length = k + 1 - checks[checks.index(k + 1) - 1]
            first = sum(rises[-length:]) < 0.75 * length
            second = size_before == size and best_before == best[0]
            size_before, best_before = size, best[0]
            if first or second:
                size, halvings = size / 2, halvings + 1
                iterates[-1], values[-1] = best[1], best[0]
        sizes.append(size)
    return (best[1] if wrong is None else wrong), halvings


@BALLS
@pytest.mark.parametrize("kind", [APGD, TargetedAPGD])
def test_an_ascent_is_algorithm_1(ball, kind):
    network = in_double_precision(five_classes())
    x = tf.cast(images(12), tf.float64)
    y = predicted(network, x)
    attack = kind(attack_epsilon=RADIUS[ball.label], steps=30, ball=ball)
    target = Target(network)
    other = attack.aims(target, x, y, SEED)[0]
    first = tf.random.experimental.stateless_fold_in(SEED, 0)
    start_seed = tf.random.experimental.stateless_split(first, 2)[0]
    start = ball.neighbor(x, attack.attack_epsilon, start_seed).numpy()
    found = attack.ascent(target, x, y, other, SEED, 0).numpy()
    functions, counts = compiled(network, kind is TargetedAPGD), []
    for n in range(12):
        one = (x[n].numpy(), int(y[n]), int(other[n]), start[n])
        known, halvings = algorithm_1(functions, *one, attack)
        np.testing.assert_allclose(found[n], known, atol=1e-9, err_msg=str(n))
        counts.append(halvings)
    # The rule has something to decide.
    assert len(set(counts)) > 1
    assert max(counts) <= 8


@pytest.mark.parametrize("name", ["RISES", "MOMENTUM"])
def test_the_constants_of_the_rule_count(monkeypatch, name):
    network = five_classes()
    x, y = examples(network, 12)
    attack = APGD(attack_epsilon=0.04, steps=30)
    before = attack.perturb(network, x, y, SEED)
    monkeypatch.setattr(apgd, name, 0.5)
    assert not np.allclose(attack.perturb(network, x, y, SEED), before, atol=1e-3)


def test_the_length_is_checked_where_the_paper_checks_it():
    assert checked_steps(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checked_steps(10) == [3, 5, 6, 7, 8, 9, 10, 10]
    assert set(checked_steps(1)) == {1}


# The losses.


def test_the_targeted_loss_is_that_of_equation_7_and_aims_at_the_most_likely_others():
    network = five_classes()
    x, y = examples(network)
    attack, target = TargetedAPGD(attack_epsilon=0.1), Target(network)
    others = attack.aims(target, x, y, SEED)
    logits = network(x).numpy()
    order = np.argsort(-logits, axis=1)
    # The label is the most likely class here; it is left out wherever it stands.
    np.testing.assert_array_equal(np.stack(others, axis=1), order[:, 1:])
    wrong = tf.constant(order[:, 2], tf.int32)
    expected = np.delete(order, 2, axis=1)
    np.testing.assert_array_equal(np.stack(attack.aims(target, x, wrong, SEED), 1), expected)
    found = attack.loss(tf.constant(logits), y, others[1])
    known = [dlr(*one) for one in zip(logits, y.numpy(), others[1].numpy(), strict=True)]
    np.testing.assert_allclose(found, known, rtol=1e-5)
    scaled = attack.loss(tf.constant(1e4 * logits + 5), y, others[1])
    np.testing.assert_allclose(scaled, known, rtol=1e-3)


def test_fewer_targets_are_the_most_likely_and_three_classes_are_refused():
    network = five_classes()
    x, y = examples(network)
    two = TargetedAPGD(attack_epsilon=0.1, targets=2).aims(Target(network), x, y, SEED)
    assert len(two) == 2
    with pytest.raises(BadInput, match=r"at least 4 classes for TargetedAPGD. Received: classes=3"):
        TargetedAPGD(attack_epsilon=0.1).perturb(two_layers(), x, y, SEED)


def broken(network, attack, x, y):
    return predicted(network, attack.perturb(network, x, y, SEED)).numpy() != y.numpy()


def test_the_targeted_loss_finds_what_saturated_probabilities_hide():
    network = trained()
    x, y = (tf.constant(part) for part in data(60))
    y = tf.cast(y, tf.int32)
    hidden = Around(lambda x: tf.pad(1e4 * network(x), [[0, 0], [0, 2]], constant_values=-1e5))
    clear = broken(network, PGD(attack_epsilon=0.1), x, y)
    assert broken(hidden, PGD(attack_epsilon=0.1), x, y).sum() < 0.5 * clear.sum()
    found = broken(hidden, TargetedAPGD(attack_epsilon=0.1, steps=20, targets=2), x, y)
    assert found.sum() >= clear.sum() - 1


@BALLS
def test_it_finds_at_least_what_pgd_finds(ball):
    network = trained()
    x, y = (tf.constant(part) for part in data(300))
    y = tf.cast(y, tf.int32)
    radius = RADIUS[ball.label] / 2
    known = broken(network, PGD(attack_epsilon=radius, ball=ball, restarts=3), x, y)
    found = broken(network, APGD(attack_epsilon=radius, ball=ball, steps=30), x, y)
    assert 30 < known.sum() < 270
    assert found.sum() >= known.sum() - 2


@BALLS
def test_targeted_results_are_in_the_ball_and_the_range(ball):
    network = five_classes()
    x, y = examples(network)
    attack = TargetedAPGD(attack_epsilon=RADIUS[ball.label], steps=8, targets=2, ball=ball)
    found = attack.perturb(network, x, y, SEED).numpy()
    assert found.min() >= 0
    assert found.max() <= 1
    assert ball.size(found - x).numpy().max() <= attack.attack_epsilon + 1e-6
    assert broken(network, attack, x, y).any()


def test_an_example_is_broken_if_any_ascent_breaks_it():
    network = five_classes()
    x, y = examples(network, 200)
    attack = TargetedAPGD(attack_epsilon=0.05, steps=4, targets=2, restarts=2)
    target = Target(network)
    alone = [
        predicted(network, attack.ascent(target, x, y, other, SEED, 2 * restart + n)) != y
        for restart in range(2)
        for n, other in enumerate(attack.aims(target, x, y, SEED))
    ]
    assert np.array_equal(broken(network, attack, x, y), np.any(alone, axis=0))
    assert len({int(np.sum(one)) for one in alone}) > 1


def test_it_is_compiled_once_for_all_batches_and_ascents(monkeypatch):
    network, (x, y), traced = five_classes(), data(50), []
    monkeypatch.setattr(TargetedAPGD, "batch_size", 16)

    def look(images):
        traced.append(images.shape)
        return network(images)

    attack = TargetedAPGD(attack_epsilon=0.1, steps=5, targets=2)
    Evaluation(Checkpointing()).attacked("all", attack, Around(look), x, y)
    # The logits, the start and a step; four batches of two sizes, two ascents each.
    assert len(traced) == 3


def test_names_and_fields():
    assert APGD(attack_epsilon=8 / 255).label == "APGD-50, l_inf 8/255"
    assert TargetedAPGD(attack_epsilon=1, restarts=2).name == "APGD-T-50 x 2"
    assert APGD(attack_epsilon=0.1).longer().steps == 100
    assert not APGD(attack_epsilon=0.1).trains
    for kind, fields, message in (
        (APGD, {"restarts": 0}, "restarts to be an integer >= 1"),
        (TargetedAPGD, {"targets": 0}, "targets to be an integer >= 1"),
        (TargetedAPGD, {"steps": 1.5}, "steps to be an integer >= 1"),
    ):
        with pytest.raises(BadInput, match=message):
            kind(**{"attack_epsilon": 0.1} | fields)
