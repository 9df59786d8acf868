"""Committed models under attack: radius and steps, red flags, and what other libraries find."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ftnoise.attacks.evaluation import Evaluation
from ftnoise.attacks.pgd import PGD
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.core.spec import canonical
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.experiments import table5, table7, table8
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.robust_accuracy import RobustAccuracy, with_apgd
from tests.measures.given import evaluate

REFERENCES = Path(__file__).parents[2] / "runs" / "reference"
FAST = ("table5 fmnist_dnn natural", "table5 fmnist_dnn trades")
ROWS = [
    pytest.param(row, id=name, marks=[] if name in FAST else pytest.mark.slow)
    for table in (table5, table7, table8)
    for row in table.EXPERIMENT.rows
    for name in [f"{table.EXPERIMENT.name} {row.name}"]
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

    evaluation, before = Evaluation(Checkpointing()), network.get_weights()

    def found(radius, steps):
        attack = PGD(attack_epsilon=radius / 255, steps=steps)
        return evaluation.attacked(f"radius_{radius}_steps_{steps}", attack, network, x, y)

    radii = [found(radius, 10) for radius in (0, 1, 2, 4, 8, 255)]
    steps = [found(8, count) for count in (1, 3, 10, 40)]
    for series in (radii, steps):
        for weaker, stronger in pairwise(series):
            assert stronger.accuracy <= weaker.interval[1]
    assert radii[0].accuracy == radii[0].clean_accuracy > 70
    assert radii[-1].accuracy <= 1
    for one, same in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    flags = AttackRedFlags(attack=PGD(attack_epsilon=2 / 255), examples=100, queried=5)
    assert evaluate(flags, network, x_test=x, y_test=y).info["red_flags"] == []


def attacked(row, count):
    """A committed model of Fashion-MNIST and as many of its test images."""
    network = committed(row)
    x, y = examples(network, count)
    if (np.argmax(network(x), axis=1) == y).all():
        pytest.skip("Fashion-MNIST is not at hand")
    return network, x, y


@pytest.mark.slow
def test_one_start_of_pgd_is_flagged_where_it_is_not_enough():
    network, x, y = attacked(table5.EXPERIMENT.row("fmnist_cnn2 natural"), 500)
    measure = AttackRedFlags(attack=PGD(attack_epsilon=8 / 255), queried=1)
    (flag,) = evaluate(measure, network, x_test=x, y_test=y).info["red_flags"]
    assert flag.startswith("Five times the random starts do more")


@pytest.mark.slow
@pytest.mark.parametrize("row", table5.EXPERIMENT.rows, ids=lambda row: row.name)
def test_apgd_finds_at_least_what_five_restarts_of_pgd_find(row):
    network, x, y = attacked(row, 500)
    attack = PGD(attack_epsilon=8 / 255)
    worst = evaluate(with_apgd(attack), network, x_test=x, y_test=y).info["accuracies"]
    known = Evaluation(Checkpointing()).attacked("five", attack.restarted(), network, x, y)
    assert worst == sorted(worst, reverse=True)
    assert worst[-1] <= known.accuracy + 0.5
    # Without PGD too.
    alone = RobustAccuracy(attack=with_apgd(attack).also[0], also=with_apgd(attack).also[1:])
    scalars = evaluate(alone, network, x_test=x, y_test=y).scalars
    assert scalars["robust_accuracy"] <= known.accuracy + 0.5


def of_foolbox(network, x, y, radius):
    """Which of the images stay right under foolbox' PGD from three starts."""
    foolbox = pytest.importorskip("foolbox")
    tf = pytest.importorskip("tensorflow")
    model = foolbox.TensorFlowModel(network, bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(steps=40, rel_stepsize=0.1).repeat(3)
    *_, broken = attack(model, tf.constant(x), tf.constant(y, tf.int64), epsilons=radius)
    return ~broken.numpy()


def of_art(network, x, y, radius):
    """Which of the images stay right under ART's APGD on two losses."""
    pytest.importorskip("art")
    tf = pytest.importorskip("tensorflow")
    from art.attacks.evasion import AutoProjectedGradientDescent
    from art.estimators.classification import TensorFlowV2Classifier

    survives = np.argmax(network(x), axis=1) == y
    for loss in ("cross_entropy", "difference_logits_ratio"):
        model = TensorFlowV2Classifier(
            network,
            nb_classes=10,
            input_shape=x.shape[1:],
            clip_values=(0, 1),
            loss_object=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        attack = AutoProjectedGradientDescent(
            model, eps=radius, eps_step=radius / 4, max_iter=40, nb_random_init=1, batch_size=500,
            loss_type=loss, verbose=False,
        )  # fmt: skip
        moved = attack.generate(x, np.eye(10, dtype=np.float32)[y])
        assert np.abs(moved - x).max() <= radius + 1e-5
        survives &= np.argmax(network(moved), axis=1) == y
    return survives


@pytest.mark.slow
@pytest.mark.parametrize("oracle", [of_foolbox, of_art])
@pytest.mark.parametrize("radius", [2 / 255, 8 / 255], ids=["2/255", "8/255"])
@pytest.mark.parametrize("row", table5.EXPERIMENT.rows, ids=lambda row: row.name)
def test_other_libraries_find_no_more_than_half_a_point_more(row, radius, oracle):
    network, x, y = attacked(row, 1000)
    theirs = oracle(network, x, y, radius)
    measure = with_apgd(PGD(attack_epsilon=radius))
    ours = evaluate(measure, network, x_test=x, y_test=y).arrays["survives"]
    both = np.unpackbits(ours, count=len(y)).astype(bool) & theirs
    assert 100 * (np.unpackbits(ours, count=len(y)).mean() - both.mean()) <= 0.5
    # And they find something.
    assert 100 * theirs.mean() <= 100 * both.mean() + 10
