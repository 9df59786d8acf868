"""The score of searches: what counts, and by which network."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.attacks.deep_fool import DeepFool
from ftnoise.attacks.evaluation import seed
from ftnoise.attacks.fgsm_search import FGSMSearch
from ftnoise.attacks.local_search import LocalSearch
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.layers.drawing import forward
from ftnoise.measures.search_accuracy import SearchAccuracy, columns, found
from tests.attacks.small import Around, Noise, noisy, trained
from tests.core.test_resumable import Memory
from tests.measures.given import attackable, evaluate

FOOL = SearchAccuracy(search=DeepFool(), draws=4)


def measured(measure, network=None, **given):
    return evaluate(measure, network or trained(), **attackable(60) | given)


def test_a_deterministic_network_gets_nothing_right_that_was_found():
    found = measured(FOOL)
    scalars, arrays = found.scalars, found.arrays
    assert scalars["search_success"] == 100
    assert scalars["search_accuracy"] == scalars["search_accuracy_found"] == 0
    assert 80 < scalars["unsearched_accuracy"] < 100
    assert 0 <= scalars["distance_10"] < scalars["distance_50"] < scalars["distance_90"] < 2
    assert scalars["distance_50"] == pytest.approx(np.median(arrays["distance"]))
    assert (arrays["distance"] == 0).sum() == round(60 * (1 - scalars["unsearched_accuracy"] / 100))
    assert found.info == {"search": "DeepFool", "examples": 60}


def test_examples_that_are_not_found_count_without_a_perturbation():
    weak = SearchAccuracy(search=LocalSearch(rounds=1, pixels=1), draws=1)
    found = measured(weak)
    scalars, where = found.scalars, found.arrays["found"].astype(bool)
    assert 0 < where.mean() < 0.5
    assert scalars["search_success"] == 100 * where.mean()
    assert scalars["search_accuracy_found"] == 0
    assert scalars["search_accuracy"] == pytest.approx(100 * (1 - where.mean()))
    assert (found.arrays["distance"][~where] == 0).all()


def test_fresh_draws_score_what_a_search_found_in_one_of_its_own():
    network = noisy(sigma=1.0)
    found = measured(FOOL, network)
    scalars = found.scalars
    assert scalars["search_success"] == 100
    # The search stops where one draw in a few errs: close, and far from always wrong.
    assert 10 < scalars["search_accuracy"] < 60
    assert scalars["search_accuracy"] < scalars["unsearched_accuracy"] - 20
    given = attackable(60)
    x, y = given["x_test"].astype(np.float32), given["y_test"].astype(np.int32)
    moved, _ = DeepFool().search(network, x, y, seed("attack", 0))
    rights = [
        np.argmax(forward(network, moved, [77, n]), axis=1) == given["y_test"] for n in range(40)
    ]
    assert scalars["search_accuracy"] == pytest.approx(100 * np.mean(rights), abs=12)


def test_the_mean_network_is_searched_and_the_network_that_draws_scores():
    network = noisy(sigma=1.0)
    at_mean = measured(SearchAccuracy(search=DeepFool(), draws=4, mean_network=True), network)
    known = measured(FOOL, trained())
    np.testing.assert_allclose(at_mean.arrays["distance"], known.arrays["distance"], atol=1e-4)
    # At the boundary of the mean network about half of the draws are right.
    assert 25 < at_mean.scalars["search_accuracy"] < 75
    assert at_mean.scalars["unsearched_accuracy"] < known.scalars["unsearched_accuracy"]


def test_a_network_that_is_never_wrong_has_no_distance():
    # It reads the class from the image, so that no search within [0, 1] gets there.
    one = Around(lambda x: 5.0 * Noise(0.0)(x[:, 0, 0, :1] * 0 + [1.0, 0.0, 0.0]))
    given = attackable(4) | {"y_test": np.zeros(4, int)}
    scalars = evaluate(SearchAccuracy(search=FGSMSearch(radii=20)), one, **given).scalars
    assert scalars == {
        "search_accuracy": 100,
        "search_success": 0,
        "unsearched_accuracy": 100,
    }


@pytest.mark.parametrize("network", [trained, noisy], ids=["deterministic", "draws"])
def test_it_resumes_with_the_same_bits(monkeypatch, network):
    monkeypatch.setattr(DeepFool, "batch_size", 16)
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0.0)
    network, memory = network(), Memory(2)
    whole = measured(FOOL, network)
    with pytest.raises(KeyboardInterrupt):
        measured(FOOL, network, checkpointing=memory)
    again = measured(FOOL, network, checkpointing=memory)
    assert again.scalars == whole.scalars
    assert all(np.array_equal(again.arrays[n], part) for n, part in whole.arrays.items())
    assert [done for done, _, _ in memory.reports] == [16, 32, 48, 60]


def test_columns_presets_and_bad_fields():
    made = columns(FOOL, "fool")
    assert [column.name for column in made] == [
        "fool_accuracy",
        "fool_accuracy_found",
        "fool_distance",
    ]
    assert {column.scalar for column in made} <= set(measured(FOOL).scalars)
    assert made[2].title == "Median distance (l_2)"
    at_mean = SearchAccuracy(search=LocalSearch(lowest=True), mean_network=True)
    title = "Where LocalSearch, lowest first, succeeded on the mean network"
    assert found(at_mean, "search").title == title
    quick = SearchAccuracy(search=DeepFool(), draws=4, examples=200)
    assert FOOL.scaled(PRESETS["quick"]) == quick
    for fields, message in (
        ({"search": "deepfool"}, r"search to be a search, such as DeepFool\(\)"),
        ({"examples": 0}, "examples to be an integer >= 1 or None"),
        ({"draws": 0}, "draws to be an integer >= 1"),
        ({"mean_network": 1}, "mean_network to be a bool"),
    ):
        with pytest.raises(BadInput, match=message):
            SearchAccuracy(**{"search": DeepFool()} | fields)
