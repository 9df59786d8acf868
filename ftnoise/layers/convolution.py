"""Keras layers: a convolution with a fast gradient in its input, and two logits from one.

An attack differentiates with respect to images. For images of one channel that is the worst case of
TensorFlow's kernel: on two cores it takes twice as long as the rest of an attack step on FMNIST
CNN 2. Here the gradient is one convolution along the width that keeps the kernel's rows in the
channels, and a sum of shifted rows. This takes a third of the time on that network, and gains
nothing on three channels. Values differ from TensorFlow's by rounding only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

FEW_CHANNELS = 1

# A model with these layers is loaded from Keras' files when their module has been imported.
serializable = keras.saving.register_keras_serializable("ftnoise")


@serializable
class ImageConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` for images: the same layer with a faster gradient in its input.

    Applies to images of one channel (the last axis) at stride 1 and dilation 1; anything else is
    Keras' own.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution, `[batch, height, width, channels]` -> `[batch, ., ., filters]`."""
        plain = self.strides == self.dilation_rate == (1, 1) and self.groups == 1
        plain = plain and self.data_format == "channels_last"
        if not plain or kernel.shape[2] > FEW_CHANNELS or self.padding not in ("same", "valid"):
            return super().convolution_op(inputs, kernel)

        @tf.custom_gradient
        def convolve(inputs: Any, kernel: Any) -> tuple[Any, Callable[[Any], tuple[Any, Any]]]:
            padding = self.padding.upper()

            def gradients(upstream: Any) -> tuple[Any, Any]:
                return (
                    gradient_in_input(upstream, kernel, self.padding),
                    tf.raw_ops.Conv2DBackpropFilter(
                        input=inputs,
                        filter_sizes=kernel.shape,
                        out_backprop=upstream,
                        strides=[1, 1, 1, 1],
                        padding=padding,
                    ),
                )

            return tf.nn.conv2d(inputs, kernel, 1, padding), gradients

        return convolve(inputs, kernel)


def gradient_in_input(upstream: Any, kernel: Any, padding: str) -> Any:
    """Gradient of a stride-1 convolution in its input, `[batch, height, width, channels]`.

    `upstream` is that in the output, `[batch, height', width', filters]`, the kernel
    `[rows, columns, channels, filters]`, and the padding "same" or "valid".
    """
    rows, columns, channels, filters = kernel.shape
    before = [(size - 1) // 2 if padding == "same" else 0 for size in (rows, columns)]
    total = [size - 1 if padding == "same" else 2 * (size - 1) for size in (rows, columns)]
    first = [size - 1 - pad for size, pad in zip((rows, columns), before, strict=True)]
    pads = [[0, 0], *([a, t - a] for a, t in zip(first, total, strict=True)), [0, 0]]
    # [rows, columns, channels, filters] -> [1, columns, filters, rows * channels], flipped.
    flipped = tf.transpose(kernel[::-1, ::-1], [1, 3, 0, 2])
    flipped = tf.reshape(flipped, [1, columns, filters, rows * channels])
    by_row = tf.nn.conv2d(tf.pad(upstream, pads), flipped, 1, "VALID")
    height = tf.shape(by_row)[1] - rows + 1
    shifted = [
        by_row[:, row : row + height, :, row * channels : (row + 1) * channels]
        for row in range(rows)
    ]
    return tf.add_n(shifted)


@serializable
class TwoLogits(keras.layers.Layer):
    """Prepends a logit of 0 for class 0 to the logit of class 1, `[batch, 1]` -> `[batch, 2]`.

    The softmax of both is the sigmoid of the one, and their cross-entropy is the binary
    cross-entropy. So this layer replaces a sigmoid unit at the end of a network.
    """

    def call(self, inputs: Any) -> Any:
        """Prepends the logit 0."""
        return tf.concat([tf.zeros_like(inputs), inputs], axis=-1)
