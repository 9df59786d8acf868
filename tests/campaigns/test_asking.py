"""One call from arrays to an answer, and how many masks it takes."""

from __future__ import annotations

import numpy as np
import pytest

import ftnoise
from ftnoise.campaigns import asking
from ftnoise.campaigns.question import question
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.faults.amounts import Count, Share
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.fault import parse
from ftnoise.faults.sweep import sweep
from ftnoise.stats.bounded import SEQUENCE, ConfidenceSequence
from ftnoise.stats.interval import STUDENT, student_interval
from ftnoise.stats.levels import variance_components
from tests.campaigns.made import FAULT, examples, model


@pytest.fixture(scope="module")
def own():
    network = model()
    return network, *examples(network)


class Kept(Checkpointing):
    """Keeps everything, and is killed at the `kill`-th word."""

    def __init__(self, kill=None):
        self.kill, self.words, self.lines, self.content = kill, [], [], None

    def load(self):
        return self.content

    def discard(self, reason):
        self.content = None

    def save(self, arrays, state):
        self.content = arrays, state

    def progress(self, done, total, text=""):
        self.words.append((done, total))
        if self.kill is not None and len(self.words) == self.kill:
            raise KeyboardInterrupt

    def say(self, text):
        self.lines.append(text)


def test_the_answer_is_that_of_the_campaign(own):
    network, x, y = own
    before = digest(network)
    found = ftnoise.inject(*own, FAULT, masks=6, seed=3)
    campaign = Campaign(network, x, y, parse(FAULT), seed=3)
    assert found.golden_accuracy == 100
    assert [line.amount for line in found.lines] == ["10 %", "20 %", "30 %", "40 %", "50 %"]
    for line in found.lines:
        outcome = campaign.run(range(6), Share(rate=line.share))
        accuracies = 100 * outcome.correct.mean(axis=1)
        interval = student_interval(accuracies)
        assert line.accuracy == pytest.approx(accuracies.mean())
        assert (line.low, line.high) == (interval.low, interval.high)
        assert line.free_low < line.low < line.high < line.free_high
        assert line.masks == 6
        assert line.method == STUDENT
        assert line.faults == outcome.faults[0]
        # All is right without faults, so all that is wrong is silent corruption.
        assert line.silent_corruptions == pytest.approx(100 - line.accuracy)
        assert line.unclear == (line.high - line.low > 100 - line.accuracy)
        parts = variance_components(outcome.correct[None]).standard_errors
        assert line.mask_error == pytest.approx(100 * parts["mask"])
        assert line.example_error == pytest.approx(100 * parts["image"])
        assert line.enlarge in ("masks", "examples")
    assert digest(network) == before == found.digest


def test_a_fault_and_its_text_are_the_same(own):
    fault = ftnoise.Fault(
        where=ftnoise.Weights(), what=ftnoise.StuckAt(), amount=ftnoise.Share(rate=0.5)
    )
    one, other = (ftnoise.inject(*own, each, masks=3) for each in (fault, FAULT))
    assert one == other
    network, x, _ = own
    with ftnoise.injected(network, FAULT):
        text = network.predict(x, verbose=0)
    with ftnoise.injected(network, fault):
        np.testing.assert_array_equal(network.predict(x, verbose=0), text)


def test_single_faults_have_a_line_and_no_curve(own):
    found = ftnoise.inject(*own, "neurons:stuck_at_zero:n=1", masks=4)
    assert [line.amount for line in found.lines] == ["1 fault"]
    assert found.lines[0].share is None
    assert found.summaries == {}
    mixed = ftnoise.inject(*own, FAULT, amounts=[0.1, "p=0.2"], masks=4)
    assert mixed.summaries == {}


@pytest.mark.parametrize(("half_width", "most", "enough"), [(12.0, 400, True), (3.0, 30, False)])
def test_masks_until_a_half_width_is_reached(own, half_width, most, enough):
    words = {"amounts": [0.2, 0.4], "half_width": half_width, "max_masks": most}
    checkpointing = Kept()
    found = ftnoise.inject(*own, FAULT, checkpointing=checkpointing, **words)
    assert found.reached == (enough, enough)
    assert found.half_width == half_width
    for line in found.lines:
        assert line.method == SEQUENCE
        assert (line.low, line.high) == (line.free_low, line.free_high)
        reach = max(line.accuracy - line.low, line.high - line.accuracy)
        assert (reach <= half_width) == enough
        assert (line.masks < most) == enough
    (said,) = checkpointing.lines
    assert said.startswith("About ")
    assert ("hardly be enough at 20 %, 40 %" in said) == (not enough)
    done, total = checkpointing.words[-1]
    assert done == sum(line.masks for line in found.lines)
    assert total >= done


@pytest.mark.parametrize("kill", [1, 4, 9, 11])
@pytest.mark.parametrize(
    "words", [{"masks": 22}, {"half_width": 8.0, "max_masks": 60}], ids=["masks", "half-width"]
)
def test_an_answer_that_was_interrupted_is_the_same(own, monkeypatch, words, kill):
    monkeypatch.setattr("ftnoise.faults.sweep.SAVE_SECONDS", -1)
    whole = ftnoise.inject(*own, FAULT, amounts=[0.2, 0.5], **words)
    checkpointing = Kept(kill)
    with pytest.raises(KeyboardInterrupt):
        ftnoise.inject(*own, FAULT, amounts=[0.2, 0.5], checkpointing=checkpointing, **words)
    assert checkpointing.content is not None
    checkpointing.kill, checkpointing.words = None, []
    again = ftnoise.inject(*own, FAULT, amounts=[0.2, 0.5], checkpointing=checkpointing, **words)
    assert again == whole
    assert checkpointing.words[0][0] > 4


def test_what_was_kept_of_another_question_is_not_used(own, monkeypatch):
    monkeypatch.setattr("ftnoise.faults.sweep.SAVE_SECONDS", -1)
    checkpointing = Kept()
    ftnoise.inject(*own, FAULT, amounts=[0.5], masks=12, checkpointing=checkpointing)
    found = ftnoise.inject(*own, FAULT, amounts=[0.5], masks=8, checkpointing=checkpointing)
    assert found == ftnoise.inject(*own, FAULT, amounts=[0.5], masks=8)


def test_a_sweep_goes_on_in_the_middle_of_a_group(own):
    campaign = Campaign(*own, parse(FAULT))
    amounts = [Share(rate=0.5)]
    begun = sweep(campaign, amounts, masks=7)
    found = sweep(campaign, amounts, masks=13, begun=begun)
    whole = sweep(campaign, amounts, masks=13)
    np.testing.assert_array_equal(found.correct(0), whole.correct(0))
    np.testing.assert_array_equal(found.numbers["distance_max"], whole.numbers["distance_max"])


def test_an_interval_around_no_effect_is_unclear(own):
    network, x, y = own
    # Right where the network is wrong, too: some masks help, some harm.
    found = ftnoise.inject(network, x, (y + 1) % 3, "weights:stuck_at_zero:0.02", masks=5)
    assert found.lines[-1].unclear
    assert found.warnings[0].startswith("The interval is wider than the drop at ")
    nothing = ftnoise.inject(network, x, y, FAULT, amounts=[0.0], masks=5)
    assert not nothing.lines[0].unclear


def told(rows, rates=(0.1, 0.2, 0.4), **words):
    amounts = [Share(rate=rate) for rate in rates]
    asked = question(FAULT, amounts=amounts, **words)
    return asking.summaries(amounts, [np.array(row, float) for row in rows], 90.0, asked)


def test_summaries_of_a_curve_made_by_hand():
    found = told([[90, 88], [86, 84], [46, 44]])
    # Trapezoids of heights 90, 89, 85, 45 over widths 10, 10 and 20 of 40.
    assert found["area_under_curve"] == pytest.approx((89.5 * 10 + 87 * 10 + 65 * 20) / 40)
    assert found["rate_1_point_lost"] == pytest.approx(10)
    assert found["rate_5_points_lost"] == pytest.approx(20)
    assert found["rate_50_points_lost"] is None
    assert found["largest_rate_surely_under_1_point_lost"] is None
    # A few masks that agree are no proof, whatever Student says of them.
    assert told([[89.6, 89.5] * 9, [88, 88.2] * 9, [60, 70] * 9]) | {
        "largest_rate_surely_under_1_point_lost": None,
        "largest_rate_surely_under_5_points_lost": None,
    } == told([[89.6, 89.5] * 9, [88, 88.2] * 9, [60, 70] * 9])
    sure = told([[89.6, 89.5] * 900, [88, 88.2] * 900, [60, 70] * 900])
    assert sure["largest_rate_surely_under_1_point_lost"] == pytest.approx(10)
    assert sure["largest_rate_surely_under_5_points_lost"] == pytest.approx(20)
    assert sure.keys() == found.keys()


def test_low_confidence_has_no_sure_rates():
    found = told([[89, 88], [80, 80], [70, 71]], confidence=0.5)
    assert [name for name in found if name.startswith("largest")] == []


def test_summaries_need_shares_of_one_kind():
    asked = question(FAULT, amounts=["n=1", "n=2"])
    rows = [np.array([80.0, 81.0])] * 2
    assert asking.summaries(asked.amounts, rows, 90.0, asked) == {}
    of_each = [Share(rate=0.1), Share(rate=0.2, per_site=True)]
    asked = question(FAULT, amounts=of_each)
    assert asking.summaries(of_each, rows, 90.0, asked) == {}


def test_what_is_sure_when_masks_ended_by_their_own_is_by_the_bound_that_holds_then():
    # A Student's interval over these is narrow, though the masks came to an end by looking at them.
    rows = [[89.4, 89.6] * 10, [88, 88.2] * 25, [60, 70] * 20]
    found = told(rows, half_width=2.0)
    assert found["largest_rate_surely_under_5_points_lost"] is None
    sequence = ConfidenceSequence(0.95, 0.0, 100.0, aim=2.0)
    sequence.update(rows[0])
    assert sequence.interval.low < 85
    many = told([row * 30 for row in rows], half_width=2.0)
    assert many["largest_rate_surely_under_5_points_lost"] == pytest.approx(20)
    assert many["largest_rate_surely_under_1_point_lost"] is None
    # Means of all masks, however many each amount has.
    assert found["rate_5_points_lost"] == told([row[:2] for row in rows])["rate_5_points_lost"]


def test_plans(own):
    said = ftnoise.plans(*own, FAULT, half_width=1).splitlines()
    assert said[0].startswith("weights stuck at 0, 50 %: accuracy ")
    assert said[0].endswith("(20 masks).")
    assert said[1] == "Masks for an interval of mean -+ 1 point with 95 % confidence:"
    names = [line.split(":")[0].strip() for line in said[2:-1]]
    assert names == [
        *("Student's t", "Hoeffding", "empirical Bernstein"),
        *("hedged betting confidence sequence", "Leveugle et al."),
    ]
    with pytest.raises(BadInput, match="half_width in points"):
        ftnoise.plans(*own, FAULT, half_width=0)


@pytest.mark.parametrize("words", [{"pilot": 1}, {"pilot": 2.5}, {"confidence": 1.0}])
def test_what_a_plan_cannot_be_made_of_is_refused_before_anything_is_computed(
    own, words, monkeypatch
):
    monkeypatch.setattr(Campaign, "run", None)
    with pytest.raises(BadInput, match=f"Expected {next(iter(words))}"):
        ftnoise.plans(*own, FAULT, half_width=1, **words)


def test_how_long_transient_faults_of_parameters_take_is_said(own):
    network, x, y = own
    checkpointing = Kept()
    few = (network, x[:6], y[:6])
    text = "weights:stuck_at_zero:0.5:transient"
    ftnoise.inject(*few, text, amounts=[0.2, 0.5], masks=2, checkpointing=checkpointing)
    (said,) = checkpointing.lines
    assert said.startswith(
        "A transient fault of parameters takes a call for each mask and example: 24 calls, about "
    )
    checkpointing = Kept()
    ftnoise.inject(*few, FAULT, amounts=[0.5], masks=2, checkpointing=checkpointing)
    assert checkpointing.lines == []


def test_a_threshold_is_another_question():
    import keras

    layers = [keras.layers.InputLayer((5,)), keras.layers.Dense(1), keras.layers.ReLU()]
    network = keras.Sequential(layers)
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    y = (network.predict(x, verbose=0)[:, 0] > 0.3).astype(int)
    with pytest.raises(BadInput, match="or a threshold"):
        ftnoise.inject(network, x, y, FAULT, masks=2)
    found = ftnoise.inject(network, x, y, FAULT, masks=2, threshold=0.3)
    assert found.golden_accuracy == 100
    assert question(FAULT, threshold=0.3).form != question(FAULT).form
    assert "threshold" not in question(FAULT).form
    with pytest.raises(BadInput, match="threshold a number"):
        question(FAULT, threshold=float("nan"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"amounts": [Count(faults=999)]}, "at most"),
        ({"fault": "weights@dence:stuck_at_zero:0.5"}, "Expected a layer of own with weights"),
        ({"fault": "weights@9:stuck_at_zero:0.5"}, "Expected a layer of own with weights"),
        ({"fault": "filters:stuck_at_zero:0.5"}, "Expected filters in own"),
        (
            {
                "fault": ftnoise.Fault(
                    where=ftnoise.Neurons(layers=(0,), indices=(8,)),
                    what=ftnoise.StuckAt(),
                    amount=ftnoise.Count(faults=1),
                )
            },
            "from 0 to 7",
        ),
    ],
)
def test_places_that_are_not_there_are_refused_in_one_line(own, words, said):
    with pytest.raises(BadInput, match=said) as refused:
        ftnoise.inject(*own, **{"fault": FAULT, **words})
    assert "Received" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_failed_check_is_a_failed_run(own, monkeypatch):
    def wrong(*arguments):
        raise RunFailed("Expected the campaign to agree with Keras. Received: not.")

    monkeypatch.setattr("ftnoise.faults.gates.gates", wrong)
    with pytest.raises(RunFailed, match="agree with Keras"):
        ftnoise.inject(*own, FAULT, masks=2)
