"""DeepFool against Foolbox and the closed form of a linear network."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.deep_fool import LONGER, DeepFool
from ftnoise.attacks.fgsm_search import FGSMSearch
from tests.attacks.small import SEED, data, images, network_of, predicted, trained

SIZE = L2Ball().size


def linear(classes):
    """A linear network whose boundaries are close to gray, and images there."""
    network = network_of(classes=classes)
    x = images(20, 0.4, 0.6)
    return network, x, predicted(network, x)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("overshoot", [0.02, 0.2])
@pytest.mark.parametrize("overshoot_steps", [True, False])
def test_a_linear_network_is_left_in_one_step_to_the_nearest_boundary(
    classes, overshoot, overshoot_steps
):
    network, x, y = linear(classes)
    kernel, logits = network.layers[-1].kernel.numpy(), network(x).numpy()
    attack = DeepFool(steps=1, overshoot=overshoot, overshoot_steps=overshoot_steps)
    moved, found = attack.search(network, x, y, SEED)
    assert found.numpy().all()
    distances = SIZE(moved - x).numpy()
    for n, label in enumerate(y.numpy()):
        others = [k for k in range(classes) if k != label]
        lengths = [np.linalg.norm(kernel[:, k] - kernel[:, label]) for k in others]
        gaps = [logits[n, label] - logits[n, k] for k in others]
        known = min(gap / length for gap, length in zip(gaps, lengths, strict=True))
        assert distances[n] == pytest.approx((1 + overshoot) * (known + LONGER), rel=1e-4)


def test_only_the_classes_with_the_largest_logits_count():
    network, x, y = linear(7)
    near, _ = DeepFool().search(network, x, y, SEED)
    second, found = DeepFool(classes=2).search(network, x, y, SEED)
    assert found.numpy().all()
    order = tf.argsort(network(x), axis=1, direction="DESCENDING").numpy()
    assert np.array_equal(predicted(network, second), order[:, 1])
    assert (SIZE(second - x).numpy() >= SIZE(near - x).numpy() - 1e-6).all()
    assert SIZE(second - x).numpy().sum() > SIZE(near - x).numpy().sum() + 0.01


@pytest.mark.parametrize("overshoot_steps", [False, True])
def test_it_comes_closer_than_fgsm(overshoot_steps):
    network, (x, y) = trained(), data(60)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    attack = DeepFool(steps=100, overshoot_steps=overshoot_steps)
    moved, found = attack.search(network, x, y, SEED)
    far, _ = FGSMSearch().search(network, x, y, SEED)
    assert found.numpy().all()
    near, far = SIZE(moved - x).numpy(), SIZE(far - x).numpy()
    assert (near <= far + 0.02).mean() > 0.95
    assert np.median(near[far > 0]) < 0.9 * np.median(far[far > 0])


def test_clipped_steps_cross_the_boundary_all_the_same():
    network, (x, _) = trained(), data(60)
    # Most pixels are at the ends of the range, where half of each step is lost.
    x = tf.constant(np.where(x > 0.5, 1, 0).astype(np.float32))
    _, found = DeepFool().search(network, x, predicted(network, x), SEED)
    assert found.numpy().mean() > 0.95


def test_it_is_foolbox():
    foolbox = pytest.importorskip("foolbox")
    network, (x, y) = trained(), data(60)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    right = predicted(network, x) == y
    x, y = x[right], y[right]
    model = foolbox.TensorFlowModel(network, bounds=(0, 1))
    known = foolbox.attacks.L2DeepFoolAttack().run(model, x, foolbox.criteria.Misclassification(y))
    moved, found = DeepFool().search(network, x, y, SEED)
    assert found.numpy().all()
    np.testing.assert_allclose(moved, known, atol=1e-4)
