"""Sweeps: trials enough, no more, the same bits however often they are interrupted."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import numpy as np
import pytest

from ftnoise.core import resumable
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import NUMBERS, Outcomes
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.precision import Precision
from ftnoise.faults.rates import Count, Share
from ftnoise.faults.sweep import sweep
from ftnoise.store.partial_work import PartialWork
from ftnoise.store.records import Record
from tests.faults.networks import made

RATES = [Share(rate=rate) for rate in (0.0, 0.1, 0.4, 0.9)]
KILLS = 4


def campaign(seed=0, **options) -> Campaign:
    """Weights stuck at 0, on a network that is right without faults."""
    network, x, _ = made("dense")
    fault = parse_fault("weights:stuck_at_zero:0.5")
    y = network(x).numpy().argmax(axis=1)
    y[:4] = (y[:4] + 1) % 4
    return Campaign(network, x, y, fault, seed=seed, **{"trials_per_call": 3, **options})


@pytest.fixture(scope="module")
def asked() -> Campaign:
    return campaign()


def same(found: Outcomes, other: Outcomes) -> bool:
    ours, theirs = found.to_arrays(), other.to_arrays()
    return ours.keys() == theirs.keys() and all(
        np.array_equal(values, theirs[name], equal_nan=True) for name, values in ours.items()
    )


class Memory(Checkpointing):
    """Keeps what is saved; after so many saves the process is at its end."""

    def __init__(self, saves: int = 10**9) -> None:
        self.saves, self.kept, self.discarded = saves, None, []
        self.said: list[tuple[int, int, str]] = []

    def load(self):
        return self.kept

    def discard(self, reason):
        self.discarded.append(reason)

    def save(self, arrays, state):
        self.kept = {name: values.copy() for name, values in arrays.items()}, dict(state)
        self.saves -= 1
        if self.saves == 0:
            raise KeyboardInterrupt

    def progress(self, done, total, text=""):
        self.said.append((done, total, text))


@pytest.fixture
def saves_always(monkeypatch) -> None:
    monkeypatch.setattr(resumable, "SAVE_SECONDS", -1.0)


# Trials enough.


def test_each_amount_gets_the_masks_of_the_campaign(asked):
    found = sweep(asked, RATES, trials=7)
    for site, rate in enumerate(RATES):
        outcome = asked.run(range(7), rate)
        np.testing.assert_array_equal(found.correct(site), outcome.correct)
        for name in NUMBERS:
            np.testing.assert_array_equal(found.results[site][name], getattr(outcome, name))
    np.testing.assert_array_equal(found.golden, asked.correct)
    assert found.golden_accuracy == 90
    assert (found.accuracies(0) == 90).all()
    assert found.rates == tuple(RATES)


@pytest.mark.parametrize("trials", [1, 3, 4])
def test_any_number_of_trials(asked, trials):
    found = sweep(asked, [Count(faults=2)], trials=trials)
    assert found.trials(0) == trials
    assert found.results[0]["faults"].tolist() == [2] * trials


def test_the_size_of_a_group_makes_no_difference(asked):
    whole = sweep(asked, RATES, trials=7)
    other = sweep(campaign(trials_per_call=5), RATES, trials=7)
    np.testing.assert_array_equal(other.to_arrays()["correct"], whole.to_arrays()["correct"])


def test_it_stops_where_each_amount_is_precise(asked):
    precision = Precision(half_width=6.0, most=600)
    found = sweep(asked, RATES, precision=precision)
    counts = [found.trials(site) for site in range(len(RATES))]
    assert max(counts) < 600
    assert len(set(counts)) > 2
    for site, count in enumerate(counts):
        sequence = precision.sequence()
        sequence.update(found.accuracies(site)[: count - asked.trials_per_call])
        assert sequence.interval.half_width > 6
        sequence.update(found.accuracies(site)[count - asked.trials_per_call :])
        assert sequence.interval.half_width <= 6
    longer = sweep(asked, RATES, trials=max(counts))
    for site, count in enumerate(counts):
        np.testing.assert_array_equal(found.correct(site), longer.correct(site)[:count])


def test_it_ends_with_the_most_masks_where_they_are_not_enough(asked):
    found = sweep(asked, RATES, precision=Precision(half_width=0.1, most=10))
    assert [found.trials(site) for site in range(len(RATES))] == [10] * 4


def test_it_says_how_far_it_is(asked):
    memory = Memory()
    sweep(asked, RATES[:2], trials=4, checkpointing=memory)
    assert memory.said == [
        (3, 8, "3 trials"),
        (6, 8, "6 trials"),
        (7, 8, "7 trials"),
        (8, 8, "8 trials"),
    ]
    assert memory.kept is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rates": []}, "at least one rate"),
        ({"trials": 0}, "trials to be an integer >= 1"),
        ({"rates": [Count(faults=10**6)]}, "at most"),
    ],
)
def test_what_cannot_be_asked(asked, change, said):
    with pytest.raises(BadInput, match=said):
        sweep(asked, **{"rates": RATES, **change})


@pytest.mark.parametrize(
    "wrong",
    [
        {"half_width": 0},
        {"half_width": 100},
        {"half_width": "1"},
        {"confidence": 1},
        {"most": 1},
    ],
)
def test_no_such_precision(wrong):
    with pytest.raises(BadInput, match="Expected"):
        Precision(**{"half_width": 1.0, **wrong})


# What is kept on the way.


@pytest.mark.usefixtures("saves_always")
@pytest.mark.parametrize("precision", [None, Precision(half_width=15.0, most=60)])
def test_it_goes_on_after_a_cut_behind_each_save(asked, precision):
    asks = {"rates": RATES[1:], "trials": 5, "precision": precision}
    whole_memory = Memory()
    whole = sweep(asked, checkpointing=whole_memory, **asks)
    saves = 10**9 - whole_memory.saves
    assert saves >= 6
    for cut in range(1, saves + 1):
        memory = Memory(cut)
        with pytest.raises(KeyboardInterrupt):
            sweep(asked, checkpointing=memory, **asks)
        again = sweep(asked, checkpointing=memory, **asks)
        assert same(again, whole)
        assert not memory.discarded
        # Nothing is asked twice: a cut comes before its group is told.
        assert memory.said == [said for n, said in enumerate(whole_memory.said, 1) if n != cut]


@pytest.mark.usefixtures("saves_always")
@pytest.mark.parametrize("group", [2, 4])
def test_it_goes_on_with_groups_of_another_size(asked, group):
    whole, memory = sweep(asked, RATES, trials=11), Memory(6)
    with pytest.raises(KeyboardInterrupt):
        sweep(asked, RATES, trials=11, checkpointing=memory)
    other = sweep(campaign(trials_per_call=group), RATES, trials=11, checkpointing=memory)
    np.testing.assert_array_equal(other.to_arrays()["trials"], [11] * 4)
    np.testing.assert_array_equal(other.to_arrays()["correct"], whole.to_arrays()["correct"])


@pytest.mark.usefixtures("saves_always")
@pytest.mark.parametrize("what", ["fault", "rates", "seed", "labels", "network"])
def test_work_of_another_campaign_is_discarded(asked, what):
    memory = Memory(4)
    with pytest.raises(KeyboardInterrupt):
        sweep(asked, RATES, trials=7, checkpointing=memory)
    memory.saves = -1
    network, y = asked.network, asked.y
    fault, seed, rates = asked.fault, 0, RATES
    if what == "fault":
        fault = parse_fault("weights:sign_flip:0.5")
    elif what == "rates":
        rates = [*RATES[:-1], Share(rate=0.8)]
    elif what == "seed":
        seed = 1
    elif what == "labels":
        y = (y + 1) % 4
    else:
        network, *_ = made("dense")
        network.layers[-1].bias.assign_add([0, 1e-3, 0, 0])
    other = Campaign(network, asked.x[0], y, fault, seed=seed, trials_per_call=3)
    found = sweep(other, rates, trials=7, checkpointing=memory)
    assert memory.discarded == ["belongs to other work"]
    assert same(found, sweep(other, rates, trials=7))


# A process that is killed.


def on_disk(folder: Path) -> PartialWork:
    """Keeps work in a record on the disk."""
    return PartialWork(Record(folder, "partial"), lambda done, total, text: None)


def work(folder: Path, ready, trials: int) -> None:
    """A sweep in a process of its own, which keeps its work after every group."""
    resumable.SAVE_SECONDS = -1.0
    asked = campaign()
    ready.set()
    sweep(asked, RATES, trials=trials, checkpointing=on_disk(folder))


def test_it_ends_the_same_after_kills_at_random_moments(asked, tmp_path, capsys):
    trials, moments = 150, random.Random(0)
    context = multiprocessing.get_context("forkserver")
    # Imported once, for all of the processes.
    context.set_forkserver_preload(["tensorflow", "ftnoise.faults.sweep", "tests.faults.networks"])
    kills, behind = 0, []
    folder = tmp_path / "0"
    while kills < KILLS:
        ready = context.Event()
        process = context.Process(target=work, args=(folder, ready, trials))
        process.start()
        assert ready.wait(120)
        time.sleep(moments.uniform(0.0, 0.3))
        process.kill()
        process.join()
        if process.exitcode == 0:  # it came to its end; another one is killed
            folder = tmp_path / str(kills)
            continue
        kills += 1
        kept = on_disk(folder).load()
        behind.append(
            0
            if kept is None
            else sum(len(a) for name, a in kept[0].items() if name.endswith("/faults"))
        )
    assert max(behind) > 0
    whole = sweep(asked, RATES, trials=trials)
    again = sweep(asked, RATES, trials=trials, checkpointing=on_disk(folder))
    assert same(again, whole)
    assert capsys.readouterr().err == ""
