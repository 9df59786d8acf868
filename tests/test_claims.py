"""Sentences about differences in README and manual, computed again from the committed reports.

A difference stands with its 95 % interval or its p-value: over seeds by Welch's test, and over the
test images (as if they were drawn for each model) where a model was trained once.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import statistics
from pathlib import Path

import pytest
from scipy.stats import norm, spearmanr, t, ttest_ind_from_stats

from ftnoise.core.spec import canonical, spec_id
from ftnoise.experiments import tradeoff
from ftnoise.stats.comparing import holm, paired
from ftnoise.store.folders import RunFolder

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RESULTS = "\n".join(path.read_text() for path in sorted((ROOT / "docs" / "results").glob("*.md")))
TEXT = re.sub(r"\s+", " ", f"{README}\n{RESULTS}")
IMAGES = 10_000


def rows(report: str) -> list[dict[str, str]]:
    with open(ROOT / "runs" / "reference" / f"{report}.csv") as file:
        return list(csv.DictReader(file))


class Cell:
    """A number of a committed table, with its spread over seeds."""

    def __init__(self, table: str, row: str, column: str) -> None:
        (found,) = (r for r in rows(table) if (r["row"], r["measure"]) == (row, column))
        self.mean, self.seeds = float(found["ours"]), int(found["seeds"])
        self.spread = float(found["spread"] or "nan")
        self.paper = float(found["paper"] or "nan")


def over_seeds(one: Cell, two: Cell) -> tuple[float, float, float]:
    """one - two, half of its 95 % interval, and p, by Welch's test."""
    assert min(one.seeds, two.seeds) >= 2
    errors = [cell.spread**2 / cell.seeds for cell in (one, two)]
    test = ttest_ind_from_stats(
        *(one.mean, one.spread, one.seeds, two.mean, two.spread, two.seeds), equal_var=False
    )
    freedom = sum(errors) ** 2 / sum(
        e**2 / (c.seeds - 1) for e, c in zip(errors, (one, two), strict=True)
    )
    return one.mean - two.mean, t.ppf(0.975, freedom) * math.sqrt(sum(errors)), test.pvalue


def half_over_images(*accuracies: Cell) -> float:
    """Half of the 95 % interval of a difference of accuracies (%), over the test images."""
    parts = [cell.mean / 100 for cell in accuracies]
    return 100 * norm.ppf(0.975) * math.sqrt(sum(p * (1 - p) for p in parts) / IMAGES)


def stands(sentence: str) -> None:
    assert re.sub(r"\s+", " ", sentence) in TEXT, sentence


def test_numbers_of_the_findings_are_those_of_the_results():
    """The sentences of the manual are computed again below; a finding is their short form."""
    table = README.split("## Findings")[1].split("##")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 10
    for _, _, evidence in rows:
        for number in re.findall(r"[-+]?\d+\.\d+", evidence):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", RESULTS), number


def table5(row: str, column: str = "generalization_error") -> Cell:
    return Cell("table5.paper", row, column)


def test_tikhonov_has_the_smallest_generalization_error_of_table_5():
    dnn = over_seeds(table5("fmnist_dnn natural"), table5("fmnist_dnn tikhonov"))
    stands(f"by {dnn[0]:.1f} ± {dnn[1]:.1f} points on fmnist_dnn (3 seeds)")
    cnn2 = [f"fmnist_cnn2 {name}" for name in ("natural", "tikhonov", "trades")]
    natural, tikhonov, trades = map(table5, cnn2)
    half = half_over_images(*(table5(row, "test_accuracy") for row in cnn2[:2]))
    stands(f"by {natural.mean - tikhonov.mean:.1f} ± {half:.1f} points on fmnist_cnn2 (1 seed")
    less = over_seeds(table5("fmnist_dnn natural"), table5("fmnist_dnn trades"))
    stands(f"by {less[0]:.1f} ± {less[1]:.1f} points on fmnist_dnn; on fmnist_cnn2")
    assert less[2] < 0.01
    half = half_over_images(*(table5(row, "test_accuracy") for row in (cnn2[0], cnn2[2])))
    assert natural.mean - trades.mean < half
    stands(f"there is no difference ({natural.mean - trades.mean:.1f} ± {half:.1f})")


def test_robust_accuracies():
    for network, words in (
        (
            "fmnist_dnn",
            "natural training of fmnist_dnn keeps {} % accuracy on the test set, "
            "Tikhonov {}, TRADES {} and PGD training {}",
        ),
        ("fmnist_cnn2", "the numbers are {}, {}, {} and {}"),
    ):
        names = ("natural", "tikhonov", "trades", "pgd")
        cells = [table5(f"{network} {name}", "robust_accuracy") for name in names]
        stands(words.format(*(f"{cell.mean:.1f}" for cell in cells)))
    natural, tikhonov, trades = (
        table5(f"fmnist_cnn2 {name}", "robust_accuracy") for name in ("natural", "tikhonov", "pgd")
    )
    assert tikhonov.mean - trades.mean > half_over_images(tikhonov, trades)
    assert tikhonov.mean - natural.mean > half_over_images(tikhonov, natural)


@pytest.mark.parametrize(
    ("table", "network", "order"),
    [
        ("table7.paper", "fmnist_cnn1", ["eps 0.49", "eps 2.97", "eps 24.66", "tikhonov"]),
        ("table8.paper", "fmnist_dnn", ["eps 0.49", "eps 2.97", "eps 24.66", "tikhonov"]),
    ],
)
def test_private_models_and_tikhonov_have_another_order_than_in_the_paper(table, network, order):
    cells = {name: Cell(table, f"{network} {name}", "generalization_error") for name in order}
    assert sorted(order, key=lambda name: cells[name].mean) == order
    assert sorted(order, key=lambda name: cells[name].paper) != order
    stands("Here its mean comes after the three of an epsilon below 25, in both tables")


def test_tikhonov_differs_significantly_from_one_of_three_epsilons():
    errors = [
        Cell("table8.paper", f"fmnist_dnn {name}", "generalization_error")
        for name in ("tikhonov", "eps 2.97", "eps 0.49", "eps 24.66")
    ]
    found = [over_seeds(errors[0], other) for other in errors[1:]]
    stands(f"only that of 2.97 is significantly smaller (by {found[0][0]:.1f} ± {found[0][1]:.1f}")
    p = holm([one[2] for one in found])
    assert p[0] < 0.05 < min(p[1:])


def test_membership_and_epsilons_of_table_8():
    def cells(column, *names):
        return [Cell("table8.paper", f"fmnist_dnn {name}", column).mean for name in names]

    private = [f"eps {epsilon}" for epsilon in ("0.49", "2.97", "24.66", "2e6")]
    natural, *others = cells("membership_advantage", "natural", *private[:3])
    stands(f"{natural:.1f} points on the natural model, and of at most {max(others):.1f} below an")
    first, second, third, last = cells("privacy_epsilon", *private)
    stands(f"{rounded_up(first, 2)}, {rounded_up(second, 2)}, {rounded_up(third, 1)} and 20,270")
    assert math.ceil(last / 10) == 2027


def rounded_up(value, digits):
    return f"{math.ceil(value * 10**digits) / 10**digits:.{digits}f}"


def test_only_the_largest_epsilon_stands_apart():
    names = ("0.49", "2.97", "24.66", "2e6")
    cells = [Cell("table8.paper", f"fmnist_dnn eps {n}", "generalization_error") for n in names]
    p = [over_seeds(*pair)[2] for pair in zip(cells[1:], cells, strict=False)]
    stands(
        f"do not differ significantly after Holm's correction (0.49 against 2.97: p = {p[0]:.2f},"
    )
    stands(f"2.97 against 24.66: p = {p[1]:.2f} before it)")
    near, middle, far = holm(p)
    assert min(near, middle) > 0.05 > far
    stands(f"that of 2e6 is {cells[3].mean:.1f} points")


def at_half(row: str, seed: str = "0") -> float:
    (found,) = (
        r
        for r in rows("figure3.paper.curve")
        if (r["row"], r["seed"], float(r["x"])) == (row, seed, 50.0)
    )
    return float(found["y"])


def test_accuracy_with_half_of_the_parameters_stuck_at_0():
    means = {
        name: Cell("figure3.paper", f"fmnist_dnn {name}", "accuracy_at_50").mean
        for name in ("natural", "tikhonov", "trades")
    }
    stands(
        "At 50 % it keeps {tikhonov:.1f} % accuracy, natural training {natural:.1f} and TRADES "
        "{trades:.1f}".format(**means)
    )
    private = [at_half(f"fmnist_dnn eps {name}") for name in ("0.49", "2.97", "24.66", "2e6")]
    stands(
        "With half of the parameters stuck at 0 they keep "
        + ", ".join(f"{kept:.0f}" for kept in private[:3])
        + f" and {private[3]:.0f} %"
    )
    assert max(private) < min(means.values())
    cnn2 = [at_half(f"fmnist_cnn2 {name}") for name in ("natural", "tikhonov", "trades")]
    stands(f"fmnist_cnn2 keeps {min(cnn2):.0f} to {max(cnn2):.0f} % at 50 %")
    assert max(private) > max(cnn2)


def test_differences_of_figure_3_on_the_same_trials():
    def difference(report, x):
        (found,) = (
            r
            for r in rows(f"figure3.paper.{report}")
            if {r["first"], r["second"]} == {"fmnist_dnn tikhonov", "fmnist_dnn trades"}
            and float(r["x"]) == x
        )
        low, high = (float(found[end]) for end in ("low", "high"))
        assert float(found["p_holm"]) < 0.001
        return abs(float(found["difference"])), (high - low) / 2

    at_50, drops = difference("pairs", 50), difference("drops", 90)
    stands("Tikhonov minus TRADES is {:.1f} ± {:.1f} points under the same trials".format(*at_50))
    stands("{:.1f} ± {:.1f} points on the same trials".format(*at_50))
    stands("Tikhonov loses {:.1f} ± {:.1f} points MORE than TRADES".format(*drops))
    names = ("tikhonov", "trades")
    lost = [Cell("figure3.paper", f"fmnist_dnn {name}", "drop_from_50_to_90") for name in names]
    stands(f"Tikhonov loses {lost[0].paper:.2f} points and TRADES {lost[1].paper:.2f} (figure 3)")
    stands(f"{lost[0].mean:.2f} and {lost[1].mean:.2f} points on fmnist_dnn: Tikhonov loses")
    error = Cell("table8.paper", "fmnist_dnn eps 0.49", "generalization_error").mean
    stands(f"has the smallest mean error of all models of fmnist_dnn ({error:.2f} points)")


AT_HALF = "accuracy_at_50"


def test_trade_offs_with_half_of_the_parameters_stuck_at_0():
    def accuracies(name):
        run = tradeoff.EXPERIMENT.row(f"fmnist_dnn {name}").run
        (folder,) = (
            spec.parent
            for spec in (ROOT / "runs" / "reference").glob(f"{run.slug}-*/spec.json")
            if json.loads(spec.read_text())["run"] == canonical(run)
        )
        stored = RunFolder(folder.name, folder).read_measure_arrays(spec_id(tradeoff.FAULTS))
        return stored["accuracies"][0]

    private = accuracies("eps 0.49")
    stands(f"with half of the parameters stuck at 0 it keeps {private.mean():.0f} % accuracy")
    for better, worse, words in (
        ("tikhonov", private, "points less than Tikhonov (seed 0, the same 50 trials)"),
        ("natural", accuracies("pgd"), "points less than natural training."),
    ):
        one = paired(accuracies(better), worse)
        stands(f"{one.difference:.1f} [{one.low:.1f}, {one.high:.1f}] {words}")
    most = Cell("tradeoff.paper", "fmnist_dnn pgd", "robust_accuracy").mean
    others = [float(r["ours"]) for r in rows("tradeoff.paper") if r["measure"] == "robust_accuracy"]
    assert most == max(others)
    stands(f"the most robust to the attack ({most:.1f} %)")
    half = {r["row"]: float(r["ours"]) for r in rows("tradeoff.paper") if r["measure"] == AT_HALF}
    assert max(half, key=half.__getitem__) == "fmnist_dnn parameters 0.3"
    stands(f"keeps the most accuracy with half of them stuck at 0 ({max(half.values()):.1f} %)")


def test_noise_in_the_weights_against_searches_and_an_adaptive_attack():
    def kept(row, column):
        return Cell("nondeterminism.paper", row, column)

    found = [
        kept("sdr_learnable", f"{name}_accuracy_found")
        for name in ("fgsm", "deep_fool", "local_search")
    ]
    stands(
        f"keeps {found[0].mean:.1f} % of 1,000 MNIST images after `FGSMSearch` (paper "
        f"{found[0].paper:.2f}), {found[1].mean:.1f} % after DeepFool ({found[1].paper:.2f}) and "
        f"{found[2].mean:.1f} % after LocalSearch on 200 of them ({found[2].paper:.2f};"
    )
    stands(f"of all 200, {kept('sdr_learnable', 'local_search_accuracy').mean:.1f} % stay right")
    noisy, plain = (kept(row, "adaptive_3").mean for row in ("sdr_learnable", "mlp"))
    stands(f"it keeps {noisy:.1f} % at a radius of 0.2, where the network without noise keeps")
    stands(f"without noise keeps {plain:.1f} %")
    noisy, plain = (kept(row, "adaptive_2").mean for row in ("sdr_learnable", "mlp"))
    stands(f"{noisy:.1f} % against {plain:.1f} %")
    assert noisy - plain > 2 * 3.1


def significance(row: str, column: str, report: str = "table3.paper") -> dict[str, float]:
    (found,) = (
        r for r in rows(f"{report}.significance") if (r["row"], r["column"]) == (row, column)
    )
    return {name: float(found[name]) for name in ("difference", "low", "high", "p_holm")}


def test_table_3_on_its_own_circles_and_on_others():
    one = significance("additive 0.5", "generalization_error")
    stands("additive noise of 0.5 by {difference:.1f} points [{low:.1f}, {high:.1f}]".format(**one))
    assert one["p_holm"] < 0.001
    weak = [significance(row, "test_accuracy") for row in ("additive 0.01", "multiplicative 0.03")]
    stands(f"changes by {weak[0]['difference']:+.2f} and {weak[1]['difference']:+.2f} points")
    assert min(change["p_holm"] for change in weak) == 1
    others = "table3.paper-20-data-seeds"
    far = significance("additive 0.5", "generalization_error", others)
    stands("by {difference:.1f} points [{low:.1f}, {high:.1f}]".format(**far))
    noises = {row["row"] for row in rows(f"{others}.significance")}
    changes = [significance(noise, "generalization_error", others) for noise in noises]
    assert min(change["p_holm"] for change in changes) > 0.05


def test_slopes_of_equivalence():
    slopes = {
        row["row"]: float(row["ours"]) if row["ours"] else None
        for row in rows("equivalence.paper")
        if row["measure"] == "slope_jacobian"
    }
    fitted = {name: slope for name, slope in slopes.items() if slope is not None}
    stands(f"{['no', 'one', 'two', 'three', 'four'][len(slopes) - len(fitted)]} of the nine")
    kinks = [slope for name, slope in fitted.items() if "tanh" not in name]
    stands(f"({min(kinks):.1f} to {max(kinks):.1f})")
    smooth = {
        end: [
            float(row["ours"])
            for row in rows("equivalence.paper")
            if "tanh" in row["row"] and row["measure"] == f"slope_jacobian{end}" and row["ours"]
        ]
        for end in ("", "_low", "_high")
    }
    stands(
        f"(slope {min(smooth['']):.2f}, 95 % interval {min(smooth['_low']):.2f} to "
        f"{max(smooth['_high']):.2f})"
    )
    l2 = [float(row["ours"]) for row in rows("equivalence.paper") if row["measure"] == "slope_l2"]
    stands(f"differs by the second power ({min(l2):.2f} to {max(l2):.2f})")


def test_distances_of_equivalence():
    def distances(network, *columns):
        return [
            float(row["ours"])
            for row in rows("equivalence.paper")
            if row["row"].startswith(network) and row["measure"] in columns and row["ours"] != "0"
        ]

    pairs = [f"distance_to_{name}" for name in ("noise", "jacobian", "l2")]
    near, far = (Cell("equivalence.paper", "fmnist_dnn noise", name).mean for name in pairs[1:])
    seeds = Cell("equivalence.paper", "fmnist_dnn noise", "distance_to_other_seed").mean
    stands(
        f"they differ on {near:.1f} % of the test set (two seeds on {seeds:.1f} %), and from the"
    )
    stands(f"function of the L2 penalty on {far:.0f} %.")
    circles = distances("circles", *pairs)
    stands(f"differ on {min(circles):.0f} to {max(circles):.0f} %, two seeds on at most 3 %")
    assert max(distances("circles", "distance_to_other_seed")) < 3


@pytest.mark.parametrize("row", ["tikhonov", "trades"])
def test_spreads_of_figure_2(row):
    found = [
        Cell("figure2.paper", f"fmnist_dnn {row}", name).mean
        for name in ("parameter_std", "parameter_spread_eq10")
    ]
    paper = Cell("figure2.paper", f"fmnist_dnn {row}", "parameter_std").paper
    stands(f"{found[0]:.3f} and {found[1]:.3f} (paper {paper:.3f})")
    natural = Cell("figure2.paper", "fmnist_dnn natural", "parameter_std").mean
    stands(f"less than those of natural training too ({natural:.3f})")
    assert found[0] < natural


def test_noise_in_the_weights_and_faults():
    table = "weight_noise.paper"
    names = {
        "natural": "natural training",
        "trades": "TRADES",
        "sdr_learnable": "SDR-Learnable",
        "sdr_decay": "SDR-Decay",
        "tikhonov": "Tikhonov",
        "dropconnect": "DropConnect",
        "neurons 0.3": "faults in 30 % of the neurons",
        "parameters 0.3": "faults in 30 % of the parameters",
    }
    kept = {
        name: Cell(table, f"fmnist_dnn {name}", "parameters_accuracy_at_50").mean for name in names
    }
    (natural, *others) = (f"{text} {kept[name]:.1f}" for name, text in names.items())
    stands(
        f"With half of the parameters stuck at 0, {natural.replace('training', 'training keeps')} "
        f"% accuracy, {', '.join(others[:-1])} and {others[-1]}"
    )
    pairs = {
        found["first"]: found
        for found in rows(f"{table}.parameters_pairs")
        if float(found["x"]) == 50
    }
    for name, text in (
        ("parameters 0.3", "gains"),
        ("trades", "costs"),
        ("sdr_learnable", "costs"),
    ):
        found = pairs[f"fmnist_dnn {name}"]
        assert float(found["p_holm"]) < 0.001
        mean, half = float(found["difference"]), (float(found["high"]) - float(found["low"])) / 2
        stands(f"{text} {abs(mean):.1f} ± {half:.1f} points")


def test_estimates_of_global_robustness_are_within_their_tolerance():
    names = ("robustness", "undecided", "within")
    robust, undecided, within = (Cell("convergence.paper", "cnn", name).mean for name in names)
    stands(f"{robust:.2f} % of its test examples are verified at a radius of 0.01")
    stands(f"({undecided:.0f} undecided), and {within:.0f} % of the estimates")


def test_global_robustness_from_both_sides():
    def of(row, measure):
        return Cell("global_robustness.paper", f"fmnist_dnn {row}", measure).mean

    def interval(row):
        return f"{of(row, 'robust_low_2'):.1f} to {of(row, 'robust_high_2'):.1f} %"

    def change(row):
        return f"{of(row, 'variation_2'):.2f} to {of(row, 'variation_bounded_2'):.2f} with"

    low = of("tikhonov", "robust_low_2")
    assert low > of("natural", "robust_high_2")
    assert low > of("eps 0.49", "robust_high_2")
    tikhonov, natural = interval("tikhonov"), interval("natural")
    stands(f"R of fmnist_dnn is {tikhonov} with Tikhonov and {natural} with natural training")
    stands(
        f"at 2/255, {tikhonov} of the predictions on fmnist_dnn cannot be changed, and {natural}"
    )
    attacked = {
        r["row"]: r["ours"] for r in rows("global_robustness.paper") if r["measure"] == "robust_2"
    }
    most = max((row for row in attacked if "sdr" not in row), key=lambda row: float(attacked[row]))
    assert most == "fmnist_dnn pgd"
    stands(f"PGD training ({of('pgd', 'robust_2'):.1f} % are not changed)")
    stands(f"R is only known to be in {interval('pgd')}")
    stands(f"easier to verify too: {interval('parameters 0.3')}")
    stands(f"an epsilon of 0.49 has {interval('eps 0.49')}")
    stands(f"is on average {change('tikhonov')} Tikhonov, and {change('natural')} natural training")
    drops = [of(row, "drop_of_robust_1") for row in ("natural", "eps 0.49", "tikhonov")]
    stands(
        f"drops by {drops[0]:.1f} points for natural training, by {drops[1]:.1f} for an epsilon of "
        f"0.49, and not for Tikhonov ({drops[2]:.1f})"
    )


def test_flipped_bits_of_stored_parameters():
    names = list(dict.fromkeys(row["row"] for row in rows("hardware_faults.paper")))
    dnn = [name for name in names if name.startswith("fmnist_dnn")]

    def of(row, measure):
        return Cell("hardware_faults.paper", row, measure).mean

    natural = "fmnist_dnn natural"
    stored = [
        of(name, "int8_float32_accuracy") - of(name, f"{kind}_golden_accuracy")
        for name in names
        for kind in ("int8", "bfloat16")
        if not name.endswith(("dropconnect", "sdr_decay", "sdr_learnable"))  # other draws
    ]
    stands(f"Storing alone changes the accuracy by at most {max(map(abs, stored)):.1f} points")
    hit = [of(name, "bfloat16_accuracy_at_100") for name in dnn]
    stands(
        f"with natural training has {of(natural, 'int8_accuracy_at_100'):.1f} % in int8 and "
        f"{of(natural, 'bfloat16_accuracy_at_100'):.1f} % in bfloat16"
    )
    stands(f"the models of fmnist_dnn have {min(hit):.1f} to {max(hit):.1f} %")
    stands(f"every model of fmnist_dnn falls to {min(hit):.1f} to {max(hit):.1f} %")
    clamped, kept = (
        of(natural, "bfloat16_zero_accuracy_at_100"),
        of(natural, "int8_accuracy_at_100"),
    )
    stands(f"the natural fmnist_dnn has {clamped:.1f} % with these 100 flips")
    stands(f"a clamp keeps the natural one at {clamped:.1f} %, int8 at {kept:.1f} %")
    lost = [
        of(name, "bfloat16_zero_golden_accuracy") - of(name, "bfloat16_zero_accuracy_at_100")
        for name in names
    ]
    stands(f"no model loses more than {max(lost):.1f} points")
    cost = [
        of(name, "bfloat16_golden_accuracy") - of(name, "bfloat16_zero_golden_accuracy")
        for name in names
    ]
    stands(f"Without flips the clamp costs at most {max(cost):.1f} points")
    few, many = (of("fmnist_cnn2 natural", f"int8_accuracy_at_{n}") for n in (100, 1000))
    stands(
        f"fmnist_cnn2 has {of('fmnist_cnn2 natural', 'int8_golden_accuracy'):.1f} % in int8 "
        f"without flips, but {few:.1f} % with 100 and {many:.1f} % with 1,000, where fmnist_dnn "
        f"keeps {of(natural, 'int8_accuracy_at_1000'):.1f} %"
    )

    def pairs_of(stored, flips):
        return {
            row["first"].removeprefix("fmnist_dnn "): row
            for row in rows(f"hardware_faults.paper.{stored}_pairs")
            if row["first"] in dnn and row["x"] == flips
        }

    pairs, short = pairs_of("int8", "10000"), pairs_of("bfloat16", "100")
    (cnn2,) = (
        row
        for row in rows("hardware_faults.paper.int8_pairs")
        if (row["first"], row["x"]) == ("fmnist_cnn2 tikhonov", "1000")
        and row["second"] == "fmnist_cnn2 natural"
    )

    def gain(training, pairs=pairs):
        low, high = float(pairs[training]["low"]), float(pairs[training]["high"])
        return f"{float(pairs[training]['difference']):.1f} ± {(high - low) / 2:.1f}"

    better = [
        name
        for name, row in short.items()
        if float(row["p_holm"]) < 0.05 and float(row["difference"]) > 0
    ]
    assert better == ["dropconnect"]
    stands(
        "only DropConnect gains significantly over natural training "
        f"({gain('dropconnect', short)} points)"
    )

    stands(f"on fmnist_cnn2 Tikhonov gains {gain('tikhonov', {'tikhonov': cnn2})} points")
    stands(f"parameters in training gain {gain('parameters 0.3')} points")
    stands(f"faults in 30 % of the neurons {gain('neurons 0.3')} and Tikhonov {gain('tikhonov')}.")
    drops: dict[str, float] = {"int8": 0.0, "int32": 0.0}
    for row in rows("hardware_faults.paper.int8_bits"):
        kind = row["label"].split(", ")[1]
        if row["value"]:
            drops[kind] = max(drops[kind], float(row["value"]))
    stands(f"one flip in a bias costs up to {drops['int32']:.0f} points")
    stands(f"one in a weight at most {drops['int8']:.1f}")
    stands(f"TRADES changes nothing ({gain('trades')} points)")
    private_rows = [name for name in pairs if name.startswith("eps")]
    private = [-float(pairs[name]["difference"]) for name in private_rows]
    stands(f"private training costs {min(private):.1f} to {max(private):.1f} points")
    intact = [of(f"fmnist_dnn {name}", "int8_golden_accuracy") for name in private_rows]
    before = of("fmnist_dnn natural", "int8_golden_accuracy")
    stands(f"{before - max(intact):.1f} to {before - min(intact):.1f} are there without a flip")


def test_natural_training_tikhonov_and_trades_on_cifar10():
    names = ("train_accuracy", "test_accuracy", "generalization_error", "robust_accuracy")
    train, test, gap, robust = [Cell("table4.cpu", "natural", name) for name in names]
    stands(f"Natural training is right on {train.mean:.2f} % of the training images")
    stands(f"(paper {train.paper:.2f}) and on {test.mean:.2f} % of the test images")
    stands(f"generalization error is {gap.mean:.2f} points, where the paper has {gap.paper:.2f}")
    stands(f"natural training and Tikhonov keep {robust.mean:.1f} % accuracy on 1,000 test images")
    stands(f"{train.mean:.2f} / {test.mean:.2f} (paper {train.paper:.2f} / {test.paper:.2f})")
    naturally = test, gap
    train, test, gap, robust = [Cell("table4.cpu", "tikhonov", name) for name in names]
    assert robust.mean == 0.1
    stands(f"it is right on {train.mean:.2f} % and {test.mean:.2f} %")
    stands(f"(paper {train.paper:.2f} and {test.paper:.2f}), and its generalization error is")
    stands(f"error is {gap.mean:.2f} points, where the paper has {gap.paper:.2f}")
    half = half_over_images(naturally[0], test)
    stands(f"That is {naturally[1].mean - gap.mean:.1f} ± {half:.1f} points less")
    stands(f"Tikhonov {train.mean:.2f} / {test.mean:.2f} ({train.paper:.2f} / {test.paper:.2f})")
    train, test, gap, robust = [Cell("table4.cpu", "trades", name) for name in names]
    stands(f"8/255 is right on {train.mean:.2f} % and {test.mean:.2f} %")
    stands(f"(paper {train.paper:.2f} and {test.paper:.2f})")
    stands(f"error is {gap.mean:.2f} points, where the paper has {gap.paper:.2f}")
    stands(f"TRADES {train.mean:.2f} / {test.mean:.2f} ({train.paper:.2f} / {test.paper:.2f})")
    ends = (Cell("table4.cpu", "trades", f"robust_accuracy_{end}") for end in ("low", "high"))
    low, high = (end.mean for end in ends)
    stands(f"and TRADES {robust.mean:.1f} % [{low:.1f}, {high:.1f}]")
    for row in ("natural", "tikhonov", "trades"):
        assert Cell("table4.cpu", row, "red_flags").mean == 0


def test_curves_on_cifar10():
    def curve(kind, row):
        lines = rows(f"figure1.cpu.{kind}")
        return {float(one["x"]): float(one["y"]) for one in lines if one["row"] == row}

    train, test = (curve(kind, "trades") for kind in ("train", "test"))
    end = max(train)
    stands(f"it rose by {train[end] - train[end - 6]:.1f} points only")
    stands(f"TRADES ends at {train[end]:.1f} % on its batches and {test[end]:.1f} % on the test")
    before, after = (curve(kind, "natural") for kind in ("train", "test"))
    first = min(epoch for epoch, accuracy in before.items() if accuracy >= train[end])
    stands(f"at epoch {first:.0f} is at {before[first]:.1f} and {after[first]:.1f}")
    wider = (train[end] - test[end]) - (before[first] - after[first])
    stands(f"the wider gap, by {wider:.1f} points")


def test_faults_and_spread_on_cifar10():
    names = {"natural": "natural training keeps", "tikhonov": "Tikhonov", "trades 8/255": "TRADES"}
    for row, name in names.items():
        (found,) = (
            one
            for one in rows("tradeoff_cifar10.cpu.curve")
            if (one["row"], float(one["x"])) == (row, 10)
        )
        mean, low, high = (float(found[key]) for key in ("y", "low", "high"))
        stands(f"{name} {mean:.1f} % [{low:.1f}, {high:.1f}]")
    natural, tikhonov, trades = (
        Cell("tradeoff_cifar10.cpu", row, "parameter_std") for row in names
    )
    stands(f"is {natural.mean:.3f} in natural training, {tikhonov.mean:.3f} with Tikhonov")
    stands(
        f"(paper {tikhonov.paper:.3f}) and {trades.mean:.3f} with TRADES (paper {trades.paper:.3f})"
    )


def test_certificates_of_noise_on_cifar10():
    def of(row, measure):
        return Cell("pixeldp_cifar10.paper", row, measure).mean

    natural, votes = of("natural", "test_accuracy"), of("pixeldp 0.1", "vote_accuracy")
    stands(f"({natural:.1f} % in natural training)")
    stands(f"costs {natural - votes:.1f} points: votes are right for {votes:.1f} %")
    stands(
        f"They certify {of('pixeldp 0.1', 'share_votes_1'):.1f} % of the predictions at 0.1, and "
        f"for {of('pixeldp 0.1', 'certified_votes_1'):.1f} % of the images a right one"
    )
    stands(f"Cohen et al. certifies {of('pixeldp 0.1', 'share_cohen_2'):.1f} % at 0.2")


def test_certificates_of_noise():
    def of(row, measure):
        return Cell("pixeldp.paper", row, measure).mean

    def certified(size, n, kind="votes"):
        return of(f"pixeldp {size}", f"certified_{kind}_{n}")

    stands(
        f"With a construction size of 0.1, {of('pixeldp 0.1', 'vote_accuracy'):.1f} % of the "
        f"images are right and {certified(0.1, 1):.1f} % are right and certified at a radius of 0.1"
    )
    stands(
        f"with 0.3, {of('pixeldp 0.3', 'vote_accuracy'):.1f} % are right, {certified(0.3, 2):.1f} "
        f"% certified at 0.2 and {certified(0.3, 3):.1f} % at 0.4"
    )
    stands(
        f"Cohen et al. certify {certified(0.1, 3, 'cohen'):.1f} % at 0.4 from the same noise of "
        "size 0.1"
    )
    refuted = [
        float(row["ours"])
        for row in rows("pixeldp.paper")
        if row["measure"].startswith("refuted") and row["ours"]
    ]
    parseval = "pixeldp 0.1 parseval"
    assert of(parseval, "certified_votes_1") == 0
    stands(f"and the bound of Cohen et al. {of(parseval, 'certified_cohen_1'):.1f} %")
    (folder,) = (ROOT / "runs" / "reference").glob("mnist-pixel_dpcnn-pixel_dp-*7b5b9ebd78")
    (result,) = folder.glob("measures/certified_accuracy-*/result.json")
    found = json.loads(result.read_text())["scalars"]["sensitivity"]
    stands(f"ten after each step, leave a sensitivity of {found:.1f}")
    assert len(refuted) >= 12
    assert max(refuted) == 0
    stands("no attack refuted a certificate")
    best = max((0.03, 0.1, 0.3, 1), key=lambda size: of(f"pixeldp {size:g}", "robust_accuracy"))
    assert best == 0.3
    high = of("pixeldp 0.3", "robust_accuracy_high")
    assert of("natural", "robust_accuracy_high") < of("pixeldp 0.3", "robust_accuracy_low")
    assert high < of("pgd", "robust_accuracy_low")
    stands(
        f"{of('pixeldp 0.3', 'robust_accuracy'):.1f} % with PixelDP, "
        f"{of('pgd', 'robust_accuracy'):.1f} % with PGD training and "
        f"{of('natural', 'robust_accuracy'):.1f} % with natural training"
    )
    draws = [of(f"pixeldp {size}", "sequential_draws") for size in (0.1, 0.3)]
    stands(f"{draws[0]:.0f} and {draws[1]:.0f} draws for an image on average, of 2,000")
    faulty = [of("pixeldp 0.1", f"faulty_certified_votes_1_{share}") for share in (1, 10)]
    stands(
        f"With 1 % of the parameters stuck at 0 it certifies {faulty[0]:.1f} %, and with 10 % "
        f"{faulty[1]:.1f} %"
    )


def test_robustness_and_accuracy_of_grids():
    found = {
        (row["grid"], row["column"]): row for row in rows("robustness_accuracy.paper.correlations")
    }

    def rho(column):
        row = found["B.1", column]
        numbers = (float(row[key]) for key in ("rho", "low", "high"))
        mean, low, high = (f"{number:+.2f}" for number in numbers)
        return f"{mean} [{low}, {high}]"

    assert all(found["B.1", f"{attack}_robust"]["sign"] == "positive" for attack in ("fgsm", "pgd"))
    assert found["B.1", "pgd_steady"]["sign"] == "negative"
    assert found["B.1", "pgd_variation"]["sign"] == "positive"
    stands(
        f"rank correlation is {rho('fgsm_robust')} under FGSM, the paper's attack, and "
        f"{rho('pgd_robust')} under PGD"
    )
    stands(f"The correlation is {rho('pgd_steady')} under PGD")
    stands(f"rises with accuracy** ({rho('pgd_variation')} under PGD)")
    stands(f"stuck at 0 the correlation is {rho('accuracy_at_50')}")
    networks = [row for row in rows("robustness_accuracy.paper") if row["grid"] == "B.1"]
    assert len(networks) == 720
    low = [row for row in networks if float(row["test_accuracy"]) < 90]
    assert all(float(row["pgd_steady"]) == 100 for row in low)
    stands(f"all {len(low)} networks with less than 90 % accuracy have an R_gamma of 100 %")
    high = [float(row["pgd_steady"]) for row in networks if float(row["test_accuracy"]) >= 90]
    stands(f"Among the {len(high)} with more, it is between {min(high):.1f} and 100 %")
    stands(f"rank correlation of R is {rho('pgd_robust')} over 720 networks")


def test_robustness_of_grids_from_both_sides():
    networks = rows("robustness_verified.paper")
    found = {}
    for grid, radius in itertools.product(("B.1", "B.3"), (1, 2)):
        verified = [row for row in networks if row["grid"] == grid and row[f"verified_{radius}"]]
        found[grid, radius] = [
            float(row[f"robust_{radius}"]) - float(row[f"verified_{radius}"]) for row in verified
        ]
    assert [len(found["B.1", 1]), len(found["B.3", 1])] == [70, 40]
    gaps = {key: f"{statistics.median(some):.1f}" for key, some in found.items()}
    stands(
        f"below the attacked one by {gaps['B.1', 1]} points (median over the 70 networks, at most"
    )
    stands(f"networks, at most {max(found['B.1', 1]):.1f})")
    stands(f"at 0.02 by {gaps['B.1', 2]} points, at most {max(found['B.1', 2]):.1f}.")
    stands(f"the medians are {gaps['B.3', 1]} and {gaps['B.3', 2]} points over the 40 networks")
    correlations = {
        (row["grid"], row["column"]): row for row in rows("robustness_verified.paper.correlations")
    }
    assert {row["verdict"] for row in correlations.values()} == {"undecided"}

    def rho(column):
        row = correlations["B.1", column]
        assert row["trainings"] == "14"
        mean, low, high = (f"{float(row[key]):+.2f}" for key in ("rho", "low", "high"))
        return f"{mean} [{low}, {high}]"

    stands(f"the attacked R at 0.02 rises with accuracy ({rho('robust_2')})")
    stands(f"the verified R falls ({rho('verified_2')})")
    accuracies = [float(row["test_accuracy"]) for row in networks if row["grid"] == "B.1"]
    widening = spearmanr(accuracies, found["B.1", 2]).statistic
    stands(f"difference widens with accuracy (rank correlation {widening:+.2f})")
