"""Mistakes in the storage of parameters that the tests of storage and outcomes have to catch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ftnoise.faults import sites, storage
from ftnoise.faults.decisions import Decisions
from ftnoise.faults.storage import Code
from tests.faults import test_decisions, test_storage


@pytest.mark.parametrize("stored", ["bfloat16", "float16", "int8"])
def test_a_flip_in_the_float_instead_of_the_code(monkeypatch, stored):
    def flipped(code, values, masks):
        bits = tf.bitcast(tf.cast(values, tf.float32), tf.int32)
        masks = tf.broadcast_to(tf.cast(masks, tf.int32), tf.shape(values))
        return tf.bitcast(tf.bitwise.bitwise_xor(bits, masks), tf.float32)

    monkeypatch.setattr(Code, "flipped", flipped)
    with pytest.raises(AssertionError):
        test_storage.test_one_bit_of_the_code_differs_in_every_trial("dense", stored)


def test_one_scale_for_the_kernel_instead_of_one_for_each_channel(monkeypatch):
    scales = storage._channel_scales

    def one_scale(kernel):
        found = scales(kernel)
        return np.full_like(found, found.max())

    monkeypatch.setattr(storage, "_channel_scales", one_scale)
    with pytest.raises(AssertionError):
        test_storage.test_int8_has_a_scale_for_each_channel_and_biases_of_32_bits()


def test_nan_counted_as_silent(monkeypatch):
    outcomes = Decisions.outcomes

    def silent(decisions, outputs, reference):
        finite = tf.where(tf.math.is_finite(outputs), outputs, tf.zeros_like(outputs))
        return outcomes(decisions, finite, reference)

    monkeypatch.setattr(Decisions, "outcomes", silent)
    check = test_decisions.test_an_infinite_logit_may_be_right_and_is_no_silent_corruption_or_repair
    with pytest.raises(AssertionError):
        check()


def test_biases_left_out(monkeypatch):
    targets = sites.parameter_targets

    def weights(network, output_layer):
        return [one for one in targets(network, output_layer) if one.kind != "bias"]

    monkeypatch.setattr(sites, "parameter_targets", weights)
    with pytest.raises(AssertionError):
        test_storage.test_sites_are_bits_and_a_bit_has_its_value("float32")
