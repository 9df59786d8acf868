"""The sum of per-example gradients, each clipped over all weights jointly.

Source: Abadi et al. (2016), "Deep Learning with Differential Privacy", for the clipping; Goodfellow
(2015), "Efficient Per-Example Gradient Computations", Rochette et al. (2019) for convolutions, and
Bu et al. (2022) for the choice between the two forms:

- for a layer that maps positions t of an example linearly, a_t -> W a_t + b, the gradient of the
  example is sum_t a_t g_t^T, with g the gradient in the outputs before the activation;
- its squared norm is that of the sum itself (the direct form), or sum_st (a_s . a_t)(g_s . g_t)
  (the Gram form); whichever is cheaper by the shapes is taken. With one position both are
  |a|^2 |g|^2, without any per-example gradient;
- the clipped sum over the batch is then a weighted sum of the gradients, or a^T (c g).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ftnoise.layers.convolution import ImageConv2D

# In single precision, terms of an example that cancel leave a rounding error in the whole sum: at
# most this share of their sizes.
ROUNDING = 1e-5
# Smaller squares are flushed to zero.
SMALLEST = 1.2e-38
# Whether XLA compiles the traced code: it lacks the kernel that is fastest elsewhere.
COMPILED: ContextVar[bool] = ContextVar("COMPILED", default=False)


class Part(NamedTuple):
    """A layer's share of the norm of each example, and how its weighted sum is computed."""

    squares: Any  # squared norm of each example's gradient in this layer, `[batch]`
    kept: list[Any]  # tensors `[batch, ...]` from which the sum is computed
    # (factors `[batch]`, kept) -> gradients in the layer's trainable weights
    weighted: Callable[[Any, list[Any]], list[Any]]


def clipped_sum(
    layers: Sequence[tuple[keras.layers.Layer, Any, Any]],
    variables: Sequence[Any],
    clip: float,
    *,
    xla: bool = False,
) -> tuple[list[Any], Any]:
    """Sums the examples' gradients, each scaled to an l_2 norm of at most `clip` over all weights.

    `layers` has each layer once, as `RecordingTape.parts` gives it; `variables` are the trainable
    weights of all of them. Gives a sum for each of these, in their order, and which examples have a
    finite gradient, bool `[batch]`: the others add zero. `xla` is whether XLA compiles this.
    """
    token = COMPILED.set(xla)
    try:
        parts = [RULES[type(layer)](layer, a, g) for layer, a, g in layers]
    finally:
        COMPILED.reset(token)
    norms = tf.sqrt(tf.add_n([part.squares for part in parts]))
    finite = tf.math.is_finite(norms)
    factors = tf.where(finite, clip / tf.maximum(norms, clip), 0.0)
    kept = [part.kept for part in parts]
    # 0 * NaN is NaN, so the values themselves are zeroed, in the rare case that one is not finite.
    flat = tf.cond(
        tf.reduce_all(finite),
        lambda: tf.nest.flatten(kept),
        lambda: [_zero_unless(finite, values) for values in tf.nest.flatten(kept)],
    )
    kept = tf.nest.pack_sequence_as(kept, flat)
    sums = {}
    for (layer, _, _), part, values in zip(layers, parts, kept, strict=True):
        for weight, total in zip(
            layer._trainable_weights, part.weighted(factors, values), strict=True
        ):
            sums[id(weight)] = tf.reshape(total, weight.shape)
    return [sums[id(variable)] for variable in variables], finite


def _zero_unless(holds: Any, values: Any) -> Any:
    shape = [-1] + [1] * (values.shape.rank - 1)
    return tf.where(tf.reshape(holds, shape), values, tf.zeros([], values.dtype))


def _squares(values: Any) -> Any:
    """Squared l_2 norm of each example, `[batch]`."""
    if COMPILED.get():
        return tf.reduce_sum(tf.square(_flat(values)), axis=1)
    return tf.square(tf.math.reduce_euclidean_norm(_flat(values), axis=1))


def _flat(values: Any) -> Any:
    return tf.reshape(values, [tf.shape(values)[0], -1])


def _times(factors: Any, values: Any) -> Any:
    """Each example by its factor."""
    return tf.reshape(factors, [-1] + [1] * (values.shape.rank - 1)) * values


def _sum(factors: Any, values: Any) -> Any:
    """Weighted sum over the batch, `[batch, ...] -> [...]`, flattened."""
    return tf.linalg.matvec(_flat(values), factors, transpose_a=True)


def _direct(gradients: list[Any]) -> Part:
    """The part of a layer from its per-example gradients `[batch, ...]`."""
    return Part(
        tf.add_n([_squares(gradient) for gradient in gradients]),
        gradients,
        lambda factors, kept: [_sum(factors, gradient) for gradient in kept],
    )


def _direct_pays(positions: int | None, inputs: int, outputs: int) -> bool:
    """Whether the direct form of a linear map of positions is cheaper than the Gram form."""
    return positions is not None and positions * (inputs + outputs) > inputs * outputs


def _gram(alike: Any, g: Any, lengths: Any) -> Any:
    """Squared norms of sum_t a_t g_t^T from the products of its positions, float32 `[batch]`.

    Where positions cancel, single precision would underestimate a norm, and large terms that cancel
    would round away the rest of the sum. `alike` is a_s . a_t, float64 `[batch, positions,
    positions]`; `g` `[batch, positions, out]` and `lengths` |a_t| `[batch, positions]` are float32.
    """
    exact = tf.cast(g, tf.float64)
    squares = tf.reduce_sum(alike * tf.matmul(exact, exact, transpose_b=True), [1, 2])
    rounding = ROUNDING * tf.reduce_sum(lengths * tf.norm(g, axis=2), 1)
    return tf.cast(tf.maximum(squares, 0.0), g.dtype) + tf.square(rounding)


def _linear(a: Any, g: Any, bias: bool) -> Part:
    """The part of a linear map of positions, `[batch, positions, in]` to `[..., out]`."""
    _, positions, inputs = a.shape
    outputs = g.shape[-1]
    if _direct_pays(positions, inputs, outputs):
        return _direct(
            [tf.matmul(a, g, transpose_a=True), *([tf.reduce_sum(g, 1)] if bias else [])]
        )
    exact = tf.cast(a, tf.float64)
    squares = _gram(tf.matmul(exact, exact, transpose_b=True), g, tf.norm(a, axis=2))
    shift = [tf.reduce_sum(g, 1)] if bias else []

    def weighted(factors: Any, kept: list[Any]) -> list[Any]:
        a, g, *shift = kept
        scaled = tf.reshape(_times(factors, g), [-1, outputs])
        kernel = tf.matmul(tf.reshape(a, [-1, inputs]), scaled, transpose_a=True)
        return [kernel, *(_sum(factors, one) for one in shift)]

    return Part(tf.add_n([squares, *map(_squares, shift)]), [a, g, *shift], weighted)


def dense(layer: keras.layers.Dense, a: Any, g: Any) -> Part:
    """`[batch, ..., in] -> [batch, ..., out]`."""
    if a.shape.rank > 2:
        batch = tf.shape(a)[0]
        positions = a.shape[1:-1].num_elements()
        a = tf.reshape(a, [batch, positions or -1, a.shape[-1]])
        g = tf.reshape(g, [batch, positions or -1, g.shape[-1]])
        return _linear(a, g, layer.use_bias)
    # A factor that is flushed to zero must not take a large one with it.
    least = 1.0 if layer.use_bias else SMALLEST * a.shape[-1]
    squares = (_squares(g) + SMALLEST * g.shape[-1]) * (_squares(a) + least)

    def weighted(factors: Any, kept: list[Any]) -> list[Any]:
        a, g = kept
        scaled = _times(factors, g)
        kernel = tf.matmul(a, scaled, transpose_a=True)
        return [kernel, tf.reduce_sum(scaled, 0)] if layer.use_bias else [kernel]

    return Part(squares, [a, g], weighted)


def windows(layer: keras.layers.Layer, x: Any) -> list[Any]:
    """The part of `x` `[batch, rows, columns, channels]` at each kernel element, row by row."""
    spans: list[list[tuple[int, int]]] = []
    pads = []
    pairs = zip(x.shape[1:3], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    for length, size, stride, dilation in pairs:
        reach = (size - 1) * dilation + 1
        if layer.padding == "valid":
            out, total = (length - reach) // stride + 1, 0
        else:
            out = -(-length // stride)
            total = max((out - 1) * stride + reach - length, 0)
        pads.append([total // 2, total - total // 2])
        spans.append([(k * dilation, (out - 1) * stride + 1) for k in range(size)])
    if any(map(any, pads)):
        x = tf.pad(x, [[0, 0], *pads, [0, 0]])
    (rows, columns), (down, right) = spans, layer.strides
    return [
        x[:, top : top + height : down, left : left + width : right, :]
        for top, height in rows
        for left, width in columns
    ]


def convolution(layer: keras.layers.Conv2D, a: Any, g: Any) -> Part:
    """`[batch, rows, columns, channels] -> [batch, rows', columns', filters]`."""
    seen = windows(layer, a)
    batch, positions = tf.shape(a)[0], seen[0].shape[1:3].num_elements()
    channels, filters = a.shape[-1], g.shape[-1]
    elements = len(seen) * channels
    g = tf.reshape(g, [batch, positions, filters])
    bias = [tf.reduce_sum(g, 1)] if layer.use_bias else []
    direct = _direct_pays(positions, elements, filters)
    if direct and channels == 1:
        # Each window is already a row, so none have to be interleaved.
        patches = tf.stack([tf.reshape(x, [batch, positions]) for x in seen], axis=1)
        return _direct([tf.matmul(patches, g), *bias])
    patches = tf.concat([tf.reshape(x, [batch, positions, channels]) for x in seen], axis=2)
    if not direct:
        return _linear(patches, g, layer.use_bias)
    part = _direct([tf.matmul(g, patches, transpose_a=True), *bias])

    def weighted(factors: Any, kept: list[Any]) -> list[Any]:
        kernel, *rest = part.weighted(factors, kept)
        return [tf.transpose(tf.reshape(kernel, [filters, elements])), *rest]

    return part._replace(weighted=weighted)


def layer_normalization(layer: keras.layers.LayerNormalization, a: Any, g: Any) -> Part:
    """Scales and shifts of each example, normalized over `layer.axis`."""
    axes = sorted(axis % a.shape.rank for axis in tf.nest.flatten(layer.axis))
    return _scaled(layer, normalized(a, axes, layer.epsilon), g, axes)


def group_normalization(layer: keras.layers.GroupNormalization, a: Any, g: Any) -> Part:
    """Scales and shifts of each example, normalized within groups of channels."""
    axis = layer.axis % a.shape.rank
    groups = layer.groups if layer.groups != -1 else a.shape[axis]
    shape = [-1, *a.shape[1:axis], groups, a.shape[axis] // groups, *a.shape[axis + 1 :]]
    others = [n for n in range(1, len(shape)) if n != axis]
    unit = normalized(tf.reshape(a, shape), others, layer.epsilon)
    return _scaled(layer, tf.reshape(unit, tf.shape(a)), g, [axis])


def normalized(x: Any, axes: list[int], epsilon: float) -> Any:
    """`x` with mean 0 and variance 1 over `axes`."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + epsilon)


def _scaled(layer: keras.layers.Layer, unit: Any, g: Any, axes: list[int]) -> Part:
    """The part of `scale * unit + shift`, whose weights lie along `axes`."""
    others = [n for n in range(1, g.shape.rank) if n not in axes]
    scale = [tf.reduce_sum(g * unit, others)] if layer.scale else []
    shift = [tf.reduce_sum(g, others)] if layer.center else []
    return _direct([*scale, *shift])


RULES: dict[type, Callable[[Any, Any, Any], Part]] = {
    keras.layers.Dense: dense,
    keras.layers.Conv2D: convolution,
    ImageConv2D: convolution,
    keras.layers.LayerNormalization: layer_normalization,
    keras.layers.GroupNormalization: group_normalization,
}


def refusal(layer: keras.layers.Layer) -> str:
    """Why a trainable layer cannot be clipped, and what to use instead; empty if it can be."""
    name = f"{layer.name} ({type(layer).__name__})"
    if isinstance(layer, keras.layers.BatchNormalization):
        return f"{name}, which mixes the examples of a batch: use GroupNormalization"
    if type(layer) not in RULES:
        return f"{name}, which is none of {known_kinds()}"
    if layer.compute_dtype != "float32":
        return f"{name} in {layer.compute_dtype}: use float32"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return f"{name} with the channels first: use data_format='channels_last'"
    if getattr(layer, "groups", 1) != 1 and not isinstance(layer, keras.layers.GroupNormalization):
        return f"{name} with {layer.groups} groups: use groups=1"
    return ""


def known_kinds() -> str:
    """The names of the layers that can be clipped."""
    return ", ".join(sorted(kind.__name__ for kind in RULES if kind is not ImageConv2D))
