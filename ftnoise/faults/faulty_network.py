"""A network whose faults are inputs: parameters and hits enter its computation as tensors.

The part before the first fault, and before the first layer that draws, is separate, so it is
computed once for all trials.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.faults.crashed_units import Removal, removals
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.graph import Graph, Key, Step
from ftnoise.faults.injection import faulty_parameters, put, strike, strike_each, taps
from ftnoise.faults.sites import OutputTarget, ParameterTarget, Target
from ftnoise.faults.trials import Trial
from ftnoise.layers.drawing import is_stochastic


class FaultyNetwork:
    """The computation of a network in a trial, to be traced.

    Args:
        graph: the network's steps.
        fault: where and what.
        targets: the tensors with the fault's sites in the network.

    Attributes:
        before, after: the steps that no trial changes, and the others, in order.
        frontier: the tensors that the others take from the former.

    Raises:
        BadInput: a parameter is hidden in its layer.
    """

    def __init__(self, graph: Graph, fault: Fault, targets: Sequence[Target]) -> None:
        self.graph, self.fault, self.targets = graph, fault, targets
        expect_held(targets)
        outputs = [target for target in targets if isinstance(target, OutputTarget)]
        crashed = isinstance(fault.what, StuckAt) and fault.what.value == 0 and not fault.transient
        self.removed: dict[OutputTarget, Removal] = removals(graph, outputs) if crashed else {}
        first: list[Step] = [removal.step for removal in self.removed.values()]
        keys: list[Key] = []
        for target in outputs:
            if target in self.removed:
                continue
            if target.before:
                first += [step for step in graph.steps if step.layer is target.layer]
            else:
                keys += self._held(target)
        faulty = {id(target.variable) for target in targets if isinstance(target, ParameterTarget)}
        first += [
            step
            for step in graph.steps
            if is_stochastic(step.layer)
            or any(id(variable) in faulty for variable in step.layer.weights)
        ]
        self.after = graph.after(first, keys)
        computed = {key for step in self.after for key in step.outputs}
        taken = [key for step in self.after for key in step.inputs]
        taken += [*keys, graph.output]
        self.frontier = [key for key in dict.fromkeys(taken) if key not in computed]
        later = set(self.after)
        self.before = [step for step in graph.steps if step not in later]

    def clean(self, x: list[Any]) -> list[Any]:
        """The tensors of the frontier for inputs `x`, each with its Keras mask where it has one."""
        values: dict[Key, Any] = dict(zip(self.graph.inputs, x, strict=True))
        for step in self.before:
            step.run(values)
        return [(values[key], getattr(values[key], "_keras_mask", None)) for key in self.frontier]

    def parameters(self, hits: list[Any], draws: list[Any]) -> list[Any]:
        """The targets' parameters in a trial."""
        return faulty_parameters(self.fault.what, self.targets, Trial(tuple(hits), tuple(draws)))

    def outputs(self, before: list[Any], trial: Any) -> Any:
        """The network's outputs `[n, classes]` in a trial.

        Args:
            before: the result of `clean`.
            trial: parameters of the targets, or pairs of hits and draws.
        """
        with self._under(trial):
            return self._run(before, trial)

    def _run(self, before: list[Any], trial: Any) -> Any:
        values: dict[Key, Any] = {}
        for key, (value, keras_mask) in zip(self.frontier, before, strict=True):
            value = tf.identity(value)
            if keras_mask is not None:
                value._keras_mask = keras_mask
            values[key] = value
        faults = self._strikes(trial)
        for key in self.frontier:
            self._strike(values, key, faults)
        for step in self.after:
            step.run(values)
            for key in step.outputs:
                self._strike(values, key, faults)
        return values[self.graph.output]

    def _strikes(self, trial: Any) -> dict[Key, tuple[Any, Any]]:
        """The hits and draws of each tensor that is struck where a step gives it."""
        if not self.fault.where.outputs:
            return {}
        found: dict[Key, tuple[Any, Any]] = {}
        for target, (hit, draw) in zip(self.targets, trial, strict=True):
            assert isinstance(target, OutputTarget)
            if target in self.removed or target.before:
                continue
            found |= dict.fromkeys(self._held(target), (hit, draw))
        return found

    def _held(self, target: OutputTarget) -> list[Key]:
        """The tensors that hold a target's units."""
        steps = [step for step in self.graph.steps if step.layer is target.tapped]
        return [step.outputs[n] for step in steps for n in target.held or ()]

    def _strike(self, values: dict[Key, Any], key: Key, faults: dict[Key, tuple[Any, Any]]) -> None:
        if key not in faults:
            return
        value = values[key]
        values[key] = self._struck(value, *faults[key])
        if (keras_mask := getattr(value, "_keras_mask", None)) is not None:
            values[key]._keras_mask = keras_mask

    def _struck(self, value: Any, hit: Any, draw: Any) -> Any:
        how = strike_each if self.fault.transient else strike
        return how(self.fault.what, value, hit, draw)

    @contextlib.contextmanager
    def _under(self, trial: Any) -> Iterator[None]:
        """While it is traced, layers hold the trial's parameters and attention heads are struck."""
        if not self.fault.where.outputs:
            with held(self.targets, trial):
                yield
            return
        heads = [n for n, s in enumerate(self.targets) if isinstance(s, OutputTarget) and s.before]

        def function(n: int) -> Any:
            return lambda values: [self._struck(value, *trial[n]) for value in values]

        with contextlib.ExitStack() as stack:
            stack.enter_context(taps([self.targets[n] for n in heads], list(map(function, heads))))
            for n, target in enumerate(self.targets):
                if target in self.removed:
                    stack.enter_context(self.removed[target].without(trial[n][0]))
            yield


def expect_held(targets: Sequence[Target]) -> None:
    """Raises `BadInput` if a parameter is hidden in its layer, so that it cannot be replaced."""
    for target in targets:
        expect(
            not isinstance(target, ParameterTarget) or len(target.holders) > 0,
            "parameters that are attributes of their layers",
            parameter=target.name,
        )


@contextlib.contextmanager
def held(targets: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """The layers hold tensors instead of the targets' variables inside the block."""
    before: list[tuple[Any, str, Any]] = []
    try:
        for target, value in zip(targets, values, strict=True):
            for layer, attribute in target.holders:
                before.append((layer, attribute, vars(layer)[attribute]))
                # Past Keras' own `__setattr__`, which would forget the variable.
                vars(layer)[attribute] = tf.cast(value, layer.compute_dtype or value.dtype)
        yield
    finally:
        for layer, attribute, value in reversed(before):
            put(layer, attribute, value)
