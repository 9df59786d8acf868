"""Certificates of networks: against closed forms and attacks, and mistakes that must not pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from keras import layers as kl

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.pgd import PGD
from ftnoise.core.errors import BadInput
from ftnoise.layers.drawing import drawing, mean
from ftnoise.layers.noisy import noisy_layer, with_noise
from ftnoise.layers.sensitivity import sensitivity
from ftnoise.measures.certified_accuracy import CertifiedAccuracy, columns, pictures
from ftnoise.measures.sequential_certification import SequentialCertification
from ftnoise.measures.sequential_certification import columns as sequential_columns
from ftnoise.stats.certificates import gaussian_sizes, vote_bounds
from ftnoise.verify import certificate as bounds_of
from ftnoise.verify.certificate import certified
from ftnoise.verify.smoothing import Draws, NoisyNetwork, with_input_noise
from tests.core.test_resumable import Memory
from tests.measures.given import evaluate
from tests.verify.networks import randomized

SHAPE = (7, 6, 2)


def convolution(last=None, **options: Any) -> keras.Model:
    first = kl.Conv2D(4, 3, activation="relu", name="first", **options)
    layers = [kl.InputLayer(SHAPE), first, kl.Flatten(), kl.Dense(3, activation=last)]
    return randomized(keras.Sequential(layers, name="net"))


def images(count: int = 6) -> np.ndarray:
    return np.random.default_rng(0).random((count, *SHAPE), np.float32)


@pytest.mark.parametrize("last", [None, "softmax"])
@pytest.mark.parametrize("after", [None, "input"])
def test_each_draw_is_a_pass_of_the_network_with_that_key(last, after):
    network, x = with_noise(convolution(last), scale=0.5, after=after), images()
    noisy = NoisyNetwork(network)
    quantity = noisy.front(x)
    shares = []
    for n in range(3, 8):
        with drawing([17, n]):
            outputs = network(x, training=False)
        shares.append((outputs if last else tf.nn.softmax(outputs)).numpy().astype(float))
    found = noisy.draws(quantity, 5, key=17, first=3)
    np.testing.assert_allclose(found.sums, np.sum(shares, 0), rtol=1e-5)
    np.testing.assert_allclose(found.variances, np.var(shares, 0, ddof=1), atol=1e-6)
    votes = np.sum([np.eye(3)[one.argmax(1)] for one in shares], 0)
    np.testing.assert_array_equal(found.votes, votes)
    # The noise differs from draw to draw, and without it the network is the original.
    assert np.ptp(shares, axis=0).max() > 0.01
    with mean():
        np.testing.assert_allclose(network(x), convolution(last)(x), atol=1e-6)


def test_noise_has_its_scale_in_all_modes():
    for kind, std in (("gaussian", 0.5), ("laplace", 0.5 * 2**0.5)):
        layer = noisy_layer(with_noise(convolution(), scale=0.5, kind=kind))
        nothing = tf.zeros([2000, 5, 4, 4])
        for training in (False, True):
            draws = []
            for n in range(20 if training else 2000):
                with drawing([1, n]):
                    draws.append(layer.noise(nothing[: 100 if training else 1], training).numpy())
            noise = np.concatenate([one.ravel() for one in draws])
            assert abs(noise.mean()) < 5 * std / len(noise) ** 0.5
            assert noise.std() == pytest.approx(std, rel=0.02)
        test = scipy.stats.norm if kind == "gaussian" else scipy.stats.laplace
        assert scipy.stats.kstest(noise[:5000] / 0.5, test.cdf).pvalue > 1e-3


def test_in_training_examples_have_their_own_noise_and_share_it_in_inference():
    network = with_noise(convolution(), scale=0.5)
    x = np.repeat(images(1), 3, axis=0)
    with drawing([1, 2]):
        assert np.ptp(network(x, training=False).numpy(), axis=0).max() < 1e-6
        assert np.ptp(network(x, training=True).numpy(), axis=0).max() > 0.01


def matrix(network: keras.Model, layer: Any) -> np.ndarray:
    """The linear part of a layer, by an image of each unit vector."""
    size = int(np.prod(network.input_shape[1:]))
    units = np.eye(size, dtype=np.float32).reshape(size, *network.input_shape[1:])
    config = layer.get_config() | {"activation": None, "use_bias": False}
    twin = type(layer).from_config(config)
    twin(units[:1])
    twin.set_weights([layer.kernel.numpy()])
    return twin(units).numpy().reshape(size, -1).astype(float)


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_sensitivity_is_that_of_the_dense_matrix_or_more(strides, padding, dilation):
    if strides > 1 and dilation > 1:
        return
    plain = convolution(strides=strides, padding=padding, dilation_rate=dilation)
    rows, network = matrix(plain, plain.get_layer("first")), with_noise(plain, scale=0.1)
    known = {
        ("l_2", "l_2"): np.linalg.svd(rows, compute_uv=False)[0],
        ("l_1", "l_2"): np.linalg.norm(rows, axis=1).max(),
        ("l_1", "l_1"): np.abs(rows).sum(1).max(),
    }
    for norms, value in known.items():
        found = sensitivity(network, *norms)
        assert found == pytest.approx(value, rel=1e-5)
        assert found >= value * (1 - 1e-6)


def test_the_sensitivity_of_several_layers_is_at_least_any_stretch():
    first, second = kl.Dense(6, activation="relu"), kl.Dense(5, activation="tanh", name="second")
    plain = randomized(keras.Sequential([kl.InputLayer((4,)), first, second, kl.Dense(3)]))
    network = with_noise(plain, scale=0.1, after="second")
    generator, layer = np.random.default_rng(0), noisy_layer(network)
    x = generator.normal(size=(500, 4)).astype(np.float32)
    moved = x + 0.01 * generator.normal(size=x.shape).astype(np.float32)
    hidden = [layer.before(network.layers[0](one)).numpy() for one in (x, moved)]
    for norm, order in (("l_2", 2), ("l_1", 1)):
        stretch = np.linalg.norm(hidden[0] - hidden[1], axis=1) / np.linalg.norm(
            x - moved, order, axis=1
        )
        assert stretch.max() <= sensitivity(network, norm)
    assert sensitivity(with_noise(plain, scale=0.1, after="input")) == 1


def test_what_is_not_a_chain_is_refused():
    inputs = keras.Input((4,))
    hidden = kl.Dense(4, name="hidden")(inputs)
    around = keras.Model(inputs, kl.Dense(3)(kl.Add()([hidden, inputs])))
    squared = kl.Dense(5, activation="exponential", name="squared")
    chain = [kl.InputLayer((4,)), squared, kl.Dense(5, name="second"), kl.Dense(3)]
    for network, after in (
        (around, "hidden"),
        (keras.Sequential(chain), "second"),
        (keras.Sequential([kl.InputLayer((5,)), kl.BatchNormalization(), *chain[2:]]), "second"),
    ):
        with pytest.raises(BadInput, match="chain of Dense and Conv2D layers"):
            sensitivity(with_noise(network, scale=0.1, after=after))
    with pytest.raises(BadInput, match="layer to put noise in"):
        with_noise(around, scale=0.1, after="none such")
    with pytest.raises(BadInput, match="one noise layer"):
        NoisyNetwork(around)


def linear(std: float = 0.4) -> tuple[keras.Model, np.ndarray]:
    """Two classes by a linear function of the input, with noise on it; and its slope."""
    network = randomized(keras.Sequential([kl.InputLayer((6,)), kl.Dense(2)], name="linear"))
    kernel = network.layers[0].kernel.numpy()
    return with_input_noise(network, std), kernel[:, 0] - kernel[:, 1]


def test_of_a_linear_network_cohens_size_is_below_the_distance_and_near_it():
    network, slope = linear()
    x = np.random.default_rng(1).normal(size=(200, 6)).astype(np.float32)
    bias = network.layers[-1].layers[0].bias.numpy()
    odds = x @ slope + bias[0] - bias[1]
    distance = np.abs(odds) / np.linalg.norm(slope)
    measure = CertifiedAccuracy(draws=4000, examples=None, confidence=0.999)
    found = measure.measured(network, x, (odds < 0).astype(int), Memory())
    sizes = found.arrays["size_cohen"]
    assert np.mean(sizes > distance) <= 0.01
    near = (distance > 0.1) & (distance < 0.8)
    assert np.median(sizes[near] / distance[near]) > 0.75
    # The private bounds are valid too, and smaller.
    for kind in ("votes", "hoeffding", "bernstein", "gaussian"):
        assert np.mean(found.arrays[f"size_{kind}"] > distance) <= 0.01
    assert found.arrays["size_votes"].mean() < sizes.mean()


def simulated(probabilities: np.ndarray, number: int, seed: int) -> Draws:
    """Draws of votes with these probabilities `[batch, classes]`."""
    generator = np.random.default_rng(seed)
    votes = np.stack([generator.multinomial(number, one) for one in probabilities])
    return Draws(number, votes, votes.astype(float), votes.astype(float))


def test_false_certificates_are_as_rare_as_stated():
    generator, alpha = np.random.default_rng(2), 0.1
    top = generator.uniform(0.3, 0.75, 2000)
    rest = generator.dirichlet(np.ones(3), 2000) * (1 - top)[:, None]
    p = np.concatenate([top[:, None], rest], 1)
    shift = generator.permuted(np.tile(np.arange(4), (2000, 1)), axis=1)
    p = np.take_along_axis(p, shift, 1)
    given = {"kind": "gaussian", "scale": 1.0, "sensitivity": 1.0, "alpha": alpha}
    found = certified(simulated(p, 20, 0), simulated(p, 200, 1), **given)
    rows = np.arange(2000)
    for name, one in found.items():
        own, others = p[rows, one.predicted], p.copy()
        others[rows, one.predicted] = 0
        if name == "cohen":
            true = gaussian_sizes(own, 1 - own, 1.0)
        else:
            true = gaussian_sizes(own, others.max(1), 1.0)
        # The largest size that the true probabilities allow; private sizes are below it.
        assert np.mean((one.sizes > true) & (one.sizes > 0)) <= alpha, name
    # Planted: the selecting draws estimate too. Of ten equal classes one is ahead by chance.
    p, alpha = np.full((2000, 10), 0.1), 0.5
    once, again = simulated(p, 5, 3), simulated(p, 5, 4)
    given |= {"alpha": alpha}
    assert np.mean(certified(again, once, **given)["cohen"].sizes > 0) <= alpha
    low, _ = vote_bounds(once.votes, 5, alpha)
    assert np.mean(low.max(1) > 0.1) > 0.9


def test_planted_mistakes_give_false_certificates():
    """What each rule is for: without it, sizes exceed the distance to the boundary."""
    kernel = 8 * np.ones((6, 1), np.float32) / 6**0.5
    wide = keras.Sequential(
        [kl.InputLayer((6,)), kl.Dense(1, name="first"), kl.Dense(2, name="last")], name="wide"
    )
    wide.set_weights([kernel, np.zeros(1), np.array([[50.0, -50.0]]), np.zeros(2)])
    network = with_noise(wide, scale=0.4)
    assert sensitivity(network) == pytest.approx(8)
    x = 0.1 * np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    distance = np.abs(x.sum(1)) / 6**0.5
    noisy = NoisyNetwork(network)
    quantity = noisy.front(x)
    draws = [noisy.draws(quantity, 2000, key=key) for key in (1, 2)]
    given = {"kind": "gaussian", "scale": 0.4, "alpha": 0.001}
    good = certified(*draws, sensitivity=sensitivity(network), **given)
    below = certified(*draws, sensitivity=1.0, **given)
    # One draw that is counted as 2,000.
    one = noisy.draws(quantity, 1, key=1)
    repeated = Draws(2000, 2000 * one.votes, 2000 * one.sums, 2000 * one.squares)
    shared = certified(repeated, repeated, sensitivity=sensitivity(network), **given)
    for name, certificate in good.items():
        assert np.mean(certificate.sizes > distance) <= 0.01, name
        assert np.mean(below[name].sizes > distance) > 0.2, name
    assert np.mean(shared["cohen"].sizes > distance) > 0.2


def test_sequential_statements_are_right_and_take_few_draws():
    network, slope = linear()
    x = np.random.default_rng(1).normal(size=(300, 6)).astype(np.float32)
    bias = network.layers[-1].layers[0].bias.numpy()
    odds = x @ slope + bias[0] - bias[1]
    distance = np.abs(odds) / np.linalg.norm(slope)
    radius = 0.2
    threshold = float(scipy.stats.norm.cdf(radius / 0.4))
    classes, result, draws = NoisyNetwork(network).sequentially(
        x, threshold, alpha=0.001, most=10_000, selection=20
    )
    right = classes == (odds < 0)
    assert np.all(distance[(result == 1) & right] >= radius)
    assert np.mean(right | (result != 1)) > 0.99
    assert np.all(distance[(result == -1) & right] <= radius)
    assert np.mean(result == 0) < 0.05
    assert draws.mean() < 2000
    assert np.median(draws) <= 170


def test_sequential_certificates_agree_with_cohens():
    network, x = with_noise(convolution(), scale=0.5), images(60)
    y = NoisyNetwork(network)
    y = y.draws(y.front(x), 500, key=3).votes.argmax(1)
    given = {"draws": 3000, "examples": None, "radii": (0.1,)}
    whole = evaluate(CertifiedAccuracy(**given), network, x_test=x, y_test=y)
    few = SequentialCertification(most=3000, examples=None)
    found = evaluate(few, network, x_test=x, y_test=y).scalars
    assert found["sequential_certified"] == pytest.approx(
        whole.scalars["certified_cohen_1"], abs=found["sequential_undecided"] + 5
    )
    assert found["sequential_draws"] < 1500
    assert {one.name for one in sequential_columns(few)} <= found.keys()
    assert evaluate(few, convolution(), x_test=x, y_test=y).scalars == {}
    for changes in ({"radius": -1.0}, {"norm": "l_inf"}, {"most": 0}, {"confidence": 0.0}):
        with pytest.raises(BadInput):
            SequentialCertification(**changes)


def test_it_resumes_and_its_columns_and_pictures_have_its_numbers(monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", -1.0)
    monkeypatch.setattr("ftnoise.measures.certified_accuracy.AT_A_TIME", 2)
    network, x = with_noise(convolution(), scale=0.5), images()
    measure = CertifiedAccuracy(draws=20, selection=5, examples=None)

    def measured(**given: Any) -> Any:
        return evaluate(measure, network, x_test=x, y_test=np.zeros(6, int), **given)

    whole, memory = measured(), Memory(2)
    with pytest.raises(KeyboardInterrupt):
        measured(checkpointing=memory)
    memory.left = None
    assert measured(checkpointing=memory).scalars == whole.scalars
    assert {one.name for one in columns(measure)} <= whole.scalars.keys()
    for figure in pictures(measure):
        assert {*figure.arrays} <= whole.arrays.keys()
    assert evaluate(measure, convolution(), x_test=x, y_test=np.zeros(6, int)).scalars == {}


def test_an_attack_refutes_no_certificate_but_those_that_rest_on_too_small_a_sensitivity(
    monkeypatch,
):
    network, x = with_noise(convolution(), scale=0.5), images(40)
    attack = PGD(attack_epsilon=1, ball=L2Ball(), steps=10, draws=5)
    measure = CertifiedAccuracy(
        radii=(0.05, 0.3), draws=500, examples=None, confidence=0.999, attack=attack
    )

    def refuted() -> list[float]:
        found = measure.measured(network, x, np.zeros(40, int), Memory())
        assert {one.name for one in columns(measure)} <= {*found.scalars, "refuted_2"}
        return [found.scalars.get(f"refuted_{n}", 0.0) for n in (1, 2)]

    assert refuted() == [0, 0]
    usual = bounds_of.certified

    def wrong_means(*given: Any, **options: Any) -> Any:
        found = usual(*given, **options)
        none = {name: replace(one, sizes=0 * one.sizes) for name, one in found.items()}
        wide = np.full(len(x), 9.0)
        return none | {"gaussian": replace(found["gaussian"], sizes=wide)}

    with monkeypatch.context() as planted:
        planted.setattr(bounds_of, "certified", wrong_means)
        assert max(refuted()) > 0
        # Wrong only far outside the radius of the attack.
        measure = replace(measure, radii=(0.001, 0.002))
        assert max(refuted()) > 0
    monkeypatch.setattr("ftnoise.layers.sensitivity.sensitivity", lambda *given: 0.01)
    assert max(refuted()) > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"radii": ()},
        {"radii": (0.2, 0.1)},
        {"norm": "l_inf"},
        {"draws": 1},
        {"selection": 0},
        {"examples": 0},
        {"confidence": 1.0},
        {"all_at_once": 1},
        {"attack": "pgd"},
        {"norm": "l_1", "attack": PGD(attack_epsilon=1, ball=L2Ball())},
    ],
)
def test_bad_input(changes):
    with pytest.raises(BadInput):
        CertifiedAccuracy(**changes)
