"""Where the uncertainty comes from: the analysis of packed bits, as a table and as data."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise import report
from ftnoise.core.errors import BadInput
from ftnoise.core.figures import Levels
from ftnoise.stats.levels import variance_components
from tests.report.conftest import SHOWN, frame, seen, shown

FIGURE = Levels(
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


def found(*sets):
    return [
        {"rates": [5.0, 10.0], "correct": np.packbits(np.stack([~one, one]), axis=2)}
        for one in sets
    ]


def test_the_analysis_is_that_of_the_bits_at_the_x():
    sets = [bits(seed) for seed in range(3)]
    ((row, levels),) = seen(shown(FIGURE, {"a": found(*sets), "b": [None]}, INFO)).analyzed
    assert row.name == "a"
    assert levels == variance_components(np.stack(sets))


def test_the_table_and_the_csv_file():
    made = shown(FIGURE, {"a": found(bits(0)), "b": found(bits(1), bits(2))}, INFO)
    (table,) = seen(made).tables()
    cells = {block.title: [cell for (cell,) in block.cells] for block in table.blocks}
    assert [*cells][:3] == ["seeds", "trials", "examples"]
    assert [cells[name][0] for name in ("seeds", "trials", "examples")] == ["1", "6", "53"]
    # With one seed the part of the seeds is unknown.
    assert cells["of seeds"][0] == "-"
    assert cells["of seeds"][1] != "-"
    assert {*cells["enlarge"]} <= {"seeds", "trials", "examples"}

    data, (first, second) = frame(made), [levels for _, levels in seen(made).analyzed]
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
    made = shown(FIGURE, arrays, INFO)
    assert seen(made).analyzed == []
    assert "No result yet." in report.markdown(made)


def test_seeds_with_other_trials_are_refused():
    with pytest.raises(BadInput, match="in what levels takes together"):
        shown(FIGURE, {"a": found(bits(0), bits(1, trials=5))}, INFO)
