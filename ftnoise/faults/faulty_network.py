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
from ftnoise.faults.crashed_units import Removal, removal
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.graph import Graph, Key
from ftnoise.faults.injection import replaced, strike, striking, taps
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
        removed: where the units of a target are removed, by its position, if that is possible.
        struck: the position of the target, for each tensor that is struck where a step gives it.

    Raises:
        BadInput: a parameter is hidden in its layer.
    """

    def __init__(self, graph: Graph, fault: Fault, targets: Sequence[Any]) -> None:
        self.graph, self.fault, self.targets = graph, fault, targets
        self.removed: dict[int, Removal] = {}
        self.struck: dict[Key, int] = {}
        first = [step for step in graph.steps if is_stochastic(step.layer)]
        crash = isinstance(fault.what, StuckAt) and fault.what.value == 0 and not fault.transient
        if not fault.where.outputs:
            expect_held(targets)
            faulty = {id(target.variable) for target in targets}
            first += [
                step
                for step in graph.steps
                if any(id(variable) in faulty for variable in step.layer.weights)
            ]
        for n, target in enumerate(targets if fault.where.outputs else ()):
            if crash and (removed := removal(graph, target)):
                self.removed[n] = removed
                first.append(removed.step)
            elif target.before:
                first += [step for step in graph.steps if step.layer is target.layer]
            else:
                calls = [step for step in graph.steps if step.layer is target.tapped]
                self.struck |= {step.outputs[held]: n for step in calls for held in target.held}
        self.after = graph.after(first, self.struck)
        later = set(self.after)
        self.before = [step for step in graph.steps if step not in later]
        computed = {key for step in self.after for key in step.outputs}
        taken = [key for step in self.after for key in step.inputs]
        taken += [*self.struck, graph.output]
        self.frontier = [key for key in dict.fromkeys(taken) if key not in computed]

    def clean(self, x: list[Any]) -> list[Any]:
        """The tensors of the frontier for inputs `x`, each with its Keras mask where it has one."""
        values: dict[Key, Any] = dict(zip(self.graph.inputs, x, strict=True))
        for step in self.before:
            step.run(values)
        return [(values[key], getattr(values[key], "_keras_mask", None)) for key in self.frontier]

    def outputs(self, before: list[Any], trial: Any) -> Any:
        """The network's outputs `[n, classes]` in a trial.

        Args:
            before: the result of `clean`.
            trial: for each target its faulty parameter, or the pair of its hits and draws.
        """
        values: dict[Key, Any] = {}
        for key, (value, keras_mask) in zip(self.frontier, before, strict=True):
            values[key] = tf.identity(value)
            if keras_mask is not None:
                values[key]._keras_mask = keras_mask
            self._strike(values, key, trial)
        with self._inside_layers(trial):
            for step in self.after:
                step.run(values)
                for key in step.outputs:
                    self._strike(values, key, trial)
        return values[self.graph.output]

    def _strike(self, values: dict[Key, Any], key: Key, trial: Any) -> None:
        if key in self.struck:
            value, (hit, draw) = values[key], trial[self.struck[key]]
            values[key] = strike(self.fault.what, value, hit, draw, each=self.fault.transient)
            if (keras_mask := getattr(value, "_keras_mask", None)) is not None:
                values[key]._keras_mask = keras_mask

    @contextlib.contextmanager
    def _inside_layers(self, trial: Any) -> Iterator[None]:
        """While it is traced, layers hold the trial's parameters and attention heads are struck."""
        if not self.fault.where.outputs:
            with held(self.targets, trial):
                yield
            return
        with contextlib.ExitStack() as stack:
            for n, (target, (hit, draw)) in enumerate(zip(self.targets, trial, strict=True)):
                if n in self.removed:
                    layer, kernel = self.removed[n].step.layer, self.removed[n].kernel(hit)
                    stack.enter_context(replaced(layer, "kernel", kernel))
                elif target.before:
                    function = striking(self.fault.what, hit, draw, each=self.fault.transient)
                    stack.enter_context(taps([target], [function]))
            yield


def expect_held(targets: Sequence[Any]) -> None:
    """Raises `BadInput` if a parameter is hidden in its layer, so that it cannot be replaced."""
    for target in targets:
        expect(
            len(target.holders) > 0,
            "parameters that are attributes of their layers",
            parameter=target.name,
        )


@contextlib.contextmanager
def held(targets: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """The layers hold tensors instead of the targets' variables inside the block."""
    with contextlib.ExitStack() as stack:
        for target, value in zip(targets, values, strict=True):
            for layer, attribute in target.holders:
                cast = tf.cast(value, layer.compute_dtype or value.dtype)
                stack.enter_context(replaced(layer, attribute, cast))
        yield
