"""Estimates of global robustness gather around that of the whole set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.measures.robustness_convergence import RobustnessConvergence, columns, picture
from ftnoise.stats.sampling import samples_needed
from ftnoise.verify.budget import Budget
from tests.attacks.small import data, trained
from tests.measures.given import evaluate

LOCAL = GlobalRobustness(
    radii=(0.03,), attacks=(PGD(attack_epsilon=0.1),), verify=Budget(nodes=0), tolerance=None
)
MEASURE = RobustnessConvergence(local=LOCAL, tolerances=(0.3, 0.2, 0.1, 0.05, 0.001))


def test_estimates_gather_and_stay_within_their_tolerance():
    x, y = data(1000)
    found = evaluate(MEASURE, trained(), x_test=x, y_test=y)
    whole = evaluate(LOCAL, trained(), x_test=x, y_test=y)
    assert found.scalars["robustness"] == whole.scalars["verified_1"]
    assert found.scalars["undecided"] == whole.info["undecided"][0]
    arrays = found.arrays
    # 0.001 takes more examples than there are.
    assert arrays["tolerances"].tolist() == [30, 20, 10, 5]
    assert arrays["needed"].tolist() == [samples_needed(e) for e in (0.3, 0.2, 0.1, 0.05)]
    assert arrays["estimates"].shape == (4, 50)
    assert (np.diff(arrays["estimates"].std(axis=1)) < 0).all()
    assert found.scalars["within"] >= 95
    np.testing.assert_allclose(arrays["estimate"], arrays["estimates"].mean(axis=1))
    named = {column.name for column in columns(MEASURE)}
    assert named == found.scalars.keys()
    figure = picture(MEASURE)
    assert {figure.y, figure.low, figure.high, figure.values, *figure.table} <= arrays.keys()


def test_presets_and_bad_fields():
    quick = MEASURE.scaled(PRESETS["quick"])
    assert (quick.estimates, quick.local.most) == (8, 200)
    few = replace(MEASURE, tolerances=(0.001,))
    x, y = data(50)
    with pytest.raises(BadInput, match="a tolerance that takes at most 50 examples"):
        evaluate(few, trained(), x_test=x, y_test=y)
    for fields, line in (
        ({"local": replace(LOCAL, verify=None)}, "the verifier and one radius"),
        ({"local": replace(LOCAL, radii=(0.1, 0.2))}, "the verifier and one radius"),
        ({"tolerances": ()}, "falling tolerances"),
        ({"tolerances": (0.1, 0.2)}, "falling tolerances"),
        ({"tolerances": (1.0,)}, "falling tolerances"),
        ({"estimates": 1}, "estimates"),
    ):
        with pytest.raises(BadInput, match=line):
            replace(MEASURE, **fields)
