"""Two models under the same masks, held against the pairs asked one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest

import ftnoise
from ftnoise.campaigns.injection import Injection
from ftnoise.core.errors import BadInput
from ftnoise.faults.amounts import Share
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.fault import parse
from ftnoise.stats.comparing import holm, paired
from tests.campaigns.made import FAULT, examples, model

ASKED = {"amounts": [0.2, 0.5], "masks": 12, "seed": 3}


@pytest.fixture(scope="module")
def two():
    """A model, one that is wrong more often, and examples."""
    one, other = model(), model()
    x, y = examples(one)
    draw = np.random.default_rng(1)
    other.set_weights([w + 0.2 * draw.normal(size=w.shape) for w in one.get_weights()])
    return one, other, x, y


@pytest.fixture(scope="module")
def answers(two):
    one, other, x, y = two
    return [ftnoise.inject(network, x, y, FAULT, **ASKED) for network in (one, other)]


def test_an_answer_has_the_accuracy_under_each_mask(two, answers):
    one, _, x, y = two
    campaign = Campaign(one, x, y, parse(FAULT), seed=3)
    for rate, found in zip((0.2, 0.5), answers[0].accuracies, strict=True):
        correct = campaign.run(range(12), Share(rate=rate)).correct
        np.testing.assert_allclose(found, 100 * correct.mean(axis=1))


def test_pairs_are_those_of_the_same_masks(two, answers):
    one, other, x, y = two
    found = answers[0].against(answers[1], ("old", "new"))
    campaigns = [Campaign(network, x, y, parse(FAULT), seed=3) for network in (one, other)]
    wanted = []
    for rate in (0.2, 0.5):
        rows = [100 * c.run(range(12), Share(rate=rate)).correct.mean(axis=1) for c in campaigns]
        wanted.append(paired(*rows))
    for pair, comparison in zip(found.pairs, wanted, strict=True):
        assert pair.difference == pytest.approx(comparison.difference)
        assert (pair.low, pair.high) == pytest.approx((comparison.low, comparison.high))
        assert pair.p_value == pytest.approx(comparison.p_value)
        assert pair.masks == 12
    adjusted = [pair.adjusted for pair in found.pairs]
    assert adjusted == pytest.approx(holm([comparison.p_value for comparison in wanted]))
    assert found.fixed
    text = str(found).splitlines()
    assert text[0] == (
        "old (first) against new (second), weights stuck at 0: 64 places, 60 examples, seed 3."
    )
    assert text[2].split()[:2] == ["faults", "masks"]
    none = f"{answers[0].golden_accuracy - answers[1].golden_accuracy:+.2f}"
    assert text[4].split()[-1] == none
    assert text[6].split()[:3] == ["50", "%", "12"]
    assert f"{found.pairs[1].difference:+.2f}" in text[6]
    assert "Holm's correction for 2 amounts" in text[-1]
    again = json.loads(json.dumps(found.to_json()))
    assert again["pairs"][1]["p_value"] == found.pairs[1].p_value


def test_a_model_is_as_good_as_itself(answers):
    found = answers[0].against(answers[0])
    assert found.names == ("own", "own")
    assert [pair.adjusted for pair in found.pairs] == [1, 1]
    assert [pair.difference for pair in found.pairs] == [0, 0]


def test_masks_that_were_drawn_until_it_was_enough_are_paired_as_far_as_they_go(two):
    one, other, x, y = two
    words = {"amounts": [0.5], "half_width": 9.0, "max_masks": 60}
    first, second = (ftnoise.inject(network, x, y, FAULT, **words) for network in (one, other))
    found = first.against(second)
    assert found.pairs[0].masks == min(first.lines[0].masks, second.lines[0].masks)
    assert "take p as a hint" in str(found)


def test_an_answer_comes_back_with_its_masks(answers):
    form = json.loads(json.dumps(answers[0].to_json()))
    again = Injection.from_json(form, answers[0].arrays())
    assert again == answers[0]
    assert str(again.against(answers[1])) == str(answers[0].against(answers[1]))
    alone = Injection.from_json(form)
    for ask in (lambda: alone.against(answers[1]), lambda: alone.accuracies):
        with pytest.raises(BadInput, match="JSON alone"):
            ask()
    with pytest.raises(BadInput, match="Expected the JSON of an Injection"):
        Injection.from_json(form, {**answers[0].arrays(), "correct": np.zeros((1, 1), np.uint8)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 4}, "same seed. Received: first=3, second=4"),
        ({"amounts": [0.1, 0.5]}, "same amounts"),
        ({"confidence": 0.9}, "same confidence"),
        ({"fault": "weights:stuck_at_one:0.5"}, "same fault"),
        ({"y": 0}, "same labels"),
        ({"x": 30}, "same examples. Received: first=60, second=30"),
    ],
)
def test_answers_to_other_questions_are_not_compared(two, answers, change, said):
    _, other, x, y = two
    given = {"fault": FAULT, **ASKED, **change}
    labels = y * given.pop("y", 1)
    count = given.pop("x", 60)
    second = ftnoise.inject(other, x[:count], labels[:count], **given)
    with pytest.raises(BadInput) as refused:
        answers[0].against(second)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
