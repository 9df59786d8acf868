"""Scalars against curves made by hand, and a small campaign against one asked directly."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ftnoise.core import resumable
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.core.preset import Preset
from ftnoise.faults.agreement import Agreement
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import OUTCOMES, Outcomes, TrialResults
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Weights
from ftnoise.measures.fault_tolerance import FaultTolerance, columns, summarized
from ftnoise.stats.comparing import paired
from ftnoise.stats.interval import student_interval
from tests.faults.networks import CLASSES, bits, made

IMAGES = 100
RATES = (0.0, 0.1, 0.5, 0.9)
# Images that are right of the first 90, for each rate and each of four trials.
RIGHT = ((90, 90, 90, 90), (89, 90, 90, 89), (80, 82, 84, 86), (30, 40, 36, 38))
SEEN = Agreement(examples=9, difference=1e-7, exceptions=2)


def by_hand(rates=RATES, right=RIGHT) -> Outcomes:
    """A network that is right on the first 90 of 100 images without faults."""
    first, results = np.arange(IMAGES), []
    for n, counts in enumerate(right):
        correct = first < np.array(counts)[:, None]
        far = n * np.arange(1.0, len(counts) + 1)
        outcomes = np.zeros((len(counts), len(OUTCOMES)))
        outcomes[:, list(OUTCOMES).index("sdc_rate")] = 90 - np.minimum(counts, 90)
        outcomes[:, list(OUTCOMES).index("due_rate")] = n * np.arange(len(counts)) % 3
        hit = np.full(len(counts), 7.0 * n)
        one = TrialResults(
            correct, far, 3 * far, hit > 7, hit, np.full(len(counts), 90.0), outcomes
        )
        results.append(one.to_arrays())
    shares = [Share(rate=rate) for rate in rates]
    return Outcomes(shares, first < 90, first % CLASSES, results)


def test_the_scalars_of_a_curve_made_by_hand():
    scalars = summarized(RATES, by_hand(), SEEN).scalars
    at = {rate: float(np.mean(counts)) for rate, counts in zip(RATES, RIGHT, strict=True)}
    assert at == {0.0: 90, 0.1: 89.5, 0.5: 83, 0.9: 36}
    # Trapezoids of width 10, 40 and 40 over 90.
    area = (10 * (90 + 89.5) / 2 + 40 * (89.5 + 83) / 2 + 40 * (83 + 36) / 2) / 90
    assert scalars == pytest.approx(
        {
            "golden_accuracy": 90,
            "accuracy_at_50": 83,
            "accuracy_at_0": 90,
            "accuracy_at_10": 89.5,
            "accuracy_at_90": 36,
            "drop_from_50_to_90": 47,
            "sdc_rate_at_50": 100 * 7 / 90,
            "area_under_curve": area,
            # Linear between 10 % (0.5 points) and 50 % (7 points), then to 54 points at 90 %.
            "rate_1_point_lost": 10 + 40 * 0.5 / 6.5,
            "rate_5_points_lost": 10 + 40 * 4.5 / 6.5,
            "rate_50_points_lost": 50 + 40 * 43 / 47,
            # Four trials prove nothing without a distribution.
            "largest_rate_surely_under_1_point_lost": 0,
            "largest_rate_surely_under_5_points_lost": 0,
            # Widths of 1.8 and 8.2 points at 10 and 50 %, where 0.5 and 7 points are lost.
            "unclear_rates": 2,
            "exceptions": 2,
        },
        rel=1e-9,
    )


def test_the_arrays_of_a_curve_made_by_hand():
    found = summarized(RATES, by_hand(), SEEN)
    arrays = found.arrays
    assert arrays["rates"].tolist() == [0, 10, 50, 90]
    assert arrays["accuracy"].tolist() == [90, 89.5, 83, 36]
    np.testing.assert_allclose(arrays["accuracies"], RIGHT)
    np.testing.assert_allclose(arrays["sdc_rate"], 100 * (90 - arrays["accuracy"]) / 90)
    losses = [student_interval(100 - np.array(row) / 0.9, low=0, high=100) for row in RIGHT]
    np.testing.assert_allclose(arrays["sdc_rate_low"], [one.low for one in losses], atol=1e-9)
    np.testing.assert_allclose(arrays["sdc_rate_high"], [one.high for one in losses], atol=1e-9)
    assert arrays["due_rate"].tolist() == [0, 0.75, 0.75, 0]
    students = [student_interval(np.array(row, float)) for row in RIGHT]
    np.testing.assert_allclose(arrays["low"], [one.low for one in students])
    np.testing.assert_allclose(arrays["high"], [one.high for one in students])
    assert (arrays["free_low"] < arrays["low"]).all()
    assert (arrays["free_high"] > arrays["accuracy"]).all()
    assert arrays["output_deviation_mean"].tolist() == [0, 2.5, 5, 7.5]
    assert arrays["output_deviation_max"].tolist() == [0, 12, 24, 36]
    assert arrays["trials_values_not_finite"].tolist() == [0, 0, 4, 4]
    assert arrays["trials_outputs_not_finite"].tolist() == [0, 2, 2, 0]
    assert arrays["faults"].tolist() == [0, 7, 14, 21]
    assert arrays["class_accuracy"].shape == (4, CLASSES)
    np.testing.assert_allclose(arrays["class_accuracy"].mean(axis=1), arrays["accuracy"])
    assert arrays["correct_at"].tolist() == [50]
    assert arrays["correct"].shape == (1, 4, -(-IMAGES // 8))
    unpacked = np.unpackbits(arrays["correct"], axis=2, count=IMAGES)
    assert unpacked.sum(axis=2).tolist() == [list(RIGHT[2])]
    np.testing.assert_allclose(arrays["drops"], [np.subtract(RIGHT[2], RIGHT[3])])
    assert arrays["drop_to"].tolist() == [90]
    assert found.info == {"checks": str(SEEN), "examples": IMAGES}


LOST = ("1_point", "5_points", "50_points")
NO_50 = {"sdc_rate_at_50"}
DROP = {"drop_from_50_to_90"}


@pytest.mark.parametrize(
    ("chosen", "missing"),
    [
        ((0, 1, 2), {*DROP, "rate_50_points_lost"}),
        ((1, 3), {*NO_50, *DROP}),
        ((2, 3), set()),
        (
            (0, 1),
            {
                *(*NO_50, *DROP, "area_under_curve"),
                *(f"rate_{points}_lost" for points in LOST),
            },
        ),
    ],
)
def test_what_needs_a_rate_that_is_not_tested_is_missing(chosen, missing):
    rates, right = (tuple(of[n] for n in chosen) for of in (RATES, RIGHT))
    everything = summarized(RATES, by_hand(), SEEN).scalars
    scalars = summarized(rates, by_hand(rates, right), SEEN).scalars
    untested = {f"accuracy_at_{100 * rate:g}" for rate in {*RATES} - {*rates}}
    assert set(everything) - set(scalars) == missing | untested
    for name in ("accuracy_at_50", "drop_from_50_to_90"):
        assert scalars.get(name, everything[name]) == everything[name]


def test_a_network_that_faults_improve_tolerates_all_and_never_falls():
    right = ((91,) * 900, (95,) * 900)
    scalars = summarized((0.5, 0.9), by_hand((0.5, 0.9), right), SEEN).scalars
    assert scalars["largest_rate_surely_under_1_point_lost"] == 90
    assert scalars["largest_rate_surely_under_5_points_lost"] == 90
    assert not {name for name in scalars if name.startswith("rate_")}
    assert scalars["drop_from_50_to_90"] == -4
    assert scalars["sdc_rate_at_50"] == 0


def test_intervals_of_a_few_trials_stay_in_0_to_100():
    arrays = summarized((0.5, 0.9), by_hand((0.5, 0.9), ((20, 98, 98), (1, 1, 60))), SEEN).arrays
    assert arrays["low"].tolist() == [0, 0]
    assert arrays["high"].tolist() == [100, 100]


def test_few_masks_that_agree_are_unclear_and_many_are_not():
    for trials, unclear in ((2, 2), (900, 0)):
        right = ((89,) * trials, (80,) * trials)
        scalars = summarized((0.5, 0.9), by_hand((0.5, 0.9), right), SEEN).scalars
        assert scalars["unclear_rates"] == unclear
        assert scalars["drop_from_50_to_90"] == 9
    # Without an effect no interval is narrow enough.
    right = ((89, 91) * 40, (79, 81) * 40)
    assert summarized((0.5, 0.9), by_hand((0.5, 0.9), right), SEEN).scalars["unclear_rates"] == 1


def test_a_table_has_a_column_of_scalars_that_there_are():
    measure = FaultTolerance()
    names = [column.name for column in columns(measure)]
    assert len(set(names)) == len(names)
    assert set(names) <= set(summarized(RATES, by_hand(), SEEN).scalars)
    assert all(column.measure is measure for column in columns(measure))


# On a network.


def asked(checkpointing=None) -> MeasureInput:
    """A network that is right without faults."""
    network, x, _ = made("dense")
    data = SimpleNamespace(x_test=x, y_test=network(x).numpy().argmax(axis=1))
    return MeasureInput(
        network=network, data=data, run=None, checkpointing=checkpointing or Checkpointing()
    )


MEASURE = FaultTolerance(where=Weights(), rates=(0.0, 0.2, 0.5, 0.9), trials=6, seed=3)


@pytest.fixture(scope="module")
def whole():
    """What the measure says of a network, after leaving it as it is."""
    trained = asked()
    before = bits(trained.network)
    found = MEASURE.evaluate(trained)
    assert bits(trained.network) == before
    return trained, found


def test_a_measure_is_the_campaign(whole):
    trained, found = whole
    data = trained.data
    campaign = Campaign(trained.network, data.x_test, data.y_test, MEASURE.fault, seed=3)
    for n, rate in enumerate(MEASURE.rates):
        correct = campaign.run(range(6), Share(rate=rate)).correct
        if rate == 0.5:
            kept = np.unpackbits(found.arrays["correct"][0], axis=1, count=40)
            np.testing.assert_array_equal(kept, correct)
        assert found.arrays["accuracy"][n] == pytest.approx(100 * correct.mean(), rel=1e-12)
    first, second = found.arrays["accuracies"][2:]
    pairs = paired(first, second)
    assert found.scalars["drop_from_50_to_90"] == pytest.approx(pairs.difference)
    np.testing.assert_array_equal(found.arrays["drops"], [first - second])
    assert found.scalars["golden_accuracy"] == 100
    assert found.scalars["exceptions"] == 0
    shapes = {name: values.shape for name, values in found.arrays.items()}
    along = ("rates", "accuracy", "low", "high", "free_low", "free_high")
    along += ("output_deviation_mean", "output_deviation_max", "faults")
    along += ("trials_values_not_finite", "trials_outputs_not_finite")
    along += tuple(f"{name}{end}" for name in OUTCOMES for end in ("", "_low", "_high"))
    assert shapes == {
        **dict.fromkeys(along, (4,)),
        "accuracies": (4, 6),
        "class_accuracy": (4, data.y_test.max() + 1),
        "correct": (1, 6, 5),
        "correct_at": (1,),
        "drops": (1, 6),
        "drop_to": (1,),
    }


class Cut(Checkpointing):
    """Is cut off after the third save."""

    kept, saves = None, 0

    def load(self):
        return self.kept

    def save(self, arrays, state):
        self.kept, self.saves = (arrays, state), self.saves + 1
        if self.saves == 3:
            raise KeyboardInterrupt

    def discard(self, reason):
        raise AssertionError(reason)


def test_an_interrupted_measure_goes_on_to_the_same_summarized(whole, monkeypatch):
    monkeypatch.setattr(resumable, "SAVE_SECONDS", -1.0)
    _, whole = whole
    trained = asked(checkpointing=Cut())
    with pytest.raises(KeyboardInterrupt):
        MEASURE.evaluate(trained)
    before = bits(trained.network)
    again = MEASURE.evaluate(trained)
    assert bits(trained.network) == before
    assert again.scalars == whole.scalars
    assert again.info == whole.info
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], values)


def at_most(trials):
    return Preset(name="few", summary="few trials", trials=trials)


def test_fewer_trials_never_more():
    assert MEASURE.scaled(at_most(4)) == FaultTolerance(
        where=Weights(), rates=MEASURE.rates, trials=4, seed=3
    )
    assert MEASURE.scaled(at_most(100)) == MEASURE


@pytest.mark.parametrize(
    "wrong",
    [
        {"rates": ()},
        {"rates": (0.0,)},
        {"rates": (0.5, 0.5)},
        {"rates": (0.5, 0.1)},
        {"rates": (0.5, 1.1)},
        {"rates": [0.5]},
        {"trials": 1},
        {"seed": -1},
        {"where": "weights"},
        {"what": "stuck_at"},
    ],
)
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(BadInput, match="Expected"):
        FaultTolerance(**wrong)
