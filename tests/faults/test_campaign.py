"""The compiled campaign against the naive loop: inject, predict, restore."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.spec import weights_digest
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Count, Share
from tests.faults.networks import CLASSES, NETWORKS, bits, made, right, right_now, run

PLACES = ("neurons", "weights", "biases", "parameters")
EFFECTS = ("stuck_at_zero", "stuck_at_one", "bit_flip", "sign_flip", "random_value", "drift=0.5")


def naive(network, x, y, fault, trials, golden, right=right_now):
    """Correctness and distances of each trial by the naive loop; NaN if infinite."""
    outputs, correct = [], []
    for number in trials:
        with injected(network, fault, seed=2, trial=number):
            found, hits = right(network, x, y)
        outputs.append(found)
        correct.append(hits)
    with np.errstate(invalid="ignore"):
        distances = np.linalg.norm(np.stack(outputs).astype(float) - golden, axis=2)
    return np.stack(correct), np.where(np.isfinite(distances), distances, np.nan)


QUICK = [name for name in NETWORKS if name != "recurrent"]
# Every site of every network, and every effect on one of them.
CASES = [
    *((name, where, EFFECTS[n % 6]) for n, (name, where) in enumerate(product(QUICK, PLACES))),
    ("recurrent", "neurons", "stuck_at_zero"),
    ("recurrent", "parameters", "sign_flip"),
    *product(["convolutions"], ["neurons", "weights"], EFFECTS),
]


@pytest.mark.parametrize(("name", "where", "what"), CASES)
def test_every_bit_is_that_of_inject_predict_restore(name, where, what):
    network, x, y = made(name)
    fault = parse_fault(f"{where}:{what}:0.3")
    before = bits(network)
    # The recurrent network takes as long to compile as all others together.
    slow = name == "recurrent"
    campaign = Campaign(network, x, y, fault, seed=2, trials_per_call=1 if slow else 2)
    outcome = run(campaign, [0, 1])
    golden = (right_now if slow else right)(network, x, y)[0]
    correct, distances = naive(network, x, y, fault, range(2), golden)
    mean = np.nanmean(distances, axis=1)
    # Sums may be cut otherwise for batches of another size.
    np.testing.assert_allclose(campaign.golden, golden, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(outcome.correct, correct)
    np.testing.assert_allclose(outcome.output_deviation_mean, mean, rtol=1e-4, atol=1e-6)
    assert bits(network) == before
    assert np.any(distances > 0)


@pytest.mark.parametrize("name", ["convolutions", "residual"])
@pytest.mark.parametrize("where", ["filters", "channels"])
@pytest.mark.parametrize("what", ["stuck_at_zero", "stuck_at=-0.7"])
def test_filters_and_channels_too(name, where, what):
    network, x, y = made(name)
    fault = parse_fault(f"{where}:{what}:0.4")
    campaign = Campaign(network, x, y, fault, seed=2, trials_per_call=2)
    correct, distances = naive(network, x, y, fault, range(2), campaign.golden)
    outcome = run(campaign, range(2))
    np.testing.assert_array_equal(outcome.correct, correct)
    np.testing.assert_allclose(outcome.output_deviation_max, distances.max(axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "what"),
    [("dense", "drift=0.5"), ("residual", "stuck_at_zero"), ("attention", "drift=0.5")],
)
def test_transient_faults_of_neurons_are_drawn_for_each_example_in_order(name, what):
    network, x, y = made(name)
    fault = parse_fault(f"neurons:{what}:0.4:transient")
    campaign = Campaign(network, x, y, fault, seed=2, examples_per_call=7)
    outcome = run(campaign, [0, 1])
    # `predict` takes the examples in several batches.
    correct, distances = naive(network, x, y, fault, range(2), campaign.golden, right)
    np.testing.assert_array_equal(outcome.correct, correct)
    np.testing.assert_allclose(outcome.output_deviation_mean, distances.mean(axis=1), rtol=1e-5)


def test_a_transient_fault_of_weights_hits_each_example_in_its_own_sites():
    network, x, y = made("dense", examples=12)
    campaign = Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5:transient"), seed=2)
    outcome = run(campaign, [0])
    permanent = run(Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"), seed=2), [0])
    assert outcome.faults[0] == permanent.faults[0]
    assert outcome.output_deviation_mean[0] != permanent.output_deviation_mean[0]
    with injected(network, parse_fault("weights:stuck_at_zero:0.5"), seed=2):
        first = network.predict(x[:1], verbose=0)
    one = Campaign(
        network, x[:1], y[:1], parse_fault("weights:stuck_at_zero:0.5:transient"), seed=2
    )
    expected = np.linalg.norm(first - one.golden)
    assert run(one, [0]).output_deviation_mean[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["convolutions", "attention"])
def test_the_answer_does_not_depend_on_how_the_work_is_cut(name):
    network, x, y = made(name)
    fault = parse_fault("parameters:stuck_at_zero:0.3")
    whole = run(Campaign(network, x, y, fault), range(7))
    cut = Campaign(network, x, y, fault, examples_per_call=9, trials_per_call=3)
    parts = [run(cut, part) for part in ([0, 1], [2], [3, 4, 5, 6])]
    np.testing.assert_array_equal(whole.correct, np.concatenate([p.correct for p in parts]))
    np.testing.assert_allclose(
        whole.output_deviation_mean,
        np.concatenate([p.output_deviation_mean for p in parts]),
        rtol=1e-5,
    )


@pytest.mark.parametrize(("name", "where"), list(zip(QUICK, PLACES * 2, strict=False)))
def test_no_faults_are_the_golden_model_exactly(name, where):
    network, x, y = made(name)
    campaign = Campaign(network, x, y, parse_fault(f"{where}:stuck_at_one:0"))
    outcome = run(campaign, [0, 1])
    np.testing.assert_array_equal(outcome.correct, [campaign.correct] * 2)
    assert outcome.output_deviation_max.max() == 0
    assert outcome.faults.max() == 0


@pytest.mark.parametrize("name", ["dense", "convolutions", "binary"])
@pytest.mark.parametrize("where", ["neurons", "weights"])
def test_all_faults_leave_only_the_biases(name, where):
    network, x, y = made(name)
    campaign = Campaign(network, x, y, parse_fault(f"{where}:stuck_at_zero:1"))
    outcome = run(campaign, [0])
    bias = network.layers[-1].bias.numpy()
    expected = 1 / (1 + np.exp(-bias)) if name == "binary" else bias
    distance = np.linalg.norm(campaign.golden - expected, axis=1)
    assert outcome.output_deviation_mean[0] == pytest.approx(distance.mean(), rel=1e-5)
    says = int(expected[0] > 0.5) if name == "binary" else int(expected.argmax())
    np.testing.assert_array_equal(outcome.correct[0], y == says)


def test_outputs_that_are_not_finite_are_wrong_and_counted():
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("weights:bit_flip=30:1"))
    outcome = run(campaign, [0])
    with injected(network, parse_fault("weights:bit_flip=30:1")):
        outputs, correct = right(network, x, y)
    assert not np.isfinite(outputs).all()
    np.testing.assert_array_equal(outcome.correct[0], correct)
    finite = np.isfinite(outputs).all(axis=1)
    assert outcome.outcomes[0, 0] == np.count_nonzero(~finite)
    assert np.isinf(outcome.output_deviation_mean[0]) == (not finite.any())


def test_distances_beyond_the_square_root_of_float32_are_finite():
    network, x, y = made("dense")
    fault = parse_fault("weights,layers=dense_2:stuck_at=1e30:0.5")
    outcome = run(Campaign(network, x, y, fault, seed=2), [0, 1])
    golden = right(network, x, y)[0]
    _, distances = naive(network, x, y, fault, range(2), golden)
    assert distances.max() > 1e25
    assert outcome.outcomes[:, 0].tolist() == [0, 0]
    np.testing.assert_allclose(outcome.output_deviation_mean, distances.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(outcome.output_deviation_max, distances.max(axis=1), rtol=1e-5)


def test_an_infinite_image_does_not_hide_the_distance_of_the_others():
    network, x, y = made("dense")
    fault = parse_fault("weights,layers=dense_2:stuck_at=3e38:1")
    outcome = run(Campaign(network, x, y, fault), [0])
    _, distances = naive(network, x, y, fault, [0], right(network, x, y)[0])
    infinite = np.isnan(distances).sum()
    assert 0 < infinite < len(y)
    assert outcome.outcomes[:, 0].tolist() == [infinite]
    assert outcome.values_not_finite.tolist() == [0]
    np.testing.assert_allclose(outcome.output_deviation_mean[0], np.nanmean(distances), rtol=1e-5)
    np.testing.assert_allclose(outcome.output_deviation_max[0], np.nanmax(distances), rtol=1e-5)


def test_what_lies_before_the_first_fault_is_computed_once():
    network, x, y = made("convolutions")
    last = Campaign(network, x, y, parse_fault("weights,layers=dense_1:stuck_at_zero:0.5"))
    assert [step.layer.name for step in last.faulty.after] == ["dense_1"]
    crashed = Campaign(network, x, y, parse_fault("neurons,layers=0:stuck_at_zero:0.5"))
    # Pooling keeps a zero a zero, so the units are taken out of the next kernel.
    assert crashed.faulty.after[0].layer.name == "conv2d"
    stuck = Campaign(network, x, y, parse_fault("neurons,layers=0:stuck_at_one:0.5"))
    assert stuck.faulty.after[0].layer.name == "max_pooling2d"


class Turned(keras.layers.Flatten):
    """A user's own, which is no Flatten."""

    def call(self, inputs):
        return super().call(inputs)[:, ::-1]


class Halved(keras.layers.Dense):
    """A user's own, which uses its kernel in another way."""

    def call(self, inputs):
        return inputs[:, ::-1] @ self.kernel


@pytest.mark.parametrize("own", [Turned, lambda: Halved(6)], ids=["flatten", "dense"])
def test_what_a_users_class_does_with_units_is_not_guessed(own):
    conv = keras.layers.Conv2D(3, 3, activation="relu", name="conv")
    x = np.random.default_rng(0).normal(size=(20, 5, 5, 1)).astype(np.float32)
    flat = [] if own is Turned else [keras.layers.GlobalAveragePooling2D()]
    network = keras.Sequential(
        [keras.layers.InputLayer((5, 5, 1)), conv, *flat, own(), keras.layers.Dense(CLASSES)]
    )
    fault = parse_fault("neurons,layers=conv:stuck_at_zero:n=1")
    golden, y = network.predict(x, verbose=0), np.arange(20) % CLASSES
    outcome = run(Campaign(network, x, y, fault, seed=2), range(3))
    _, distances = naive(network, x, y, fault, range(3), golden)
    np.testing.assert_allclose(outcome.output_deviation_mean, distances.mean(axis=1), rtol=1e-4)


def test_a_transposed_convolution_is_no_convolution():
    network, x, y = made("transposed")
    crashed = Campaign(network, x, y, parse_fault("neurons,layers=conv2d:stuck_at_zero:n=2"))
    assert crashed.faulty.removed == {}
    second = Campaign(
        network, x, y, parse_fault("neurons,layers=conv2d_transpose:stuck_at_zero:n=2")
    )
    assert [one.step.layer.name for one in second.faulty.removed.values()] == ["dense"]


def test_what_is_too_large_to_be_kept_is_computed_again(monkeypatch):
    network, x, y = made("convolutions")
    fault = parse_fault("neurons:stuck_at_zero:0.5")
    kept = run(Campaign(network, x, y, fault, examples_per_call=16), [0, 1])
    monkeypatch.setattr("ftnoise.faults.campaign.KEPT_BYTES", 0)
    again = Campaign(network, x, y, fault, examples_per_call=16)
    assert again._before is None
    outcome = run(again, [0, 1])
    np.testing.assert_array_equal(outcome.correct, kept.correct)
    np.testing.assert_array_equal(outcome.output_deviation_mean, kept.output_deviation_mean)


def test_an_amount_may_be_another_at_each_call():
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"))
    assert campaign.run([0], Count(faults=3)).faults[0] == 3
    size = 6 * 8 + 8 * 7 + 7 * CLASSES
    assert campaign.run([0, 1], Share(rate=0.25)).faults.tolist() == [size / 4] * 2
    with pytest.raises(BadInput, match="at most"):
        campaign.run([0], Count(faults=size + 1))


def test_the_digest_is_that_of_the_variables():
    network, *_ = made("dense")
    before = weights_digest(network)
    with injected(network, parse_fault("weights:stuck_at_zero:n=1")):
        assert weights_digest(network) != before
    assert weights_digest(network) == before


def bad(change):
    network, x, y = made("dense")
    return change(network, x, y)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda n, x, y: (n, x[:, :2], y), r"examples of shape \[n, 3, 2\]"),
        (lambda n, x, y: (n, [x, x], y), "examples of shape"),
        (lambda n, x, y: (n, x * np.nan, y), "finite float32 numbers"),
        (lambda n, x, y: (n, x.astype(str), y), "an array of numbers"),
        (lambda n, x, y: (n, x[:0], y[:0]), "at least one example"),
        (lambda n, x, y: (n, x, y[1:]), "40 integer labels"),
        (lambda n, x, y: (n, x, np.eye(4)[y]), "40 integer labels"),
        (lambda n, x, y: (n, x, y + 0.5), "40 integer labels"),
        (lambda n, x, y: (n, x, y + 4), "labels from 0 to 3"),
        (lambda n, x, y: (n, x, y - 9), "labels from 0 to 3"),
        (lambda n, x, y: (object(), x, y), "Sequential or functional"),
    ],
)
def test_examples_and_labels_that_do_not_fit_are_refused(change, said):
    network, x, y = bad(change)
    with pytest.raises(BadInput, match=said) as refused:
        Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"))
    assert "\n" not in str(refused.value)
    assert "Received" in str(refused.value)


def test_a_network_whose_outputs_are_not_finite_is_refused():
    network, x, y = made("dense")
    network.layers[-1].bias.assign([0, np.nan, 0, 0])
    with pytest.raises(BadInput, match="finite outputs of sequential"):
        Campaign(network, x, y, parse_fault("weights:stuck_at_zero:0.5"))


def test_a_network_that_remembers_the_batch_before_is_refused():
    layers = [keras.layers.LSTM(3, stateful=True), keras.layers.Dense(CLASSES)]
    network = keras.Sequential([keras.layers.InputLayer((5, 2), batch_size=4), *layers])
    with pytest.raises(BadInput, match="no state"):
        Campaign(
            network, np.zeros((4, 5, 2)), np.zeros(4, int), parse_fault("weights:sign_flip:0.5")
        )
