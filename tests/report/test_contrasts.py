"""Rows against one of them, seed by seed, in every form of a report."""

from __future__ import annotations

import io

import numpy as np
import pandas
import pytest
import scipy.stats

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Contrasts
from ftnoise.report.contrasts import compare
from ftnoise.stats.comparing import holm, paired
from tests.report.conftest import make

AGAINST = Contrasts(
    name="against",
    title="Difference to natural",
    baseline="natural",
    columns=("accuracy", "error"),
)
NAMES = ("dnn natural", "dnn tikhonov", "dnn trades", "cnn natural", "cnn trades")
SEEDS = 6


def numbers():
    random = np.random.default_rng(0)
    start = random.normal(90, 3, SEEDS)
    return {
        name: {
            "accuracy": (start - 2 * n + random.normal(0, 0.5, SEEDS)).tolist(),
            "error": random.normal(5, 1, SEEDS).tolist(),
        }
        for n, name in enumerate(NAMES)
    }


def results(values=None, runs=None, picture=AGAINST):
    values = values or numbers()
    keys = {
        name: {column: [(0, n) for n in range(len(found))] for column, found in columns.items()}
        for name, columns in values.items()
    }
    made = make({name: {} for name in NAMES}, values, figures=(picture,))
    return report.Results(
        made.experiment, made.preset, made.values, made.notes, runs=keys if runs is None else runs
    )


def compared(made):
    return compare(made, made.experiment.figures[0])


def test_each_row_of_a_group_against_its_baseline_paired_by_seed():
    values, found = numbers(), compared(results())
    assert [(one.column.name, one.row.name, one.baseline.name) for one in found] == [
        (column, row, f"{row.split()[0]} natural")
        for column in ("accuracy", "error")
        for row in ("dnn tikhonov", "dnn trades", "cnn trades")
    ]
    for one in found:
        own, other = (np.array(values[r.name][one.column.name]) for r in (one.row, one.baseline))
        known = scipy.stats.ttest_rel(own, other)
        assert one.found.p_value == pytest.approx(known.pvalue)
        assert one.found.difference == pytest.approx((own - other).mean())
    assert [one.p_holm for one in found] == holm([one.found.p_value for one in found])
    assert found[0].is_clear
    assert not found[3].is_clear


def test_only_seeds_that_both_have_count():
    values = numbers()
    values["dnn trades"] = {name: found[2:] for name, found in values["dnn trades"].items()}
    runs = {
        name: {column: [(0, n) for n in range(SEEDS)] for column in columns}
        for name, columns in values.items()
    }
    runs["dnn trades"] = {column: [(0, n) for n in (2, 3, 4, 9)] for column in values["dnn trades"]}
    found = {(one.row.name, one.column.name): one for one in compared(results(values, runs))}
    one = found["dnn trades", "accuracy"].found
    known = np.array(values["dnn trades"]["accuracy"][:3])
    assert one.count == 3
    assert one.difference == pytest.approx(
        (known - np.array(values["dnn natural"]["accuracy"][2:5])).mean()
    )


def test_every_form_has_the_comparisons():
    made = results()
    found = compared(made)
    for text in (report.terminal(made, 200), report.markdown(made)):
        assert "Difference to natural" in text
        assert f"over {SEEDS} seeds" in " ".join(text.split())
        for one in found:
            assert one.difference in text
            assert one.p_printed in text
    frame = pandas.read_csv(io.BytesIO(report.plot(made, AGAINST)["csv"]))
    assert frame.p_holm.tolist() == pytest.approx([one.p_holm for one in found])
    assert frame.row.tolist() == [one.row.name for one in found]
    assert list(report.plot(made, AGAINST)) == ["csv"]


def test_one_seed_compares_nothing():
    values = {name: {"accuracy": [90.0], "error": [1.0]} for name in NAMES}
    made = results(values)
    assert compared(made) == []
    words = "No row has two seeds in common with natural yet."
    assert words in report.terminal(made)
    assert words in report.markdown(made)


@pytest.mark.parametrize(
    "wrong", [{"baseline": "nobody"}, {"columns": ("nothing",)}, {"columns": ()}]
)
def test_what_cannot_be_compared_is_refused(wrong):
    given = {"name": "a", "title": "b", "baseline": "natural", "columns": ("accuracy",)}
    with pytest.raises(BadInput, match="Expected"):
        results(picture=Contrasts(**given | wrong))


# Several draws of the data

DRAWS, EACH = 5, 20
SHARED = [(draw, seed) for draw in range(DRAWS) for seed in range(EACH)]
ONE = Contrasts(name="against", title="Against", baseline="natural", columns=("accuracy",))


def drawn(own, known, runs=None, others=None):
    """Two rows with one number for each run, `[draws * seeds]`."""
    values = {"dnn natural": {"accuracy": list(known)}, "dnn trades": {"accuracy": list(own)}}
    runs, others = runs or SHARED, others or runs or SHARED
    keys = {"dnn natural": {"accuracy": others}, "dnn trades": {"accuracy": runs}}
    return results(values, keys, ONE)


def without_effect(random):
    """Differences of mean 0: 2 * what the seeds of a draw share + 1 * what each has by itself."""
    shared = np.repeat(random.normal(0, 2, DRAWS), EACH)
    known = random.normal(90, 1, DRAWS * EACH)
    return known + shared + random.normal(0, 1, DRAWS * EACH), known


def test_what_seeds_of_a_draw_share_is_no_effect():
    random, found, pooled = np.random.default_rng(0), [], []
    for _ in range(200):
        own, known = without_effect(random)
        (one,) = compared(drawn(own, known))
        found.append(one.found.p_value < 0.05)
        pooled.append(paired(own, known).p_value < 0.05)
    # Binomial(200, 0.05) is above 20 once in 1,400 times; over all seeds it is most of them.
    assert sum(found) <= 20
    assert sum(pooled) > 100


def test_an_effect_that_all_draws_have_is_found():
    random = np.random.default_rng(1)
    own, known = without_effect(random)
    (one,) = compared(drawn(own + 10, known))
    assert one.is_clear


def test_differences_are_averaged_within_each_draw():
    own, known = without_effect(np.random.default_rng(2))
    # Without two of the runs, of which the baseline has one: what both have is paired.
    kept = [n for n, run in enumerate(SHARED) if run not in ((0, 3), (4, 0))]
    (one,) = compared(drawn(own[kept], known, [SHARED[n] for n in kept], SHARED))
    draws = [[n for n in kept if SHARED[n][0] == draw] for draw in range(DRAWS)]
    means = [np.mean(own[some] - known[some]) for some in draws]
    test = scipy.stats.ttest_1samp(means, 0)
    low, high = test.confidence_interval()
    assert one.found.count == DRAWS
    assert one.seeds == (19, 20, 20, 20, 19)
    assert one.found.difference == pytest.approx(np.mean(means))
    assert one.found.p_value == pytest.approx(test.pvalue)
    assert (one.found.low, one.found.high) == pytest.approx((low, high), rel=0.2)


def test_every_form_says_that_it_is_over_draws():
    made = drawn(*without_effect(np.random.default_rng(3)))
    (one,) = compared(made)
    for text in (report.terminal(made, 200), report.markdown(made)):
        said = " ".join(text.split())
        assert "same draw of the data and seed, averaged within each draw" in said
        assert "interval over 5 draws of the data, 20 seeds each." in said
        assert "two-sided paired t test over draws, Holm's" in said
        assert one.p_printed in text
    frame = pandas.read_csv(io.BytesIO(report.plot(made, ONE)["csv"]))
    assert (frame.seeds.tolist(), frame.draws.tolist()) == ([100], [5])
    assert frame.p.tolist() == pytest.approx([one.found.p_value])
    one_draw = pandas.read_csv(io.BytesIO(report.plot(results(), AGAINST)["csv"]))
    assert "draws" not in one_draw


def test_a_single_draw_of_several_compares_nothing():
    own, known = without_effect(np.random.default_rng(4))
    assert compared(drawn(own[:EACH], known, SHARED[:EACH], SHARED)) == []
    (one,) = compared(drawn(own[:EACH], known[:EACH], SHARED[:EACH]))
    assert one.found.count == EACH
