"""uint8 in the wrong range is noticed by the model's accuracy, and a model that guesses too."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.user.inject import prepared
from ftnoise.user.plausibility import guessing, has_pixels, scaled
from ftnoise.user.settings import CampaignSettings

SETTINGS = CampaignSettings.of("weights:stuck_at_zero:0.5")


def halves(*first):
    """A model that is right about whether a number is above a half, after these layers."""
    import keras

    dense = keras.layers.Dense(2)
    network = keras.Sequential([keras.layers.InputLayer((1,)), *first, dense], name="own")
    dense.set_weights([np.array([[0.0, 1.0]]), np.array([0.5, 0.0])])
    return network


def rescaling():
    import keras

    return halves(keras.layers.Rescaling(1 / 255))


@pytest.fixture
def pixels():
    x = np.random.default_rng(0).integers(0, 256, (300, 1), np.uint8)
    return x, (x[:, 0] > 127).astype(int)


@pytest.mark.parametrize(
    ("made", "scale", "remedy"),
    [
        (halves, False, "uint8 as they are, of which 51 % are right, and 100 % divided by 255 "),
        (rescaling, True, "uint8 divided by 255, of which 50 % are right, and 100 % as they are "),
    ],
)
def test_uint8_in_the_wrong_range_is_refused_with_a_remedy(pixels, made, scale, remedy):
    with pytest.raises(BadInput) as refused:
        prepared(made(), *pixels, SETTINGS, scale=scale)
    text = str(refused.value)
    assert "Expected examples in the range that own was trained on" in text
    assert "\n" not in text
    assert text.split("%")[-1].startswith(remedy.split("%")[-1])
    assert text.endswith("not scaled." if scale else "pass x / 255.")


@pytest.mark.parametrize(("made", "scale"), [(halves, True), (rescaling, False)])
def test_uint8_in_the_right_range_is_taken(pixels, made, scale):
    assert prepared(made(), *pixels, SETTINGS, scale=scale).correct.all()


def test_a_model_that_is_wrong_in_both_ranges_and_other_types_are_taken(pixels):
    x, y = pixels
    network = halves()
    prepared(network, x, np.random.default_rng(1).permutation(y), SETTINGS)
    prepared(network, x.astype(np.float32), y, SETTINGS)
    # A few examples show nothing.
    prepared(network, x[:4], y[:4], SETTINGS)


def test_indices_that_have_no_other_range_are_taken():
    import keras

    layers = [keras.layers.InputLayer((3,)), keras.layers.Embedding(9, 4), keras.layers.Flatten()]
    network = keras.Sequential([*layers, keras.layers.Dense(2)])
    x = np.random.default_rng(0).integers(0, 9, (40, 3), np.uint8)
    y = network.predict(x, verbose=0).argmax(axis=1)
    assert prepared(network, x, y, SETTINGS).correct.all()
    with pytest.raises(BadInput, match="% as they are"):
        prepared(network, np.repeat(x, 5, axis=0), np.repeat(1 - y, 5) * 0 + np.repeat(y, 5),
                 SETTINGS, scale=True)  # fmt: skip


def test_only_uint8_is_scaled():
    x = [np.array([[255]], np.uint8), np.array([[255]], np.int32)]
    assert has_pixels(x)
    assert [one.tolist() for one in scaled(x)] == [[[1.0]], [[255]]]
    assert not has_pixels([[1, 2], [3, 4]])
    assert not has_pixels(x[1])


@pytest.mark.parametrize(
    ("right", "labels", "warns"),
    [
        (5, [0] * 5 + [1] * 5, True),
        (6, [0] * 5 + [1] * 5, False),
        (0, [2] * 10, True),
        (10, [2] * 10, False),
        (7, [0] * 8 + [1, 1], True),
    ],
)
def test_a_model_that_is_no_better_than_the_most_frequent_class(right, labels, warns):
    found = guessing(np.arange(10) < right, np.array(labels))
    assert len(found) == warns
    if warns:
        most = 10 * max(map(labels.count, labels))
        assert found[0].startswith(f"The accuracy without faults is {10 * right}.00 %")
        assert f"class gives {most}.00 %" in found[0]
