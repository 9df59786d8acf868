"""How much of the spread of an accuracy comes from training seeds, fault masks and images.

Source: the random-effects analysis of variance of a crossed design with one observation a cell
(Searle, Casella and McCulloch (1992), "Variance Components", chapter 4): mean squares are set equal
to what they are expected to be and solved for the components.

correct[s, m, i] says whether network s under mask m is right about image i; every mask hits every
network at the same places, and every image is seen under every mask. The masks times images are not
independent trials: the grand mean varies by

  V_s/S + V_m/M + V_i/I + V_sm/(S M) + V_si/(S I) + V_mi/(M I) + V_e/(S M I)

over new draws of all three, so that more masks do nothing against the first and the third term.

Deviations
1. Negative estimates, which chance gives where a component is small, are set to 0. The estimates
   are free of bias before that.
2. With one seed nothing that involves seeds can be told apart. It is folded into what is left:
   "mask" is V_m + V_sm, "image" V_i + V_si, and "residual" V_mi + V_e. The variance is then that of
   this one network's mean over new masks and images.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ftnoise.core.checks import expect

if TYPE_CHECKING:
    from numpy import ndarray

LEVELS = ("seed", "mask", "image")
COMPONENTS: dict[str, tuple[str, ...]] = {
    "seed": ("seed",),
    "mask": ("mask",),
    "image": ("image",),
    "seed_mask": ("seed", "mask"),
    "seed_image": ("seed", "image"),
    "mask_image": ("mask", "image"),
    "residual": LEVELS,
}


@dataclass(frozen=True)
class Levels:
    """Where the spread of a mean of 0s and 1s comes from.

    The keys of `components` and `standard_errors` are those of `COMPONENTS`; a value is None where
    there is one seed and the component is folded into another (Deviation 2).

    Attributes:
        sizes: seeds, masks and images, by the names in `LEVELS`.
        mean: the grand mean, in [0, 1].
        components: variance of each effect, at least 0.
        standard_errors: what each effect alone adds to the standard error of the grand mean: the
            square root of its component over its number of levels.
        variance: of the grand mean over new seeds, masks and images; the sum of the squares of
            `standard_errors`.
        doubled: the variance with twice as many of one level, by its name; None for the seeds where
            there is one, since nothing is known of what others would do.
        enlarge: the level whose doubling lowers the variance most; None where the variance is 0.
    """

    sizes: dict[str, int]
    mean: float
    components: dict[str, float | None]
    standard_errors: dict[str, float | None]
    variance: float
    doubled: dict[str, float | None]
    enlarge: str | None

    @property
    def standard_error(self) -> float:
        """Of the grand mean."""
        return math.sqrt(self.variance)

    @property
    def variance_on_these_images(self) -> float:
        """Of the grand mean over new seeds and masks, the images being what they are.

        New networks and masks meet the same images, so "image" alone drops out.
        """
        return self.variance - (self.standard_errors["image"] or 0.0) ** 2


def variance_components(correct: ndarray) -> Levels:
    """The components of the spread of `correct`, and which level to enlarge.

    Masks and images stand for larger populations here; where only this one test set counts, see
    `Levels.variance_on_these_images`.

    Args:
        correct: [seeds, masks, images] booleans, with at least 1, 2 and 2 of them.

    Raises:
        BadInput: it has another type or shape.
    """
    import numpy as np

    array = np.asarray(correct)
    expect(
        array.dtype == np.bool_ and array.ndim == 3,
        "correct to be booleans [seeds, masks, images]",
        dtype=str(array.dtype),
        shape=array.shape,
    )
    seeds, masks, images = array.shape
    expect(
        seeds >= 1 and masks >= 2 and images >= 2,
        "at least 1 seed, 2 masks and 2 images",
        shape=array.shape,
    )
    sizes = dict(zip(LEVELS, array.shape, strict=True))
    estimated = _estimates(_squares(array), sizes)
    components = {
        name: max(0.0, float(estimated[name])) if name in estimated else None for name in COMPONENTS
    }
    parts = {name: value for name, value in components.items() if value is not None}
    doubled = {
        level: _variance(parts, {**sizes, level: 2 * sizes[level]})
        if level != "seed" or seeds > 1
        else None
        for level in LEVELS
    }
    variance = _variance(parts, sizes)
    best = min((value, level) for level, value in doubled.items() if value is not None)
    return Levels(
        sizes=sizes,
        mean=int(np.count_nonzero(array)) / array.size,
        components=components,
        standard_errors={
            name: None if value is None else math.sqrt(value / _cells(name, sizes))
            for name, value in components.items()
        },
        variance=variance,
        doubled=doubled,
        enlarge=best[1] if variance > 0 else None,
    )


def _cells(name: str, sizes: dict[str, int]) -> int:
    return math.prod(sizes[level] for level in COMPONENTS[name])


def _variance(parts: dict[str, float], sizes: dict[str, int]) -> float:
    return math.fsum(value / _cells(name, sizes) for name, value in parts.items())


def _squares(array: ndarray) -> dict[str, Fraction]:
    """Sum over all cells of the squared mean of their row, for each way to form rows; "" is one.

    Exact, and without an array as large as `array` in any wider type.
    """
    import numpy as np

    seeds, masks, images = array.shape
    by_mask = array.sum(axis=2, dtype=np.int64)  # [seeds, masks]
    by_image = array.sum(axis=1, dtype=np.int64)  # [seeds, images]
    total = int(by_mask.sum())
    over_seeds = 0
    for mask in range(masks):
        row = array[:, mask].sum(axis=0, dtype=np.int64)  # [images]
        over_seeds += int(row @ row)

    def squared(sums: Iterable[int]) -> int:
        return sum(value * value for value in sums)

    return {
        "": Fraction(total**2, array.size),
        "seed": Fraction(squared(by_mask.sum(axis=1).tolist()), masks * images),
        "mask": Fraction(squared(by_mask.sum(axis=0).tolist()), seeds * images),
        "image": Fraction(squared(by_image.sum(axis=0).tolist()), seeds * masks),
        "seed_mask": Fraction(squared(by_mask.ravel().tolist()), images),
        "seed_image": Fraction(squared(by_image.ravel().tolist()), masks),
        "mask_image": Fraction(over_seeds, seeds),
        "residual": Fraction(total),  # a 1 is its own square
    }


def _estimates(squares: dict[str, Fraction], sizes: dict[str, int]) -> dict[str, Fraction]:
    """Each component that can be estimated, negative ones as they are."""
    if sizes["seed"] == 1:
        names = {"mask": ("mask",), "image": ("image",), "residual": ("mask", "image")}
    else:
        names = COMPONENTS
    # Sums of squares, main effects first: what rows add to the coarser ones that they lie in.
    added: dict[str, Fraction] = {}
    for name, levels in names.items():
        coarser = [other for other, of in names.items() if set(of) < set(levels)]
        added[name] = squares[name] - squares[""] - sum(added[other] for other in coarser)
    mean_squares = {
        name: added[name] / math.prod(sizes[level] - 1 for level in levels)
        for name, levels in names.items()
    }
    # A mean square is expected to be the sum of its own component and those of all finer effects,
    # each times the cells that share the effect; so the finest is solved first.
    found: dict[str, Fraction] = {}
    everything = math.prod(sizes.values())
    for name, levels in reversed(names.items()):
        finer = [other for other in found if set(levels) < set(names[other])]
        rest = sum(found[other] * (everything // _cells(other, sizes)) for other in finer)
        found[name] = (mean_squares[name] - rest) / (everything // _cells(name, sizes))
    return found
