"""Global robustness against closed forms, its two sides, and how often its intervals hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.stats

from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from ftnoise.core.errors import BadInput
from ftnoise.core.preset import PRESETS
from ftnoise.measures.global_robustness import (
    GlobalRobustness,
    _by_class,
    columns,
    picture,
)
from ftnoise.stats.bounded import bounded_interval
from ftnoise.stats.certificates import vote_bounds
from ftnoise.verify.budget import Budget
from tests.attacks.small import data, network_of, noisy, trained
from tests.core.test_resumable import Memory
from tests.measures.given import evaluate

ATTACKS = (PGD(attack_epsilon=0.1), Variation(attack_epsilon=0.1))
RADII = (0.0, 0.01, 0.03, 0.1)
BOTH = GlobalRobustness(
    radii=RADII, attacks=ATTACKS, verify=Budget(nodes=0), tolerance=None, gamma=0.1
)


def measured(measure=BOTH, network=None, count=300, **given):
    x, y = data(count)
    return evaluate(measure, network or trained(), x_test=x, y_test=y, **given)


@cache
def both():
    return measured()


def test_of_a_linear_network_it_is_the_closed_form():
    network, (x, _) = network_of(classes=2), data(300)
    found = measured(network=network)
    kernel = network.get_weights()[0]
    slope = kernel[:, 0] - kernel[:, 1]
    odds = np.subtract(*network(x).numpy().T)
    pixels = x.reshape(len(x), -1)
    for n, radius in enumerate(RADII):
        # Within [0, 1] a pixel moves less.
        ends = (
            np.clip(pixels + radius, None, 1) - pixels,
            np.clip(pixels - radius, 0, None) - pixels,
        )
        up, down = (
            np.where(sign * slope > 0, ends[0] * slope, ends[1] * slope).sum(1) for sign in (1, -1)
        )
        stays = np.where(odds > 0, odds + down > 0, odds + up < 0)
        assert found.arrays["robust"][n] == pytest.approx(100 * stays.mean(), abs=0.4)
        assert found.arrays["verified"][n] == pytest.approx(100 * stays.mean(), abs=0.4)
        sigmoid = scipy.special.expit
        change = np.maximum(
            sigmoid(odds + up) - sigmoid(odds), sigmoid(odds) - sigmoid(odds + down)
        )
        for name in ("variation", "variation_bounded"):
            assert found.arrays[name][n] == pytest.approx(change.mean(), rel=0.01, abs=1e-6)
    assert sum(found.info["undecided"]) <= 2
    assert found.info["examples"] == 300


def test_the_truth_is_between_both_sides_and_neither_rises_with_the_radius():
    found = both()
    arrays = found.arrays
    for low, high in (("verified", "robust"), ("steady_verified", "steady")):
        assert (arrays[low] <= arrays[high]).all()
        assert (np.diff(arrays[low]) <= 0).all()
        assert (np.diff(arrays[high]) <= 0).all()
    assert (arrays["variation"] <= arrays["variation_bounded"] + 1e-9).all()
    assert (np.diff(arrays["variation"]) >= 0).all()
    assert (np.diff(arrays["variation_bounded"]) >= 0).all()
    for name, low, high in (
        ("robust", "verified", "robust"),
        ("steady", "steady_verified", "steady"),
    ):
        assert (arrays[f"{name}_low"] < arrays[low]).all()
        assert (arrays[f"{name}_high"] >= arrays[high]).all()
    assert (arrays["variation_low"] <= arrays["variation"]).all()
    assert (arrays["variation_high"] >= arrays["variation_bounded"]).all()
    assert arrays["robust"][0] == arrays["verified"][0] == 100
    assert arrays["robust"][-1] < 50
    share = (100 - arrays["verified"] - (100 - arrays["robust"])) * 3
    np.testing.assert_allclose(found.info["undecided"], share, atol=1e-6)


def test_another_attack_or_more_starts_never_raise_it():
    one = replace(BOTH, attacks=ATTACKS[:1], verify=None)
    alone, worst = measured(one).arrays, both().arrays
    more = measured(replace(one, attacks=(PGD(attack_epsilon=0.1, restarts=5),))).arrays
    assert (worst["robust"] <= alone["robust"]).all()
    assert (more["robust"] <= alone["robust"]).all()
    assert (worst["variation"] >= alone["variation"]).all()


def test_without_the_verifier_there_is_one_side():
    quick = replace(BOTH, attacks=(FGSM(attack_epsilon=0.1),))
    for measure, network in ((replace(quick, verify=None), trained()), (quick, noisy(sigma=0.1))):
        found = measured(measure, network)
        missing = {"verified_1", "robust_low_1", "variation_bounded_1", "variation_high_1"}
        assert not missing & found.scalars.keys()
        assert {"robust_1", "robust_high_1", "variation_1"} < found.scalars.keys()
        assert found.arrays["robust_hoeffding_low"].shape == (4,)


def test_a_tie_is_not_robust():
    network = network_of(classes=3)
    network.layers[-1].set_weights([np.zeros((25, 3)), np.zeros(3)])
    found = measured(network=network)
    assert found.arrays["robust"].tolist() == [0] * 4
    assert found.arrays["verified"].tolist() == [0] * 4


def test_examples_are_drawn_by_the_seed_in_the_number_that_the_tolerance_takes():
    measure = replace(BOTH, attacks=(FGSM(attack_epsilon=0.1),), tolerance=0.1, verify=None)
    found = measured(measure)
    assert found.info["examples"] == 185
    assert measured(measure).scalars == found.scalars
    assert measured(replace(measure, seed=1)).scalars != found.scalars
    assert replace(BOTH, tolerance=0.05, family=3800).needed == 2387
    with pytest.raises(BadInput, match=r"at most the 300 examples.*tolerance=0\.05, takes=738"):
        measured(replace(measure, tolerance=0.05))


def test_classes_are_compared_by_fishers_test_with_holms_correction():
    predicted = np.repeat([0, 1, 3], [50, 30, 20])
    kept = np.arange(100) % np.repeat([10, 2, 5], [50, 30, 20]) > 0
    found = _by_class(kept[None], predicted, 5, 0.95)
    ((worst, p),) = found["worst"]
    table = [[15, 15], [kept.sum() - 15, 70 - (kept.sum() - 15)]]
    known = scipy.stats.fisher_exact(table, alternative="less").pvalue
    assert (worst, p) == (1, pytest.approx(3 * known))
    assert np.isnan(found["class_robust"][0, 2])
    assert found["class_robust"][0, 0] == 90
    assert found["class_robust_low"][0, 0] < 100 * vote_bounds(45, 50, 0.025)[0]


def test_the_interval_of_the_mean_holds_for_files_that_are_sorted():
    """Sorted values tell what comes next, which a betting interval in their order would lose to."""
    generator, missed, sorted_missed = np.random.default_rng(0), 0, 0
    population = np.concatenate([generator.beta(3 * m, 3 * (1 - m), 5000) for m in (0.25, 0.35)])
    for n in range(60):
        measure = replace(BOTH, radii=(0.1,), seed=n)
        places = np.sort(generator.choice(10_000, 738, replace=False))
        row = population[places]
        attacked = {
            "changed": np.zeros((1, 738), bool),
            "variation": row[None],
            "predicted": np.zeros(738, int),
        }
        zeros = np.zeros((1, 738))
        bounded = dict.fromkeys(("margin", "float_error", "variation"), zeros)
        bounded |= {name: zeros.astype(bool) for name in ("verified", "refuted")}
        found = measure._summary(attacked, bounded, 10).scalars
        mean = population.mean()
        missed += not found["variation_low_1"] <= mean <= found["variation_high_1"]
        plain = bounded_interval(row)
        sorted_missed += not plain.low <= mean <= plain.high
    assert missed <= 8
    assert sorted_missed > 15


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("mean", [0.02, 0.7])
@pytest.mark.parametrize(
    ("interval", "campaigns"),
    [("share", 2000), ("mean", 300), pytest.param("mean", 2000, marks=pytest.mark.slow)],
)
def test_intervals_hold_in_at_least_95_of_100_campaigns(interval, campaigns, mean, replacement):
    generator, held = np.random.default_rng(0), 0
    shares = np.arange(500) < mean * 500
    values = shares if interval == "share" else generator.beta(mean, 1 - mean, 500)
    for _ in range(campaigns):
        part = generator.choice(500, 80, replace=replacement)
        if interval == "share":
            low, high = vote_bounds(values[part].sum(), 80, 0.025)
        else:
            found = bounded_interval(values[part])
            low, high = found.low, found.high
        held += low <= values.mean() <= high
    assert held >= 0.95 * campaigns


def test_without_time_nothing_is_verified_and_the_interval_is_wide(monkeypatch):
    monkeypatch.setattr("ftnoise.measures.global_robustness.AT_A_TIME", 50)
    found = measured(replace(BOTH, verify=Budget(seconds=1e-9)))
    # From the largest radius down, the first call has at most its first points.
    assert found.arrays["verified"][-1] <= 100 / 3
    assert np.all(found.arrays["robust_low"] <= found.arrays["verified"])
    assert np.all(found.arrays["variation_bounded"] >= both().arrays["variation_bounded"])
    assert np.all(found.arrays["robust"] >= both().arrays["robust"])


def test_what_the_verifier_does_not_allow_is_attacked_only():
    found = measured(replace(BOTH, verify=Budget(nodes=0, widest=3)))
    assert "verified" not in found.arrays
    assert np.all(found.arrays["robust"] >= both().arrays["robust"])


def test_it_resumes_with_the_same_result():
    class Cut(Memory):
        saves = 0

        def save(self, arrays, state):
            super().save(arrays, state)
            self.saves += 1
            if self.saves == 3:
                raise KeyboardInterrupt

    kept, measure = Cut(), replace(BOTH, radii=RADII[1:3], attacks=ATTACKS[:1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ftnoise.core.resumable.SAVE_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            measured(measure, checkpointing=kept)
        again = measured(measure, checkpointing=kept)
    assert again.scalars == measured(measure).scalars


def test_columns_presets_and_bad_fields():
    assert {column.name for column in columns(BOTH)} <= both().scalars.keys()
    names = [column.name for column in columns(replace(BOTH, verify=None, radii=(0.1,)))]
    assert names == ["robust_1", "robust_high_1", "variation_1"]
    for sides in (BOTH, replace(BOTH, verify=None)):
        figure, arrays = picture(sides), both().arrays
        assert {figure.y, figure.low, figure.high, *figure.table} <= arrays.keys()
    assert BOTH.scaled(PRESETS["paper"]) == BOTH
    quick = replace(BOTH, verify=Budget()).scaled(PRESETS["quick"])
    assert (quick.needed, quick.verify) == (200, Budget(nodes=0))
    wrong = (
        ({"radii": ()}, "rising radii, >= 0"),
        ({"radii": (0.1, 0.1)}, "rising radii, >= 0"),
        ({"radii": (-0.1,)}, "rising radii, >= 0"),
        ({"radii": (float("nan"),)}, "rising radii, >= 0"),
        ({"radii": (2.0,)}, "attack_epsilon <= 1"),
        ({"attacks": ()}, "at least one attack"),
        ({"attacks": (1,)}, "an attack, such as PGD"),
        ({"attacks": (FGSM(attack_epsilon=0.1, ball=L2Ball()),)}, "an l_inf ball to verify"),
        ({"attacks": (*ATTACKS, FGSM(attack_epsilon=0.1, ball=L2Ball()))}, "one kind of ball"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"confidence": 1.0}, "confidence"),
        ({"gamma": 1.5}, "gamma"),
        ({"family": 0}, "family"),
        ({"verify": 3}, "budget of the verifier"),
    )
    for fields, line in wrong:
        with pytest.raises(BadInput, match=line):
            replace(BOTH, **fields)
