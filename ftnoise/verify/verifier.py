"""Whether the class that a network predicts is the same in the whole l_inf ball around an example.

Source: Definitions 1 and 3 of "Global Adversarial Robustness Guarantees for Neural Networks"; the
bounds are those of `crown.py` and `splitting.py`.

What is proved. A verified point has a lower bound on its margin, the predicted class's logit less
any other, over all real points of the ball. The bound is computed in double precision from the
network's own weights. The network itself computes in its own precision; `float_error` is 10 times
the largest difference of a margin between the two, measured at the examples and at a random corner
of each ball, and at least 10 times the spacing of numbers at 1 where a softmax or sigmoid of the
network's own can round logits to a tie. A margin that is not above it proves nothing. A tie is not
robust, and nor is an output that is no number.

Deviations
1. Only l_inf balls, clipped to the range of inputs if there is one.
2. Branch and bound splits ReLU, LeakyReLU and max pooling. Where another activation is left, a
   point that optimized slopes do not verify stays undecided.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect, is_number, non_negative
from ftnoise.layers.logits import Logits
from ftnoise.verify.budget import Budget
from ftnoise.verify.crown import Boxes, Crown, Intervals, corner
from ftnoise.verify.program import DTYPE, program
from ftnoise.verify.splitting import Problems, Search

VERIFIED, ATTACKED, UNDECIDED = "verified", "attacked", "undecided"
# How many times the measured difference of two precisions a margin has to exceed.
SAFETY = 10.0
# The precision of the bounds themselves, per unit of the largest logit.
PRECISION = 1e-9
BATCH = 500


@dataclass(frozen=True)
class Outcomes:
    """What is known of each point.

    Attributes:
        status: "verified", "attacked" or "undecided", `[batch]`.
        predicted: class at the example itself, int `[batch]`.
        margin: proved lower bound on the margin over the ball, `[batch]`; above `float_error` where
            verified, the bound of CROWN elsewhere.
        examples: where attacked, a point of the ball whose class by a plain forward pass is not the
            predicted one, or a tie; else the example itself. `[batch, ...]`, the dtype of `x`.
        nodes: bounds with optimized slopes that a point took, int `[batch]`.
        float_error: what a margin has to exceed.
    """

    status: Any
    predicted: Any
    margin: Any
    examples: Any
    nodes: Any
    float_error: float

    def share(self, status: str) -> float:
        """The share of the points with this status."""
        return float(np.mean(self.status == status))


class Verifier:
    """The bounds of one network, compiled once for all calls.

    Args:
        network: Sequential or functional Keras model with one input, that ends in logits, their
            softmax or one sigmoid; or its `Logits`. Its weights are those of now.
        clip: lowest and highest value of an input; a ball ends there. None is no limit.

    Raises:
        BadInput: bounds for a layer or activation are unknown (the message names it), the network
            draws, or it is no classifier of at least two classes.
    """

    def __init__(self, network: keras.Model, clip: tuple[float, float] | None = None) -> None:
        if clip is not None:
            good = isinstance(clip, tuple | list) and len(clip) == 2 and all(map(is_number, clip))
            expect(good and clip[0] < clip[1], "clip to be a range (low, high)", clip=clip)
        self.program, self.clip = program(network), clip
        self.network = network.network if isinstance(network, Logits) else network
        self.crown = Crown(self.program)
        shape = [tf.TensorSpec([None, *self.program.shape], self.network.inputs[0].dtype)]
        self._scores = tf.function(self._outputs, input_signature=shape, autograph=False)
        self._plain = tf.function(self.program.plain, input_signature=shape, autograph=False)

    def verify(self, x: Any, radius: float, *, budget: Budget | None = None) -> Outcomes:
        """Verifies that no point within the radius has another class than the example.

        Args:
            x: `[batch, ...]`, in the clip range.
            radius: of the l_inf ball, in units of the input, >= 0.
            budget: of branch and bound, default `Budget()`.

        Raises:
            BadInput: the radius is negative or no number, examples have another shape, are outside
                the range or not finite, or the network's outputs are not.
        """
        budget = Budget() if budget is None else budget
        x = self._checked(x, radius)
        points = _Points(self, x, radius)
        tied = np.flatnonzero(rivaled(points.scores, points.predicted))
        points.refuted(tied, x[tied])
        error = self.float_error(x, radius)
        deadline = math.inf if budget.seconds is None else time.monotonic() + budget.seconds
        for start in range(0, len(x), self.crown.examples):
            part = np.arange(start, min(start + self.crown.examples, len(x)))
            if not start or time.monotonic() < deadline:
                self._verify(points, part, error, budget, deadline)
        return points.outcomes(error)

    def probability_bounds(self, x: Any, radius: float) -> tuple[Any, Any]:
        """Lower and upper bounds on the softmax over the ball, float64 `[batch, classes]` each.

        They rest on CROWN's bounds on all differences of two logits. Raises as `verify`.
        """
        x, classes = self._checked(x, radius), self.program.classes
        one, other = np.nonzero(~np.eye(classes, dtype=bool))
        identity = np.eye(classes)
        found = self._combined(x, radius, identity[one] - identity[other])
        # least[:, i, j] <= logit i - logit j
        least = np.zeros([len(x), classes, classes])
        least[:, one, other] = found
        with np.errstate(over="ignore"):
            # The softmax of class i is 1 over the sum of exp(logit j - logit i).
            low = 1 / np.exp(-least).sum(2)
            high = 1 / np.exp(least).sum(1)
        return low, high

    def variation_bounds(self, x: Any, radius: float, seconds: float | None = None) -> Any:
        """Upper bounds on the largest change of a probability in the ball, `[batch]` in [0, 1].

        Definition 3 with the l_inf distance of softmax outputs. It is 1 for points that are not
        begun within the seconds, if they are given. Raises as `verify`.
        """
        x = self._checked(x, radius)
        deadline = math.inf if seconds is None else time.monotonic() + seconds
        found = np.ones(len(x))
        for start in range(0, len(x), self.crown.examples):
            if not start or time.monotonic() < deadline:
                part = x[start : start + self.crown.examples]
                low, high = self.probability_bounds(part, radius)
                now = tf.nn.softmax(self.program.forward(tf.cast(part, DTYPE))[0]).numpy()
                most = np.maximum(high - now, now - low).max(1)
                found[start : start + len(part)] = np.where(np.isnan(most), 1, most.clip(0, 1))
        return found

    def float_error(self, x: Any, radius: float) -> float:
        """What a margin has to exceed, from margins in both precisions at points of the balls."""
        corners = np.random.default_rng(0).choice([-radius, radius], x.shape)
        # A softmax or sigmoid of the network's own can round different logits to a tie.
        rounds = self.program.ending != "logits"
        worst = SAFETY * float(np.finfo(x.dtype).eps) if rounds else 0.0
        for points in (x, self._inside(x, x + corners, radius)):
            for start in range(0, len(x), BATCH):
                part = points[start : start + BATCH]
                plain = self._plain(part).numpy().astype(np.float64)
                double = self.crown.forward(tf.cast(part, DTYPE))[0].numpy()
                # The largest difference of a margin is that of two logits' differences.
                off = plain - double
                if not np.isfinite(off).all():
                    return math.inf  # nothing is proved where the network gives no number
                worst = max(worst, SAFETY * float(np.ptp(off, axis=1).max(initial=0)))
                worst = max(worst, PRECISION * float(np.abs(double).max(initial=0)))
        return worst

    def _verify(
        self, points: _Points, part: Any, error: float, budget: Budget, deadline: float
    ) -> None:
        """Decides points by CROWN, and then by branch and bound."""
        part = part[~points.attacked[part]]
        if not len(part):
            return
        points.margin[part] = np.inf
        boxes = self._boxes(points.x[part], points.radius)
        intervals, *_ = self.crown.intervals(boxes)
        of, rows = _margins(points.predicted[part], self.program.classes)
        bounds, coefficients, _ = self.crown.combinations(of, rows, boxes, intervals)
        bounds = np.where(np.isnan(bounds), -np.inf, bounds)
        np.minimum.at(points.margin, part[of], bounds)
        left = np.flatnonzero(~(bounds > error))
        if not len(left):
            return
        corners = corner(tf.gather(coefficients, left), boxes[of[left]]).numpy()
        points.refuted(part[of[left]], corners)
        left = left[~points.attacked[part[of[left]]]]
        if not len(left) or not budget.nodes or not self.crown.unaries:
            return
        problems = Problems(of[left], rows[left], boxes, intervals, error)
        search = Search(
            self.crown, problems, lambda of, x: points.refuted(part[of], x), budget, deadline
        )
        bounds[left] = search.run()
        np.add.at(points.nodes, part[of[left]], search.nodes)
        proved = np.full(len(part), np.inf)
        np.minimum.at(proved, of, bounds)
        better = proved > error
        points.margin[part[better]] = proved[better]

    def _combined(self, x: Any, radius: float, rows: Any) -> Any:
        """CROWN's lower bounds on combinations `[m, classes]` of the logits, `[batch, m]`."""
        found = []
        for start in range(0, len(x), self.crown.examples):
            boxes = self._boxes(x[start : start + self.crown.examples], radius)
            count = len(boxes.center)
            of, all_rows = np.repeat(np.arange(count), len(rows)), np.tile(rows, (count, 1))
            intervals: Intervals = self.crown.intervals(boxes)[0]
            bounds = self.crown.combinations(of, all_rows, boxes, intervals)[0]
            found.append(bounds.numpy().reshape(count, len(rows)))
        return np.concatenate(found)

    def _boxes(self, x: Any, radius: float) -> Boxes:
        low, high = self._ends(x, radius)
        return Boxes(tf.constant((low + high) / 2), tf.constant((high - low) / 2))

    def _ends(self, x: Any, radius: float) -> tuple[Any, Any]:
        """Lower and upper ends of the balls, float64."""
        center = np.asarray(x, np.float64)
        low, high = center - radius, center + radius
        return (low, high) if self.clip is None else (low.clip(*self.clip), high.clip(*self.clip))

    def _inside(self, x: Any, moved: Any, radius: float) -> Any:
        """The points moved into the balls around `x`, in its precision."""
        low, high = self._ends(x, radius)
        inside = np.clip(np.asarray(moved, np.float64), low, high).astype(x.dtype)
        # Rounding may lead out of the ball.
        inside = np.where(inside > high, np.nextafter(inside, x), inside)
        return np.where(inside < low, np.nextafter(inside, x), inside)

    def _outputs(self, x: Any) -> Any:
        """The network's own outputs; of one sigmoid unit the probability beside 1/2."""
        outputs = self.network(x, training=False)
        if self.program.ending == "sigmoid":
            return tf.concat([tf.fill(tf.shape(outputs), tf.cast(0.5, outputs.dtype)), outputs], -1)
        return outputs

    def outputs(self, x: Any) -> Any:
        """A plain forward pass `[n, classes]`, whose largest number is that of the class."""
        parts = [self._scores(x[s : s + BATCH]).numpy() for s in range(0, len(x), BATCH)]
        return np.concatenate(parts) if parts else np.zeros([0, self.program.classes])

    def _checked(self, x: Any, radius: Any) -> Any:
        non_negative(radius=float(radius) if isinstance(radius, np.floating) else radius)
        dtype = self.network.inputs[0].dtype.as_numpy_dtype
        x = np.asarray(x, dtype)
        expect(
            x.shape[1:] == self.program.shape and len(x) > 0,
            f"examples [batch, {', '.join(map(str, self.program.shape))}]",
            x=x.shape,
        )
        expect(bool(np.isfinite(x).all()), "examples that are finite numbers", x="NaN or infinity")
        if self.clip is not None:
            low, high = float(x.min()), float(x.max())
            inside = low >= self.clip[0] and high <= self.clip[1]
            expect(inside, "examples in [{:g}, {:g}]".format(*self.clip), lowest=low, highest=high)
        finite = bool(np.isfinite(self.outputs(x)).all())
        expect(finite, "finite outputs of the network", outputs="NaN or infinity")
        return x


class _Points:
    """Points under verification."""

    def __init__(self, verifier: Verifier, x: Any, radius: float) -> None:
        self.verifier, self.x, self.radius = verifier, x, radius
        self.scores = verifier.outputs(x)
        self.predicted = self.scores.argmax(1)
        self.examples = x.copy()
        self.attacked = np.zeros(len(x), bool)
        self.margin = np.full(len(x), -np.inf)
        self.nodes = np.zeros(len(x), int)

    def refuted(self, of: Any, candidates: Any) -> Any:
        """Whether points `of` have a counterexample, now that candidates `[n, ...]` are known."""
        moved = self.verifier._inside(self.x[of], candidates, self.radius)
        scores = self.verifier.outputs(moved)
        for number in np.flatnonzero(rivaled(scores, self.predicted[of])):
            if not self.attacked[of[number]]:
                self.attacked[of[number]] = True
                self.examples[of[number]] = moved[number]
        return self.attacked[of]

    def outcomes(self, error: float) -> Outcomes:
        """What is known at the end."""
        verified = (self.margin > error) & ~self.attacked
        status = np.where(self.attacked, ATTACKED, np.where(verified, VERIFIED, UNDECIDED))
        return Outcomes(status, self.predicted, self.margin, self.examples, self.nodes, error)


def rivaled(scores: Any, predicted: Any) -> Any:
    """Whether another class reaches the score of the predicted one, `[n]`; a tie and NaN do."""
    classes = predicted[:, None]
    others = np.arange(scores.shape[1]) != classes
    return (~(scores < np.take_along_axis(scores, classes, 1)) & others).any(1)


def _margins(predicted: Any, classes: int) -> tuple[Any, Any]:
    """The example of each margin, and its coefficients of the logits."""
    of, other = np.nonzero(np.arange(classes) != predicted[:, None])
    identity = np.eye(classes)
    return of, identity[predicted[of]] - identity[other]
