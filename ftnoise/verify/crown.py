"""Bounds on linear functions of the logits over boxes: intervals, CROWN, optimized slopes.

Source: Zhang et al. (2018), "Efficient Neural Network Robustness Certification with General
Activation Functions" (CROWN); Xu et al. (2021), "Fast and Complete" (alpha-CROWN); Wang et al.
(2021), "Beta-CROWN: Efficient Bound Propagation with Per-neuron Split Constraints".

CROWN carries a linear function of the logits back to the input. At each activation it takes the
line below where the coefficient is positive, and the line above where it is negative, so the
result is a linear function of the input that is never above the one it started from. Its minimum
over a box is a sum. The same from each activation's input gives the intervals on which the lines
are taken, where interval arithmetic is not exact already.

Deviations
1. An interval is the better end of interval arithmetic and of CROWN. The end that the center's sign
   makes likely comes first; where it settles the sign of a ReLU's input, the other one is left to
   interval arithmetic.
2. The bound on the margins is the better of two: with the usual slopes below unstable units, and
   with slopes 0, which are better in large balls.
3. Slopes are optimized for the margins, with the intervals of CROWN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ftnoise.verify.activations import Lines
from ftnoise.verify.program import DTYPE, Affine, Key, Program, Unary

# Numbers in the largest tensor of a call.
CHUNK = 2**22
# The start of a chain of linear functions is kept as a matrix up to this size.
KEPT = 2**21
RATE, DECAY = 0.1, 0.98


@dataclass(frozen=True)
class Boxes:
    """Boxes around examples, float64 `[batch, ...]`: centers and half widths."""

    center: Any
    radius: Any

    def __getitem__(self, index: Any) -> Boxes:
        return Boxes(tf.gather(self.center, index), tf.gather(self.radius, index))


@dataclass(frozen=True)
class Intervals:
    """Ends of the inputs of all activations on boxes, each `[batch, ...]`, float64."""

    lows: list[Any]
    highs: list[Any]


def backward(
    program: Program,
    key: Key,
    rows: Any,
    lines: Sequence[Lines],
    multipliers: Sequence[Any] | None = None,
    kept: dict[int, Any] | None = None,
) -> tuple[Any, Any]:
    """Linear functions of the input that are nowhere above linear functions of a tensor.

    The latter have coefficients `rows`, `[n, *shape of the tensor]`, the former coefficients
    `[n, *shape of the input]` and constants `[n]`. `lines` and `multipliers` are `[n, ...]` for
    each activation; multipliers are added to the coefficients of its input. `kept` gets the
    coefficients of each activation's output, by number.
    """
    reached, constants = {key: rows}, tf.zeros(tf.shape(rows)[:1], DTYPE)
    for one in reversed(program.operations):
        rows = reached.pop(one.output, None)
        if rows is None:
            continue
        if isinstance(one, Affine):
            constants += _total(rows * one.offset)
            pulled = one.pull(rows)
        else:
            below, under, above, over = lines[one.number]
            positive, negative = tf.nn.relu(rows), -tf.nn.relu(-rows)
            constants += _total(positive * under + negative * over)
            pulled = [positive * below + negative * above]
            if multipliers is not None:
                pulled = [pulled[0] + multipliers[one.number]]
            if kept is not None:
                kept[one.number] = rows
        for taken, part in zip(one.inputs, pulled, strict=True):
            reached[taken] = reached[taken] + part if taken in reached else part
    nothing = tf.zeros([tf.shape(constants)[0], *program.shape], DTYPE)
    return reached.get(program.input, nothing), constants


def lowest(coefficients: Any, constants: Any, boxes: Boxes) -> Any:
    """The minimum of linear functions over boxes, `[n]`."""
    return constants + _total(coefficients * boxes.center - tf.abs(coefficients) * boxes.radius)


class Crown:
    """The bounds of a program, compiled once for all boxes."""

    def __init__(self, program: Program) -> None:
        self.program, self.unaries = program, program.unaries
        one = tf.TensorSpec([None], tf.int64)
        box = [tf.TensorSpec([None, *program.shape], DTYPE)] * 2
        self._specs = [tf.TensorSpec([None, *unary.shape], DTYPE) for unary in self.unaries]
        self._ends = [
            tf.function(
                self._end(unary),
                input_signature=[
                    *(one, one, tf.TensorSpec([None], DTYPE), *box),
                    *2 * [self._specs[: unary.number]],
                ],
                autograph=False,
            )
            for unary in self.unaries
        ]
        rows = tf.TensorSpec([None, program.classes], DTYPE)
        self._combinations = tf.function(
            self._combination,
            input_signature=[one, rows, *box, *2 * [self._specs]],
            autograph=False,
        )
        self.optimized = tf.function(
            self._optimized,
            input_signature=[rows, *box, *3 * [self._specs], tf.TensorSpec([], tf.int32)],
            autograph=False,
        )
        self.forward = tf.function(program.forward, input_signature=box[:1], autograph=False)
        self.largest = max(
            int(np.prod(shape))
            for shape in [program.shape, *(unary.shape for unary in self.unaries)]
        )

    @property
    def examples(self) -> int:
        """The number of boxes that are worth one call."""
        numbers = sum(int(np.prod(unary.shape)) for unary in self.unaries)
        return max(1, CHUNK // max(numbers, self.largest))

    def intervals(self, boxes: Boxes, refine: bool = True) -> tuple[Intervals, Any, Any]:
        """Intervals of the inputs of all activations, and the ends of the logits.

        There are at most `examples` boxes. Without `refine`, it is interval arithmetic alone.
        """
        low, high = boxes.center - boxes.radius, boxes.center + boxes.radius
        ends = {self.program.input: (low, high)}
        # Tensors that fill a box, and those of which each number fills its interval.
        filled, exact = {self.program.input}, {self.program.input}
        found = Intervals([], [])
        inside = self.forward(boxes.center)[1]
        for one in self.program.operations:
            lows, highs = zip(*(ends[key] for key in one.inputs), strict=True)
            if isinstance(one, Unary):
                low, high = lows[0], highs[0]
                if refine and one.inputs[0] not in exact:
                    low, high = self._refined(one, low, high, inside[one.number], boxes, found)
                found.lows.append(low)
                found.highs.append(high)
                ends[one.output] = one.activation(low), one.activation(high)
            else:
                ends[one.output] = _image(one, lows, highs)
            if len(one.inputs) == 1 and one.inputs[0] in filled:
                exact.add(one.output)
                if isinstance(one, Unary) or one.separate:
                    filled.add(one.output)
        return found, *ends[self.program.output]

    def combinations(
        self, of: Any, rows: Any, boxes: Boxes, intervals: Intervals
    ) -> tuple[Any, Any, Any]:
        """CROWN's lower bounds on combinations of the logits, `[n]`.

        `of` is the box of each, `[n]`, `rows` are its coefficients, `[n, classes]`. Gives also the
        linear functions below whose minimum the bounds are: coefficients `[n, ...]` and constants
        `[n]`.
        """
        given = boxes.center, boxes.radius, intervals.lows, intervals.highs
        found = []
        for part in self._parts(len(of)):
            index = tf.constant(of[part], tf.int64)
            found.append(self._combinations(index, tf.constant(rows[part], DTYPE), *given))
        bounds, coefficients, constants = (
            tf.concat(parts, 0) for parts in zip(*found, strict=True)
        )
        return bounds, coefficients, constants

    def units(
        self, number: int, of: Any, unit: Any, sign: Any, boxes: Boxes, intervals: Intervals
    ) -> tuple[Any, Any, Any]:
        """The same of units of the input of activation `number`, times 1 or -1, each `[n]`."""
        return self._ends[number](
            *(tf.constant(of, tf.int64), tf.constant(unit, tf.int64), tf.constant(sign, DTYPE)),
            *(boxes.center, boxes.radius, intervals.lows[:number], intervals.highs[:number]),
        )

    def _parts(self, count: int) -> list[slice]:
        """Slices of `count` rows, each small enough for a call."""
        most = max(1, CHUNK // self.largest)
        return [slice(start, start + most) for start in range(0, count, most)] or [slice(0, 0)]

    def _refined(
        self, unary: Unary, low: Any, high: Any, inside: Any, boxes: Boxes, before: Intervals
    ) -> tuple[Any, Any]:
        """The ends of an activation's input by CROWN, where they are needed."""
        ends = [np.array(low), np.array(high)]
        flat = [end.reshape(len(end), -1) for end in ends]
        likely = inside.numpy().reshape(flat[0].shape) < 0
        for first in (True, False):
            for sign in (1, 0):
                wanted = likely == bool(sign) if first else likely != bool(sign)
                if unary.activation.piecewise:
                    wanted = wanted & (flat[0] < 0) & (flat[1] > 0)
                for part in self._parts(np.count_nonzero(wanted)):
                    of, unit = (index[part] for index in np.nonzero(wanted))
                    signs = np.full(len(of), 1.0 - 2.0 * sign)
                    bounds, *_ = self.units(unary.number, of, unit, signs, boxes, before)
                    if sign:
                        flat[1][of, unit] = np.fmin(flat[1][of, unit], -bounds)
                    else:
                        flat[0][of, unit] = np.fmax(flat[0][of, unit], bounds)
        # Rounding may put the ends of a narrow interval in the wrong order.
        low, high = np.minimum(*ends), np.maximum(*ends)
        return tf.constant(low), tf.constant(high)

    def _end(self, unary: Unary) -> Any:
        """The function of `units` on tensors."""
        size, key, offsets = int(np.prod(unary.shape)), unary.inputs[0], None
        for one in self.program.operations:
            if one.output != key or isinstance(one, Unary) or len(one.inputs) > 1:
                continue
            if size * int(np.prod(one.shapes[0])) <= KEPT:
                # All products with single units at once, where they are few.
                (matrix,) = one.pull(tf.reshape(tf.eye(size, dtype=DTYPE), [size, *unary.shape]))
                key, offsets = one.inputs[0], tf.reshape(one.offset, [-1])
                break

        def end(
            of: Any, unit: Any, sign: Any, center: Any, radius: Any, lows: Any, highs: Any
        ) -> Any:
            if offsets is None:
                rows = tf.one_hot(unit, size, dtype=DTYPE)
                rows = tf.reshape(rows, [-1, *unary.shape])
            else:
                rows = tf.gather(matrix, unit)
            rows *= _wide(sign, rows)
            found = backward(self.program, key, rows, self._lines(lows, highs, of))
            if offsets is not None:
                found = found[0], found[1] + sign * tf.gather(offsets, unit)
            return lowest(*found, Boxes(center, radius)[of]), *found

        return end

    def _combination(
        self, of: Any, rows: Any, center: Any, radius: Any, lows: Any, highs: Any
    ) -> tuple[Any, Any, Any]:
        boxes, key = Boxes(center, radius)[of], self.program.output
        usual = backward(self.program, key, rows, self._lines(lows, highs, of))
        flat = backward(self.program, key, rows, self._lines(lows, highs, of, flat=True))
        bounds = lowest(*usual, boxes), lowest(*flat, boxes)
        better = bounds[0] >= bounds[1]
        found = [
            tf.where(_wide(better, one), one, other) for one, other in zip(usual, flat, strict=True)
        ]
        return tf.where(better, *bounds), *found

    def _lines(self, lows: Any, highs: Any, of: Any, flat: bool = False) -> list[Lines]:
        """The usual or flattest lines of the first activations, gathered for rows `[n]`."""
        found = []
        for unary, low, high in zip(self.unaries, lows, highs, strict=False):
            usual, lines = unary.activation.relaxation(low, high)
            t = tf.zeros_like(usual) if flat else usual
            found.append(tuple(tf.gather(line, of) for line in lines(t)))
        return found

    def _optimized(
        self, rows: Any, center: Any, radius: Any, lows: Any, highs: Any, signs: Any, steps: Any
    ) -> tuple[Any, Any, Any]:
        """Lower bounds on combinations of the logits, with optimized lines and split constraints.

        Called as `optimized`, with a row for each box: coefficients of the logits `[n, classes]`,
        centers and half widths of the boxes, ends of the inputs of all activations, their known
        signs (1, -1, or 0), each `[n, ...]`, and the number of Adam's steps.

        Returns:
            Bounds `[n]`; the corners `[n, ...]` where the linear functions below have their
            minimum; and by how much each unit's line is off there, times its coefficient, for each
            activation `[n, ...]`.
        """
        boxes = Boxes(center, radius)
        relaxed = [
            unary.activation.relaxation(low, high)
            for unary, low, high in zip(self.unaries, lows, highs, strict=True)
        ]

        def bound(free: Any, dual: Any) -> tuple[Any, Any, Any]:
            kept: dict[int, Any] = {}
            lines = [function(t) for (_, function), t in zip(relaxed, free, strict=True)]
            shifts = [-sign * beta for sign, beta in zip(signs, dual, strict=True)]
            found = backward(self.program, self.program.output, rows, lines, shifts, kept)
            return lowest(*found, boxes), found[0], (lines, kept)

        def step(number: Any, best: Any, kept: Any, now: Any, moments: Any, squares: Any) -> Any:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(now)
                bounds, *_ = bound(*now)
            slopes = tape.gradient(bounds, now, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            better = bounds > best
            best = tf.where(better, bounds, best)
            kept = _each(lambda new, old: tf.where(_wide(better, new), new, old), now, kept)
            moments = _each(lambda m, g: 0.9 * m + 0.1 * g, moments, slopes)
            squares = _each(lambda v, g: 0.999 * v + 0.001 * g * g, squares, slopes)
            times = tf.cast(number + 1, DTYPE)
            one, two = (
                1 - tf.pow(tf.constant(0.9, DTYPE), times),
                1 - tf.pow(tf.constant(0.999, DTYPE), times),
            )
            rate = RATE * tf.pow(tf.constant(DECAY, DTYPE), times)
            moved = _each(
                lambda x, m, v: x + rate * (m / one) / (tf.sqrt(v / two) + 1e-8),
                now,
                moments,
                squares,
            )
            free, dual = moved
            free = [tf.clip_by_value(t, 0.0, 1.0) for t in free]
            dual = [tf.nn.relu(beta) for beta in dual]
            return number + 1, best, kept, (free, dual), moments, squares

        start = [usual for usual, _ in relaxed], [tf.zeros_like(low) for low in lows]
        nothing = _each(tf.zeros_like, start)
        worst = tf.fill(tf.shape(rows)[:1], tf.constant(-np.inf, DTYPE))
        _, _, kept, now, _, _ = tf.while_loop(
            lambda number, *_: number < steps,
            step,
            (tf.constant(0), worst, start, start, nothing, nothing),
        )
        last, best = bound(*now), bound(*kept)
        better = last[0] > best[0]
        ends = tf.where(better, last[0], best[0])
        coefficients = tf.where(_wide(better, last[1]), last[1], best[1])
        reached = corner(coefficients, boxes)
        taken, (lines, weights) = self.program.forward(reached)[1], best[2]
        gaps = []
        for unary, z, (below, under, above, over) in zip(self.unaries, taken, lines, strict=True):
            weight = weights.get(unary.number, tf.zeros_like(z))
            line = tf.where(weight > 0, below * z + under, above * z + over)
            gaps.append(weight * (unary.activation(z) - line))
        return ends, reached, gaps


def _image(one: Affine, lows: Any, highs: Any) -> tuple[Any, Any]:
    """The box around the image of boxes."""
    centers = [(low + high) / 2 for low, high in zip(lows, highs, strict=True)]
    radii = [(high - low) / 2 for low, high in zip(lows, highs, strict=True)]
    center, radius = one.function(*centers), one.magnitude(*radii)
    if one.maximum is not None:
        return one.maximum(lows[0]), one.maximum(highs[0])
    low, high = center - radius, center + radius
    # An interval without numbers, as of infinite ends, is no bound.
    infinity = tf.constant(math.inf, low.dtype)
    return (
        tf.where(tf.math.is_nan(low), -infinity, low),
        tf.where(tf.math.is_nan(high), infinity, high),
    )


def corner(coefficients: Any, boxes: Boxes) -> Any:
    """Where linear functions have their minimum in boxes, `[n, ...]`."""
    return boxes.center - tf.sign(coefficients) * boxes.radius


def _total(values: Any) -> Any:
    """Sums over all axes but the first."""
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def _wide(values: Any, like: Any) -> Any:
    return tf.reshape(values, [-1, *[1] * (like.shape.rank - 1)])


def _each(function: Any, *structures: Any) -> Any:
    return tf.nest.map_structure(function, *structures)
