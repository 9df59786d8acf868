"""Faults in a network for the time of a `with` block; afterwards the network is bit-identical.

Parameters are assigned and restored. Outputs pass through a function around the layer's `call`;
Keras' compiled functions of the model are set aside meanwhile, so that `predict`, `evaluate` and
`fit` see the faults.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import count, expect
from ftnoise.core.errors import BadInput
from ftnoise.faults.compatibility import check_inputs
from ftnoise.faults.effects import Effect
from ftnoise.faults.fault import Fault
from ftnoise.faults.parsing import fault_of
from ftnoise.faults.storage import Code, Storage
from ftnoise.faults.trials import Trial, TrialSampler, TrialStream
from ftnoise.layers.replacing import holding

# Attributes with the compiled functions of a Keras model.
COMPILED = ("train_function", "test_function", "predict_function", "train_tf_function")

# Maps the values of one target (all tensors with its units) to faulty ones.
Function = Callable[[list[Any]], list[Any]]


@contextlib.contextmanager
def injected(
    model: keras.Model, fault: Fault | str, seed: int = 0, trial: int = 0, examples: Any = None
) -> Iterator[Trial]:
    """Puts a fault into a model for the time of the `with` block.

    Faults of parameters are in force wherever the layers are used. Those of neurons are in force in
    this model's `predict`, `evaluate`, `fit` and calls, and in everything traced in the block; but
    not in what was compiled before from its layers: another Keras model, a `tf.function` of yours.
    Where a fault makes NaN, `predict` and `evaluate` may differ from `model(x)`, as TensorFlow may
    fuse layers there (see `campaign.unfused`).

    Args:
        model: Sequential or functional; bit-identical afterwards, after an exception too.
        fault: a `Fault` or its text form, such as `"weights:stuck_at=0:0.5"`. A transient one of
            neurons is drawn anew for each example, counted from the beginning of the block in the
            order in which the model sees them.
        seed: an integer >= 0.
        trial: the number of the trial under that seed, >= 0.
        examples: `[n, ...]`, or a list of arrays for several inputs. Parameters that are stored in
            int8 need them, for the ranges of activations.

    Yields:
        The trial that was drawn (of a transient fault that of the first example).

    Raises:
        BadInput: the model has no such sites; or the fault is transient and hits parameters, which
            a batch shares, or neurons of a model that XLA compiles (`jit_compile`).
    """
    count(least=0, seed=seed, trial=trial)
    fault = fault_of(fault)
    targets = fault.where.targets(model)
    variables = [] if fault.where.outputs else [target.variable for target in targets]
    storage = None
    if fault.where.stored is not None:
        x = None if examples is None else check_inputs(model, examples)
        storage = Storage(model, fault.where.stored, x)
        targets = storage.of(fault, targets)
    sampler = TrialSampler(fault, targets, seed)
    drawn = sampler.trial(trial, fault.rate)
    if fault.where.outputs:
        if fault.transient:
            expect_no_jit(model)
            calls = [target.calls for target in targets]
            stream = TrialStream(sampler, trial, fault.rate, calls)
            struck = streaming(model, sampler, lambda: stream)
        else:
            struck = taps(targets, [striking(fault.what, *pair) for pair in drawn.pairs])
        with put_aside(model), struck:
            yield drawn
        return
    if fault.transient:
        raise BadInput(
            "Expected a transient fault of neurons, as the parameters are the same for all of "
            f"a batch (ftnoise.inject takes one example at a time). Received: {fault.where!r}."
        )
    faulty = faulty_parameters(fault.what, targets, drawn.pairs)
    changes = [] if storage is None else storage.changes
    changes += zip(variables, faulty, strict=True)
    before = [variable.numpy() for variable, _ in changes]
    try:
        for variable, value in changes:
            variable.assign(value)
        with contextlib.ExitStack() as stack:
            if storage is not None and storage.limits:
                stack.enter_context(put_aside(model))
                stack.enter_context(storage.saturating())
            yield drawn
    finally:
        for (variable, _), value in zip(changes, before, strict=True):
            variable.assign(value)


def strike(
    effect: Effect, values: Any, hit: Any, draw: Any, each: bool = False, code: Code | None = None
) -> Any:
    """The values, those that are hit being faulty.

    The values are `[batch, ..., *grid]`, or a parameter; `hit` is bool and broadcasts against them.
    It is `[batch, *grid]` if `each` example has hits and draws of its own. `draw` has the shape of
    `hit`; None if the effect draws nothing. `code` is that of a stored parameter, whose last axis
    of hits is that of bits if each is a site.
    """
    if code is not None and effect.on_bits:
        return code.flipped(values, code.masks(hit, effect.only_bit))

    def spread(part: Any) -> Any:
        # The grid belongs to the last axes.
        missing = len(values.shape) - len(part.shape)
        return tf.reshape(part, [tf.shape(part)[0], *[1] * missing, *part.shape[1:]])

    if each:
        hit, draw = spread(hit), None if draw is None else spread(draw)
    return tf.where(hit, effect.faulty(values, draw), values)


def strike_few(
    effect: Effect, values: Any, positions: Any, draw: Any, code: Code | None = None
) -> tuple[Any, Any]:
    """A parameter that is faulty at flat positions `[hits]`, and its faulty values `[hits]`.

    With a `code` and a flip of any bit, the positions are those of bits.
    """
    flat = tf.reshape(values, [-1])
    if code is not None and effect.on_bits:
        hits = np.ones(len(positions), bool)
        if effect.only_bit is None:
            bits = positions % code.bits
            positions, owners = np.unique(positions // code.bits, return_inverse=True)
            hits = np.zeros((len(positions), code.bits), bool)
            hits[owners, bits] = True
        at = code.at(values.shape, positions)
        faulty = at.flipped(tf.gather(flat, positions), at.masks(hits, effect.only_bit))
    else:
        faulty = effect.faulty(tf.gather(flat, positions), draw)
    struck = tf.tensor_scatter_nd_update(flat, positions[:, None], faulty)
    return tf.reshape(struck, values.shape), faulty


def faulty_parameters(
    effect: Effect, targets: Sequence[Any], pairs: Sequence[tuple[Any, Any]]
) -> list[Any]:
    """The faulty values of the targets' parameters, from the hits and draws of each."""
    return [
        strike(effect, tf.convert_to_tensor(target.variable), hit, draw, code=target.code)
        for target, (hit, draw) in zip(targets, pairs, strict=True)
    ]


@contextlib.contextmanager
def put_aside(model: keras.Model) -> Iterator[None]:
    """The model has no compiled functions at the beginning of the block, and its own after it.

    If `compile` was called in the block, they are out of date and are not restored.
    """
    loss, none = model.compiled_loss, dict.fromkeys(COMPILED)
    compiled = {name: vars(model).get(name) for name in COMPILED}
    try:
        vars(model).update(none)
        yield
    finally:
        vars(model).update(compiled if model.compiled_loss is loss else none)


@contextlib.contextmanager
def taps(targets: Sequence[Any], functions: Sequence[Function]) -> Iterator[None]:
    """Inside the block, calls and traces apply these functions to the values of the targets."""
    with contextlib.ExitStack() as stack:
        for target, function in zip(targets, functions, strict=True):
            call = _tapped(target.tapped.call, function, target)
            stack.enter_context(holding(target.tapped, "call", call))
        yield


def _tapped(call: Callable[..., Any], function: Function, target: Any) -> Callable[..., Any]:
    def tapped_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if target.before:
            return call(*function([inputs]), *args, **kwargs)
        outputs = call(inputs, *args, **kwargs)
        values = tf.nest.flatten(outputs)
        for n, struck in zip(target.held, function([values[n] for n in target.held]), strict=True):
            values[n] = struck
        return tf.nest.pack_sequence_as(outputs, values)

    return tapped_call


def striking(effect: Effect, hit: Any, draw: Any, each: bool = False) -> Function:
    """A function that strikes all tensors of a target at the same sites; see `strike`."""
    return lambda values: [strike(effect, value, hit, draw, each) for value in values]


@contextlib.contextmanager
def streaming(
    model: keras.Model, sampler: TrialSampler, stream: Callable[[], TrialStream]
) -> Iterator[None]:
    """Inside the block, neurons take a trial of their own from `stream()` for each example.

    A layer that the model calls several times has the same faults each time in an example.
    """
    calls = [0] * len(sampler.targets)  # of each target in the pass that is traced
    call = model.call

    def counted_call(*args: Any, **kwargs: Any) -> Any:
        calls[:] = [0] * len(calls)
        return call(*args, **kwargs)

    functions = [partial(_streamed, sampler, stream, calls, n) for n in range(len(calls))]
    with holding(model, "call", counted_call), taps(sampler.targets, functions):
        yield


def _streamed(
    sampler: TrialSampler,
    stream: Callable[[], TrialStream],
    calls: list[int],
    target: int,
    values: list[Any],
) -> list[Any]:
    """Strikes the values of a target; counts this call."""
    site: Any = sampler.targets[target]
    call = calls[target] % site.calls
    calls[target] += 1
    draw = sampler.values(0, target)(1)
    kinds = [np.bool_] if draw is None else [np.bool_, draw.dtype]

    def take(inputs: np.ndarray) -> list[np.ndarray]:
        return [part for part in stream().take(target, int(inputs), call) if part is not None]

    taken = tf.numpy_function(take, [tf.shape(values[0])[0]], kinds, stateful=True)
    # A list of one comes back as a tensor, if nothing is compiled.
    parts = tf.nest.flatten(taken)
    for part in parts:
        part.set_shape((None, *site.grid))
    hit, draw = [*parts, None][:2]
    return striking(sampler.fault.what, hit, draw, each=True)(values)


def expect_no_jit(model: keras.Model) -> None:
    """Raises `BadInput` if XLA compiles a model, which cannot draw faults for each input."""
    expect(
        not model.jit_compile,
        f"transient faults of neurons in a model that XLA does not compile: {model.name}.compile("
        "..., jit_compile=False)",
        jit_compile=model.jit_compile,
    )
