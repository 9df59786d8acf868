"""Outcomes of logged outputs: against counts by hand, and against a campaign of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.parsing import parse_fault
from ftnoise.user.outcomes import OutcomeSettings, outcomes
from tests.user.made import examples, model

NAN, INF = np.nan, np.inf


def job(folder, golden, faulty, y=None, against=(), **settings):
    """The job on arrays that are saved first; `faulty` and `against` are lists of arrays."""
    np.savez(folder / "golden.npz", outputs=golden, **({} if y is None else {"y": y}))
    paths = []
    for kind, arrays in (("f", faulty), ("a", against)):
        paths.append([folder / f"{kind}{n}.npz" for n in range(len(arrays))])
        for path, array in zip(paths[-1], arrays, strict=True):
            np.savez(path, outputs=array)
    return outcomes(folder / "golden.npz", *paths, None, OutcomeSettings(**settings))


def measured(*arguments, **settings):
    return job(*arguments, **settings).run(None)


GOLDEN = np.array([[5, 1, 0, 0, 0, -9], [5, 1, 0, 0, 0, -9], [0, 4, 0, 0, 0, -9]], np.float32)


def test_counts_by_hand(tmp_path):
    one = GOLDEN.copy()
    one[0] = [1, 5, 0, 0, 0, -9]  # right to wrong, another class of the first five
    one[1, 3] = INF  # DUE
    two = GOLDEN.copy()
    two[2] = [0, 4, 0, 0, 0, 9]  # repaired, and not among the first five
    found = measured(tmp_path, GOLDEN, [np.stack([one, two])], y=[0, 0, 5])
    (row,) = found.rows[0]
    third, half = 100 / 3, 50.0
    assert {name: each.mean for name, each in row.outcomes.items()} == pytest.approx(
        {
            "due_rate": third / 2,
            "sdc_1_rate": third,
            "sdc_rate": half / 2,
            "sdc_5_rate": third / 2,
            "sdc_10_percent_rate": 0.0,
            "sdc_20_percent_rate": 0.0,
            "masked_rate": half,
            "repaired_rate": half,
        }
    )
    assert (found.kind, found.labeled, row.trials) == ("logits", True, 2)
    # An infinite logit of another class is wrong.
    np.testing.assert_allclose(found.outcomes[0].accuracies(0), [0, 100])
    assert found.outcomes[0].golden_accuracy == pytest.approx(2 * third)


def test_the_log_of_a_campaign_gives_its_numbers(tmp_path):
    network = model()
    x, y = examples(network)
    y[:9] = (y[:9] + 1) % 3
    campaign = Campaign(network, x, y, parse_fault("weights:bit_flip:n=4"))
    rate = campaign.fault.rate
    theirs = campaign.run(range(12), rate)
    logged = np.stack([campaign.outputs(trial, rate) for trial in range(12)])
    ours = measured(tmp_path, campaign.golden, [logged], y=y).outcomes[0].results[0]
    for name, array in theirs.to_arrays().items():
        if name not in ("faults", "values_not_finite"):
            np.testing.assert_allclose(ours[name], array, rtol=1e-6, err_msg=name)


def test_without_labels_right_is_the_class_of_the_fault_free_run(tmp_path):
    faulty = np.stack([GOLDEN, GOLDEN[::-1]])
    found = measured(tmp_path, GOLDEN, [faulty])
    np.testing.assert_allclose(found.outcomes[0].accuracies(0), [100, 100 / 3])
    (row,) = found.rows[0]
    assert row.outcomes["sdc_rate"] is row.outcomes["repaired_rate"] is None
    assert "right to wrong" not in str(found).split("Intervals")[0]
    assert found.to_json()["golden_accuracy"] is None
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("golden", "settings", "kind", "threshold"),
    [
        ([[0.2, 0.8], [0.5, 0.5]], {}, "probabilities", 0.0),
        ([[0.2, 0.8], [0.5, 0.5]], {"probabilities": False}, "logits", 0.0),
        ([[0.2, 0.9], [0.5, 0.5]], {}, "logits", 0.0),
        ([[0.2], [1.0]], {}, "probabilities", 0.5),
        ([[0.2], [1.1]], {}, "logits", 0.0),
        ([[0.2], [1.1]], {"threshold": 0.3}, "logits", 0.3),
    ],
)
def test_probabilities_are_told_from_logits(tmp_path, golden, settings, kind, threshold):
    golden = np.array(golden, np.float32)
    found = measured(tmp_path, golden, [np.stack([golden, golden + 0.15])], **settings)
    assert found.kind == kind
    if golden.shape[1] == 1:
        moved = ((golden > threshold) == (golden + 0.15 > threshold)).mean()
        assert found.outcomes[0].accuracies(0)[1] == 100 * moved


def test_two_sets_are_compared_trial_by_trial(tmp_path):
    generator = np.random.default_rng(0)
    golden = generator.normal(size=(50, 4)).astype(np.float32)
    noise = generator.normal(size=(2, 20, 50, 4)).astype(np.float32)
    first, second = ([golden + size * one for one in noise] for size in (1.0, 0.3))
    found = measured(tmp_path, golden, first, against=second)
    rows = found.comparison
    assert [row["measure"] for row in rows] == ["accuracy", "sdc_1_rate", "due_rate"] * 2
    for row in rows:
        sign = {"accuracy": -1, "sdc_1_rate": 1, "due_rate": 0}[row["measure"]]
        assert np.sign(row["difference"]) == sign
        assert row["adjusted_p_value"] == (1 if sign == 0 else pytest.approx(0, abs=1e-3))
        assert row["adjusted_p_value"] >= row["p_value"]
    assert "Holm's correction for 6 comparisons" in str(found)
    table = found.to_csv().splitlines()
    assert [line.split(",")[:2] for line in table[1:]] == [
        *(["1", "f0"], ["1", "f1"], ["2", "a0"], ["2", "a1"])
    ]
    with pytest.raises(BadInput, match="as many files and trials"):
        measured(tmp_path, golden, first, against=[second[0], second[1][:9]])


def test_integers_are_outputs_too_and_the_identity_is_the_content(tmp_path):
    golden = np.array([[3, 1], [0, 9]], np.int8)
    faulty = np.stack([golden, golden[:, ::-1]])
    first = job(tmp_path, golden, [faulty])
    np.testing.assert_array_equal(first.run(None).outcomes[0].accuracies(0), [100, 0])
    assert first.identity == job(tmp_path, golden, [faulty]).identity
    assert first.identity != job(tmp_path, golden, [faulty[::-1]]).identity
    assert first.identity != job(tmp_path, golden, [faulty], confidence=0.9).identity
