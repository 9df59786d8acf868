"""Rows compared pair by pair and with a baseline: the statistics, and every form of them."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import scipy.stats

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Contrasts, Levels, Pairs
from ftnoise.report.figures import comparisons
from ftnoise.report.page import sections
from ftnoise.stats.comparing import holm, paired
from ftnoise.stats.interval import student_interval
from ftnoise.stats.levels import variance_components
from tests.report.conftest import SHOWN, cells, frame, make, plot, seen, shown

PAIRS = Pairs(
    name="compared",
    title="Accuracy on the same trials",
    values="values",
    value_title="Testing accuracy",
    value_unit="points",
    draws="trials",
    **SHOWN,
)
RATES = [0.0, 0.01, 0.1]
NAMES = ("dnn natural", "dnn trades", "dnn tikhonov", "cnn natural", "cnn trades")


def found(number, seed=0, draws=8):
    """Values [x, draws] that fall with the number of the row, on trials that all rows share."""
    trials = np.random.default_rng(7).normal(size=(len(RATES), draws))
    own = np.random.default_rng([number, seed]).normal(size=(len(RATES), draws))
    values = 90 - number * np.arange(len(RATES))[:, None] + trials + own / 2
    return {"rates": RATES, "values": values}


def pairs(arrays=None, **changes):
    one_seed = {name: [found(i)] for i, name in enumerate(NAMES)}
    return shown(dataclasses.replace(PAIRS, **changes), arrays or one_seed)


def test_every_pair_of_a_group_at_each_x_corrected_for_all():
    arrays = {name: found(i)["values"] for i, name in enumerate(NAMES)}
    data = frame(pairs())
    assert data[["first", "second", "x"]].to_numpy().tolist() == [
        [f"{group} {first}", f"{group} {second}", x]
        for group, first, second in (
            ("dnn", "natural", "trades"),
            ("dnn", "natural", "tikhonov"),
            ("dnn", "trades", "tikhonov"),
            ("cnn", "natural", "trades"),
        )
        for x in RATES
    ]
    for one in data.itertuples():
        first, second = (arrays[name][RATES.index(one.x)] for name in (one.first, one.second))
        assert one.p == pytest.approx(scipy.stats.ttest_rel(first, second).pvalue)
        known = paired(first, second)
        assert (one.difference, one.low, one.high) == pytest.approx(
            (known.difference, known.low, known.high)
        )
        assert (one.draws, one.seeds) == (8, 1)
    assert data.p_holm.tolist() == pytest.approx(holm(data.p.tolist()))


def test_a_row_alone_has_its_mean_and_no_p_value():
    made = pairs(alone=True)
    data = frame(made)
    alone = data[data.second.isna()]
    assert alone[["first", "x"]].to_numpy().tolist() == [[name, x] for name in NAMES for x in RATES]
    for one in alone.itertuples():
        known = student_interval(found(NAMES.index(one.first))["values"][RATES.index(one.x)])
        assert (one.difference, one.low, one.high) == pytest.approx(
            (known.mean, known.low, known.high)
        )
    assert alone.p.isna().all()
    (table,) = seen(made).tables
    printed = dict(zip(table.labels, cells(made), strict=True))
    assert not {"+", "*"} & {*"".join(printed["dnn", "natural"])}
    # They are no comparisons, so nothing is corrected for them.
    assert data[data.second.notna()].p_holm.tolist() == frame(pairs()).p_holm.tolist()


def test_each_draw_is_averaged_over_the_seeds_that_both_rows_have():
    arrays = {
        "natural": [found(0, seed) for seed in range(3)],
        "trades": [None, found(1, 1), found(1, 2)],
    }
    one = frame(pairs(arrays)).iloc[0]
    means = [
        np.mean([found(number, seed)["values"][0] for seed in (1, 2)], axis=0) for number in (0, 1)
    ]
    assert (one.draws, one.seeds) == (8, 2)
    assert one.p == pytest.approx(scipy.stats.ttest_rel(*means).pvalue)
    assert "trials (8; 2 seeds)" in report.markdown(pairs(arrays))


def test_missing_values_and_values_without_spread_are_not_compared():
    hole, flat = found(1), found(2)
    hole["values"][1, 3] = np.nan
    arrays = {
        "natural": [found(0)],
        "trades": [hole],
        "tikhonov": [],
        "later": [None, flat],
        "other": [{"rates": RATES}],
    }
    assert frame(pairs(arrays))[["second", "x"]].to_numpy().tolist() == [
        ["trades", 0.0],
        ["trades", 0.1],
    ]
    same = {name: found(i) for i, name in enumerate(NAMES[:2])}
    for i, one in enumerate(same.values()):
        one["values"][0] = 90 - i
    made = pairs({name: [one] for name, one in same.items()})
    assert frame(made).x.tolist() == RATES[1:]


def test_only_named_rows_are_compared():
    (table,) = seen(pairs(rows=("natural", "trades"))).tables
    assert table.labels == [("dnn", "natural - trades"), ("cnn", "natural - trades")]


def test_only_differences_to_a_baseline():
    (table,) = seen(pairs(baseline="tikhonov")).tables
    assert table.labels == [("dnn", "natural - tikhonov"), ("dnn", "trades - tikhonov")]


def test_rows_that_are_the_same_do_not_differ():
    made = pairs({"natural": [found(0)], "trades": [found(0)]})
    one = frame(made).iloc[0]
    assert (one.difference, one.low, one.high, one.p_holm) == (0, 0, 0, 1)
    assert cells(made)[0][0] == "0.00 ± 0.00"


def test_where_nothing_differs_few_tables_show_a_difference():
    wrong = 0
    for trial in range(60):
        values = np.random.default_rng(trial).normal(size=(2, 20, 6))
        arrays = {
            name: [{"rates": np.arange(20.0), "values": some}]
            for name, some in zip(("natural", "trades"), values, strict=True)
        }
        wrong += "*" in "".join(cells(pairs(arrays))[0])
    # More than 8 have a probability of 0.3 %, at 5 % of tables; uncorrected it would be 64 %.
    assert wrong <= 8


@pytest.mark.parametrize(("p", "stars"), [(0.05, ""), (0.02, "*"), (0.005, "**"), (1e-9, "***")])
def test_stars_are_the_level_of_the_corrected_p_value(p, stars, monkeypatch):
    monkeypatch.setattr(comparisons, "holm", lambda p_values: [p] * len(p_values))
    for cell in cells(pairs())[0]:
        assert re.fullmatch(r"[+-]\d+\.\d\d ± \d+\.\d\d(\**)", cell)[1] == stars


@pytest.mark.parametrize("width", [20, 60, 160])
def test_every_form_has_every_comparison(width):
    made = pairs()
    printed = sorted(cell for line in cells(made) for cell in line)
    terminal = report.terminal(made, width)
    markdown = report.markdown(made).replace("\\*", "*")
    for text in (terminal, markdown):
        assert sorted(re.findall(r"[+-]?\d+\.\d\d ± \d+\.\d\d\**", text)) == printed
        assert "correction for all 12 comparisons" in " ".join(text.split())
    latex = report.latex(made)
    assert len(re.findall(r"\\pm", latex.split(r"\toprule")[2])) == len(printed)


def test_many_x_are_several_tables_in_latex_and_in_a_terminal():
    rates = np.arange(25.0)
    arrays = {
        name: [{"rates": rates, "values": np.random.default_rng(i).random((25, 4))}]
        for i, name in enumerate(("natural", "trades"))
    }
    made = pairs(arrays)
    assert report.latex(made).split(r"\end{table}", 1)[1].count(r"\begin{tabular}") == 5
    for width in (60, 200):
        text = report.terminal(made, width)
        assert max(map(len, text.splitlines())) <= width
        heads = [line for line in text.splitlines() if line.startswith("Share of")]
        assert [float(x) for line in heads for x in line.split()[4:]] == rates.tolist()


def test_nothing_to_compare_is_reported():
    made = pairs({"natural": [found(0)], "trades": []})
    assert "Accuracy on the same trials\n\nNo result yet.\n" in report.terminal(made)
    assert "Accuracy on" not in report.latex(made)
    assert plot(made) == {}


# Contrasts

AGAINST = Contrasts(
    name="against", title="Difference to natural", baseline="natural", columns=("accuracy", "error")
)
ROWS = ("dnn natural", "dnn tikhonov", "dnn trades", "cnn natural", "cnn trades")
SEEDS = 6


def numbers():
    random = np.random.default_rng(0)
    start = random.normal(90, 3, SEEDS)
    return {
        name: {
            "accuracy": (start - 2 * n + random.normal(0, 0.5, SEEDS)).tolist(),
            "error": random.normal(5, 1, SEEDS).tolist(),
        }
        for n, name in enumerate(ROWS)
    }


def contrasts(values=None, figure=AGAINST):
    return make({name: {} for name in ROWS}, values or numbers(), figures=(figure,))


def test_each_row_of_a_group_minus_its_baseline_paired_by_seed():
    values, data = numbers(), frame(contrasts())
    assert data[["row", "baseline", "column"]].to_numpy().tolist() == [
        [row, f"{row.split()[0]} natural", column]
        for column in ("accuracy", "error")
        for row in ("dnn tikhonov", "dnn trades", "cnn trades")
    ]
    for one in data.itertuples():
        own, other = (np.array(values[name][one.column]) for name in (one.row, one.baseline))
        assert one.p == pytest.approx(scipy.stats.ttest_rel(own, other).pvalue)
        assert one.difference == pytest.approx((own - other).mean())
    assert data.p_holm.tolist() == pytest.approx(holm(data.p.tolist()))
    *_, section, _ = sections(contrasts())
    (table,) = section.tables
    assert table.labels == [("dnn", "tikhonov"), ("dnn", "trades"), ("cnn", "trades")]
    printed = [cell for block in table.blocks for (cell,) in block.cells]
    assert [float(cell.split()[0]) for cell in printed] == data.difference.round(2).tolist()
    assert f"over {SEEDS} seeds." in section.text
    assert data.columns.tolist()[-3:] == ["p", "p_holm", "seeds"]


def test_only_seeds_that_both_have_count():
    values = numbers()
    own = values["dnn trades"]["accuracy"][:4]
    values["dnn trades"]["accuracy"] = {(0, s): v for s, v in zip((2, 3, 4, 9), own, strict=True)}
    one = frame(contrasts(values)).set_index(["row", "column"]).loc["dnn trades", "accuracy"]
    assert one.seeds == 3
    known = np.array(values["dnn natural"]["accuracy"][2:5])
    assert one.difference == pytest.approx((own[:3] - known).mean())


def test_one_seed_compares_nothing():
    made = contrasts({name: {"accuracy": [90.0], "error": [1.0]} for name in ROWS})
    assert "Difference to natural\n\nNo result yet.\n" in report.terminal(made)


# Several draws of the data

DRAWS, EACH = 5, 20
SHARED = [(draw, seed) for draw in range(DRAWS) for seed in range(EACH)]
ONE = Contrasts(name="against", title="Against", baseline="natural", columns=("accuracy",))


def drawn(own, known, runs=SHARED, others=SHARED):
    """Two rows with one number for each run, `[draws * seeds]`."""
    values = {
        "dnn natural": {"accuracy": dict(zip(others, known, strict=True))},
        "dnn trades": {"accuracy": dict(zip(runs, own, strict=True))},
    }
    return contrasts(values, ONE)


def without_effect(random):
    """Differences of mean 0: 2 * what the seeds of a draw share + 1 * what each has by itself."""
    shared = np.repeat(random.normal(0, 2, DRAWS), EACH)
    known = random.normal(90, 1, DRAWS * EACH)
    return known + shared + random.normal(0, 1, DRAWS * EACH), known


def test_what_seeds_of_a_draw_share_is_no_effect():
    random, wrong, pooled = np.random.default_rng(0), [], []
    for _ in range(200):
        own, known = without_effect(random)
        wrong.append(frame(drawn(own, known)).p[0] < 0.05)
        pooled.append(paired(own, known).p_value < 0.05)
    # Binomial(200, 0.05) is above 20 once in 1,400 times; over all seeds it is most of them.
    assert sum(wrong) <= 20
    assert sum(pooled) > 100


def test_an_effect_that_all_draws_have_is_found():
    own, known = without_effect(np.random.default_rng(1))
    assert "*" in cells(drawn(own + 10, known))[0][0]


def test_differences_are_averaged_within_each_draw():
    own, known = without_effect(np.random.default_rng(2))
    # Without two of the runs, of which the baseline has one: what both have is paired.
    kept = [n for n, run in enumerate(SHARED) if run not in ((0, 3), (4, 0))]
    made = drawn(own[kept], known, [SHARED[n] for n in kept])
    one = frame(made).iloc[0]
    draws = [[n for n in kept if SHARED[n][0] == draw] for draw in range(DRAWS)]
    test = scipy.stats.ttest_1samp([np.mean(own[some] - known[some]) for some in draws], 0)
    assert one.p == pytest.approx(test.pvalue)
    ends = test.confidence_interval()
    assert (one.low, one.high) == pytest.approx((ends.low, ends.high), rel=0.2)
    text = seen(made).text
    assert "same draw of the data and seed, averaged within each draw" in text
    assert "interval over 5 draws of the data (98 seeds)." in text
    assert "two-sided paired t test over draws, Holm's" in text
    assert frame(made)[["seeds", "draws"]].to_numpy().tolist() == [[98, 5]]


def test_a_single_draw_of_several_compares_nothing():
    own, known = without_effect(np.random.default_rng(4))
    assert seen(drawn(own[:EACH], known, SHARED[:EACH])).text == "No result yet."
    (count,) = frame(drawn(own[:EACH], known[:EACH], SHARED[:EACH], SHARED[:EACH])).seeds
    assert count == EACH


# Levels

LEVELS = Levels(
    name="levels",
    title="Where it comes from",
    at=10.0,
    bits="correct",
    examples="examples",
    draws="trials",
    **SHOWN,
)
EXAMPLES = 53  # no multiple of 8
INFO = {"examples": EXAMPLES}


def bits(seed, trials=6):
    """Bits [trials, examples] whose trials differ much."""
    generator = np.random.default_rng(seed)
    easy = np.random.default_rng(99).normal(size=EXAMPLES)
    own = generator.normal(size=(trials, 1)) * 2
    return generator.random((trials, EXAMPLES)) < 1 / (1 + np.exp(-easy - own - 0.7))


def packed(*sets):
    return [
        {"rates": [5.0, 10.0], "correct": np.packbits(np.stack([~one, one]), axis=2)}
        for one in sets
    ]


def test_the_table_and_the_csv_file():
    made = shown(LEVELS, {"a": packed(bits(0)), "b": packed(bits(1), bits(2)), "c": [None]}, INFO)
    (table,) = seen(made).tables
    assert [block.title for block in table.blocks][:3] == ["seeds", "trials", "examples"]
    one, other = cells(made)
    assert one[:3] == ["1", "6", "53"]
    # With one seed the part of the seeds is unknown.
    assert one[5] == "-" != other[5]
    assert {one[-1], other[-1]} <= {"seeds", "trials", "examples"}

    sets = ([bits(0)], [bits(1), bits(2)])
    data, (first, second) = frame(made), [variance_components(np.stack(some)) for some in sets]
    assert data["mean"].tolist() == pytest.approx([100 * first.mean, 100 * second.mean])
    assert data["standard_error"][1] == pytest.approx(100 * second.standard_error)
    assert np.isnan(data["seed"][0])
    parts = ["seed", "draw", "example", "seed_draw", "seed_example", "draw_example", "residual"]
    whole = (data.loc[1, parts].astype(float) ** 2).sum()
    assert whole == pytest.approx(data["standard_error"][1] ** 2)
    for text in (report.terminal(made, 60), report.markdown(made), report.latex(made)):
        assert "Where it comes from" in text
        assert f"{100 * first.mean:.2f}" in text


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": [None], "b": [None]},
        {"a": [{"rates": [5.0], "correct": np.zeros((1, 6, 7), np.uint8)}], "b": [None]},
        {"a": [{"rates": [10.0], "correct": np.zeros((1, 1, 7), np.uint8)}], "b": [None]},
    ],
)
def test_nothing_to_analyze_is_reported(arrays):
    made = shown(LEVELS, arrays, INFO)
    assert "No result yet." in report.markdown(made)


def test_seeds_with_other_trials_are_refused():
    with pytest.raises(BadInput, match="in what levels takes together"):
        seen(shown(LEVELS, {"a": packed(bits(0), bits(1, trials=5))}, INFO))
