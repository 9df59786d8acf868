"""Grids: the networks of all combinations of some values, as rows of an experiment."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ftnoise.core.checks import expect, fraction
from ftnoise.core.interfaces import Run
from ftnoise.core.spec import digest

# The values of one network by axis.
Cell = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """All combinations of the values of some axes, or a sample of them.

    Args:
        name: the first word of its rows' names, which are `name axis=value axis=value ...`.
        run: makes the run of a network from one value of each axis, passed by keyword.
        axes: values, each an int, a float or a string, by axis.
        along: the axis whose networks are stages of one training, such as "epochs": a sample has
            all of them, or none.
        share: of the trainings, in (0, 1], that the sample holds.
        about: one line on what the networks are.
    """

    name: str
    run: Callable[..., Run]
    axes: dict[str, tuple[Any, ...]]
    along: str
    share: float = 1.0
    about: str = ""

    def __post_init__(self) -> None:
        one_word = isinstance(self.name, str) and len(self.name.split()) == 1
        expect(one_word, "a grid named by one word", name=self.name)
        expect(self.along in self.axes, f"an axis of {self.name}", along=self.along)
        for axis, values in self.axes.items():
            different = isinstance(values, tuple) and len({*values}) == len(values) > 0
            expect(different, f"a tuple of different {axis} in {self.name}", values=values)
        fraction(zero=False, share=self.share)

    def cells(self, most: int | None = None) -> list[Cell]:
        """The values of each network of the sample, in the order of the axes.

        A smaller sample is part of a larger one, and holds the values of each axis about equally
        often. It does not depend on anything but the axes.

        Args:
            most: largest number of trainings, or None.
        """
        others = [axis for axis in self.axes if axis != self.along]
        everything = [*itertools.product(*(self.axes[axis] for axis in others))]
        number = max(1, round(self.share * len(everything)))
        number = number if most is None else min(most, number)
        chosen = {*balanced(everything, number)}
        cells = []
        for values in itertools.product(*self.axes.values()):
            cell = dict(zip(self.axes, values, strict=True))
            if tuple(cell[axis] for axis in others) in chosen:
                cells.append(cell)
        return cells


def balanced(combinations: list[tuple[Any, ...]], number: int) -> list[tuple[Any, ...]]:
    """Some of the combinations, whose values are used about equally often at each position.

    One after the other, that with the values which have been used least; ties are broken by a
    digest, which is as good as a draw.
    """
    if number == len(combinations):
        return combinations
    order = sorted(combinations, key=lambda values: digest([*values]))
    used: Counter[tuple[int, Any]] = Counter()
    chosen = []
    for _ in range(number):
        best, least = 0, math.inf
        for place, values in enumerate(order):
            score = sum(used[one] for one in enumerate(values))
            if score < least:
                best, least = place, score
        taken = order.pop(best)
        used.update(enumerate(taken))
        chosen.append(taken)
    return chosen
