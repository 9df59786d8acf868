"""Two circles, one inside the other: 30 points for training and 70 for testing.

Source: section 4.1 of the paper, which names scikit-learn's `make_circles` and gives no parameters.
They are those of Brownlee (2018), "How to Improve Deep Learning Model Robustness by Adding Noise"
(Machine Learning Mastery): noise 0.1, random state 1, the first 30 points for training. It prints
1.000 / 0.757 without noise and 1.000 / 0.771 with noise of 0.01, the first two rows of Table 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ftnoise.core.checks import count, expect, non_negative
from ftnoise.core.data import Sources
from ftnoise.core.lazy import np
from ftnoise.datasets.origins import Origin, OriginDataSet, Raw

TRAIN, TEST = 30, 70


@dataclass(frozen=True, kw_only=True)
class Circles(OriginDataSet):
    """Points `[n, 2]`; class 1 is the inner circle, of radius 0.8, class 0 the outer, of radius 1.

    Args:
        noise: standard deviation of the Gaussian noise of each coordinate, >= 0.
        random_state: scikit-learn's seed of the points, in 0 to 2^32 - 1.
    """

    noise: float = 0.1
    random_state: int = 1

    train_size = TRAIN
    test_size = TEST
    random = True
    shape = (2,)
    class_names = ("outer", "inner")

    def __post_init__(self) -> None:
        non_negative(noise=self.noise)
        count(least=0, random_state=self.random_state)
        expect(self.random_state < 2**32, "random_state < 2^32", random_state=self.random_state)

    def redrawn(self, number: int) -> Circles:
        """Other points of the same kind; the number 0 is these."""
        return replace(self, random_state=self.random_state + number)

    def origins(self, sources: Sources) -> Iterator[Origin]:
        yield Origin("scikit-learn", self.points, cached=False)

    def points(self) -> Raw:
        """The points in scikit-learn's order."""
        from sklearn.datasets import make_circles

        total = TRAIN + TEST
        x, y = make_circles(total, noise=self.noise, random_state=self.random_state)
        train, test = np.split(x.astype(np.float32), [TRAIN])
        arrays = {"x_train": train, "y_train": y[:TRAIN], "x_test": test, "y_test": y[TRAIN:]}
        return Raw(arrays)
