"""Faults in a network for the time of a `with` block; afterwards the network is bit-identical.

Parameters are assigned and restored. Outputs are changed by a function around the layer's `call`;
Keras' compiled functions of the model are set aside meanwhile, so that `predict`, `evaluate` and
`fit` see the faults. Functions compiled from another model with the same layers, or by the caller,
do not see faults in outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import count
from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import Effect
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import fault_of
from ftnoise.faults.sites import OutputTarget, ParameterTarget, Target
from ftnoise.faults.trials import Trial, TrialSampler, TrialStream

# Attributes with the compiled functions of a Keras model.
COMPILED = ("train_function", "test_function", "predict_function", "train_tf_function")
_ABSENT = object()


@contextlib.contextmanager
def injected(
    model: keras.Model, fault: Fault | str, seed: int = 0, trial: int = 0
) -> Iterator[Trial]:
    """Puts a fault into a model for the time of the `with` block.

    Faults of parameters are in force wherever the layers are used. Those of neurons are in force in
    this model's `predict`, `evaluate`, `fit` and calls, and in everything traced in the block; but
    another Keras model that shares layers with it, or a `tf.function` of your own, does not see
    them if it was called (and so compiled) before: inject into the model that you call.

    Args:
        model: Sequential or functional; bit-identical afterwards, after an exception too.
        fault: a `Fault` or its text form, such as `"weights:stuck_at=0:0.5"`. A transient one of
            neurons is drawn anew for each example, counted from the beginning of the block in the
            order in which the model sees them.
        seed: an integer >= 0.
        trial: the number of the trial under that seed, >= 0.

    Yields:
        The trial that was drawn (of a transient fault that of the first example).

    Raises:
        BadInput: the model has no such sites, or the fault is transient and hits parameters,
            which a batch shares.
    """
    count(least=0, seed=seed, trial=trial)
    fault = fault_of(fault)
    targets = fault.where.targets(model)
    sampler = TrialSampler(fault, targets, seed)
    fault.rate.check(sampler.site_count)
    drawn = sampler.trial(trial, fault.rate)
    if not fault.where.outputs:
        if fault.transient:
            raise BadInput(
                "Expected a transient fault of neurons, as the parameters are the same for all of "
                f"a batch (ftnoise.inject takes one example at a time). Received: {fault.where!r}."
            )
        with assigned(targets, faulty_parameters(fault.what, targets, drawn)):
            yield drawn
        return
    if fault.transient:
        stream = TrialStream(sampler, trial, fault.rate)
        functions = [streamed(sampler, lambda: stream, n) for n in range(len(targets))]
    else:
        functions = [constant(fault.what, *one) for one in drawn.pairs]
    with tapped(model, targets, functions):
        yield drawn


def strike(effect: Effect, values: Any, hit: Any, draw: Any) -> Any:
    """The values, those that are hit being faulty; `hit` and `draw` broadcast against them."""
    return tf.where(hit, effect.faulty(values, draw), values)


def faulty_parameters(effect: Effect, targets: Sequence[Target], trial: Trial) -> list[Any]:
    """The values of the targets' parameters in a trial."""
    return [
        strike(effect, tf.convert_to_tensor(target.variable), hit, draw)  # type: ignore[attr-defined]
        for target, (hit, draw) in zip(targets, trial.pairs, strict=True)
    ]


@contextlib.contextmanager
def assigned(targets: Sequence[Target], values: Sequence[Any]) -> Iterator[None]:
    """The targets' parameters have these values inside the block."""
    variables = [target.variable for target in targets if isinstance(target, ParameterTarget)]
    before = [variable.numpy() for variable in variables]
    try:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


# Maps the values of one target (all tensors with its units) to faulty ones.
Function = Callable[[list[Any]], list[Any]]


@contextlib.contextmanager
def tapped(
    model: keras.Model, targets: Sequence[Target], functions: Sequence[Function]
) -> Iterator[None]:
    """The targets' outputs pass through these functions inside the block, compiled or not."""
    with put_aside(model), taps(targets, functions):
        yield


@contextlib.contextmanager
def put_aside(model: keras.Model) -> Iterator[None]:
    """Removes the model's compiled functions for the time of the block.

    If `compile` was called in the block, the former ones are out of date and are not restored.
    """
    compiled = {name: vars(model).get(name, _ABSENT) for name in COMPILED}
    loss = model.compiled_loss
    try:
        for name in compiled:
            if getattr(model, name, None) is not None:
                vars(model)[name] = None
        yield
    finally:
        for name, function in compiled.items():
            outdated = function is not _ABSENT and model.compiled_loss is not loss
            put(model, name, None if outdated else function)


@contextlib.contextmanager
def taps(targets: Sequence[Target], functions: Sequence[Function]) -> Iterator[None]:
    """Inside the block, calls and traces apply these functions to the values of the targets."""
    with contextlib.ExitStack() as stack:
        for target, function in zip(targets, functions, strict=True):
            assert isinstance(target, OutputTarget)
            wrap = partial(_tap, function=function, target=target)
            stack.enter_context(called_through(target.tapped, wrap))
        yield


@contextlib.contextmanager
def called_through(layer: Any, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """`layer.call` is `wrap(layer.call)` inside the block."""
    before = vars(layer).get("call", _ABSENT)
    try:
        # Past Keras' own `__setattr__`, which would track a temporary attribute.
        vars(layer)["call"] = wrap(layer.call)
        yield
    finally:
        put(layer, "call", before)


def put(thing: Any, name: str, value: Any) -> None:
    """Restores an attribute in `vars`, or removes it if it was absent."""
    if value is _ABSENT:
        vars(thing).pop(name, None)
    else:
        vars(thing)[name] = value


def _tap(call: Callable[..., Any], function: Function, target: OutputTarget) -> Callable[..., Any]:
    def tapped_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if target.before:
            return call(*function([inputs]), *args, **kwargs)
        outputs = call(inputs, *args, **kwargs)
        values = tf.nest.flatten(outputs)
        held = target.held or ()
        for n, struck in zip(held, function([values[n] for n in held]), strict=True):
            values[n] = struck
        return tf.nest.pack_sequence_as(outputs, values)

    return tapped_call


def constant(effect: Effect, hit: Any, draw: Any) -> Function:
    """A function that strikes the same sites for all examples."""
    return lambda values: [strike(effect, one, hit, draw) for one in values]


def streamed(sampler: TrialSampler, stream: Callable[[], TrialStream], target: int) -> Function:
    """A function that takes a trial of its own from `stream()` for each example that passes."""
    grid = sampler.targets[target].grid
    draw = sampler.values(0, target)(1)
    kinds = [np.bool_] if draw is None else [np.bool_, draw.dtype]

    def take(inputs: np.ndarray) -> list[np.ndarray]:
        return [part for part in stream().take(target, int(inputs)) if part is not None]

    def pass_through(values: list[Any]) -> list[Any]:
        # A list of one comes back as a tensor, if nothing is compiled.
        found = tf.nest.flatten(
            tf.numpy_function(take, [tf.shape(values[0])[0]], kinds, stateful=True)
        )
        for part in found:
            part.set_shape((None, *grid))
        hit, draw = [*found, None][:2]
        return [strike_each(sampler.fault.what, one, hit, draw) for one in values]

    return pass_through


def strike_each(effect: Effect, values: Any, hit: Any, draw: Any) -> Any:
    """As `strike`, with hits and draws `[batch, *grid]`."""
    missing = len(values.shape) - len(hit.shape)

    def spread(part: Any) -> Any:
        # The grid belongs to the last axes.
        return tf.reshape(part, [tf.shape(part)[0], *[1] * missing, *part.shape[1:]])

    return strike(effect, values, spread(hit), None if draw is None else spread(draw))
