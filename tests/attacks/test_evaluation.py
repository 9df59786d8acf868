"""Many examples under attack: what counts, and that interruptions change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.carlini_wagner import CarliniWagner
from ftnoise.attacks.evaluation import Attacked, Evaluation, chosen
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from tests.attacks.small import Around, data, noisy, predicted, trained
from tests.core.test_resumable import Memory

PGD_5 = PGD(attack_epsilon=0.1, steps=5)


@pytest.fixture(autouse=True)
def _small_batches_saved_one_by_one(monkeypatch):
    monkeypatch.setattr(PGD, "batch_size", 16)
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0.0)


def attacked(network, x, y, checkpointing=None, attack=PGD_5, judge=None):
    one = Evaluation(checkpointing or Checkpointing(), "some")
    return one.attacked("all", attack, network, x, y, judge)


def same(one, other):
    kinds = ("clean", "survives", "distortion")
    return all(np.array_equal(getattr(one, kind), getattr(other, kind)) for kind in kinds)


def test_an_example_survives_if_it_is_right_with_and_without_the_attack():
    network, (x, y) = trained(), data(50)
    found = attacked(network, x, y)
    known = []
    for number, start in enumerate(range(0, 50, 16)):
        part = slice(start, start + 16)
        seed = seeds.at_step(seeds.key(0, "attack"), number)
        moved = PGD_5.perturb(network, x[part], tf.constant(y[part], tf.int32), seed)
        known.append(moved.numpy())
    moved = np.concatenate(known)
    right = predicted(network, x).numpy() == y
    after = predicted(network, moved).numpy() == y
    assert np.array_equal(found.clean, right)
    assert np.array_equal(found.survives, right & after)
    np.testing.assert_allclose(found.distortion, np.abs(moved - x).max(axis=(1, 2, 3)), atol=1e-6)
    assert found.clean_accuracy == 100 * right.mean()
    assert found.accuracy == 100 * (right & after).mean()
    assert 0 < found.accuracy < found.clean_accuracy
    broken = right & ~after
    assert found.mean_distortion == pytest.approx(found.distortion[broken].mean())
    low, high = found.interval
    assert 0 < low < found.accuracy < high < 100


def test_wrong_examples_do_not_count_even_if_the_attack_makes_them_right():
    network, (x, y) = trained(), data(60)
    wrong = np.where(predicted(network, x).numpy() == y, (y + 1) % 3, y)
    found = attacked(network, x, wrong)
    assert not found.clean.any()
    assert not found.survives.any()
    assert found.mean_distortion is None


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
@pytest.mark.parametrize("batches", [1, 3])
def test_an_interrupted_attack_resumes_with_the_same_bits(batches, network):
    network, (x, y), memory = network(), data(50), Memory(batches)
    whole = attacked(network, x, y)
    with pytest.raises(KeyboardInterrupt):
        attacked(network, x, y, memory)
    assert same(attacked(network, x, y, memory), whole)
    # Each batch of 16 is attacked once.
    reports = [(done, 50, "attack with PGD-5, l_inf 0.1") for done in (16, 32, 48, 50)]
    assert memory.reports == reports


def test_several_parts_are_kept_apart():
    network, (x, y), memory = trained(), data(40), Memory()
    other = FGSM(attack_epsilon=0.1)

    def both():
        one = Evaluation(memory, "both")
        first = one.attacked("first", PGD_5, network, x, y)
        return first, one.attacked("second", other, network, x[:20], y[:20])

    first, second = both()
    assert len(second) == 20
    assert memory.reports[-1][:2] == (20, 20)
    reports = list(memory.reports)
    assert all(map(same, both(), (first, second)))
    assert memory.reports == reports


def test_a_network_that_draws_is_judged_in_a_draw_that_repeats(monkeypatch):
    network, (x, y) = noisy(), data(60)
    found = attacked(network, x, y)
    assert same(found, attacked(network, x, y))
    assert found.accuracy < found.clean_accuracy < attacked(trained(), x, y).clean_accuracy
    real = seeds.key
    monkeypatch.setattr(seeds, "key", lambda seed, *purpose: real(seed + 1, *purpose))
    assert not same(found, attacked(network, x, y))


def test_gradients_that_are_no_number_find_nothing():
    network, (x, y) = trained(), data(40)

    def astray(x):
        # The square root has no slope at 0.
        return [1.0, 0, 0] * tf.sqrt(tf.nn.relu(-tf.reduce_sum(x, axis=[1, 2, 3])))[:, None]

    found = attacked(Around(lambda x: network(x) + astray(x)), x, y)
    assert np.array_equal(found.survives, found.clean)
    assert found.mean_distortion is None
    assert np.isfinite(found.distortion).all()


def test_probabilities_are_refused_wherever_they_come_from():
    network, (x, y) = trained(), data(20)
    for last in (tf.nn.softmax, lambda x: tf.reshape(tf.nn.softmax(x), [-1, 3])):
        with pytest.raises(BadInput, match=r"gives logits to attack.*are probabilities"):
            attacked(Around(lambda x, last=last: last(network(x))), x, y)
    # What judges may be anything.
    attacked(network, x, y, judge=Around(lambda x: tf.nn.softmax(network(x))))


@pytest.mark.parametrize(
    ("shape", "size"),
    [((28, 28, 1), 500), ((32, 32, 3), 500), ((224, 224, 3), 13), ((9000,) * 2, 1)],
)
def test_batches_of_large_images_are_small(monkeypatch, shape, size):
    monkeypatch.undo()
    assert PGD_5.at_a_time(shape) == size


def test_another_network_may_be_the_judge():
    network, other, (x, y) = trained(), trained(seed=3), data(60)
    found = attacked(other, x, y, judge=network)
    assert np.array_equal(found.clean, predicted(network, x).numpy() == y)
    own, there = attacked(network, x, y), attacked(other, x, y)
    # What is made for another network harms this one, but less.
    assert own.accuracy < found.accuracy < found.clean_accuracy
    assert same(attacked(network, x, y, judge=network), own)
    assert np.array_equal(found.distortion, there.distortion)


def test_it_is_compiled_once_for_all_batches():
    network, (x, y), traced = trained(), data(70), []

    def look(images):
        traced.append(images.shape)
        return network(images)

    attacked(Around(look), x, y)
    # Five steps in one call, and the logits; five batches of two sizes.
    assert len(traced) == 6


def test_an_attack_that_is_not_compiled():
    network, (x, y) = trained(), data(4)
    attack = CarliniWagner(attack_epsilon=5, iterations=40, searches=3, learning_rate=0.05)
    found = attacked(network, x, y, attack=attack)
    assert found.accuracy < found.clean_accuracy
    assert found.mean_distortion > 0


def test_gradients_that_are_zero_or_no_number_are_seen():
    network, (x, y) = trained(), data(30)

    def share(network):
        zero, right = Evaluation(Checkpointing()).zero_gradients(network, x, y)
        assert np.array_equal(right, predicted(network, x).numpy() == y)
        return 100 * zero[right].mean()

    def root(x):
        return tf.sqrt(tf.nn.relu(-tf.reduce_sum(x, axis=[1, 2, 3])))

    assert share(network) == 0
    assert share(Around(lambda x: tf.stop_gradient(network(x)))) == 100
    # The square root has no slope at 0, for the classes that it is added to.
    assert share(Around(lambda x: network(x) + [1.0, 0, 0] * root(x)[:, None])) == 100
    half = Around(lambda x: tf.where(x[:, :1, 0, 0] > 0.375, network(x), 1e4 * network(x)))
    assert 20 < share(half) < 80


def test_examples_outside_the_range_are_refused():
    network, (x, y) = trained(), data(4)
    with pytest.raises(BadInput, match=r"examples in \[0, 1\] to attack"):
        attacked(network, 255 * x, y)
    with pytest.raises(BadInput, match="l_2 distance"):
        attacked(network, x, y, attack=PGD(attack_epsilon=6, ball=L2Ball()))


def test_one_does_more_than_another_if_it_surely_breaks_more_of_the_same():
    def result(survives):
        survives = np.array(survives, bool)
        return Attacked(np.ones_like(survives), survives, np.zeros(len(survives)))

    none, few, many = ([True] * 20, [False] * 5 + [True] * 15, [False] * 8 + [True] * 12)
    assert result(many).does_more_than(result(none))
    assert not result(few).does_more_than(result(none))  # 5 of 5 can be chance at 2.5 %
    assert not result(none).does_more_than(result(many))
    assert not result(many).does_more_than(result(many))
    reverse = result([True] * 12 + [False] * 8)
    assert not result(many).does_more_than(reverse)
    assert result(many).first(8).accuracy == 0


def test_another_attack_goes_on_where_the_first_has_left_off():
    first = Attacked(
        np.array([1, 1, 1, 1, 0], bool), np.array([1, 0, 1, 1, 0], bool), np.arange(5.0)
    )
    # Of the three that survive the second breaks one; another one is wrong without it.
    second = Attacked(np.array([1, 1, 0], bool), np.array([1, 0, 0], bool), np.full(3, 9.0))
    both = first.then(second)
    assert both.survives.tolist() == [True, False, False, True, False]
    assert both.distortion.tolist() == [0, 1, 9, 3, 4]
    assert both.clean is first.clean
    assert first.survives.sum() == 3


def test_the_choice_of_examples_is_the_same_for_all():
    assert chosen(10, None) == chosen(10, 10) == chosen(10, 99) == slice(None)
    some = chosen(1000, 7)
    assert np.array_equal(some, chosen(1000, 7))
    assert len(set(some)) == 7
    assert np.array_equal(some, np.sort(some))
