"""LocalSearch against a naive form, pixel by pixel, in both orders."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.attacks.local_search import LocalSearch
from ftnoise.attacks.target import Compiled
from ftnoise.core.errors import BadInput
from tests.attacks.small import SEED, Around, data, images, network_of, predicted, trained


def naive(attack, network, image, label, near):
    """A round on one image `[height, width, channels]`: the image and the pixels to try next."""
    scores = {}
    for row, column in near:
        variant = image.copy()
        variant[row, column] = 0.5 + attack.push * np.sign(image[row, column] - 0.5)
        scores[row, column] = tf.nn.softmax(network(variant[None]))[0, label].numpy()
    ordered = sorted(scores, key=scores.get, reverse=not attack.lowest)
    moved, after = image.copy(), set()
    for row, column in ordered[: attack.pixels]:
        for channel in range(image.shape[2]):
            value = attack.change * (image[row, column, channel] - 0.5)
            value += 1 if value < -0.5 else -1 if value > 0.5 else 0
            moved[row, column, channel] = 0.5 + value
        reach = range(-attack.half_side, attack.half_side + 1)
        after |= {(row + down, column + right) for down in reach for right in reach}
    height, width, _ = image.shape
    return moved, {(r, c) for r, c in after if 0 <= r < height and 0 <= c < width}


@pytest.mark.parametrize("lowest", [False, True])
@pytest.mark.parametrize("shape", [(5, 5, 1), (4, 7, 3)])
def test_a_round_is_the_naive_one(lowest, shape):
    network = network_of(shape=shape, classes=4)
    generator = np.random.default_rng(0)
    x = generator.random((6, *shape), np.float32)
    y = generator.integers(0, 4, 6).astype(np.int32)
    near = generator.random((6, shape[0] * shape[1])) < 0.5
    # Fewer than are changed.
    near[0] = np.arange(near.shape[1]) == 3
    attack = LocalSearch(pixels=2, half_side=1, lowest=lowest)
    target = Compiled(network, shape)
    moved, after, wrong = attack.round(target, x, y, near, SEED)
    for n in range(6):
        pixels = [divmod(int(p), shape[1]) for p in np.flatnonzero(near[n])]
        known, following = naive(attack, network, x[n], y[n], pixels)
        np.testing.assert_allclose(moved[n], known, atol=1e-6)
        mask = after[n].numpy().reshape(shape[:2])
        assert {tuple(map(int, pixel)) for pixel in np.argwhere(mask)} == following
    assert np.array_equal(wrong, predicted(network, moved) != y)


def test_more_pixels_than_are_tried_are_drawn_at_random():
    network, x = network_of(), images(200)
    y, near = predicted(network, x), np.ones((200, 25), bool)
    attack = LocalSearch(pixels=1, variants=4, half_side=1)
    moved, *_ = attack.round(Compiled(network, x.shape[1:]), x, y, near, SEED)
    changed = np.abs(moved - x).reshape(200, 25) > 1e-6
    assert (changed.sum(axis=1) <= 1).all()
    assert changed.any(axis=0).sum() > 15


def test_the_first_pixels_are_a_tenth_of_the_image_drawn_for_each(monkeypatch):
    seen = []
    monkeypatch.setattr(
        LocalSearch,
        "round",
        lambda self, target, x, y, near, seed: seen.append(near) or (x, near, y >= 0),
    )
    network = network_of(shape=(10, 10, 1))
    x = tf.random.stateless_uniform([30, 10, 10, 1], SEED)
    target = Compiled(network, x.shape[1:])
    monkeypatch.setattr(target, "once", lambda key, function, *signature: function)
    LocalSearch().search(target, x, predicted(network, x), SEED)
    near = np.concatenate(seen)
    assert (near.sum(axis=1) == 10).all()
    assert near.any(axis=0).sum() > 80


def test_the_highest_first_needs_fewer_pixels_and_the_lowest_first_does_less():
    network, (x, y) = trained(), data(60)
    x, y = tf.constant(x), tf.constant(y, tf.int32)
    right, (one, two) = [], (LocalSearch(rounds=8, lowest=lowest) for lowest in (False, True))
    for attack in (one, two):
        _, found = attack.search(network, x, y, SEED)
        right.append(1 - found.numpy().mean())
    assert right[0] < right[1]


def test_images_have_rows_columns_and_channels():
    with pytest.raises(BadInput, match=r"height, width and channels for LocalSearch.*x=\(4,\)"):
        LocalSearch().search(Around(lambda x: x), np.zeros((2, 4)), np.zeros(2, int), SEED)


def test_it_names_its_order():
    assert LocalSearch().label == "LocalSearch"
    assert LocalSearch(lowest=True).label == "LocalSearch, lowest first"
