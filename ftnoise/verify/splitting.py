"""Branch and bound over the signs of ReLU inputs: complete for piecewise linear networks.

Source: Bunel et al. (2020), "Branch and Bound for Piecewise Linear Neural Network Verification";
Wang et al. (2021), "Beta-CROWN".

A node is a set of signs, and its bound holds where the inputs have them. A node whose bound is
above the threshold is closed. Another one is split at the unit whose line is furthest off at the
corner where the bound is reached; without units to split it is an exact leaf. Nodes of all problems
are bounded together, those of the least explored problems first.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ftnoise.verify.budget import Budget
from ftnoise.verify.crown import CHUNK, Boxes, Crown, Intervals
from ftnoise.verify.leaf import decide
from ftnoise.verify.program import DTYPE

# The most nodes in a call, and the steps of the optimization.
WIDTH = 256
STEPS, FIRST_STEPS = 6, 30

# Signs of units: (activation, unit) -> 1 or -1.
Signs = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Problems:
    """Lower bounds to be proved: that combinations of the logits are above a threshold on boxes.

    `of` is the box of each, `[n]`, `rows` its coefficients, `[n, classes]`. Boxes and intervals are
    of the examples, `[batch, ...]`.
    """

    of: Any
    rows: Any
    boxes: Boxes
    intervals: Intervals
    threshold: float


class Search:
    """Branch and bound of some problems under a budget.

    `refuted` maps boxes `[n]` and points `[n, ...]` to bool `[n]`: which boxes have a
    counterexample, now that these points are known.
    """

    def __init__(
        self,
        crown: Crown,
        problems: Problems,
        refuted: Callable[[Any, Any], Any],
        budget: Budget,
        deadline: float,
    ) -> None:
        self.crown, self.problems, self.refuted = crown, problems, refuted
        self.budget, self.deadline = budget, deadline
        self.units = [int(np.prod(unary.shape)) for unary in crown.unaries]
        self.proved = np.full(len(problems.of), np.inf)
        self.nodes = np.zeros(len(problems.of), int)
        self.open = np.ones(len(problems.of), bool)
        self.ends = [
            [end.numpy().reshape(len(end), -1) for end in ends]
            for ends in (problems.intervals.lows, problems.intervals.highs)
        ]

    def run(self) -> Any:
        """The proved lower bound of each problem, `[n]`, or -inf; above the threshold or not."""
        width = max(1, min(WIDTH, CHUNK // max(1, sum(self.units))))
        waiting: list[tuple[int, int, int, Signs]] = [
            (0, -number, number, {}) for number in range(len(self.open))
        ]
        heapq.heapify(waiting)
        serial = 0
        while waiting and time.monotonic() < self.deadline:
            batch: list[tuple[int, Signs]] = []
            while waiting and len(batch) < width:
                _, _, problem, signs = heapq.heappop(waiting)
                if not self.open[problem]:
                    continue
                if self.nodes[problem] >= self.budget.nodes:
                    self.open[problem] = False
                    continue
                self.nodes[problem] += 1
                batch.append((problem, signs))
            for problem, signs in self._explore(batch) if batch else []:
                serial += 1
                heapq.heappush(waiting, (int(self.nodes[problem]), serial, problem, signs))
        unsolved = [problem for _, _, problem, _ in waiting]
        self.open[unsolved] = False
        return np.where(self.open, self.proved, -np.inf)

    def _explore(self, batch: list[tuple[int, Signs]]) -> list[tuple[int, Signs]]:
        """Bounds nodes, and gives their children."""
        problems = np.array([problem for problem, _ in batch])
        ends, signs = self._node_intervals(batch)
        bounds, points, gaps = self._bounds(problems, ends, signs)
        children = []
        # A bound that is no number closes nothing.
        closed = bounds > self.problems.threshold
        missed = np.flatnonzero(~closed)
        np.minimum.at(self.proved, problems[closed], bounds[closed])
        if len(missed):
            of = self.problems.of[problems[missed]]
            found = self.refuted(of, points[missed])
            self.open &= ~np.isin(self.problems.of, of[found])
        for node in missed:
            problem, known = batch[node]
            if not self.open[problem]:
                continue
            unit = self._to_split(node, ends, gaps)
            if unit is None:
                self._leaf(problem, known, node, ends)
            else:
                children += [(problem, {**known, unit: sign}) for sign in (1, -1)]
        return children

    def _node_intervals(self, batch: list[tuple[int, Signs]]) -> tuple[Any, Any]:
        """Ends of the inputs of all activations at nodes, and their signs, `[n, units]` each."""
        of = self.problems.of[[problem for problem, _ in batch]]
        ends = [[end[of] for end in side] for side in self.ends]
        signs = [np.zeros(end.shape) for end in ends[0]]
        for node, (_, known) in enumerate(batch):
            for (number, unit), sign in known.items():
                ends[0 if sign > 0 else 1][number][node, unit] = 0.0
                signs[number][node, unit] = sign
        return ends, signs

    def _bounds(self, problems: Any, ends: Any, signs: Any) -> tuple[Any, Any, Any]:
        of = self.problems.of[problems]
        box = self.problems.boxes[of]
        found = self.crown.optimized(
            tf.constant(self.problems.rows[problems], DTYPE),
            *(box.center, box.radius),
            *(self._shaped(side) for side in (*ends, signs)),
            tf.constant(STEPS if any(sign.any() for sign in signs) else FIRST_STEPS),
        )
        gaps = [gap.numpy().reshape(len(of), -1) for gap in found[2]]
        return found[0].numpy(), found[1].numpy(), gaps

    def _shaped(self, flat: list[Any]) -> list[Any]:
        shapes = [unary.shape for unary in self.crown.unaries]
        return [
            tf.constant(values.reshape(-1, *shape), DTYPE)
            for values, shape in zip(flat, shapes, strict=True)
        ]

    def _to_split(self, node: int, ends: Any, gaps: Any) -> tuple[int, int] | None:
        """The activation and the unit to split, or None if all signs are known."""
        best, score = None, -np.inf
        for unary, low, high, gap in zip(self.crown.unaries, *ends, gaps, strict=True):
            if not unary.activation.piecewise:
                continue
            free = (low[node] < 0) & (high[node] > 0)
            if free.any():
                unit = int(np.argmax(np.where(free, gap[node], -np.inf)))
                if gap[node, unit] > score:
                    best, score = (unary.number, unit), gap[node, unit]
        return best

    def _leaf(self, problem: int, known: Signs, node: int, ends: Any) -> None:
        """Solves a node at which the sign of each unit is known."""
        if not all(unary.activation.piecewise for unary in self.crown.unaries):
            self.open[problem] = False
            return
        of = self.problems.of[[problem]]
        box, zero = self.problems.boxes[of], np.zeros(1, int)
        intervals = Intervals(*(self._shaped([e[[node]] for e in side]) for side in ends))
        row = self.problems.rows[[problem]]
        functions = [self.crown.combinations(zero, row, box, intervals)[1:]]
        for (number, unit), sign in known.items():
            given = np.array([unit]), np.array([-sign])
            functions.append(self.crown.units(number, zero, *given, box, intervals)[1:])
        slopes = np.concatenate([f[0].numpy() for f in functions])
        constants = np.concatenate([f[1].numpy() for f in functions])
        center, radius = box.center.numpy()[0], box.radius.numpy()[0]
        slopes = slopes.reshape(len(slopes), -1)
        constants = constants + slopes @ center.ravel()
        constants[0] -= self.problems.threshold
        proved, point = decide(slopes * radius.ravel(), constants)
        if proved:
            above = np.nextafter(self.problems.threshold, np.inf)
            self.proved[problem] = min(self.proved[problem], above)
            return
        if point is not None:
            moved = center + radius * point.reshape(radius.shape)
            if self.refuted(of, moved[None])[0]:
                self.open &= self.problems.of != of[0]
                return
        self.open[problem] = False
