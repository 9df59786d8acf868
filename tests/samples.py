"""Two-sided statistical checks of random draws."""

from __future__ import annotations

import numpy as np


def spread_is(sample, scale) -> bool:
    """Whether a zero-mean normal sample has this standard deviation, within five sigma."""
    squares = np.sum(np.square(np.asarray(sample, np.float64) / scale))
    return bool(abs(squares - np.size(sample)) < 5 * np.sqrt(2 * np.size(sample)))
