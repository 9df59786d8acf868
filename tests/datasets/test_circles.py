"""The circles are scikit-learn's, in the order that gives the paper's table."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_circles

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets.circles import Circles


@pytest.mark.parametrize("number", [0, 2])
def test_the_points_are_scikit_learns(number, tmp_path):
    found = Circles().redrawn(number).load(Sources(offline=True, cache=tmp_path))
    x, y = make_circles(n_samples=100, noise=0.1, random_state=1 + number)
    np.testing.assert_allclose(np.concatenate([found.x_train, found.x_test]), x, rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([found.y_train, found.y_test]), y)
    assert (len(found.y_train), len(found.y_test), found.classes) == (30, 70, 2)
    radii = np.linalg.norm(x, axis=1)
    assert radii[y == 1].mean() < radii[y == 0].mean()
    # Nothing is kept of what is drawn at once.
    assert list(tmp_path.rglob("*.npz")) == []


def test_other_points_are_other_data(tmp_path):
    sources = Sources(offline=True, cache=tmp_path)
    digests = {Circles().redrawn(number).digest(sources) for number in range(3)}
    assert len(digests) == 3
    assert Circles().redrawn(0) == Circles()


@pytest.mark.parametrize("wrong", [{"noise": -1}, {"random_state": -1}, {"random_state": 2**32}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        Circles(**wrong)
