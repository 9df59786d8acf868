"""Hamiltonian Monte Carlo: known posteriors, an integrator of second order, and exact resuming."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.architectures import GridMLP, SequentialNetwork
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import PRESETS
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import spec_id
from ftnoise.datasets.mnist import MNIST
from ftnoise.engine import runner
from ftnoise.layers.posterior import PosteriorMean
from ftnoise.measures.generalization import Generalization
from ftnoise.measures.sampling import Sampling
from ftnoise.store.folders import Store
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.procedures import hmc
from ftnoise.training.procedures.hmc import HMC, TemperedHMC
from ftnoise.training.procedures.trajectories import Trajectories

NOTHING = tf.zeros([0, 2]), tf.zeros([0], tf.int32)
POINTS = tf.constant([[0.5, -1.0], [1.0, 0.3], [-0.7, 0.8], [0.1, 1.2]]), tf.constant([0, 1, 1, 0])


def network(bias=False):
    tf.keras.utils.set_random_seed(1)
    inputs = tf.keras.Input([2])
    return tf.keras.Model(inputs, tf.keras.layers.Dense(2, use_bias=bias)(inputs))


def trajectories(model, **fields):
    given = {"samples": 1, "step_size": 0.1, "steps": 5, "burn_in": 0} | fields
    return Trajectories(model, HMC(**given))


def chain(number, examples=NOTHING, *, at=None, **fields):
    """The first weights after each of a number of trajectories, `[number, weights]`."""
    model = network()
    if at is not None:
        model.set_weights([np.reshape(at, (2, 2))])
    work = trajectories(model, **{"step_size": 0.3} | fields)
    work.begin(*examples, anew=False)
    found, moves = [], []
    for place in range(number):
        moves.append(work.move(tf.constant([7, place], tf.int64)))
        found.append(work.position[0].numpy().ravel())
    return np.array(found), np.array(moves)


@pytest.mark.parametrize(("fan_in", "deviation"), [(False, 1.0), (True, 2**-0.5)])
def test_without_examples_it_samples_the_prior(fan_in, deviation):
    samples, moves = chain(1500, fan_in=fan_in)
    assert moves[:, 0].mean() > 0.8
    # 1,500 draws of 4 weights, correlated over a few.
    assert samples.mean() == pytest.approx(0, abs=0.08 * deviation)
    assert samples.std() == pytest.approx(deviation, rel=0.06)


def test_it_recovers_the_exact_posterior_of_a_logistic_regression():
    """Two logits, whose difference is that of a logistic regression: w_1 - w_0 is N(0, 2) a priori.

    The exact moments are those on a grid.
    """
    samples, _ = chain(2500, POINTS)
    difference = samples.reshape(-1, 2, 2)[..., 1] - samples.reshape(-1, 2, 2)[..., 0]
    axis = np.linspace(-9, 9, 400)
    first, second = np.meshgrid(axis, axis, indexing="ij")
    log = -(first**2 + second**2) / 4
    for (a, b), label in zip(POINTS[0].numpy(), POINTS[1].numpy(), strict=True):
        log -= np.log1p(np.exp(-(2 * label - 1) * (a * first + b * second)))
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    for place, values in enumerate((first, second)):
        mean = (weights * values).sum()
        deviation = np.sqrt((weights * (values - mean) ** 2).sum())
        assert difference[:, place].mean() == pytest.approx(mean, abs=0.12 * deviation)
        assert difference[:, place].std() == pytest.approx(deviation, rel=0.08)


def test_a_trajectory_runs_back_to_its_start():
    import tensorflow_probability as tfp

    work = trajectories(network(), steps=1)
    leapfrog = tfp.mcmc.internal.leapfrog_integrator.SimpleLeapfrogIntegrator(
        lambda *values: work.log_density(values, *POINTS), [0.1] * len(work.position), 20
    )
    momentum = [tf.random.stateless_normal(part.shape, [1, 2]) for part in work.position]
    there, position, *_ = leapfrog(momentum, work.position)
    assert np.abs(position[0] - work.position[0]).max() > 0.1
    back, again, *_ = leapfrog([-part for part in there], position)
    np.testing.assert_allclose(again[0], work.position[0], atol=1e-5)
    np.testing.assert_allclose(back[0], -momentum[0], atol=1e-5)


def test_the_error_of_the_energy_falls_as_the_square_of_the_step():
    means = []
    for step in (0.1, 0.05):
        work, errors = trajectories(network(), step_size=step, steps=round(1.2 / step)), []
        for at in np.random.default_rng(0).normal(size=(12, 2, 2)).astype(np.float32):
            work.restore([at], ())
            work.begin(*POINTS, anew=True)
            errors.append(work.move(tf.constant([7, 0], tf.int64))[2])
        means.append(np.mean(errors))
    assert means[0] / means[1] == pytest.approx(4, rel=0.4)


def test_a_step_that_is_too_long_is_never_accepted_and_logged_so():
    samples, moves = chain(5, POINTS, step_size=50.0, at=np.ones(4))
    assert (samples == 1).all()
    assert (moves[:, 0] == 0).all()
    assert (moves[:, 2] == 1000).all()


def test_the_step_size_is_adapted_in_the_burn_in_and_then_stays():
    fields = {"acceptance": 0.75, "burn_in": 60, "step_size": 0.001}
    _, moves = chain(120, POINTS, **fields)
    sizes = moves[:, 1]
    assert sizes[0] == pytest.approx(0.001)
    assert sizes[50] > 0.05
    assert len({*sizes[49:].tolist()}) == 1
    assert 0.5 < moves[60:, 0].mean() < 0.97


def sampled(run_of, images, memory=None, **fields):
    given = {"samples": 4, "step_size": 0.01, "steps": 2, "burn_in": 2} | fields
    run = run_of(HMC(**given))
    return run.training.train(run, images(), memory)


def test_the_trained_network_is_the_mean_prediction_of_its_samples(run_of, images):
    trained = sampled(run_of, images, chains=2)
    (layer,) = (one for one in trained.layers if isinstance(one, PosteriorMean))
    assert layer.count == 8
    samples = [weight.numpy() for weight in trained.weights]
    assert all(len({part.tobytes() for part in one}) > 4 for one in samples if one.ndim > 2)
    x = images().x_test[:5]
    plain = layer.weights_of.network
    means = []
    for number in range(8):
        plain.set_weights([one[number] for one in samples])
        means.append(tf.nn.softmax(plain(x)).numpy())
    np.testing.assert_allclose(np.exp(trained(x).numpy()), np.mean(means, axis=0), atol=1e-6)


def test_longer_chains_begin_like_shorter_ones(run_of, images):
    short, long = (sampled(run_of, images, samples=number) for number in (2, 5))
    for few, many in zip(short.weights, long.weights, strict=True):
        assert (few.numpy() == many.numpy()[:2]).all()


def test_chains_have_draws_and_starts_of_their_own(run_of, images):
    trained = sampled(run_of, images, chains=2, samples=1)
    assert all((w[0] != w[1]).any() for w in map(np.asarray, trained.weights) if w.ndim > 2)


@pytest.mark.parametrize(
    "sampler",
    [
        HMC(samples=6, step_size=0.01, steps=2, burn_in=10, acceptance=0.7),
        HMC(samples=5, step_size=0.01, steps=2, burn_in=1, start=Training()),
        TemperedHMC(samples=5, step_size=0.01, steps=2, burn_in=1, batch_size=4),
    ],
)
def test_an_interrupted_chain_ends_with_the_same_bits(sampler, run_of, images, monkeypatch):
    run = run_of(sampler)
    whole = sampler.train(run, images()).get_weights()
    monkeypatch.setattr(hmc, "SAVE_SECONDS", 0)
    monkeypatch.setattr(hmc, "INTERVAL", 2)
    kept: dict[str, Any] = {}
    found, attempts = None, 0
    while found is None:
        attempts += 1
        with contextlib.suppress(Killed):
            found = sampler.train(run, images(), Kept(kept))
    assert attempts > 3
    for a, b in zip(whole, found.get_weights(), strict=True):
        assert (a == b).all()


class Killed(Exception):
    """The end of a process, right after a checkpoint."""


class Kept(Checkpointing):
    """Keeps the checkpoints of all parts in one dictionary, and ends the process at each."""

    def __init__(self, kept, name=""):
        self.kept, self.name = kept, name

    def part(self, name):
        return Kept(self.kept, name)

    def load(self):
        return self.kept.get(self.name)

    def save(self, arrays, state):
        self.kept[self.name] = copy.deepcopy((arrays, state))
        raise Killed


def test_minibatches_are_drawn_anew_for_each_trajectory(images):
    data, sampler = images(), TemperedHMC(samples=1, step_size=0.1, batch_size=4)
    first, again, second = (sampler.examples(data, number, 0)[0] for number in (0, 0, 1))
    assert len(first) == 4
    assert (first == again).all()
    assert (first != second).any()


def test_a_start_without_a_finite_density_is_said():
    model = network()
    model.set_weights([np.full((2, 2), np.inf)])
    work = trajectories(model)
    with pytest.raises(RunFailed, match="density is not finite"):
        work.begin(*POINTS, anew=False)


@dataclass(frozen=True, kw_only=True)
class Network(SequentialNetwork):
    """A dense network with another layer in front of it."""

    input_shape: tuple[int, ...] = (6, 6, 1)
    classes: int = 3
    normalized: bool = False

    def layers(self):
        normal = [tf.keras.layers.BatchNormalization()] if self.normalized else []
        return [tf.keras.layers.Flatten(), *normal, tf.keras.layers.Dense(self.classes)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"normalized": True}, "moving_mean"),
        ({"classes": 2}, "classes"),
        ({"input_shape": (5, 5, 1)}, "shape"),
    ],
)
def test_a_network_that_cannot_be_sampled_or_does_not_fit_is_refused(fields, said, run_of, images):
    run = run_of(HMC(samples=1, step_size=0.01, burn_in=0), architecture=Network(**fields))
    with pytest.raises(BadInput, match=said):
        run.training.train(run, images())


def test_presets_take_fewer_samples():
    sampler = HMC(samples=600, step_size=0.01, burn_in=100, acceptance=0.8)
    assert sampler.scaled(PRESETS["paper"]) == sampler
    quick = sampler.scaled(PRESETS["quick"])
    assert (quick.samples, quick.burn_in) == (8, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 0},
        {"step_size": 0},
        {"step_size": float("nan")},
        {"steps": 0},
        {"burn_in": -1},
        {"acceptance": 1.0},
        {"acceptance": 0.8, "burn_in": 5},
        {"chains": 0},
        {"fan_in": 1},
        {"start": "trained"},
        {"start": Training(gradients=DPSGD(noise_multiplier=1.0, clip=1.0))},
    ],
)
def test_bad_input(change):
    with pytest.raises(BadInput):
        HMC(**{"samples": 1, "step_size": 0.1} | change)


def test_bad_minibatches():
    with pytest.raises(BadInput):
        TemperedHMC(samples=1, step_size=0.1, batch_size=0)
    with pytest.raises(BadInput, match="no acceptance"):
        TemperedHMC(samples=1, step_size=0.1, acceptance=0.8)
    assert dataclasses.replace(TemperedHMC(samples=1, step_size=0.1), samples=3).samples == 3


@pytest.mark.slow
def test_chains_of_a_network_on_mnist_accept_agree_and_predict(tmp_path):
    """784-128-10, 2,000 examples, the step size adapted, from trained starts."""
    sources = Sources.from_environment(offline=True)
    try:
        known = MNIST().digest(sources)
    except BadInput as error:
        pytest.skip(str(error))
    run = Run(
        architecture=GridMLP(depth=1, width=128),
        data=MNIST(),
        training=HMC(
            samples=150, step_size=0.002, steps=20, acceptance=0.75, chains=2, start=Training()
        ),
        schedule=Schedule(epochs=20, batch_size=32, learning_rate=0.05),
        train_examples=2000,
    )
    measures = (Generalization(), Sampling())
    Store(tmp_path).prepare()
    unit = runner.Unit(run, measures, tmp_path, sources, known)
    runner.perform(unit)
    folder = Store(tmp_path).run(unit.id)
    accuracy, chains = (folder.read_measure(spec_id(one)) or {} for one in measures)
    print(accuracy, chains)
    assert 65 <= chains["acceptance"] <= 90
    assert accuracy["test_accuracy"] >= 88
    assert chains["r_hat"] <= 1.1
