"""A network whose faults are inputs: parameters and hits enter its computation as tensors.

What lies before the first fault is set apart, to be computed once for all masks. Parameters take
the place of variables, which are never assigned; neurons stuck at 0 are taken out of the kernel
that they feed, where only layers that keep a zero a zero lie between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from ftnoise.core.checks import expect
from ftnoise.faults.absorbing import Absorption, absorptions
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.graph import Graph, Key, Step
from ftnoise.faults.injection import faulty_parameters, put, strike, strike_each, taps
from ftnoise.faults.masks import Mask
from ftnoise.faults.places import OutputSite, ParameterSite, Site


class FaultyNetwork:
    """The computation of a network under a mask, to be traced.

    Args:
        graph: the network's steps.
        fault: where and what.
        sites: the places of the fault in the network.

    Attributes:
        before, after: the steps that no fault changes, and the others, in order.
        frontier: the tensors that the others take from the former.

    Raises:
        BadInput: a parameter is hidden in its layer.
    """

    def __init__(self, graph: Graph, fault: Fault, sites: Sequence[Site]) -> None:
        self.graph, self.fault, self.sites = graph, fault, sites
        outputs = [site for site in self.sites if isinstance(site, OutputSite)]
        expect_held(self.sites)
        stuck_at_zero = isinstance(fault.what, StuckAt) and fault.what.value == 0
        self.absorbed: dict[OutputSite, Absorption] = (
            absorptions(self.graph, outputs) if stuck_at_zero and not self.fault.transient else {}
        )
        first: list[Step] = [absorbed.step for absorbed in self.absorbed.values()]
        keys: list[Key] = []
        holders = set()
        for site in self.sites:
            if isinstance(site, ParameterSite):
                holders.add(id(site.variable))
            elif site in self.absorbed:
                continue
            elif isinstance(site, OutputSite) and site.before:
                first += [step for step in self.graph.steps if step.layer is site.layer]
            elif isinstance(site, OutputSite):
                keys += self._held(site)
        first += [
            step
            for step in self.graph.steps
            if any(id(variable) in holders for variable in step.layer.weights)
        ]
        self.after = self.graph.after(first, keys)
        computed = {key for step in self.after for key in step.outputs}
        taken = [key for step in self.after for key in step.inputs]
        taken += [*keys, self.graph.output]
        self.frontier = [key for key in dict.fromkeys(taken) if key not in computed]
        later = set(self.after)
        self.before = [step for step in self.graph.steps if step not in later]

    def clean(self, x: list[Any]) -> list[Any]:
        """The tensors of the frontier for inputs `x`, each with its Keras mask where it has one."""
        values: dict[Key, Any] = dict(zip(self.graph.inputs, x, strict=True))
        for step in self.before:
            step.run(values)
        return [(values[key], getattr(values[key], "_keras_mask", None)) for key in self.frontier]

    def parameters(self, hits: list[Any], draws: list[Any]) -> list[Any]:
        """The sites' parameters under a mask."""
        return faulty_parameters(self.fault.what, self.sites, Mask(tuple(hits), tuple(draws)))

    def outputs(self, before: list[Any], mask: Any) -> Any:
        """The network's outputs `[n, classes]`.

        Args:
            before: what `clean` gave.
            mask: parameters of the sites, or pairs of hits and draws.
        """
        with self._under(mask):
            return self._run(before, mask)

    def _run(self, before: list[Any], mask: Any) -> Any:
        values: dict[Key, Any] = {}
        for key, (value, keras_mask) in zip(self.frontier, before, strict=True):
            value = tf.identity(value)
            if keras_mask is not None:
                value._keras_mask = keras_mask
            values[key] = value
        faults = self._strikes(mask)
        for key in self.frontier:
            self._strike(values, key, faults)
        for step in self.after:
            step.run(values)
            for key in step.outputs:
                self._strike(values, key, faults)
        return values[self.graph.output]

    def _strikes(self, mask: Any) -> dict[Key, tuple[Any, Any]]:
        """The hits and draws of each tensor that is struck where a step gives it."""
        if not self.fault.where.outputs:
            return {}
        found: dict[Key, tuple[Any, Any]] = {}
        for site, (hit, draw) in zip(self.sites, mask, strict=True):
            assert isinstance(site, OutputSite)
            if site in self.absorbed or site.before:
                continue
            found |= dict.fromkeys(self._held(site), (hit, draw))
        return found

    def _held(self, site: OutputSite) -> list[Key]:
        """The tensors that hold a site's units."""
        steps = [step for step in self.graph.steps if step.layer is site.tapped]
        return [step.outputs[place] for step in steps for place in site.held or ()]

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
    def _under(self, mask: Any) -> Iterator[None]:
        """While it is traced, layers hold the mask's parameters and attention heads are struck."""
        if not self.fault.where.outputs:
            with held(self.sites, mask):
                yield
            return
        heads = [n for n, s in enumerate(self.sites) if isinstance(s, OutputSite) and s.before]

        def function(n: int) -> Any:
            return lambda values: [self._struck(value, *mask[n]) for value in values]

        with contextlib.ExitStack() as stack:
            stack.enter_context(taps([self.sites[n] for n in heads], list(map(function, heads))))
            for n, site in enumerate(self.sites):
                if site in self.absorbed:
                    stack.enter_context(self.absorbed[site].without(mask[n][0]))
            yield


def expect_held(sites: Sequence[Site]) -> None:
    """Raises `BadInput` if a parameter is hidden in its layer, so that nothing can stand for it."""
    for site in sites:
        expect(
            not isinstance(site, ParameterSite) or len(site.holders) > 0,
            "parameters that are attributes of their layers",
            parameter=site.name,
        )


@contextlib.contextmanager
def held(sites: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """The layers hold tensors instead of the sites' variables inside the block."""
    before: list[tuple[Any, str, Any]] = []
    try:
        for site, value in zip(sites, values, strict=True):
            for layer, attribute in site.holders:
                before.append((layer, attribute, vars(layer)[attribute]))
                # Past Keras' own `__setattr__`, which would forget the variable.
                vars(layer)[attribute] = tf.cast(value, layer.compute_dtype or value.dtype)
        yield
    finally:
        for layer, attribute, value in reversed(before):
            put(layer, attribute, value)
