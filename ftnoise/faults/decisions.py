"""What outputs decide, and the outcome of a fault on each example.

Source: Li et al. (2017), "Understanding Error Propagation in Deep Learning Neural Network (DNN)
Accelerators and Applications", for SDC-1, SDC-5, SDC-10% and SDC-20%.

An example with outputs that are not all finite is a DUE (detected unrecoverable error), because a
check of the outputs detects it. It has no other outcome, whatever class an infinite logit gives.

Deviations
1. The confidence of SDC-10% and SDC-20% is that of the class that is ranked first, by the faulty
   outputs and by the fault-free ones each: the largest softmax, or the larger of p and 1 - p of one
   output. The paper does not say whose class is meant if the two differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.faults.compatibility import gives_probabilities, threshold_of
from ftnoise.faults.outcomes import OUTCOMES, TrialResults

FIRST = 5  # classes of SDC-5


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions of a network by its outputs `[n, classes]`: `probabilities` or logits.

    A network with one output predicts class 1 above the `threshold`.
    """

    threshold: float
    probabilities: bool

    @classmethod
    def of(cls, network: keras.Model, threshold: float | None) -> Decisions:
        """Those of a network; see `threshold_of` for the threshold."""
        return cls(threshold_of(network, threshold), gives_probabilities(network))

    def top(self, outputs: Any) -> Any:
        """The class that is ranked first, int64 `[n]`."""
        if outputs.shape[-1] == 1:
            return tf.cast(outputs[:, 0] > self.threshold, tf.int64)
        return tf.argmax(outputs, axis=-1, output_type=tf.int64)

    def confidence(self, outputs: Any) -> Any:
        """The probability of that class, `[n]`; of one output, of the more probable class."""
        if outputs.shape[-1] == 1:
            one = outputs[:, 0] if self.probabilities else tf.sigmoid(outputs[:, 0])
            return tf.maximum(one, 1 - one)
        shares = outputs if self.probabilities else tf.nn.softmax(outputs)
        return tf.reduce_max(shares, axis=-1)

    def cross_entropy(self, outputs: Any, y: Any) -> Any:
        """The loss of each example, `[n]`."""
        if outputs.shape[-1] == 1:
            labels = tf.cast(y, outputs.dtype)
            loss, given = keras.losses.binary_crossentropy, outputs[:, 0]
            return loss(labels[:, None], given[:, None], from_logits=not self.probabilities)
        loss = keras.losses.sparse_categorical_crossentropy
        return loss(y, outputs, from_logits=not self.probabilities)

    def right(self, outputs: Any, y: Any) -> Any:
        """Whether outputs are right, bool `[n]`; NaN never is."""
        return (self.top(outputs) == y) & ~tf.reduce_any(tf.math.is_nan(outputs), axis=-1)

    def reference(self, golden: Any, y: Any) -> list[Any]:
        """What `outcomes` compares with: fault-free outputs, labels, and what follows from them."""
        golden, y = tf.convert_to_tensor(golden), tf.convert_to_tensor(y)
        fifth = tf.math.top_k(golden, min(FIRST, golden.shape[1])).values[:, -1]
        return [golden, y, self.top(golden), self.confidence(golden), fifth]

    def outcomes(self, outputs: Any, reference: list[Any]) -> Any:
        """The number of examples with each of the `OUTCOMES`, float64 `[outcomes]`.

        NaN for SDC-5 where there are no more than five classes.
        """
        golden, y, golden_top, golden_confidence, fifth = reference
        finite = tf.reduce_all(tf.math.is_finite(outputs), axis=-1)
        top = self.top(outputs)
        right, was_right = top == y, golden_top == y
        change = tf.abs(self.confidence(outputs) - golden_confidence)
        several = outputs.shape[-1] > FIRST
        beyond = tf.gather(golden, top, batch_dims=1) < fifth if several else tf.zeros_like(finite)
        found = {
            "due_rate": ~finite,
            "sdc_1_rate": finite & (top != golden_top),
            "sdc_rate": finite & was_right & ~right,
            "sdc_5_rate": finite & beyond,
            "sdc_10_percent_rate": finite & (change > 0.1 * golden_confidence),
            "sdc_20_percent_rate": finite & (change > 0.2 * golden_confidence),
            "masked_rate": tf.reduce_all(outputs == golden, axis=-1),
            "repaired_rate": finite & ~was_right & right,
        }
        counts = tf.math.count_nonzero(
            tf.stack([found[name] for name in OUTCOMES]), axis=1, dtype=tf.float64
        )
        unknown = [np.nan if name == "sdc_5_rate" and not several else 0.0 for name in OUTCOMES]
        return counts + tf.constant(unknown, tf.float64)

    def results(
        self, golden: np.ndarray, y: np.ndarray, trials: Iterable[tuple[np.ndarray, float, bool]]
    ) -> TrialResults:
        """The results of trials by their outputs.

        `golden` are the outputs without faults `[n, classes]`, of one type with the others, and `y`
        the labels, int64 `[n]`. Of each trial, at least one, `trials` gives the outputs
        `[n, classes]`, the number of sites that it hits, and whether it makes a value there NaN or
        infinite.
        """
        reference = self.reference(golden, y)
        golden_right = float(np.count_nonzero(self.right(*map(tf.constant, (golden, y)))))
        rows = []
        for outputs, faults, not_finite in trials:
            kept = np.isfinite(outputs).all(axis=1)
            apart = outputs[kept].astype(np.float64) - golden[kept].astype(np.float64)
            far = np.linalg.norm(apart, axis=1) if kept.any() else np.array([np.inf])
            rows.append(
                (
                    self.right(*map(tf.constant, (outputs, y))).numpy(),
                    far.mean(),
                    far.max(),
                    float(not_finite),
                    float(faults),
                    golden_right,
                    self.outcomes(tf.constant(outputs), reference).numpy(),
                )
            )
        return TrialResults(*map(np.array, zip(*rows, strict=True)))
