"""Verified, attacked, undecided: against closed forms, exhaustive search and planted mistakes."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import Sequential
from keras import layers as kl
from scipy.optimize import linprog

from ftnoise.core.errors import BadInput
from ftnoise.verify import leaf, splitting, verifier
from ftnoise.verify import program as programs
from ftnoise.verify.budget import Budget
from ftnoise.verify.crown import Crown
from ftnoise.verify.verifier import ATTACKED, UNDECIDED, VERIFIED, Verifier
from tests.attacks.small import Noise
from tests.verify.networks import in_double, logit_bounds, made, mlp, points, randomized, smallest


def linear(weights: Any, bias: Any) -> Any:
    """A network that is `x @ weights + bias`."""
    weights = np.asarray(weights, np.float32)
    network = Sequential([kl.InputLayer(weights.shape[:1]), kl.Dense(weights.shape[1])])
    network.set_weights([weights, np.asarray(bias, np.float32)])
    return network


def confirmed(network: Any, x: Any, radius: float, outcomes: Any, clip: Any = None) -> None:
    """That each stored example is in the ball and of another class, or a tie."""
    attacked = outcomes.status == ATTACKED
    examples = outcomes.examples.astype(np.float64)
    assert np.all(np.abs(examples - x.astype(np.float64)) <= radius)
    assert clip is None or (examples.min() >= clip[0] and examples.max() <= clip[1])
    scores = network(outcomes.examples).numpy()
    if scores.shape[1] == 1:
        scores = np.c_[np.full(len(scores), 0.5), scores]
    own = scores[np.arange(len(x)), outcomes.predicted]
    scores[np.arange(len(x)), outcomes.predicted] = -np.inf
    assert np.all((scores.max(1) >= own)[attacked])
    np.testing.assert_array_equal(outcomes.examples[~attacked], x[~attacked])


# Closed forms


def test_the_radius_of_a_linear_classifier_is_exact():
    generator = np.random.default_rng(0)
    w, b = generator.normal(size=8).astype(np.float32), np.float32(0.1)
    network = linear(np.c_[np.zeros(8), w], [0, b])
    x = generator.random((40, 8)).astype(np.float32)
    found = Verifier(network)
    exact = np.abs(x.astype(float) @ w + b) / np.abs(w.astype(float)).sum()
    for radius in (0.01, 0.1, 0.3):
        outcomes = found.verify(x, radius)
        near = np.abs(exact - radius) < 1e-5
        np.testing.assert_array_equal((outcomes.status == VERIFIED)[~near], (exact > radius)[~near])
        np.testing.assert_array_equal((outcomes.status == ATTACKED)[~near], (exact < radius)[~near])
        confirmed(network, x, radius, outcomes)
    for point, radius in zip(x[:5], exact[:5], strict=True):
        assert found.verify(point[None], radius * 0.9999).status[0] == VERIFIED
        assert found.verify(point[None], radius * 1.0001).status[0] == ATTACKED


def test_the_ball_ends_at_the_range_of_inputs():
    network, x = linear([[1, 0]], [0.05, 0]), np.array([[0.1]], np.float32)
    assert Verifier(network).verify(x, 0.2).status[0] == ATTACKED
    clipped = Verifier(network, clip=(0.0, 1.0)).verify(x, 0.2)
    assert clipped.status[0] == VERIFIED
    np.testing.assert_allclose(clipped.margin, 0.05, rtol=1e-6)
    low, high = logit_bounds(Verifier(network, clip=(0.0, 1.0)), x, 0.2)
    np.testing.assert_allclose([low[0, 0], high[0, 0]], [0.05, 0.35], rtol=1e-6)


def ramp() -> Any:
    """Logits 0 and -relu(x - 1/2): class 0, with a tie below 1/2."""
    network = Sequential([kl.InputLayer((1,)), kl.Dense(1, activation="relu"), kl.Dense(2)])
    network.set_weights([np.float32([[1]]), np.float32([-0.5]), np.float32([[0, -1]]), np.zeros(2)])
    return network


def test_a_tie_is_not_robust():
    x = np.float32([[0.6], [0.6], [0.3]])
    found = Verifier(ramp())
    outcomes = found.verify(x[:1], 0.05)
    assert outcomes.status[0] == VERIFIED
    np.testing.assert_allclose(outcomes.margin, 0.05, atol=1e-6)
    outcomes = found.verify(x, 0.15)
    assert list(outcomes.status) == [ATTACKED] * 3
    assert outcomes.examples[0, 0] <= 0.5
    # At the example itself there are two classes already.
    np.testing.assert_array_equal(outcomes.examples[2], x[2])


def test_a_planted_tie_that_counts_as_robust_is_caught(monkeypatch):
    usual = verifier.rivaled
    monkeypatch.setattr(verifier.Verifier, "float_error", lambda *_: -1e-9)
    monkeypatch.setattr(
        verifier, "rivaled", lambda scores, predicted: usual(scores - 1e-9 * own(scores), predicted)
    )

    def own(scores: Any) -> Any:
        return -np.eye(scores.shape[1])[scores.argmax(1)]

    with pytest.raises(AssertionError):
        test_a_tie_is_not_robust()


# Exhaustive search


def smallest_margins(network: Any, x: Any, radius: float) -> np.ndarray:
    """The exact smallest margin of each point: a linear program for each pattern of ReLU signs."""
    first, bias, second, ends = (value.astype(float) for value in network.get_weights())
    found = []
    for point in x.astype(float):
        predicted = int(np.argmax(np.maximum(point @ first + bias, 0) @ second + ends))
        best = np.inf
        box = [(value - radius, value + radius) for value in point]
        for pattern in itertools.product([0, 1], repeat=len(bias)):
            on = np.array(pattern)
            signs = 1 - 2 * on
            logits, constants = (first * on) @ second, (bias * on) @ second + ends
            for other in range(len(ends)):
                if other != predicted:
                    row = logits[:, predicted] - logits[:, other]
                    lp = linprog(row, (first * signs).T, -bias * signs, bounds=box, method="highs")
                    if lp.status == 0:
                        constant = constants[predicted] - constants[other]
                        best = min(best, lp.fun + constant)
        found.append(best)
    return np.array(found)


def eight_units(seed: int, radius: float) -> None:
    network = mlp(8, inputs=3, seed=seed, scale=1.5)
    x = points(network, 3, seed)
    outcomes, exact = Verifier(network).verify(x, radius), smallest_margins(network, x, radius)
    clear = np.abs(exact) > 2 * outcomes.float_error
    np.testing.assert_array_equal((outcomes.status == VERIFIED)[clear], (exact > 0)[clear])
    np.testing.assert_array_equal((outcomes.status == ATTACKED)[clear], (exact < 0)[clear])
    assert np.all((outcomes.margin <= exact + 1e-7)[outcomes.status == VERIFIED])
    confirmed(network, x, radius, outcomes)


@pytest.mark.parametrize("seed", range(2))
def test_networks_of_eight_units_are_decided_as_by_exhaustive_search(seed):
    eight_units(seed, 0.25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 30))
@pytest.mark.parametrize("radius", [0.05, 0.4])
def test_more_networks_of_eight_units(seed, radius):
    eight_units(seed, radius)


@pytest.mark.parametrize("nothing", [-np.inf, np.nan])
def test_leaves_alone_decide_too(nothing, monkeypatch):
    """Bounds that say nothing, so that each problem is split until it is linear."""
    usual, solved = verifier.Search._bounds, []

    def unsplit(self, *arguments):
        bounds, corners, gaps = usual(self, *arguments)
        return np.full_like(bounds, nothing), corners, gaps

    monkeypatch.setattr(splitting.Search, "_bounds", unsplit)
    decide = leaf.decide
    monkeypatch.setattr(splitting, "decide", lambda *a: solved.append(decide(*a)) or solved[-1])
    combinations = Crown.combinations

    def unbounded(self, *arguments):
        bounds, *linear = combinations(self, *arguments)
        return bounds + nothing, *linear

    monkeypatch.setattr(Crown, "combinations", unbounded)
    network = mlp(5, inputs=3, seed=0, scale=1.5)
    x = points(network, 6)
    outcomes, exact = Verifier(network).verify(x, 0.2), smallest_margins(network, x, 0.2)
    np.testing.assert_array_equal(outcomes.status, np.where(exact > 0, VERIFIED, ATTACKED))
    assert any(proved for proved, _ in solved)


def test_branch_and_bound_decides_max_pooling_and_residuals():
    for name in ("images", "nested", "binary"):
        network = made(name)
        x, found = points(network, 8), Verifier(network)
        crown = found.verify(x, 0.1, budget=Budget(nodes=0))
        outcomes = found.verify(x, 0.1)
        assert outcomes.share(UNDECIDED) == 0
        assert np.all(outcomes.status[crown.status == VERIFIED] == VERIFIED)
        confirmed(network, x, 0.1, outcomes)
        assert outcomes.nodes.sum() > 0 or crown.share(UNDECIDED) == 0


@pytest.mark.parametrize("name", ["tanh", pytest.param("dilated", marks=pytest.mark.slow)])
def test_what_is_verified_has_no_smaller_margin(name):
    network = made(name)
    x, double = points(network, 2), in_double(network)
    outcomes = Verifier(network).verify(x, 0.02)
    assert outcomes.share(VERIFIED) > 0
    for point, predicted, margin in zip(x, outcomes.predicted, outcomes.margin, strict=True):

        def margins(z: Any, predicted: int = predicted) -> Any:
            logits = double(z) if name == "tanh" else tf.math.log(double(z))
            rest = tf.boolean_mask(logits, np.arange(logits.shape[1]) != predicted, axis=1)
            return logits[:, predicted, None] - rest

        center = point[None].astype(float)
        found = smallest(margins, center - 0.02, center + 0.02, steps=6, restarts=4)
        assert found.min() >= margin - 1e-9


# Hidden counterexamples


def bump(width: float = 0.01) -> tuple[Any, np.ndarray, np.ndarray]:
    """A network that is of class 0 but in a small region, outside of which it is constant.

    The logits are 1 and 3 relu(1 - sum |x - p| / width).
    """
    center, place = np.full((1, 4), 0.5, np.float32), np.float32([0.43, 0.56, 0.52, 0.45])
    first = np.c_[np.eye(4), -np.eye(4)]
    network = Sequential(
        [
            *(kl.InputLayer((4,)), kl.Dense(8, activation="relu"), kl.Dense(1, activation="relu")),
            kl.Dense(2),
        ]
    )
    network.set_weights(
        [
            *(first, np.r_[-place, place], np.full((8, 1), -1 / width), np.ones(1)),
            *(np.float32([[0, 3]]), np.float32([1, 0])),
        ]
    )
    return network, center, place


def test_a_counterexample_that_gradients_do_not_see_is_found():
    network, x, place = bump()
    assert network(place[None])[0, 1] > network(place[None])[0, 0]
    found = Verifier(network)
    outcomes = found.verify(x, 0.1)
    assert outcomes.status[0] == ATTACKED
    assert np.abs(outcomes.examples - place).sum() < 0.01
    for nodes in (0, 1, 5):
        assert found.verify(x, 0.1, budget=Budget(nodes=nodes)).status[0] != VERIFIED
    assert found.verify(x, 0.04).status[0] == VERIFIED


@pytest.fixture(scope="module")
def hiding() -> tuple[Any, np.ndarray]:
    """A network that was trained to have a counterexample near each of some points."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    x = generator.random((6, 5)).astype(np.float32)
    hidden = x + generator.choice([-0.1, 0.1], x.shape).astype(np.float32)
    near = np.repeat(x, 40, 0) + generator.uniform(-0.1, 0.1, (240, 5)).astype(np.float32)
    layers = [kl.Dense(24, activation="relu"), kl.Dense(24, activation="relu"), kl.Dense(2)]
    network = Sequential([kl.InputLayer((5,)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.01), loss)
    inputs, labels = np.r_[near, np.repeat(hidden, 40, 0)], np.repeat([0, 1], 240)
    network.fit(inputs, labels, epochs=150, batch_size=120, verbose=0)
    return network, x[np.argmax(network(x), 1) != np.argmax(network(hidden), 1)]


def test_no_method_verifies_a_point_with_a_trained_counterexample(hiding):
    network, x = hiding
    assert len(x) > 2
    found = Verifier(network)
    for nodes in (0, 1, 20, 1000):
        outcomes = found.verify(x, 0.1001, budget=Budget(nodes=nodes))
        assert outcomes.share(VERIFIED) == 0
    assert outcomes.share(ATTACKED) == 1
    confirmed(network, x, 0.1001, outcomes)


def test_a_planted_slope_that_is_unsound_verifies_such_a_point(hiding, monkeypatch):
    usual = programs.Affine.pull
    monkeypatch.setattr(
        programs.Affine, "pull", lambda self, rows: [0.5 * a for a in usual(self, rows)]
    )
    with pytest.raises(AssertionError):
        test_no_method_verifies_a_point_with_a_trained_counterexample(hiding)


# Floating point


def test_a_margin_below_the_measured_error_verifies_nothing():
    weights = np.random.default_rng(0).normal(size=(50, 2)) * 1e4
    weights[:, 1] = weights[:, 0]
    network = linear(weights, [1e-3, 0])
    x = points(network, 5)
    outcomes = Verifier(network).verify(x, 0.01)
    assert outcomes.float_error > 1e-3
    # In real arithmetic each margin is 1e-3.
    assert outcomes.share(VERIFIED) == 0


def test_a_planted_transposed_kernel_verifies_nothing(monkeypatch):
    network = mlp(6, 6, seed=3)
    x = points(network, 10)
    assert Verifier(network).verify(x, 0.001).share(VERIFIED) == 1
    usual = programs._Builder._twins

    def twins(self, step):
        twin, absolute = usual(self, step)
        kernel = twin.weights[0]
        if kernel.shape[0] == kernel.shape[1]:
            kernel.assign(tf.transpose(kernel))
        return twin, absolute

    monkeypatch.setattr(programs._Builder, "_twins", twins)
    outcomes = Verifier(network).verify(x, 0.001, budget=Budget(nodes=0))
    assert outcomes.float_error > 0.1
    assert outcomes.share(VERIFIED) == 0


# Calls


def test_a_point_has_the_same_outcome_alone_and_again():
    network = mlp(8, 8, seed=4, scale=1.5)
    x, found = points(network, 8), Verifier(network)
    outcomes, again = (found.verify(x, 0.1) for _ in range(2))
    np.testing.assert_array_equal(outcomes.status, again.status)
    np.testing.assert_array_equal(outcomes.margin, again.margin)
    np.testing.assert_array_equal(outcomes.examples, again.examples)
    alone = [found.verify(point[None], 0.1).status[0] for point in x]
    np.testing.assert_array_equal(outcomes.status, alone)


def test_a_larger_budget_and_a_smaller_radius_never_verify_less():
    network = mlp(10, 10, seed=5, scale=1.5)
    x, found = points(network, 12), Verifier(network)
    shares = [found.verify(x, 0.1, budget=Budget(nodes=n)).share(VERIFIED) for n in (0, 1, 8, 200)]
    assert shares == sorted(shares)
    verified = [found.verify(x, radius).share(VERIFIED) for radius in (0.0, 0.02, 0.1, 0.5)]
    assert verified == sorted(verified, reverse=True)
    assert verified[0] == 1


def test_seconds_end_the_search():
    network, x, _ = bump()
    outcomes = Verifier(network).verify(x, 0.1, budget=Budget(seconds=1e-9))
    assert outcomes.status[0] == UNDECIDED
    assert outcomes.nodes[0] == 0


def test_points_that_are_not_begun_in_time_stay_undecided(monkeypatch):
    monkeypatch.setattr("ftnoise.verify.crown.CHUNK", 1)
    network = made("dense")
    found, x = Verifier(network), points(network, 4)
    outcomes = found.verify(x, 1e-4, budget=Budget(seconds=1e-9))
    assert outcomes.status.tolist() == [VERIFIED, *[UNDECIDED] * 3]
    assert np.all(outcomes.margin[1:] == -np.inf)
    bounds = found.variation_bounds(x, 1e-4, seconds=1e-9)
    assert bounds[0] < 0.1
    assert np.all(bounds[1:] == 1)


def test_networks_with_wide_layers_are_not_worth_it():
    network = made("dense")
    widest = max(layer.output_shape[-1] for layer in network.layers if layer.weights)
    assert Budget(widest=widest).allows(network)
    assert not Budget(widest=widest - 1).allows(network)


def test_nodes_end_the_search():
    network, x, _ = bump()
    outcomes = Verifier(network).verify(x, 0.1, budget=Budget(nodes=3))
    assert outcomes.status[0] == UNDECIDED
    assert outcomes.nodes[0] == 3


# Bad input


@pytest.mark.parametrize("radius", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_a_radius_that_is_none(radius):
    network = mlp()
    with pytest.raises(BadInput, match="radius >= 0"):
        Verifier(network).verify(points(network), radius)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((2, 3), np.nan), "finite"),
        (np.zeros((2, 4)), "examples"),
        (np.zeros((0, 3)), "examples"),
        (np.full((2, 3), 1.5), r"examples in \[0, 1\]"),
    ],
)
def test_examples_that_are_none(x, message):
    with pytest.raises(BadInput, match=message):
        Verifier(mlp(), clip=(0, 1)).verify(x, 0.1)


def test_outputs_that_are_no_numbers():
    network = linear(np.full((3, 2), np.nan), [0, 0])
    for call in (Verifier(network).verify, Verifier(network).variation_bounds):
        with pytest.raises(BadInput, match="finite outputs"):
            call(np.zeros((2, 3)), 0.1)


@pytest.mark.parametrize("clip", [(1, 0), (0, float("nan")), 1, (0, 1, 2)])
def test_a_range_that_is_none(clip):
    with pytest.raises(BadInput, match="clip to be a range"):
        Verifier(mlp(), clip=clip)


def test_a_network_that_draws_is_refused():
    network = randomized(Sequential([kl.InputLayer((3,)), kl.Dense(2), Noise()]))
    with pytest.raises(BadInput, match="draws nothing"):
        Verifier(network)


@pytest.mark.parametrize(
    "values", [{"nodes": -1}, {"nodes": 1.5}, {"seconds": 0.0}, {"seconds": float("nan")}]
)
def test_a_budget_that_is_none(values):
    with pytest.raises(BadInput):
        Budget(**values)


def test_the_network_stays_as_it_is():
    network = made("images")
    before = network.get_weights()
    Verifier(network).verify(points(network), 0.05)
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
