"""What becomes of a value: bit patterns against NumPy's view of them, noise against its law."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import BitFlip, Drift, RandomValue, SignFlip, StuckAt
from tests.samples import spread_is

SOUND = np.float32([0.0, -0.0, 1.0, -1.5, 3.1e-5, 2.7e30, -1e-40, 65504.0, np.pi, -7.0])
VALUES = np.random.default_rng(0).normal(size=(40, 50)).astype(np.float32)


def generator(seed=0):
    return np.random.default_rng(seed)


def faulty(effect, values, draw=None):
    return effect.faulty(tf.constant(values), draw).numpy()


@pytest.mark.parametrize("bit", range(32))
def test_a_bit_is_inverted_and_no_other(bit):
    found = faulty(BitFlip(bit=bit), SOUND)
    changed = found.view(np.int32) ^ SOUND.view(np.int32)
    np.testing.assert_array_equal(changed.view(np.uint32), np.uint32(2**bit))
    np.testing.assert_array_equal(
        faulty(BitFlip(bit=bit), found).view(np.int32), SOUND.view(np.int32)
    )


@pytest.mark.parametrize(
    ("bit", "value"), [(31, -1.0), (30, np.inf), (23, 0.5), (22, 1.5), (0, 1 + 2**-23)]
)
def test_the_bits_are_counted_from_the_lowest_of_the_mantissa_to_the_sign(bit, value):
    assert faulty(BitFlip(bit=bit), np.float32([1.0]))[0] == np.float32(value)


def test_a_random_bit_is_drawn_for_each_place_and_each_bit_alike():
    draw = BitFlip().draw(generator(), VALUES.shape)
    found = faulty(BitFlip(), VALUES, draw)
    changed = (found.view(np.int32) ^ VALUES.view(np.int32)).view(np.uint32)
    np.testing.assert_array_equal(changed, draw.view(np.uint32))
    assert set(np.log2(changed).ravel()) == set(range(32))
    draw = BitFlip().draw(generator(), (64_000,)).view(np.uint32)
    counts = np.bincount(np.log2(draw).astype(int), minlength=32)
    chi_square = np.sum((counts - 2000) ** 2) / 2000
    assert abs(chi_square - 31) < 5 * math.sqrt(2 * 31)


@pytest.mark.parametrize("kind", [tf.float16, tf.bfloat16])
def test_the_bits_of_a_half_are_those_of_its_float32(kind):
    values = tf.cast([1.0, -2.5, 0.75], kind)
    found = BitFlip(bit=31).faulty(values, None)
    assert found.dtype == kind
    np.testing.assert_array_equal(tf.cast(found, tf.float32), [-1.0, 2.5, -0.75])


@pytest.mark.parametrize("value", [0, 0.0, 1, -0.7, 1e30])
def test_stuck_is_stuck_whatever_the_value(value):
    sound = np.append(SOUND, np.float32([np.nan, np.inf]))
    np.testing.assert_array_equal(faulty(StuckAt(value=value), sound), np.float32(value))


def test_a_sign_flip_is_the_flip_of_the_highest_bit():
    np.testing.assert_array_equal(
        faulty(SignFlip(), SOUND).view(np.int32), faulty(BitFlip(bit=31), SOUND).view(np.int32)
    )


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (2.0, 3.0), (0.0, 1e-3), (-5, 20)])
def test_a_random_value_is_uniform_on_its_interval(low, high):
    draw = RandomValue(low=low, high=high).draw(generator(), (20_000,))
    found = faulty(RandomValue(low=low, high=high), np.zeros(20_000, np.float32), draw)
    assert found.min() >= np.float32(low)
    assert found.max() < np.float32(high)
    middle, sigma = (low + high) / 2, (high - low) / math.sqrt(12)
    assert abs(found.mean() - middle) < 5 * sigma / math.sqrt(20_000)

    def fits(scale):
        # The fourth moment of a uniform variable: its square's variance is 4/5 of its mean's.
        ratio = np.mean(((found - middle) / (scale * sigma)) ** 2)
        return abs(ratio - 1) < 5 * math.sqrt(0.8 / 20_000)

    assert fits(1)
    assert not fits(2 / 3)
    assert not fits(3 / 2)


class Highest:
    """A generator that gives the largest float below 1."""

    def random(self, shape, dtype):
        return np.full(shape, np.nextafter(dtype(1), dtype(0)))


@pytest.mark.parametrize(("low", "high"), [(2, 3), (-1, 1), (1000, 1001), (0, 1)])
def test_a_random_value_never_is_the_open_end(low, high):
    assert RandomValue(low=low, high=high).draw(Highest(), (3,)).max() < high


def test_drift_is_noise_of_that_scale():
    absolute, relative = Drift(sigma=0.2, relative=False), Drift(sigma=0.2)
    draw = absolute.draw(generator(), VALUES.shape)
    noise = faulty(absolute, VALUES, draw) - VALUES
    shares = faulty(relative, VALUES, relative.draw(generator(), VALUES.shape)) / VALUES - 1
    for found in (noise, shares):
        assert abs(found.mean()) < 5 * 0.2 / math.sqrt(found.size)
        assert spread_is(found, 0.2)
        assert not spread_is(found, 0.2 * 2 / 3)
        assert not spread_is(found, 0.2 * 3 / 2)


def test_drift_of_nothing_is_nothing():
    for effect in (Drift(sigma=0), Drift(sigma=0, relative=False)):
        np.testing.assert_array_equal(
            faulty(effect, VALUES, effect.draw(generator(), VALUES.shape)), VALUES
        )
    assert faulty(Drift(sigma=3), np.zeros(3, np.float32), np.ones(3, np.float32)).max() == 0


@pytest.mark.parametrize("effect", [BitFlip(), RandomValue(), Drift(sigma=1)])
def test_draws_are_those_of_the_generator_for_each_place(effect):
    one, again = (effect.draw(generator(1), (5, 40)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert (one != effect.draw(generator(2), (5, 40))).mean() > 0.9
    # No site takes the draw of another row.
    assert (one[0] != one[1]).mean() > 0.9


@pytest.mark.parametrize("effect", [StuckAt(), BitFlip(bit=3), SignFlip()])
def test_what_is_not_random_draws_nothing(effect):
    assert effect.draw(generator(), (3,)) is None


@pytest.mark.parametrize("effect", [BitFlip(), RandomValue(), Drift(sigma=1)])
def test_one_draw_serves_all_examples_of_a_batch(effect):
    values = np.ones((6, 4, 3), np.float32)
    found = faulty(effect, values, effect.draw(generator(), (3,)))
    assert found.shape == values.shape
    np.testing.assert_array_equal(
        found.view(np.int32), np.broadcast_to(found[0, 0], (6, 4, 3)).copy().view(np.int32)
    )


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (StuckAt, {"value": math.inf}, "value to be a finite number. Received: value=inf"),
        (BitFlip, {"bit": 32}, "bit from 0 to 31, or None. Received: bit=32"),
        (BitFlip, {"bit": -1}, "bit from 0 to 31, or None. Received: bit=-1"),
        (BitFlip, {"bit": 1.0}, "bit from 0 to 31, or None. Received: bit=1.0"),
        (RandomValue, {"low": 1.0}, "low < high. Received: low=1.0, high=1.0"),
        (RandomValue, {"low": 3, "high": 2}, "low < high. Received: low=3, high=2"),
        (RandomValue, {"high": math.nan}, "low < high. Received: low=-1.0, high=nan"),
        (Drift, {"sigma": -0.1}, "sigma >= 0. Received: sigma=-0.1"),
        (Drift, {"sigma": 1, "relative": 0}, "relative to be a bool. Received: relative=0"),
    ],
)
def test_what_cannot_be_right_is_refused(kind, options, said):
    with pytest.raises(BadInput) as refused:
        kind(**options)
    assert str(refused.value) == f"Expected {said}."
