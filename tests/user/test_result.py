"""The text, the numbers and the JSON of a result."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from ftnoise.stats.bounded import ConfidenceSequence
from ftnoise.user.result import InjectionResult
from tests.user.made import result

WIDE = [[80.0, 84.0] * 10, [60.0, 64.0] * 10]


def values(found: InjectionResult) -> dict[str, str]:
    """The summaries of the text by their labels."""
    _, _, _, _, summaries, *_ = str(found).split("\n\n")
    rows = [row.split("  ") for row in summaries.splitlines()]
    return {row[0]: row[-1].strip() for row in rows}


def test_the_text():
    found = result(deviation=1.25)
    text = str(found).splitlines()
    assert text[0] == "own, weights stuck at 0: 40 sites, 1,000 examples, seed 0."
    assert text[2].split() == [
        *("rate", "faults", "trials", "accuracy", "%", "sd", "95", "%", "interval"),
        *("distribution-free", "deviation"),
    ]
    assert text[4].split() == ["none", "0", "90.00"]
    first = found.rows[0]
    ends = [f"{getattr(first, name):.2f}" for name in ("low", "high", "free_low", "free_high")]
    assert text[5].split() == [
        *("25", "%", "10", "20", "82.00", "1.03"),
        *(ends[0], "to", ends[1], ends[2], "to", ends[3], "1.25"),
    ]
    assert {len(row) for row in text[5:7]} == {len(text[3])}
    outcomes = str(found).split("\n\n")[3].splitlines()
    # Not of at most five classes: SDC-5.
    assert re.split("  +", outcomes[0].strip()) == [
        *("rate", "DUE", "SDC-1", "right to wrong", "SDC-10%", "SDC-20%", "masked", "repaired")
    ]
    sdc = first.outcomes["sdc_rate"]
    assert outcomes[2].split() == ["25", "%", "0.00", "0.00", "8.89", *["0.00"] * 4]
    assert re.split("  +", outcomes[3].strip())[2] == f"{sdc.low:.2f} to {sdc.high:.2f}"
    assert len(outcomes) == 2 + 2 * 2
    assert "Silent data corruption" in str(found)
    assert text[-1] == "Checked on 1000 examples; the model is unchanged (0123456789ab)."


def test_summaries_in_the_text():
    assert values(result([[89.0, 89.2] * 500, [70.0, 70.4] * 500])) == {
        "Mean accuracy from no faults to 50 % (area under the curve)": "84.60 %",
        "Fault rate with a drop of 1 point": "25.13 %",
        "Fault rate with a drop of 5 points": "30.42 %",
        "Fault rate with a drop of 50 points": "not up to 50 %",
        "Largest tested rate with a drop < 1 point (95 % confidence)": "none",
        "Largest tested rate with a drop < 5 points (95 % confidence)": "25 %",
    }
    below = values(result())["Fault rate with a drop of 1 point"]
    assert below == "3.12 %, below the lowest tested"
    assert "\n\n\n" not in str(result(rates=["n=1", "n=2"]))


def test_the_text_describes_the_interval():
    assert "a number of trials that was fixed beforehand" in str(result())
    sequence = str(result(WIDE, half_width=50.0))
    assert "valid at any stopping time" in sequence
    # A sequence is distribution-free itself: it has no second interval of the accuracy.
    assert "interval  distribution-free" in str(result())
    assert "interval  distribution-free" not in sequence


def test_the_text_shows_the_sources_of_the_standard_error():
    found = result()
    last = found.rows[-1]
    assert (
        f"Standard error at 50 %: {last.trial_error:.2f} points from the trials, "
        f"{last.example_error:.2f} from the examples (not part of the intervals); more "
        f"{last.enlarge} reduce it most."
    ) in str(found).splitlines()


@pytest.mark.parametrize(
    ("found", "warning"),
    [
        (result(), None),
        (
            result([[88.0, 91.0] * 5, [60.0, 60.2] * 5]),
            "The interval is wider than the drop at 25 %: draw more trials.",
        ),
        (
            result([[89.0, 90.0] * 10, [0.0, 0.2] * 10], half_width=99.0),
            "The interval is wider than the drop at 25 %: draw more trials by a smaller "
            "half-width.",
        ),
        (
            result([[80.0, 84.0] * 200, [0.0, 0.2] * 200], half_width=1.0),
            "The half-width of 1 point was not reached at 50 % (400 trials): use more trials.",
        ),
        (
            result([[90.0] * 20, [61.0, 63.0] * 10], [0.001, 0.5], faults=0.0),
            "No site was hit at 0.1 %, 50 %, of 40 sites: choose a higher rate.",
        ),
    ],
)
def test_warnings(found, warning):
    assert found.warnings == ([] if warning is None else [warning])
    assert found.to_json()["warnings"] == found.warnings
    assert str(found).endswith("(0123456789ab)." if warning is None else f"WARNING: {warning}")


def test_a_rate_of_zero_that_hits_nothing_is_no_warning():
    assert result([[90.0] * 3, [60.0, 61.0, 62.0]], [0.0, 0.5]).warnings == []


def test_a_model_that_guesses_is_the_first_warning():
    # Half of the examples are of each class.
    found = result([[49.0, 52.0] * 5, [40.0, 40.2] * 5], golden=50)
    assert found.warnings[0].startswith("The accuracy without faults is 50.00 %, and always ")
    assert "WARNING: The accuracy without faults" in str(found)
    assert len(found.warnings) == 2
    assert result([[49.0, 49.2] * 5, [40.0, 40.2] * 5], golden=51).warnings == []


def test_intervals_of_a_few_trials_stay_in_0_to_100():
    found = result([[20.0, 98.0, 98.0], [1.0, 1.0, 60.0]])
    for row in found.rows:
        assert 0 <= row.low < row.accuracy < row.high <= 100
    assert (found.rows[0].low, found.rows[0].high) == (0, 100)
    other = result([[98.0, 10.0, 10.0], [1.0, 60.0, 1.0]])
    lines = found.against(other).lines
    assert lines["low"].min() == -100
    assert lines["high"].max() <= 100


def test_outputs_that_are_not_finite_are_shown():
    found = result(not_finite=25, deviation=np.inf)
    for what in ("parameters or outputs of neurons", "outputs of the model"):
        line = f"Trials with NaN or infinity in {what}: 20 of 20 at 25 %, 20 of 20 at 50 %."
        assert line in str(found).splitlines()
    assert found.rows[0].outcomes["due_rate"].mean == 2.5
    assert found.rows[0].output_deviation_mean is None
    assert str(found).splitlines()[5].endswith("not finite")
    assert "NaN" not in str(result())


def summaries(rows, rates=(0.1, 0.2, 0.4), **settings):
    return result(rows, rates, **settings).summaries


def test_summaries_of_a_curve_by_hand():
    rows = [[90, 88], [86, 84], [46, 44]]
    found = summaries(rows)
    # Trapezoids of heights 90, 89, 85, 45 over widths 10, 10 and 20 of 40.
    assert found["area_under_curve"] == pytest.approx((89.5 * 10 + 87 * 10 + 65 * 20) / 40)
    assert found["rate_1_point_lost"] == pytest.approx(10)
    assert found["rate_5_points_lost"] == pytest.approx(20)
    assert found["rate_50_points_lost"] is None
    assert found["largest_rate_surely_under_1_point_lost"] is None
    sure = summaries([[89.6, 89.5] * 900, [88, 88.2] * 900, [60, 70] * 900])
    assert sure["largest_rate_surely_under_1_point_lost"] == pytest.approx(10)
    assert sure["largest_rate_surely_under_5_points_lost"] == pytest.approx(20)
    assert sure.keys() == found.keys()
    # A few trials that agree are no proof, whatever Student's interval is.
    few = summaries([[89.6, 89.5] * 9, [88, 88.2] * 9, [60, 70] * 9])
    assert few["largest_rate_surely_under_5_points_lost"] is None
    guess = summaries(rows, confidence=0.5)
    assert [name for name in guess if name.startswith("largest")] == []


def test_one_rate_makes_no_curve():
    found = result([[88.0, 88.2] * 500], [0.5])
    assert found.summaries == {
        "largest_rate_surely_under_1_point_lost": None,
        "largest_rate_surely_under_5_points_lost": 50,
    }
    assert "area under the curve" not in str(found)


@pytest.mark.parametrize(
    "rates", [["n=1", "n=2"], [0.1, "p=0.2"], ["0.1", "share=0.2,per_tensor=true"], [0.0]]
)
def test_summaries_need_shares_of_one_kind(rates):
    assert summaries([[90.0, 90.0]] * len(rates), rates) == {}


def test_trials_up_to_a_half_width_have_bounds_that_are_valid_then():
    # Student's interval over these is narrow, but the trials stopped by looking at them.
    rows = [[89.4, 89.6] * 10, [88, 88.2] * 25, [60, 70] * 20]
    found = summaries(rows, half_width=2.0)
    assert found["largest_rate_surely_under_5_points_lost"] is None
    sequence = ConfidenceSequence(0.95, 0.0, 100.0, aim=2.0)
    sequence.update(rows[0])
    assert sequence.interval.low < 85
    many = summaries([row * 30 for row in rows], half_width=2.0)
    assert many["largest_rate_surely_under_5_points_lost"] == pytest.approx(20)
    assert many["largest_rate_surely_under_1_point_lost"] is None
    # Means of all trials, whatever their number at each rate.
    assert found["rate_5_points_lost"] == summaries([r[:2] for r in rows])["rate_5_points_lost"]


def test_all_numbers_are_json():
    form = json.loads(json.dumps(result(not_finite=1000, deviation=np.inf).to_json()))
    assert form["lines"][0]["due_rate"] == form["lines"][0]["due_rate_high"] == 100
    # Equal trials do not prove that the next is equal too.
    assert 50 < form["lines"][0]["due_rate_low"] < 100
    assert form["lines"][0]["sdc_5_rate"] is form["lines"][0]["sdc_5_rate_high"] is None
    assert form["lines"][0]["output_deviation_mean"] is None
    assert form["settings"]["rates"][0]["rate"] == 0.25
    assert form["warnings"] == []
