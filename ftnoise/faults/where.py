"""Where faults hit: the sites of a network, found in its layers.

A *neuron* is a unit, channel or head of a layer's output, after its activation; batch normalization
and an activation (a layer, or a function such as `tf.nn.relu`) that follow belong to it. The
feedback of a recurrent layer is inside the layer and is hit through its weights; the states that it
returns (`return_state`) hold the same units, and are hit with them. Outputs of an Embedding are no
neurons, but entries of a table: they are hit as weights. A *filter* is all weights that make one
channel of a convolution. Sites are counted target by target; a *target* is the output of one layer
or one of its parameters, in the order of computation.

A Sequential or functional model inside a model counts as its layers. Any other layer counts as one
layer: a user's own layer or subclassed model, a wrapper such as Bidirectional. The units of the
output layer are the outputs of the network. If pooling or a sum follows the last weights
(`Conv2D(10, 1)`, `GlobalAveragePooling2D`, `Softmax`), their layer is a hidden layer, and its
channels, the scores of the classes, are hidden neurons.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.core.checks import boolean, expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import keras
from ftnoise.core.spec import Spec

FORMATS = ("float32", "bfloat16", "float16", "int8")


@dataclass(frozen=True, kw_only=True)
class Where(Spec, ABC):
    """Base: which sites of a network.

    Args:
        layers: names of layers, or their positions (from 0) among the layers that have such
            sites; empty takes all.
        indices: positions of sites (from 0, flat) in the one target that `layers` names; empty
            takes all.
        output_layer: whether the sites of the layer that gives the network's output count.
        stored: the format in which memory holds parameters, `float32`, `bfloat16`, `float16` or
            `int8` (see `storage`): the fault-free network computes on what it reads back, and a
            random flip hits any of the stored bits, the sites. None is the float32 of the model,
            whose sites are parameters, with at most one flip each.
    """

    layers: tuple[str | int, ...] = ()
    indices: tuple[int, ...] = ()
    output_layer: bool = True
    stored: str | None = None

    outputs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        known = isinstance(self.layers, tuple) and all(
            isinstance(one, str) or is_count(one, least=0) for one in self.layers
        )
        expect(known, "layers to be names or positions >= 0", layers=self.layers)
        known = isinstance(self.indices, tuple) and all(
            is_count(one, least=0) for one in self.indices
        )
        different = known and len(set(self.indices)) == len(self.indices)
        expect(different, "indices to be different integers >= 0", indices=self.indices)
        boolean(output_layer=self.output_layer)
        known = self.stored is None or (self.stored in FORMATS and not self.outputs)
        formats = "None for outputs of neurons" if self.outputs else f"one of {', '.join(FORMATS)}"
        expect(known, f"stored to be {formats}", stored=self.stored)

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
        return f"{text} in {self.stored}" if self.stored else text

    @abstractmethod
    def candidates(self, network: keras.Model) -> list[Any]:
        """The targets (`sites.Target`) of this kind in all layers of a network."""

    def targets(self, network: keras.Model) -> list[Any]:
        """The chosen targets, in the network's order.

        Raises:
            BadInput: there is no such layer or site; names those that exist.
        """
        found, kind = self.candidates(network), self.slug.replace("_", " ")
        layers = list(dict.fromkeys(target.layer for target in found))
        wanted = []
        for one in self.layers:
            meant = [layer for n, layer in enumerate(layers) if one in (n, layer.name)]
            if len(meant) != 1:
                names = ", ".join(layer.name for layer in layers) or "it has none"
                several = ", the name of several: take a position from 0" if meant else ""
                raise BadInput(
                    f"Expected a layer of {network.name} with {kind} ({names}). "
                    f"Received: {one!r}{several}."
                )
            wanted += meant
        found = [target for target in found if not wanted or target.layer in wanted]
        if not found:
            raise BadInput(f"Expected {kind} in {network.name}. Received: none.")
        if self.indices:
            expect(
                len(found) == 1,
                f"indices with one layer named, whose {kind} they choose",
                targets=[target.name for target in found],
            )
            expect(
                max(self.indices) < found[0].size,
                f"{kind} of {found[0].name} from 0 to {found[0].size - 1}",
                indices=self.indices,
            )
        for target in found:
            target.check()
        return found


@dataclass(frozen=True, kw_only=True)
class Neurons(Where):
    """Units, channels and heads of the hidden layers' outputs; a stuck one is a crashed neuron.

    The output layer is left out unless `output_layer`.
    """

    output_layer: bool = False

    outputs: ClassVar[bool] = True

    def candidates(self, network: keras.Model) -> list[Any]:
        from ftnoise.faults import sites

        return sites.output_targets(network, self.output_layer)


@dataclass(frozen=True, kw_only=True)
class Channels(Neurons):
    """The neurons of convolutions: whole channels of their outputs."""

    def candidates(self, network: keras.Model) -> list[Any]:
        from ftnoise.faults import sites

        found = super().candidates(network)
        return [target for target in found if sites.is_convolution(target.layer)]


@dataclass(frozen=True, kw_only=True)
class Parameters(Where):
    """Single parameters: weights, biases, and the scales and shifts of normalization layers.

    Variables that are never trained, such as the moving mean and variance of a normalization layer,
    are no parameters; the variables of a frozen layer are.
    """

    def candidates(self, network: keras.Model) -> list[Any]:
        from ftnoise.faults import sites

        return sites.parameter_targets(network, self.output_layer)


@dataclass(frozen=True, kw_only=True)
class Weights(Parameters):
    """Single weights: elements of kernels, recurrent kernels and embeddings; no biases."""

    def candidates(self, network: keras.Model) -> list[Any]:
        return [target for target in super().candidates(network) if target.is_weight]


@dataclass(frozen=True, kw_only=True)
class Biases(Parameters):
    """Single biases."""

    def candidates(self, network: keras.Model) -> list[Any]:
        return [target for target in super().candidates(network) if target.kind == "bias"]


@dataclass(frozen=True, kw_only=True)
class Filters(Weights):
    """Whole filters of convolutions: all weights that make one channel, without its bias."""

    def candidates(self, network: keras.Model) -> list[Any]:
        from ftnoise.faults import sites

        found = super().candidates(network)
        return [sites.filters(target) for target in found if sites.is_convolution(target.layer)]
