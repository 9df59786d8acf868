"""What becomes of the images of a batch before anything else looks at them.

Source: the released training code of Zhang et al. (2019), which follows He et al. (2016), "Deep
Residual Learning for Image Recognition": a random crop of the padded image, mirrored or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, is_count
from ftnoise.core.interfaces import Augmentation


@dataclass(frozen=True, kw_only=True)
class CropAndFlip(Augmentation):
    """A crop of the image's own size out of the image with a black border, mirrored or not.

    Each image has a crop of its own, uniform over all places, and is mirrored with a probability of
    one half.

    Args:
        padding: width of the border, >= 0, in pixels.
        flip: whether images are mirrored, left to right.
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        expect(is_count(self.padding, least=0), "padding >= 0", padding=self.padding)
        expect(isinstance(self.flip, bool), "flip to be a bool", flip=self.flip)

    def augment(self, x: Any, seed: Any) -> Any:
        """The images `[batch, height, width, channels]`, changed; in [0, 1] if they were.

        Args:
            x: images.
            seed: int64 pair.
        """
        import tensorflow as tf

        size = tf.shape(x)
        drawn = tf.random.stateless_uniform([size[0], 3], seed)
        places = tf.cast(drawn[:, :2] * (2.0 * self.padding + 1.0), tf.int32)
        rows = places[:, :1] + tf.range(size[1])
        columns = places[:, 1:] + tf.range(size[2])
        if self.flip:
            columns = tf.where(drawn[:, 2:] < 0.5, columns, tf.reverse(columns, [1]))
        border = [self.padding, self.padding]
        x = tf.pad(x, [[0, 0], border, border, [0, 0]])
        return tf.gather(tf.gather(x, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
