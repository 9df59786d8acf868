"""Where faults hit: the places of a network, found in its layers.

A *neuron* is a unit, channel or head of a layer's output, after its activation; batch
normalization and an activation that follow as layers of their own belong to it. What a recurrent
layer feeds back to itself is inside the layer: it is hit through its weights. A *filter* is all
weights that make one channel of a convolution. Places are counted site by site, a *site* being the
output of one layer or one of its parameters, in the order in which the network computes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ftnoise.errors import BadInput
from ftnoise.spec import Spec, expect, is_count

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


@dataclass(frozen=True, eq=False)
class ParameterSite(Site):
    """One parameter, and where layers hold it: (layer, attribute)."""

    variable: Any
    holders: tuple[tuple[Any, str], ...]


@dataclass(frozen=True, eq=False)
class OutputSite(Site):
    """The output of `tapped`, or what it is given (`before`: the heads of an attention layer)."""

    tapped: Any
    before: bool = False


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
        names = list(dict.fromkeys(site.layer.name for site in found))
        wanted = set()
        for one in self.layers:
            known = one in names if isinstance(one, str) else one < len(names)
            if not known:
                raise BadInput(
                    f"Expected a layer of {network.name} with {kind} "
                    f"({', '.join(names) or 'it has none'}). Received: {one!r}."
                )
            wanted.add(one if isinstance(one, str) else names[one])
        found = [site for site in found if not wanted or site.layer.name in wanted]
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

    What a normalization layer has counted (moving mean and variance) is no parameter.
    """

    def candidates(self, network: keras.Model) -> list[Site]:
        from ftnoise.faults import finding

        return finding.parameter_sites(network, self.output_layer, lambda variable: True)
