"""A network whose faults are inputs: parameters and hits enter its computation as tensors.

The part before the first fault, and before the first layer that draws, is separate, so it is
computed once for all trials.

Neurons stuck at 0 are removed from the kernel that they feed, instead of being set to 0. That is
the same sum of the same products, as a product with 0 is 0; and the layers between, such as
pooling, need not be computed again. It holds for finite outputs.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.injection import strike, taps
from ftnoise.faults.sites import OutputTarget, expect_held, held
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.layers.drawing import is_stochastic
from ftnoise.layers.graph import Graph, Key, Step
from ftnoise.layers.replacing import holding

LAYERS = keras.layers
# Unit by unit, they give 0 where all they are given is 0. These classes, and none below them: a
# subclass may do anything with its inputs.
KEEP_ZERO = (
    LAYERS.MaxPooling1D,
    LAYERS.MaxPooling2D,
    LAYERS.AveragePooling1D,
    LAYERS.AveragePooling2D,
    LAYERS.GlobalMaxPooling1D,
    LAYERS.GlobalMaxPooling2D,
    LAYERS.GlobalAveragePooling1D,
    LAYERS.GlobalAveragePooling2D,
    LAYERS.ZeroPadding2D,
    LAYERS.Dropout,
)
# Their kernels are [..., in, out]; those of transposed convolutions, below them, are not.
CONSUMERS = (LAYERS.Dense, LAYERS.Conv1D, LAYERS.Conv2D, LAYERS.Conv3D, ImageConv2D)


class FaultyNetwork:
    """The computation of a network in a trial, to be traced.

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
        self._finite: list[Any] = []  # of the trial that is traced
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

    @property
    def alive_bytes(self) -> int:
        """Bytes of the outputs that are needed at once, at most, for one example in a trial."""
        last = {key: n for n, step in enumerate(self.after) for key in step.inputs}
        alive: dict[Key, int] = {}
        most = 0
        for n, step in enumerate(self.after):
            for key, shape in zip(step.outputs, step.shapes, strict=False):
                alive[key] = 4 * math.prod(size or 1 for size in shape[1:])
            most = max(most, sum(alive.values()))
            alive = {key: size for key, size in alive.items() if last.get(key, 0) > n}
        return most

    def clean(self, x: list[Any]) -> list[Any]:
        """The tensors of the frontier for inputs `x`, each with its Keras mask where it has one."""
        values: dict[Key, Any] = dict(zip(self.graph.inputs, x, strict=True))
        for step in self.before:
            step.run(values)
        return [(values[key], getattr(values[key], "_keras_mask", None)) for key in self.frontier]

    def outputs(self, before: list[Any], trial: Any) -> tuple[Any, Any]:
        """The network's outputs `[n, classes]` in a trial, and whether struck outputs are finite.

        `before` is the result of `clean`. `trial` has for each target its faulty parameter, or the
        pair of its hits and draws.
        """
        values: dict[Key, Any] = {}
        self._finite = [tf.constant(True)]
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
        return values[self.graph.output], tf.reduce_all(tf.stack(self._finite))

    def _struck_value(self, value: Any, hit: Any, draw: Any) -> Any:
        struck = strike(self.fault.what, value, hit, draw, each=self.fault.transient)
        if not self.fault.what.keeps_finite:
            changed = tf.math.is_finite(value) & ~tf.math.is_finite(struck)
            self._finite.append(~tf.reduce_any(changed))
        return struck

    def _strike(self, values: dict[Key, Any], key: Key, trial: Any) -> None:
        if key in self.struck:
            value = values[key]
            values[key] = self._struck_value(value, *trial[self.struck[key]])
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
                    stack.enter_context(holding(layer, "kernel", kernel))
                elif target.before:
                    stack.enter_context(taps([target], [partial(self._struck_values, hit, draw)]))
            yield

    def _struck_values(self, hit: Any, draw: Any, values: list[Any]) -> list[Any]:
        return [self._struck_value(value, hit, draw) for value in values]


@dataclass(frozen=True, eq=False)
class Removal:
    """The step from whose kernel a target's units are removed, and the kernel's rows for a unit."""

    step: Step
    repeats: int

    def kernel(self, hit: Any) -> Any:
        """The kernel with zeros for the units that are hit, bool `[units]`."""
        rows = tf.tile(hit, [self.repeats])[:, None]
        zero = tf.zeros([], self.step.layer.compute_dtype)
        return tf.where(rows, zero, tf.convert_to_tensor(self.step.layer.kernel))


def removal(graph: Graph, target: OutputTarget) -> Removal | None:
    """Where a target's units can be removed, if anywhere."""
    if target.before or len(target.grid) != 1 or graph.calls(target.tapped) != 1:
        return None
    (step,) = (step for step in graph.steps if step.layer is target.tapped)
    flattened = 1
    while True:
        following = graph.consumers(step.outputs[0])
        if len(step.outputs) != 1 or step.outputs[0] == graph.output or len(following) != 1:
            return None
        given = step.shapes[0]
        (step,) = following
        layer, kind = step.layer, type(step.layer)
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return None
        if kind is LAYERS.Flatten and None not in given[1:] and flattened == 1:
            flattened = math.prod(given[1:-1])  # type: ignore[arg-type]
        elif kind not in KEEP_ZERO:
            break
    rows = target.size * flattened
    if kind not in CONSUMERS or graph.calls(layer) != 1 or getattr(layer, "groups", 1) != 1:
        return None
    return Removal(step, flattened) if layer.kernel.shape[-2] == rows else None
