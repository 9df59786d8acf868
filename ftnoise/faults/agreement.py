"""Check that a campaign agrees with Keras on the given network and examples.

Without faults, and in trial 0, its outputs are compared with those of the naive loop: inject the
fault, call the network, restore it. Examples whose outputs are not finite, or `LARGE` times the
golden ones, are excluded, as rounding dominates sums of huge numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.injection import injected
from ftnoise.faults.rates import Rate
from ftnoise.layers.drawing import forward

EXAMPLES = 1000  # are compared
APART = 1e-3  # of an example's largest output: more than rounding does
LARGE = 1e3
TOLERATED = 0.01  # of the examples may be further apart, as a rare cancellation is


@dataclass(frozen=True)
class Agreement:
    """How a campaign compares with the naive loop.

    Attributes:
        examples: number of examples that were compared.
        golden, faulty: largest difference of an output without faults and in trial 0, relative to
            the largest output of its example, exceptions aside.
        exceptions: number of examples on which rounding makes the two disagree.
    """

    examples: int
    golden: float
    faulty: float
    exceptions: int

    def __str__(self) -> str:
        return (
            f"on {self.examples} examples, outputs within {self.golden:.0e} of Keras' without "
            f"faults and within {self.faulty:.0e} in one trial, {self.exceptions} exceptions"
        )


def agreement(campaign: Campaign, rate: Rate) -> Agreement:
    """Compares a campaign with the naive loop, without faults and in trial 0 at a rate.

    Raises:
        BadInput: the network is random in inference, by a layer that is no `StochasticLayer`.
        RunFailed: the two disagree by more than rounding.
    """
    count, name = min(EXAMPLES, len(campaign.y)), campaign.network.name
    keras_outputs = _compiled(campaign)
    theirs, again = keras_outputs(count), keras_outputs(count)
    if not np.allclose(theirs, again, rtol=1e-3, atol=1e-6):
        raise BadInput(
            f"Expected {name} to give the same outputs for the same examples. Received: outputs "
            "that differ from call to call, so that a layer is random in inference."
        )
    golden, exceptions = _compared(campaign, campaign.golden[:count], theirs)
    fault, examples = campaign.fault.at(rate), count
    if campaign.one_by_one:
        # Each example has parameters of its own; the first one's can be injected.
        fault, examples = replace(fault, transient=False), 1
    with injected(campaign.network, fault, campaign.sampler.seed):
        theirs = _compiled(campaign)(examples)
    faulty, more = _compared(campaign, campaign.outputs(0, rate, examples), theirs)
    return Agreement(count, golden, faulty, exceptions + more)


def expect_unchanged(network: keras.Model, before: str) -> None:
    """Raises `RunFailed` unless a network's digest still is `before`."""
    if digest(network) != before:
        raise RunFailed(f"Expected {network.name} to be unchanged. Received: another digest.")


def _compared(campaign: Campaign, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, int]:
    """The largest relative difference of outputs `[n, classes]`, and the exceptions."""
    golden = np.abs(campaign.golden[: len(ours)]).max(axis=1)
    sizes = [np.abs(outputs).max(axis=1) for outputs in (ours, theirs)]
    scale = np.maximum(sizes[1], np.median(golden))
    with np.errstate(invalid="ignore", divide="ignore"):
        comparable = np.maximum(*sizes) < LARGE * np.maximum(golden, np.median(golden))
        apart = np.where(comparable, np.abs(ours - theirs).max(axis=1) / scale, 0.0)
    far = apart > APART
    if far.mean() > TOLERATED:
        raise RunFailed(
            f"Expected the campaign to agree with Keras on {campaign.network.name}. Received: "
            f"{far.sum()} of {len(ours)} examples that differ, by up to {apart.max():.0e} of their "
            "largest output."
        )
    otherwise = campaign.right(ours) != campaign.right(theirs)
    return float(apart[~far].max(initial=0.0)), int(np.count_nonzero(far | otherwise))


def _compiled(campaign: Campaign) -> Callable[[int], np.ndarray]:
    """Keras' outputs for the first examples, compiled as `predict` compiles them."""
    call = tf.function(partial(forward, campaign.network), reduce_retracing=True, autograph=False)

    def outputs(count: int) -> np.ndarray:
        found = []
        for start in range(0, count, campaign.examples_per_call):
            part = slice(start, min(count, start + campaign.examples_per_call))
            x = [tf.constant(array[part]) for array in campaign.x]
            found.append(call(x if len(x) > 1 else x[0], campaign.network_draw(0)).numpy())
        return np.concatenate(found)

    return outputs
