"""Every crop, mirrored or not, as often as every other, and nothing else."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.training.augmentation import CropAndFlip

SEED = tf.constant([1, 2], tf.int64)


def every(image, padding, flip):
    """All that an image can become, in words that can be counted."""
    height, width, _ = image.shape
    padded = np.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    found = []
    for row in range(2 * padding + 1):
        for column in range(2 * padding + 1):
            crop = padded[row : row + height, column : column + width]
            found += [crop, crop[:, ::-1]] if flip else [crop]
    return [np.ascontiguousarray(one).tobytes() for one in found]


@pytest.mark.parametrize(("padding", "flip"), [(1, True), (2, False), (0, True)])
def test_all_crops_are_as_likely(padding, flip):
    image = np.random.default_rng(0).random((4, 5, 3), np.float32)
    count = 6000
    batch = tf.constant(np.broadcast_to(image, (count, 4, 5, 3)))
    found = CropAndFlip(padding=padding, flip=flip).augment(batch, SEED).numpy()
    counts = collections.Counter(one.tobytes() for one in found)
    known = every(image, padding, flip)
    assert set(counts) == set(known)
    expected = count / len(known)
    chi = sum((counts[one] - expected) ** 2 / expected for one in known)
    freedom = max(1, len(known) - 1)
    assert chi < freedom + 5 * np.sqrt(2 * freedom)


def test_the_seed_decides_and_nothing_leaves_the_range():
    x = tf.constant(np.random.default_rng(0).random((9, 6, 6, 1), np.float32))
    one = CropAndFlip().augment(x, SEED).numpy()
    np.testing.assert_array_equal(one, CropAndFlip().augment(x, SEED))
    assert not np.array_equal(one, CropAndFlip().augment(x, SEED + 1))
    assert one.shape == x.shape
    assert one.min() >= 0
    assert one.max() <= 1
    still = CropAndFlip(padding=0, flip=False).augment(x, SEED)
    np.testing.assert_array_equal(still, x)


@pytest.mark.parametrize("wrong", [{"padding": -1}, {"padding": 1.5}, {"flip": 1}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        CropAndFlip(**wrong)
