"""What numbers have to be before anything is said of them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from ftnoise.core.checks import expect

if TYPE_CHECKING:
    from numpy import ndarray

    Numbers: TypeAlias = Sequence[float] | ndarray


def is_finite(value: object) -> TypeGuard[float]:
    """True for a finite real number of any kind (NumPy's too), False for bool and the rest."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def check_confidence(confidence: object) -> None:
    """Raises `BadInput` unless `confidence` is a number in (0, 1)."""
    expect(
        is_finite(confidence) and 0 < confidence < 1,
        "confidence between 0 and 1",
        confidence=confidence,
    )


def finite_array(
    values: Any,
    name: str,
    *,
    dimensions: int = 1,
    least: int = 0,
    low: float = -math.inf,
    high: float = math.inf,
) -> ndarray:
    """`values` as a float64 array of so many dimensions, new and so the caller's own.

    Args:
        values: integers or floating-point numbers, each in [low, high]; not booleans.
        name: what they are, for the message.
        dimensions: how many axes they have.
        least: how many there are at least, along the last axis.
        low: the least value.
        high: the largest value.

    Raises:
        BadInput: something else came; the message shows the first value that is wrong, not all.
    """
    import numpy as np

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
        first = tuple(int(place) for place in wrong[0])
        within = f" in [{low:g}, {high:g}]" if math.isfinite(low) or math.isfinite(high) else ""
        expect(False, f"finite {name}{within}", place=first, value=float(array[first]))
    return array
