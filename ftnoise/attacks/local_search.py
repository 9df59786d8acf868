"""LocalSearch: greedy search for a few pixels whose change makes an image wrong, by its outputs.

Source: Narodytska and Kasiviswanathan (2016), "Simple Black-Box Adversarial Perturbations for Deep
Networks", in the form of Foolbox 1.8. A round makes variants of the image, each with one pixel
pushed far outside the range, and changes the pixels whose variants leave the label the highest
probability. That change stays in the range, whose ends are joined.

Deviations
1. A variant ends no search, even if it is wrong: it is outside [0, 1], unless its pixel is gray.
2. Pixels are distinct, and are (row, column) in images that are no squares, too.
3. All variants of up to 40 images are passed at once, in one draw of a network that draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.search import Search, until_wrong
from ftnoise.attacks.target import Compiled, draw
from ftnoise.core.checks import boolean, count, expect, is_number, positive
from ftnoise.core.lazy import keras, tf

VARIANT_NUMBERS = 2**22  # in a call: 40 images of MNIST with 128 variants each


@dataclass(frozen=True, kw_only=True)
class LocalSearch(Search):
    """The attack of Narodytska and Kasiviswanathan (2016), on `[batch, height, width, channels]`.

    Args:
        rounds: the most rounds, at least 1.
        pixels: number of pixels that a round changes, at least 1.
        variants: number of pixels that a round tries, at least 1; the first one tries at most a
            tenth of the image, later ones draw from the neighbors of the changed pixels.
        half_side: of the square of neighbors, in pixels, at least 1.
        push: distance from gray, in widths of the range, to which a tried pixel is moved; > 0.
        change: factor of a changed pixel's difference from gray, in (0, 2]; beyond the range it
            comes in from the other end.
        lowest: change the pixels whose variants leave the label the lowest probability instead, as
            Foolbox did until 2.0 by mistake.
    """

    rounds: int = 150
    pixels: int = 5
    variants: int = 128
    half_side: int = 5
    push: float = 10.0
    change: float = 1.5
    lowest: bool = False

    ball: ClassVar[Ball] = L2Ball()

    def __post_init__(self) -> None:
        count(rounds=self.rounds, pixels=self.pixels, variants=self.variants)
        count(half_side=self.half_side)
        positive(push=self.push)
        expect(
            is_number(self.change) and 0 < self.change <= 2, "change in (0, 2]", change=self.change
        )
        boolean(lowest=self.lowest)

    @property
    def label(self) -> str:
        return super().label + (", lowest first" if self.lowest else "")

    def check(self, network: keras.Model, shape: tuple[int, ...]) -> None:
        super().check(network, shape)
        expect(len(shape) == 3, "images of height, width and channels for LocalSearch", x=shape)

    def nearest(self, target: Compiled, x: Any, y: Any, logits: Any, seed: Any) -> tuple[Any, Any]:
        size = math.prod(x.shape[1:3])
        few = min(max(size // 10, 1), self.variants)
        _, first = tf.math.top_k(tf.random.stateless_uniform([len(y), size], draw(seed, 0)), few)
        near = tf.reduce_any(tf.one_hot(first, size, True, False, dtype=tf.bool), axis=1)
        mask = tf.TensorSpec([None, size], tf.bool)
        signature = (target.x, target.y, mask, target.seed)
        advance = target.once(self, lambda *parts: self.round(target, *parts), *signature)
        together = max(1, VARIANT_NUMBERS // (self.variants * math.prod(x.shape[1:])))

        def take(number: int, state: Any) -> tuple[Any, Any, Any]:
            key, parts = draw(draw(seed, 1), number), []
            for begin in range(0, len(state[0]), together):
                some = (part[begin : begin + together] for part in state)
                parts.append(advance(*some, draw(key, begin)))
            moved, near, wrong = (tf.concat(part, axis=0) for part in zip(*parts, strict=True))
            return (moved, state[1], near), moved, wrong

        return until_wrong(take, (x, y, near), x, self.rounds)

    def round(self, target: Compiled, x: Any, y: Any, near: Any, seed: Any) -> tuple[Any, Any, Any]:
        """The images with some pixels changed, the neighbors of these, and which images are wrong.

        Args:
            target: the compiled network.
            x: images `[batch, height, width, channels]`.
            y: labels `[batch]`.
            near: pixels to try, bool `[batch, height * width]`.
            seed: int64 pair.
        """
        from ftnoise.layers.drawing import forward

        height, width, channels = x.shape[1:]
        size = height * width
        chance = tf.random.stateless_uniform(tf.shape(near), draw(seed, 0))
        chance, tried = tf.math.top_k(tf.where(near, chance, -1.0), min(self.variants, size))
        gray = tf.reshape(x, [-1, size, channels]) - 0.5
        pushed = tf.gather(0.5 + self.push * tf.sign(gray), tried, batch_dims=1)
        variants = tf.reshape(tf.repeat(x, tried.shape[1], axis=0), [-1, size, channels])
        number = tf.stack([tf.range(tf.size(tried)), tf.reshape(tried, [-1])], axis=1)
        pushed = tf.reshape(pushed, [-1, channels])
        variants = tf.reshape(
            tf.tensor_scatter_nd_update(variants, number, pushed), [-1, *x.shape[1:]]
        )
        logits = forward(target.network, variants, draw(seed, 1))
        left = tf.nn.softmax(tf.reshape(logits, [-1, tried.shape[1], logits.shape[-1]]))
        score = tf.gather(left, tf.repeat(y[:, None], tried.shape[1], axis=1), batch_dims=2)
        score = tf.where(chance < 0, -2.0, -score if self.lowest else score)
        best, which = tf.math.top_k(score, min(self.pixels, tried.shape[1]))
        # Fewer pixels than it changes may have been tried.
        best_pixels = tf.where(best < -1, -1, tf.gather(tried, which, batch_dims=1))
        changed = tf.reduce_any(tf.one_hot(best_pixels, size, True, False, dtype=tf.bool), axis=1)
        moved = self.change * gray
        moved -= tf.cast(moved > 0.5, x.dtype) - tf.cast(moved < -0.5, x.dtype)
        moved = tf.reshape(0.5 + tf.where(changed[..., None], moved, gray), tf.shape(x))
        outputs = forward(target.network, moved, draw(seed, 2))
        wrong = tf.argmax(outputs, axis=-1, output_type=y.dtype) != y
        area = tf.reshape(tf.cast(changed, x.dtype), [-1, height, width, 1])
        area = tf.nn.max_pool2d(area, 2 * self.half_side + 1, 1, "SAME")
        return moved, tf.reshape(area, [-1, size]) > 0, wrong
