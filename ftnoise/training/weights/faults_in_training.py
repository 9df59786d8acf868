"""Fault-aware training: each step trains the network with faults, drawn anew.

The gradient is that of the faulty network: a stuck parameter gets none in that step and keeps its
stored value, and the optimizer updates the stored values. Outside of a step, in tests too, there is
no fault. With neurons stuck at 0 this is dropout of whole units, without the scaling up.

Source: Torres-Huitzil and Girau (2017), "Fault and Error Tolerance in Neural Networks", on learning
with injected faults.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, instance
from ftnoise.core.interfaces import Weights
from ftnoise.core.lazy import keras, tf
from ftnoise.faults.fault import Fault, expect_unstored


@dataclass(frozen=True, kw_only=True)
class FaultsInTraining(Weights):
    """A fault whose sites and values are drawn anew in each training step.

    Args:
        fault: not transient: the examples of a step share the faults.
    """

    fault: Fault

    def __post_init__(self) -> None:
        instance(Fault, "a Fault", fault=self.fault)
        expect(
            not self.fault.transient,
            "a fault that is not transient, as each step draws anew",
            transient=self.fault.transient,
        )
        expect_unstored(self.fault)

    def rebuild(self, network: keras.Model) -> keras.Model:
        """The network as it is; `BadInput` if it has no such sites, or fewer than faults."""
        from ftnoise.faults.sites import expect_held

        targets = self.fault.where.targets(network)
        self.fault.rate.check(len(self.fault.where.indices) or sum(t.size for t in targets))
        if not self.fault.where.outputs:
            expect_held(targets)
        return network

    @contextlib.contextmanager
    def during_pass(self, network: keras.Model, seed: Any) -> Iterator[None]:
        """Forward passes in the block have the faults of this step."""
        from ftnoise.faults.injection import faulty_parameters, striking, taps
        from ftnoise.faults.sites import held

        targets = self.fault.where.targets(network)
        pairs = drawn(self.fault, targets, seed)
        if self.fault.where.outputs:
            faulty = taps(targets, [striking(self.fault.what, *pair) for pair in pairs])
        else:
            faulty = held(targets, faulty_parameters(self.fault.what, targets, pairs))
        with faulty:
            yield


def drawn(fault: Fault, targets: Sequence[Any], seed: Any) -> list[tuple[Any, Any]]:
    """Hits and random values of each target, as `injection.strike` takes them.

    They have the distribution of a campaign's trials, but are not those of any campaign. The fault
    is not transient; the seed is an int64 pair, which may be a tensor.
    """
    fold = tf.random.experimental.stateless_fold_in
    indices = fault.where.indices
    sizes = [len(indices)] if indices else [target.size for target in targets]
    hits = fault.rate.keyed_hits(fold(seed, 0), sizes)
    if indices:
        hits = tf.scatter_nd([[n] for n in indices], hits, [targets[0].size])
    parts = tf.split(hits, [target.size for target in targets])
    return [
        (tf.reshape(part, target.grid), fault.what.keyed_draw(fold(seed, n), target.grid))
        for n, (part, target) in enumerate(zip(parts, targets, strict=True), start=1)
    ]
