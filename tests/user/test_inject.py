"""One call from arrays to a result, and the number of trials that a precision takes."""

from __future__ import annotations

import numpy as np
import pytest

import ftnoise
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput, RunFailed
from ftnoise.core.spec import weights_digest
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.stats.bounded import SEQUENCE
from ftnoise.stats.interval import STUDENT, student_interval
from ftnoise.stats.levels import variance_components
from ftnoise.user.inject import job, prepared
from ftnoise.user.settings import CampaignSettings
from tests.user.made import FAULT, examples, model

AGREEMENT = "ftnoise.faults.agreement.agreement"


@pytest.fixture(scope="module")
def own():
    network = model()
    return network, *examples(network)


@pytest.fixture
def saved_at_once(monkeypatch):
    monkeypatch.setattr("ftnoise.core.resumable.SAVE_SECONDS", -1.0)


class Kept(Checkpointing):
    """Keeps everything, and is killed at the `kill`-th report."""

    def __init__(self, kill=None):
        self.kill, self.reports, self.content = kill, [], None

    def load(self):
        return self.content

    def discard(self, reason):
        self.content = None

    def save(self, arrays, state):
        self.content = arrays, state

    def progress(self, done, total, text=""):
        self.reports.append((done, total))
        if self.kill is not None and len(self.reports) == self.kill:
            raise KeyboardInterrupt


def work(own, rates, **settings):
    """The job of a campaign."""
    checked = CampaignSettings.of(FAULT, rates, **settings)
    return job(prepared(*own, checked), checked, {})


def test_the_result_is_that_of_the_campaign(own):
    network, x, y = own
    before = weights_digest(network)
    found = ftnoise.inject(*own, FAULT, trials=6, seed=3)
    campaign = Campaign(network, x, y, parse_fault(FAULT), seed=3)
    assert found.golden_accuracy == 100
    assert list(found.lines["rate"]) == ["10 %", "20 %", "30 %", "40 %", "50 %"]
    for index, line in enumerate(found.lines.itertuples()):
        results = campaign.run(range(6), Share(rate=line.share))
        accuracies = 100 * results.correct.mean(axis=1)
        interval = student_interval(accuracies)
        np.testing.assert_allclose(found.accuracies[index], accuracies)
        assert line.accuracy == pytest.approx(accuracies.mean())
        assert (line.low, line.high) == (interval.low, interval.high)
        assert line.free_low < line.low < line.high < line.free_high
        assert line.trials == 6
        assert line.method == STUDENT
        assert line.reached is None
        assert line.faults == results.faults[0]
        # Without faults all is right, so all that is wrong is silent corruption.
        assert line.sdc_rate == line.sdc_1_rate == pytest.approx(100 - line.accuracy)
        assert line.sdc_rate_low < line.sdc_rate < line.sdc_rate_high
        assert line.unclear == (line.high - line.low > 100 - line.accuracy)
        parts = variance_components(results.correct[None]).standard_errors
        assert line.trial_error == pytest.approx(100 * parts["trial"])
        assert line.example_error == pytest.approx(100 * parts["example"])
        assert line.enlarge in ("trials", "examples")
    assert weights_digest(network) == before == found.weights


def test_a_fault_and_its_text_are_the_same(own):
    fault = ftnoise.Fault(
        where=ftnoise.Weights(), what=ftnoise.StuckAt(), rate=ftnoise.Share(rate=0.5)
    )
    one, other = (ftnoise.inject(*own, each, trials=3) for each in (fault, FAULT))
    assert one.to_json() == other.to_json()


def test_the_number_of_examples_in_a_call_is_an_option(own, monkeypatch):
    sizes, clean = [], Campaign._clean_part
    monkeypatch.setattr(
        Campaign, "_clean_part", lambda self, part: [sizes.append(part), clean(self, part)][1]
    )
    found = ftnoise.inject(*own, "neurons=0:stuck_at=1:n=1", trials=2, examples_per_call=25)
    assert [part.stop - part.start for part in sizes if part.start is not None] == [25, 25]
    whole = ftnoise.inject(*own, "neurons=0:stuck_at=1:n=1", trials=2)
    np.testing.assert_array_equal(found.accuracies, whole.accuracies)


def test_counts_have_a_line_and_no_curve(own):
    found = ftnoise.inject(*own, "neurons:stuck_at_zero:n=1", trials=4)
    assert list(found.lines["rate"]) == ["1 fault"]
    assert found.rows[0].share is None
    assert found.summaries == {}


@pytest.mark.parametrize(("half_width", "most", "enough"), [(12.0, 400, True), (3.0, 30, False)])
def test_trials_until_a_half_width_is_reached(own, half_width, most, enough):
    checkpointing = Kept()
    settings = {"half_width": half_width, "max_trials": most}
    found = work(own, [0.2, 0.4], **settings).run(checkpointing)
    for row in found.rows:
        assert row.reached is enough
        assert row.method == SEQUENCE
        assert (row.low, row.high) == (row.free_low, row.free_high)
        reach = max(row.accuracy - row.low, row.high - row.accuracy)
        assert (reach <= half_width) == enough
        assert (row.trials < most) == enough
    done, total = checkpointing.reports[-1]
    assert done == found.lines["trials"].sum()
    assert total >= done


@pytest.mark.usefixtures("saved_at_once")
@pytest.mark.parametrize("kill", [1, 9])
@pytest.mark.parametrize(
    "settings", [{"trials": 22}, {"half_width": 8.0, "max_trials": 60}], ids=["trials", "width"]
)
def test_a_result_that_was_interrupted_is_the_same(own, settings, kill):
    whole = ftnoise.inject(*own, FAULT, [0.2, 0.5], **settings)
    checkpointing = Kept(kill)
    with pytest.raises(KeyboardInterrupt):
        work(own, [0.2, 0.5], **settings).run(checkpointing)
    assert checkpointing.content is not None
    checkpointing.kill, checkpointing.reports = None, []
    again = work(own, [0.2, 0.5], **settings).run(checkpointing)
    assert again.to_json() == whole.to_json()
    assert checkpointing.reports[0][0] > 4


@pytest.mark.usefixtures("saved_at_once")
def test_trials_that_another_campaign_kept_do_not_change_the_result(own):
    checkpointing = Kept()
    work(own, [0.5], trials=8, seed=1).run(checkpointing)
    found = work(own, [0.5], trials=8).run(checkpointing)
    assert found.to_json() == ftnoise.inject(*own, FAULT, [0.5], trials=8).to_json()


def test_an_interval_around_no_effect_is_unclear(own):
    network, x, y = own
    # Some trials help a network that is wrong, some harm it.
    found = ftnoise.inject(network, x, (y + 1) % 3, "weights:stuck_at_zero:0.02", trials=5)
    assert found.rows[-1].unclear
    assert found.warnings[1].startswith("The interval is wider than the drop at ")
    nothing = ftnoise.inject(network, x, y, FAULT, [0.0], trials=5)
    assert not nothing.rows[0].unclear


def test_a_plan(own):
    lines = ftnoise.plan_trials(*own, FAULT, 1).splitlines()
    assert lines[0].startswith("weights stuck at 0, 50 %: accuracy ")
    assert lines[0].endswith("(20 trials).")
    text, needed = lines[1].split(": about ")
    assert text == "Trials for an interval of mean -+ 1 point with 95 % confidence"
    assert int(needed.rstrip(".").replace(",", "")) > 20
    assert len(lines) == 2


@pytest.mark.parametrize("settings", [{"confidence": 1.0}, {"half_width": 0}])
def test_a_wrong_plan_is_refused_before_anything_is_computed(own, settings, monkeypatch):
    monkeypatch.setattr(Campaign, "run", None)
    with pytest.raises(BadInput, match=f"Expected {next(iter(settings))}"):
        ftnoise.plan_trials(*own, FAULT, **{"half_width": 1, **settings})


def test_a_threshold():
    import keras

    layers = [keras.layers.InputLayer((5,)), keras.layers.Dense(1), keras.layers.ReLU()]
    network = keras.Sequential(layers)
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    y = (network.predict(x, verbose=0)[:, 0] > 0.3).astype(int)
    with pytest.raises(BadInput, match="or a threshold"):
        ftnoise.inject(network, x, y, FAULT, trials=2)
    found = ftnoise.inject(network, x, y, FAULT, trials=2, threshold=0.3)
    assert found.golden_accuracy == 100
    with pytest.raises(BadInput, match="threshold a number"):
        ftnoise.inject(network, x, y, FAULT, threshold=np.nan)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rates": ["n=999"]}, "at most"),
        ({"fault": "weights=dence:stuck_at_zero:0.5"}, "Expected a layer of own with weights"),
        ({"fault": "weights=9:stuck_at_zero:0.5"}, "Expected a layer of own with weights"),
        ({"fault": "filters:stuck_at_zero:0.5"}, "Expected filters in own"),
        ({"fault": "neurons=0,indices=8:stuck_at_zero:n=1"}, "from 0 to 7"),
    ],
)
def test_sites_that_do_not_exist_are_refused_in_one_line(own, changes, message):
    with pytest.raises(BadInput, match=message) as refused:
        ftnoise.inject(*own, **{"fault": FAULT, **changes})
    assert "Received" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_failed_check_is_a_failed_run(own, monkeypatch):
    def wrong(*arguments):
        raise RunFailed("Expected the campaign to agree with Keras. Received: not.")

    monkeypatch.setattr(AGREEMENT, wrong)
    with pytest.raises(RunFailed, match="agree with Keras"):
        ftnoise.inject(*own, FAULT, trials=2)
