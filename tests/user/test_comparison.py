"""Two models under the same trials, against the pairs taken one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ftnoise
from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.stats.comparing import holm, paired
from tests.user.made import FAULT, examples, model

SETTINGS = {"rates": [0.2, 0.5], "trials": 12, "seed": 3}


@pytest.fixture(scope="module")
def two():
    """A model, one that is wrong more often, and examples."""
    one, other = model(), model()
    x, y = examples(one)
    draw = np.random.default_rng(1)
    other.set_weights([w + 0.2 * draw.normal(size=w.shape) for w in one.get_weights()])
    return one, other, x, y


@pytest.fixture(scope="module")
def results(two):
    one, other, x, y = two
    return [ftnoise.inject(network, x, y, FAULT, **SETTINGS) for network in (one, other)]


def test_pairs_are_those_of_the_same_trials(two, results):
    one, other, x, y = two
    found = results[0].against(results[1], ("old", "new"))
    campaigns = [Campaign(network, x, y, parse_fault(FAULT), seed=3) for network in (one, other)]
    wanted = []
    for rate in (0.2, 0.5):
        rows = [100 * c.run(range(12), Share(rate=rate)).correct.mean(axis=1) for c in campaigns]
        wanted.append(paired(*rows))
    for line, comparison in zip(found.lines.itertuples(), wanted, strict=True):
        assert line.difference == pytest.approx(comparison.difference)
        assert (line.low, line.high) == pytest.approx((comparison.low, comparison.high))
        assert line.p_value == pytest.approx(comparison.p_value)
        assert line.trials == 12
    adjusted = found.lines["adjusted_p_value"].tolist()
    assert adjusted == pytest.approx(holm([comparison.p_value for comparison in wanted]))
    text = str(found).splitlines()
    assert text[0] == (
        "old (first) against new (second), weights stuck at 0: 64 sites, 60 examples, seed 3."
    )
    assert text[2].split()[:2] == ["rate", "trials"]
    none = f"{results[0].golden_accuracy - results[1].golden_accuracy:+.2f}"
    assert text[4].split()[-1] == none
    assert text[6].split()[:3] == ["50", "%", "12"]
    assert f"{found.lines['difference'][1]:+.2f}" in text[6]
    assert text[-1].endswith("Holm's correction for 2 rates.")
    again = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert again["lines"] == found.lines.to_dict("records")


def test_a_model_is_as_good_as_itself(results):
    found = results[0].against(results[0])
    assert found.names == ("own", "own")
    assert found.lines["adjusted_p_value"].tolist() == [1, 1]
    assert found.lines["difference"].tolist() == [0, 0]


def test_trials_up_to_a_half_width_are_paired_as_far_as_both_go(two):
    one, other, x, y = two
    settings = {"rates": [0.5], "half_width": 9.0, "max_trials": 60}
    first, second = (ftnoise.inject(network, x, y, FAULT, **settings) for network in (one, other))
    found = first.against(second)
    assert found.lines["trials"][0] == min(first.rows[0].trials, second.rows[0].trials)
    assert "take p as a hint" in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "same seed. Received: first=3, second=4"),
        ({"rates": [0.1, 0.5]}, "same rates"),
        ({"confidence": 0.9}, "same confidence"),
        ({"fault": "weights:stuck_at_one:0.5"}, "same fault"),
        ({"y": 0}, "same labels"),
        ({"x": 30}, "same labels. Received: same=False, examples=(60, 30)"),
    ],
)
def test_results_of_other_settings_are_not_compared(two, results, change, message):
    _, other, x, y = two
    given = {"fault": FAULT, **SETTINGS, **change}
    labels = y * given.pop("y", 1)
    count = given.pop("x", 60)
    second = ftnoise.inject(other, x[:count], labels[:count], **given)
    with pytest.raises(BadInput) as refused:
        results[0].against(second)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
