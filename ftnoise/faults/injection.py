"""A network with faults for as long as a block lasts, and bit-identical afterwards.

Parameters are assigned and put back. Outputs are changed where a layer gives them, by a function
that stands before the layer's own `call`; Keras' compiled functions of the model are laid aside
meanwhile, so that `predict`, `evaluate` and `fit` see the faults. Those that were compiled of
another model with the same layers, or by the caller, do not see the ones in outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.faults.effects import Effect
from ftnoise.faults.fault import Fault, fault_of
from ftnoise.faults.masks import Drawer, Mask, Stream
from ftnoise.faults.places import OutputSite, ParameterSite, Site

# What Keras keeps compiled of a model.
COMPILED = ("train_function", "test_function", "predict_function", "train_tf_function")
_ABSENT = object()


@contextlib.contextmanager
def injected(
    model: keras.Model, fault: Fault | str, seed: int = 0, mask: int = 0
) -> Iterator[Mask]:
    """Puts a fault into a model for as long as the `with` block lasts.

    Faults of parameters are in force wherever the layers are used. Those of neurons are in force in
    this model's `predict`, `evaluate`, `fit` and calls, and in whatever is traced inside the block;
    but another Keras model that shares layers with it, or a `tf.function` of your own, does not see
    them if it was called (and so compiled) before: inject into the model that you call.

    Args:
        model: Sequential or functional; bit-identical afterwards, after an exception too.
        fault: where, what, how many, or its short form, such as `"weights:stuck_at_zero:0.5"`. A
            transient one of neurons is drawn anew for each example, counted from the block's
            beginning in the order in which the model sees them.
        seed: an integer >= 0.
        mask: the number of the mask under that seed, >= 0.

    Yields:
        The mask that was drawn (of a transient fault that of the first example).

    Raises:
        BadInput: the model has no such places, or the fault is transient and hits parameters,
            which a batch shares.
    """
    expect(is_count(seed, least=0), "seed an integer >= 0", seed=seed)
    expect(is_count(mask, least=0), "mask an integer >= 0", mask=mask)
    fault = fault_of(fault)
    sites = fault.where.sites(model)
    drawer = Drawer(fault, sites, seed)
    fault.amount.check(drawer.places)
    drawn = drawer.mask(mask)
    if fault.transient:
        if not fault.where.outputs:
            raise BadInput(
                "Expected a transient fault of neurons, as the parameters are the same for all of "
                f"a batch (ftnoise.inject takes one example at a time). Received: {fault.where!r}."
            )
        stream = Stream(drawer, mask)
        functions = [streamed(drawer, lambda: stream, n) for n in range(len(sites))]
        with tapped(model, sites, functions):
            yield drawn
        return
    if fault.where.outputs:
        functions = [constant(fault.what, *one) for one in pairs(drawn)]
        with tapped(model, sites, functions):
            yield drawn
        return
    with assigned(sites, faulty_parameters(fault.what, sites, drawn)):
        yield drawn


def pairs(mask: Mask) -> list[tuple[Any, Any]]:
    """The hits and draws of each site."""
    return list(zip(mask.hits, mask.draws, strict=True))


def strike(effect: Effect, values: Any, hit: Any, draw: Any) -> Any:
    """The values, those that are hit being faulty; `hit` and `draw` broadcast against them."""
    return tf.where(hit, effect.faulty(values, draw), values)


def faulty_parameters(effect: Effect, sites: Sequence[Site], mask: Mask) -> list[Any]:
    """The values of the sites' parameters under a mask."""
    return [
        strike(effect, tf.convert_to_tensor(site.variable), hit, draw)  # type: ignore[attr-defined]
        for site, (hit, draw) in zip(sites, pairs(mask), strict=True)
    ]


@contextlib.contextmanager
def assigned(sites: Sequence[Site], values: Sequence[Any]) -> Iterator[None]:
    """The sites' parameters have these values inside the block."""
    variables = [site.variable for site in sites if isinstance(site, ParameterSite)]
    before = [variable.numpy() for variable in variables]
    try:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


# Of the values of one site, all that hold its units.
Function = Callable[[list[Any]], list[Any]]


@contextlib.contextmanager
def tapped(
    model: keras.Model, sites: Sequence[Site], functions: Sequence[Function]
) -> Iterator[None]:
    """The sites' outputs pass through these functions inside the block, compiled or not."""
    with put_aside(model), taps(sites, functions):
        yield


@contextlib.contextmanager
def put_aside(model: keras.Model) -> Iterator[None]:
    """The model has no compiled functions when the block begins, and its former ones after it.

    If `compile` was called in the block, those of before are out of date, and it has none.
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
def taps(sites: Sequence[Site], functions: Sequence[Function]) -> Iterator[None]:
    """What is called or traced inside the block passes through these functions at the sites."""
    with contextlib.ExitStack() as stack:
        for site, function in zip(sites, functions, strict=True):
            assert isinstance(site, OutputSite)
            wrap = partial(_tap, function=function, site=site)
            stack.enter_context(called_through(site.tapped, wrap))
        yield


@contextlib.contextmanager
def called_through(layer: Any, wrap: Callable[[Any], Any]) -> Iterator[None]:
    """`layer.call` is `wrap(layer.call)` inside the block."""
    before = vars(layer).get("call", _ABSENT)
    try:
        # Past Keras' own `__setattr__`, which would track what is only here for a moment.
        vars(layer)["call"] = wrap(layer.call)
        yield
    finally:
        put(layer, "call", before)


def put(thing: Any, name: str, value: Any) -> None:
    """Gives an attribute back as it was found in `vars`, or takes it away if it was not there."""
    if value is _ABSENT:
        vars(thing).pop(name, None)
    else:
        vars(thing)[name] = value


def _tap(call: Callable[..., Any], function: Function, site: OutputSite) -> Callable[..., Any]:
    def tapped_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if site.before:
            return call(*function([inputs]), *args, **kwargs)
        outputs = call(inputs, *args, **kwargs)
        values = tf.nest.flatten(outputs)
        held = site.held or ()
        for place, struck in zip(held, function([values[n] for n in held]), strict=True):
            values[place] = struck
        return tf.nest.pack_sequence_as(outputs, values)

    return tapped_call


def constant(effect: Effect, hit: Any, draw: Any) -> Function:
    """A function that strikes the same places for all examples."""
    return lambda values: [strike(effect, one, hit, draw) for one in values]


def streamed(drawer: Drawer, stream: Callable[[], Stream], site: int) -> Function:
    """A function that takes a mask of its own from `stream()` for each example that passes."""
    grid = drawer.sites[site].grid
    _, draw = Stream(drawer, 0).take(site, 1)
    kinds = [np.bool_] if draw is None else [np.bool_, draw.dtype]

    def take(inputs: np.ndarray) -> list[np.ndarray]:
        return [part for part in stream().take(site, int(inputs)) if part is not None]

    def pass_through(values: list[Any]) -> list[Any]:
        # A list of one comes back as a tensor, if nothing is compiled.
        found = tf.nest.flatten(
            tf.numpy_function(take, [tf.shape(values[0])[0]], kinds, stateful=True)
        )
        for part in found:
            part.set_shape((None, *grid))
        hit, draw = [*found, None][:2]
        return [strike_each(drawer.fault.what, one, hit, draw) for one in values]

    return pass_through


def strike_each(effect: Effect, values: Any, hit: Any, draw: Any) -> Any:
    """As `strike`, with hits and draws `[batch, *grid]`."""
    missing = len(values.shape) - len(hit.shape)

    def spread(part: Any) -> Any:
        # The grid belongs to the last axes.
        return tf.reshape(part, [tf.shape(part)[0], *[1] * missing, *part.shape[1:]])

    return strike(effect, values, spread(hit), None if draw is None else spread(draw))
