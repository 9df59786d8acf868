"""Diagnostics of chains: what is read of their logs, and agreement of their predictions."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.layers.posterior import posterior_network
from ftnoise.measures.sampling import Sampling, columns
from ftnoise.training.procedures.hmc import HMC
from tests.members import RUN


def chain(*entries):
    names = ("trajectories", "acceptance", "step_size", "energy_error")
    logged = [dict(zip(names, entry, strict=True)) for entry in entries]
    for before, entry in zip([{"trajectories": 0}, *logged], logged, strict=False):
        entry["averaged"] = entry["trajectories"] - before["trajectories"]
    return {"history": [{"burn_in": entry["trajectories"] <= 10, **entry} for entry in logged]}


def measured(samples, parts, chains=2):
    """The measure of `[samples]` biases of the first of two logits."""
    plain = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    network = posterior_network(plain, len(samples))
    network.weights[1].assign(np.stack([samples, np.zeros(len(samples))], axis=1))
    run = RUN.__class__(
        architecture=RUN.architecture,
        data=RUN.data,
        training=HMC(samples=len(samples) // chains, step_size=0.1, burn_in=10, chains=chains),
        schedule=RUN.schedule,
    )
    data = SimpleNamespace(x_test=np.ones((5, 3), np.float32))
    given = {"network": network, "data": data, "run": run, "record": {"parts": parts}}
    return Sampling().evaluate(MeasureInput(checkpointing=Checkpointing(), **given))


GOOD = {f"chain-{n}": chain((10, 0.1, 9, 9), (20, 0.8, 0.1, 1), (30, 0.6, 0.1, 3)) for n in (0, 1)}
GENERATOR = np.random.default_rng(0)


def test_logs_count_after_the_burn_in():
    found = measured(GENERATOR.normal(size=40), GOOD)
    assert found.scalars["acceptance"] == pytest.approx(70)
    assert found.scalars["step_size"] == pytest.approx(0.1)
    assert found.scalars["energy_error"] == pytest.approx(2)
    assert found.info == {"red_flags": []}


def test_chains_that_agree_have_an_r_hat_of_1_and_others_do_not():
    same = measured(GENERATOR.normal(size=400), GOOD)
    assert same.scalars["r_hat"] < 1.02
    assert same.scalars["effective_samples"] == pytest.approx(400, rel=0.3)
    apart = GENERATOR.normal(size=400) + np.repeat([-2, 2], 200)
    assert measured(apart, GOOD).scalars["r_hat"] > 1.5
    drifting = np.linspace(-2, 2, 400) + 0.1 * GENERATOR.normal(size=400)
    assert measured(drifting, GOOD).scalars["effective_samples"] < 40


def test_a_chain_that_does_not_move_is_said():
    parts = GOOD | {"chain-1": chain((10, 0.5, 1, 1), (20, 0.0, 1, 900))}
    found = measured(np.zeros(40), parts)
    assert found.info["red_flags"] == ["chain-1 accepts 0.0 % of its trajectories."]
    assert "r_hat" not in found.scalars


def test_entries_of_the_log_count_by_their_trajectories():
    parts = {
        f"chain-{n}": chain((10, 0.1, 9, 9), (20, 0.8, 0.1, 1), (25, 0.2, 0.1, 1)) for n in (0, 1)
    }
    assert measured(GENERATOR.normal(size=30), parts).scalars["acceptance"] == pytest.approx(60)


def test_chains_that_stand_still_in_different_places_are_reported():
    found = measured(np.repeat([0.0, 1.0], 20), GOOD)
    assert found.info["red_flags"] == [
        "5 of 5 predictions differ between chains and change in none."
    ]
    assert "r_hat" not in found.scalars


def test_any_other_network_has_none():
    plain = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    data = SimpleNamespace(x_test=np.ones((5, 3), np.float32))
    given = {"network": plain, "data": data, "run": RUN, "checkpointing": Checkpointing()}
    assert Sampling().evaluate(MeasureInput(**given)).scalars == {}


def test_columns_and_bad_input():
    assert next(column.name for column in columns(Sampling())) == "acceptance"
    with pytest.raises(BadInput):
        Sampling(examples=0)
