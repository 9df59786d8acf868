"""The exact leaf of branch and bound: a linear program where every unit's sign is known.

There the network is affine on the part of the box on which the units have their signs. The program
minimizes, over the box, the largest of the margin and of each unit's violation of its sign. Above
0, no point of the part has a margin of 0. The solver is not trusted: its multipliers combine margin
and violations to one affine function, whose minimum over the box is a sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Above the rounding of sums whose terms are scaled to 1.
ABOVE = 1e-10


def decide(coefficients: Any, constants: Any) -> tuple[bool, Any]:
    """Whether at each point of the cube `[-1, 1]^d` one of some affine functions is positive.

    The functions have coefficients `[m, d]` and constants `[m]`. True is proved. Gives also the
    point `[d]` at which the largest function is smallest, or None where the solver gave none.
    """
    from scipy.optimize import linprog

    scales = np.abs(coefficients).sum(1) + np.abs(constants)
    keep = scales > 0
    coefficients = coefficients[keep] / scales[keep, None]
    constants = constants[keep] / scales[keep]
    count, size = coefficients.shape
    if not count:
        return False, np.zeros(size)
    found = linprog(
        np.r_[np.zeros(size), 1.0],
        A_ub=np.c_[coefficients, -np.ones(count)],
        b_ub=-constants,
        bounds=[*[(-1, 1)] * size, (None, None)],
        method="highs",
    )
    if found.x is None:
        return False, None
    weights = np.maximum(-found.ineqlin.marginals, 0)
    proved = weights @ constants - np.abs(weights @ coefficients).sum()
    return bool(proved > ABOVE * weights.sum()), found.x[:-1]
