"""Checks of numbers and arrays that come from outside."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeGuard

from ftnoise.core.checks import expect
from ftnoise.core.lazy import np

Numbers: TypeAlias = "Sequence[float] | np.ndarray"


def is_finite(value: object) -> TypeGuard[float]:
    """True for a finite real number of any kind (NumPy's too), False for bool and the rest."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def finite_array(
    values: Any,
    name: str,
    *,
    dimensions: int = 1,
    least: int = 0,
    low: float = -math.inf,
    high: float = math.inf,
) -> np.ndarray:
    """`values` as a new float64 array of this number of dimensions.

    They are integers or floating-point numbers in [low, high], with at least `least` of them along
    the last axis; `BadInput` names the first that is wrong, and what they are by `name`.
    """
    try:
        given = np.asarray(values)
    except ValueError:  # rows of different lengths
        given = np.asarray(None)
    form = "a list" if dimensions == 1 else f"an array of {dimensions} dimensions"
    expect(
        given.ndim == dimensions and given.dtype.kind in "iuf",
        f"{name} to be {form} of numbers",
        dtype=str(given.dtype),
        shape=given.shape,
    )
    expect(given.shape[-1] >= least, f"{name}, at least {least} of them", shape=given.shape)
    array = given.astype(np.float64)
    wrong = np.argwhere(~(np.isfinite(array) & (array >= low) & (array <= high)))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        within = "" if low == -math.inf else f" in [{low:g}, {high:g}]"
        expect(False, f"finite {name}{within}", index=index, value=float(array[index]))
    return array
