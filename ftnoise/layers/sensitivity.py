"""The sensitivity (Lipschitz constant) of the layers in front of the noise, bounded from above.

The linear part of a layer is a matrix A. Its norm from l_2 to l_2 is the root
of the largest eigenvalue of A A^T, from l_1 to l_2 (or l_1) the largest norm of an image of a unit
vector. Both are exact but for rounding, which `SAFETY` covers; power iteration would approach the
first one from below. Norms of several layers are multiplied, which is an upper bound.

Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), section 3.2 and appendix B.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput
from ftnoise.layers.convolution import ImageConv2D
from ftnoise.layers.graph import Step, unfold
from ftnoise.layers.noisy import Noisy

SAFETY = 1 + 1e-9
CHUNK = 2**24  # numbers in a batch of images of unit vectors
LINEAR = (ImageConv2D, kl.Conv2D, kl.Dense)
# Layers that bring no two inputs farther apart, in any norm, and such activations.
PASSING = (kl.Flatten, kl.Reshape, kl.ZeroPadding2D, kl.Dropout, kl.ReLU, kl.InputLayer)
CONTRACTING = tuple(
    getattr(keras.activations, name) for name in ("linear", "relu", "tanh", "sigmoid", "softplus")
)


def sensitivity(network: keras.Model, norm: str = "l_2", to: str = "l_2") -> float:
    """A bound on ratios of distances, from inputs to what the network's noise layer adds noise to.

    It is the product of the layers' norms, which for several layers may exceed the largest ratio.
    The layers in front of the one noise layer form a chain of Dense and Conv2D layers with
    contracting activations, and of layers that increase no distance (Flatten, Reshape,
    ZeroPadding2D, Dropout, ReLU). `norm`, "l_1" or "l_2", is of distances between inputs, and `to`
    of distances of the quantity that gets the noise: "l_2", or "l_1" for Laplace. Another layer or
    pair of norms raises `BadInput`.
    """
    expect(
        (norm, to) in (("l_1", "l_1"), ("l_1", "l_2"), ("l_2", "l_2")),
        "norms l_1 to l_1, l_1 to l_2, or l_2 to l_2",
        norm=norm,
        to=to,
    )
    found, start = 1.0, norm
    for step in linear_steps(network):
        found *= layer_norm(step, start, to)
        start = to
    return found


def linear_steps(network: keras.Model) -> list[Step]:
    """The calls of Dense and Conv2D layers from the input to where the noise is added, in order.

    Raises `BadInput` if another kind of layer is between them.
    """
    graph, found = unfold(network), list[Step]()
    (key, *_) = graph.inputs
    for step in graph.steps:
        layer, noisy = step.layer, isinstance(step.layer, Noisy)
        if step.in_training:
            break
        if step.inputs != (key,) or len(graph.consumers(key)) != 1:
            break
        if noisy and layer.on_input:
            return found
        # Exactly these: a class that extends one may do anything.
        if type(layer) in LINEAR or (noisy and isinstance(layer, LINEAR)):
            found.append(step)
        elif type(layer) not in PASSING or not contracting(layer):
            break
        active = getattr(layer, "activation", None)
        if noisy:
            return found
        if active is not None and active not in CONTRACTING:
            break
        (key,) = step.outputs
    raise BadInput(
        "Expected a chain of Dense and Conv2D layers with contracting activations from the input "
        f"to the noise layer of {network.name}. Received: {step.layer.name}."
    )


def contracting(layer: keras.layers.Layer) -> bool:
    """Whether a layer of `PASSING` has arguments with which it brings no two inputs apart."""
    if not isinstance(layer, kl.ReLU):
        return True
    return 0 <= layer.negative_slope <= 1 and layer.threshold == 0


def layer_norm(step: Step, norm: str, to: str) -> float:
    """The norm of the linear part of a Dense or Conv2D layer, in double precision.

    Infinite where a weight is no finite number.
    """
    if not np.isfinite(step.layer.kernel.numpy()).all():
        return math.inf
    linear, shape = linear_part(step)
    size = int(np.prod(shape))
    many = max(1, CHUNK // max(size, int(np.prod(np.array(step.shapes[0][1:], int)))))
    rows = []
    for first in range(0, size, many):
        units = tf.one_hot(tf.range(first, min(first + many, size)), size, dtype=tf.float64)
        units = tf.reshape(units, [-1, *shape])
        with tf.GradientTape() as tape:
            tape.watch(units)
            images = linear(units)
        if to == "l_1":
            rows.append(tf.reduce_sum(tf.abs(tf.reshape(images, [len(images), -1])), 1).numpy())
        elif norm == "l_1":
            rows.append(tf.norm(tf.reshape(images, [len(images), -1]), axis=1).numpy())
        else:
            # A row of A A^T is A of the image of a unit vector under A^T.
            pulled = tape.gradient(images, units, output_gradients=images)
            rows.append(tf.reshape(pulled, [len(images), size]).numpy())
    if norm == "l_1":
        return float(np.concatenate(rows).max()) * SAFETY
    gram = np.concatenate(rows)
    largest = float(np.linalg.eigvalsh((gram + gram.T) / 2)[-1])
    return float(np.sqrt(max(largest, 0.0))) * SAFETY


def linear_part(step: Step) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
    """The layer without bias and activation in double precision, and the shape of its inputs."""
    layer = step.layer
    (kind,) = [kind for kind in LINEAR if isinstance(layer, kind)][:1]
    config = kind(**_arguments(layer)).get_config()
    twin = kind.from_config({**config, "activation": None, "use_bias": False, "dtype": "float64"})
    shape = tuple(step.node.keras_inputs[0].shape[1:])
    expect(None not in shape, f"inputs of {layer.name} of a fixed shape", shape=shape)
    twin.build([1, *shape])
    twin.set_weights([layer.kernel.numpy().astype(np.float64)])
    return twin, shape


def _arguments(layer: Any) -> dict[str, Any]:
    """Those of the Keras class that a layer extends."""
    own = {"scale", "kind", "on_input", "stream", "trainable"}
    return {name: value for name, value in layer.get_config().items() if name not in own}
