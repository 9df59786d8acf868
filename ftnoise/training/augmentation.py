"""Random changes of the images of a batch: crops and mirror images.

Source: the released training code of Zhang et al. (2019), which follows He et al. (2016), "Deep
Residual Learning for Image Recognition": a random crop of the padded image, mirrored or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import boolean, count
from ftnoise.core.interfaces import Augmentation
from ftnoise.core.lazy import tf


@dataclass(frozen=True, kw_only=True)
class CropAndFlip(Augmentation):
    """Adds a black border, crops to the original size, and mirrors with probability 1/2.

    Each image has a crop of its own, uniform over all positions.

    Args:
        padding: width of the border, >= 0, in pixels.
        flip: whether to mirror images left to right.
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        count(least=0, padding=self.padding)
        boolean(flip=self.flip)

    def augment(self, x: Any, seed: Any) -> Any:
        """The augmented images `[batch, height, width, channels]`, in the range of `x` and 0."""
        size = tf.shape(x)
        drawn = tf.random.stateless_uniform([size[0], 3], seed)
        corners = tf.cast(drawn[:, :2] * (2.0 * self.padding + 1.0), tf.int32)
        rows = corners[:, :1] + tf.range(size[1])
        columns = corners[:, 1:] + tf.range(size[2])
        if self.flip:
            columns = tf.where(drawn[:, 2:] < 0.5, columns, tf.reverse(columns, [1]))
        border = [self.padding, self.padding]
        x = tf.pad(x, [[0, 0], border, border, [0, 0]])
        return tf.gather(tf.gather(x, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
