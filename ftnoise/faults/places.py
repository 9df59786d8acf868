"""Where faults hit: the places of a network, found in its layers.

A *neuron* is a unit, channel or head of a layer's output, after its activation; batch
normalization and an activation (a layer, or a function such as `tf.nn.relu`) that follow belong to
it. What a recurrent layer feeds back to itself is inside the layer: it is hit through its weights;
the states that it hands out at its end (`return_state`) hold the same units, and are hit with
them. What an Embedding gives are no neurons, but a table's entries: they are hit as weights. A
*filter* is all weights that make one channel of a convolution. Places are counted site by site, a
*site* being the output of one layer or one of its parameters, in the order in which the network
computes them.

A Sequential or functional model inside a model is its layers. Any other layer is one layer, however
much it has inside: a layer or a subclassed model of a user's own, a wrapper such as Bidirectional.
The output layer is the one whose unit the network's output is: where pooling or a sum follows the
last weights (`Conv2D(10, 1)`, `GlobalAveragePooling2D`, `Softmax`), that layer is a hidden one, and
its channels, the scores of the classes, are neurons like others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.core.checks import expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import Spec

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Site:
    """Places that belong together.

    Attributes:
        name: as a reader knows it, such as `dense_1` or `dense_1/kernel`.
        layer: the layer that a user would name.
        grid: the shape of the places, which broadcasts against the values that they hold.
    """

    name: str
    layer: keras.layers.Layer
    grid: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many places."""
        return math.prod(self.grid)

    def check(self) -> None:
        """Raises `BadInput` if its places cannot be hit."""


@dataclass(frozen=True, eq=False)
class ParameterSite(Site):
    """One parameter, and where layers hold it: (layer, attribute)."""

    variable: Any
    holders: tuple[tuple[Any, str], ...]


@dataclass(frozen=True, eq=False)
class OutputSite(Site):
    """The output of `tapped`, or what it is given (`before`: the heads of an attention layer).

    Attributes:
        tapped: a layer.
        before: whether it is what it is given.
        held: which of its outputs hold the units; several for a recurrent layer with its state.
            None if that is not known.
    """

    tapped: Any
    before: bool = False
    held: tuple[int, ...] | None = (0,)

    def check(self) -> None:
        expect(
            self.held is not None,
            "neurons of layers with one output, or of recurrent ones with their state (name layers "
            "to leave others out)",
            layer=self.name,
            outputs="several",
        )


@dataclass(frozen=True, kw_only=True)
class Where(Spec):
    """Base: which places of a network.

    Args:
        layers: names of layers, or their positions (from 0) among the layers that have such
            places; empty takes all.
        indices: positions of places (from 0, flat) in the one site that `layers` names; empty
            takes all.
        output_layer: whether the places of the layer that gives the network's output count.
    """

    layers: tuple[str | int, ...] = ()
    indices: tuple[int, ...] = ()
    output_layer: bool = True

    outputs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        expect(
            isinstance(self.layers, tuple)
            and all(isinstance(one, str) or is_count(one, least=0) for one in self.layers),
            "layers to be names or positions >= 0",
            layers=self.layers,
        )
        expect(
            isinstance(self.indices, tuple)
            and all(is_count(one, least=0) for one in self.indices)
            and len(set(self.indices)) == len(self.indices),
            "indices to be different integers >= 0",
            indices=self.indices,
        )
        expect(
            isinstance(self.output_layer, bool),
            "output_layer to be True or False",
            output_layer=self.output_layer,
        )

    @property
    def label(self) -> str:
        """A few words, such as `weights of dense_1`."""
        text = self.slug.replace("_", " ")
        if self.indices:
            text += f" {', '.join(map(str, self.indices))}"
        if self.layers:
            named = (one if isinstance(one, str) else f"layer {one}" for one in self.layers)
            text += f" of {', '.join(named)}"
        if self.output_layer != type(self).output_layer:
            text += f" with{'' if self.output_layer else 'out'} the output layer"
        return text

    def candidates(self, network: keras.Model) -> list[Site]:
        """The sites of this kind in all layers of a network."""
        raise TypeError(f"{type(self).__name__} has no candidates.")

    def sites(self, network: keras.Model) -> list[Site]:
        """The sites that are meant, in the network's order.

        Raises:
            BadInput: there is no such layer or place; names those that there are.
        """
        found = self.candidates(network)
        kind = self.slug.replace("_", " ")
        layers = list(dict.fromkeys(site.layer for site in found))
        wanted = set()
        for one in self.layers:
            meant = [n for n, layer in enumerate(layers) if one in (n, layer.name)]
            if not meant:
                names = ", ".join(layer.name for layer in layers)
                raise BadInput(
                    f"Expected a layer of {network.name} with {kind} ({names or 'it has none'}). "
                    f"Received: {one!r}."
                )
            if len(meant) > 1:
                raise BadInput(
                    f"Expected one layer of {network.name} with {kind} by that name, or a position "
                    f"from 0. Received: {one!r}, the name of those at {', '.join(map(str, meant))}."
                )
            wanted.add(layers[meant[0]])
        found = [site for site in found if not wanted or site.layer in wanted]
        if not found:
            raise BadInput(f"Expected {kind} in {network.name}. Received: none.")
        if self.indices:
            expect(
                len(found) == 1,
                f"one layer named, whose {kind} are meant by indices",
                sites=[site.name for site in found],
            )
            expect(
                max(self.indices) < found[0].size,
                f"{kind} of {found[0].name} from 0 to {found[0].size - 1}",
                indices=self.indices,
            )
        for site in found:
            site.check()
        return found


@dataclass(frozen=True, kw_only=True)
class Neurons(Where):
    """Units, channels and heads of the hidden layers' outputs; a stuck one is a crashed neuron.

    The output layer is left out unless `output_layer`.
    """

    output_layer: bool = False

    outputs: ClassVar[bool] = True

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.output_sites(network, self.output_layer)


@dataclass(frozen=True, kw_only=True)
class Channels(Neurons):
    """The neurons of convolutions: whole channels of their outputs."""

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.output_sites(network, self.output_layer, convolutions=True)


@dataclass(frozen=True, kw_only=True)
class Filters(Where):
    """Whole filters of convolutions: all weights that make one channel, without its bias."""

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.filter_sites(network, self.output_layer)


@dataclass(frozen=True, kw_only=True)
class Weights(Where):
    """Single weights: elements of kernels, recurrent kernels and embeddings; no biases."""

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.parameter_sites(network, self.output_layer, finding.is_weight)


@dataclass(frozen=True, kw_only=True)
class Biases(Where):
    """Single biases."""

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.parameter_sites(network, self.output_layer, finding.is_bias)


@dataclass(frozen=True, kw_only=True)
class Parameters(Where):
    """Single parameters: weights, biases, and the scales and shifts of normalization layers.

    What is not trained (`trainable=False`), such as the moving mean and variance that a
    normalization layer has counted, is no parameter; what is in a layer that was frozen is one.
    """

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.parameter_sites(network, self.output_layer, lambda variable: True)
