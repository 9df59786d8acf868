"""Check that the fault-free outputs of a campaign are those of Keras on the given network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.campaign import Campaign
from ftnoise.layers.drawing import forward

EXAMPLES = 1000  # are compared
APART = 1e-3  # of an example's largest output: more than rounding does
TOLERATED = 0.01  # of the examples may be further apart, as a rare cancellation is


@dataclass(frozen=True)
class Agreement:
    """How the fault-free outputs of a campaign compare with those of Keras.

    `difference` is the largest difference of an output, relative to the largest output of its
    example. `exceptions` counts the examples on which rounding makes the two disagree; those with
    outputs far apart are left out of `difference`.
    """

    examples: int
    difference: float
    exceptions: int

    def __str__(self) -> str:
        return (
            f"on {self.examples} examples, outputs within {self.difference:.0e} of Keras' without "
            f"faults, {self.exceptions} exceptions"
        )


def agreement(campaign: Campaign) -> Agreement:
    """Compares the fault-free outputs of a campaign with those of Keras, compiled as by `predict`.

    Raises `BadInput` if a layer that is no `StochasticLayer` is random in inference, and
    `RunFailed` if the two differ by more than rounding.
    """
    network, size = campaign.network, campaign.examples_per_call
    count = min(EXAMPLES, len(campaign.y))
    call = tf.function(partial(forward, network), reduce_retracing=True, autograph=False)

    x, draw = [array[:count] for array in campaign.x], campaign.network_draw(0)
    with campaign.stored():
        theirs, again = (outputs(call, x, draw, size) for _ in range(2))
    if not np.allclose(theirs, again, rtol=1e-3, atol=1e-6, equal_nan=True):
        raise BadInput(
            f"Expected {network.name} to give the same outputs for the same examples. Received: "
            "outputs that differ from call to call, so that a layer is random in inference."
        )
    ours = campaign.golden[:count]
    largest = np.abs(theirs).max(axis=1)
    scale = np.maximum(largest, np.nanmedian(largest)) + np.finfo(np.float32).tiny
    apart = np.abs(ours - theirs).max(axis=1) / scale
    far = ~(apart <= APART)
    if far.mean() > TOLERATED:
        raise RunFailed(
            f"Expected the campaign to agree with Keras on {network.name} without faults. "
            f"Received: {far.sum()} of {count} examples that differ, by up to {apart.max():.0e} "
            "of their largest output."
        )
    exceptions = far | (campaign.right(ours) != campaign.right(theirs))
    near = float(apart[~far].max(initial=0.0))
    return Agreement(count, near, int(np.count_nonzero(exceptions)))


def float32_accuracy(campaign: Campaign) -> float:
    """The accuracy in percent of the network as it is, before it is stored in any format."""
    network, draw = campaign.network, campaign.network_draw(0)
    if campaign.storage is None:
        return float(100 * campaign.correct.mean())
    call = tf.function(partial(forward, network), reduce_retracing=True, autograph=False)
    found = outputs(call, campaign.x, draw, campaign.examples_per_call)
    return float(100 * campaign.right(found).mean())


def outputs(
    call: Callable[[Any, Any], Any], x: Sequence[np.ndarray], draw: Any, size: int
) -> np.ndarray:
    """The outputs `[n, classes]` of a network in one draw, `size` examples in a call.

    `call` maps inputs, as Keras takes one or several, and a draw to `[batch, classes]`. `x` has an
    array `[n, ...]` for each input; see `Campaign.network_draw` for the draw.
    """
    found = []
    for start in range(0, len(x[0]), size):
        part = [tf.constant(array[start : start + size]) for array in x]
        found.append(call(part if len(part) > 1 else part[0], draw).numpy())
    return np.concatenate(found)
