"""Committed models: accuracy falls with radius and steps of an attack, and no flag is raised."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ftnoise.attacks.pgd import PGD
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import canonical
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.experiments import table5, table7, table8
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.robust_accuracy import RobustAccuracy
from tests.measures.given import evaluate

REFERENCES = Path(__file__).parents[2] / "runs" / "reference"
ROWS = [
    pytest.param(row, id=f"{table.EXPERIMENT.name} {row.name}", marks=marks)
    for table, marks in ((table5, []), (table8, pytest.mark.slow), (table7, pytest.mark.slow))
    for row in table.EXPERIMENT.rows
]


def committed(row):
    """The committed model of a row with the first seed."""
    for spec in REFERENCES.glob(f"{row.run.slug}-*/spec.json"):
        if json.loads(spec.read_text())["run"] == canonical(row.run):
            network = row.run.training.build(row.run)
            with np.load(spec.with_name("weights.npz")) as stored:
                network.set_weights([stored[name] for name in stored.files])
            return network
    raise AssertionError(f"no committed run of {row.name}")


def examples(network, count):
    """Test images of Fashion-MNIST where they are at hand; else smooth noise, as it is seen."""
    try:
        data = FashionMNIST().load(Sources.from_environment(offline=True))
    except BadInput:
        coarse = np.random.default_rng(0).random((count, 7, 7, 1), np.float32)
        x = coarse.repeat(4, axis=1).repeat(4, axis=2)
        return x, np.argmax(network(x), axis=1)
    return data.x_test[:count], data.y_test[:count]


@pytest.mark.parametrize("row", ROWS)
def test_it_never_rises_with_radius_or_steps_by_more_than_its_interval(row):
    network = committed(row)
    x, y = examples(network, 300 if "dnn" in row.name else 60)

    def measured(measure):
        return evaluate(measure, network, x_test=x, y_test=y)

    def accuracy(attack):
        return measured(RobustAccuracy(attack=attack)).scalars

    radii = [accuracy(PGD(attack_epsilon=part / 255, steps=10)) for part in (0, 1, 2, 4, 8, 255)]
    steps = [accuracy(PGD(attack_epsilon=8 / 255, steps=count)) for count in (1, 3, 10, 40)]
    for found in (radii, steps):
        for before, after in pairwise(found):
            assert after["robust_accuracy"] <= before["robust_accuracy_high"]
    assert radii[0]["robust_accuracy"] == radii[0]["unattacked_accuracy"] > 70
    assert radii[-1]["robust_accuracy"] <= 1
    flags = AttackRedFlags(attack=PGD(attack_epsilon=2 / 255), examples=100, queried=5)
    assert measured(flags).info["red_flags"] == []
