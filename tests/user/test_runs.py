"""Training a run, and measures of a run or of a model of one's own."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers as kl

import ftnoise
from ftnoise import measures
from ftnoise.core.errors import BadInput
from ftnoise.layers.logits import without_probabilities
from tests.user import made

RUN = ftnoise.Run(
    architecture=ftnoise.CirclesNet(units=8),
    data=ftnoise.Circles(),
    training=ftnoise.Training(),
    schedule=ftnoise.Schedule(epochs=3, batch_size=10, learning_rate=0.1),
)
FEW = ftnoise.FaultTolerance(rates=(0.5,), trials=3)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The working directory has no runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def softmax(classes=3):
    network = made.model()
    layers = [kl.InputLayer((5,)), network, kl.Dense(classes, activation="softmax")]
    return keras.Sequential(layers, name="own")


def test_a_run_is_stored_in_the_working_directory_and_trained_once(monkeypatch):
    from ftnoise.training.loop import train as trains

    network = ftnoise.train(RUN)
    (folder,) = Path("runs").glob("circles-*")
    monkeypatch.setattr("ftnoise.training.loop.train", None)  # would fail if it trained again
    again = ftnoise.train(RUN)
    assert all(map(np.array_equal, network.get_weights(), again.get_weights()))
    found = ftnoise.evaluate(RUN, ftnoise.Generalization(), ftnoise.LearningCurves(), FEW)
    data = ftnoise.Circles().points()
    own = ftnoise.evaluate(
        again,
        ftnoise.Generalization(),
        FEW,
        **{name.removesuffix("_test"): array for name, array in data.arrays.items()},
    )
    assert own.scalars.items() <= found.scalars.items()
    assert {*found.lines["measure"]} == {"generalization", "learning_curves", "fault_tolerance"}
    assert f"{found.scalars['test_accuracy']:.6g}" in str(found)
    assert len(found.measurements[ftnoise.LearningCurves()].arrays["epochs"]) == 3
    assert "measure" not in found.measurements[FEW].info
    # Damaged weights are made again.
    monkeypatch.setattr("ftnoise.training.loop.train", trains)
    (folder / "weights.npz").write_bytes(b"damaged")
    mended = ftnoise.train(RUN, runs="runs")
    assert all(map(np.array_equal, network.get_weights(), mended.get_weights()))


def test_probabilities_are_seen_as_logits_and_the_model_stays_as_it_is():
    network = softmax()
    before = [weight.copy() for weight in network.get_weights()]
    x, y = made.examples(network)
    logits = without_probabilities(network)
    np.testing.assert_allclose(
        keras.activations.softmax(logits(x)), network(x), rtol=1e-5, atol=1e-6
    )
    found = ftnoise.evaluate(network, FEW, x=x, y=y)
    assert found.scalars["golden_accuracy"] == 100
    assert found.subject == "own"
    same = ftnoise.evaluate(logits, FEW, x=x, y=y)
    assert same.scalars == found.scalars
    more = ftnoise.FaultTolerance(rates=(0.1,), trials=3)
    both = ftnoise.evaluate(network, FEW, more, x=x, y=y).lines["measure"]
    assert {*both} == {"fault_tolerance 1", "fault_tolerance 2"}
    assert all(map(np.array_equal, before, network.get_weights()))
    assert len(network.layers[-1]._inbound_nodes) == 1


def test_a_sigmoid_becomes_two_logits():
    network = keras.Sequential([kl.InputLayer((5,)), kl.Dense(1, activation="sigmoid")])
    x, _ = made.examples(made.model())
    two = without_probabilities(network)(x).numpy()
    np.testing.assert_allclose(two[:, 0], 0)
    np.testing.assert_array_equal(two[:, 1] > 0, network(x).numpy()[:, 0] > 0.5)


def test_measures_declare_what_a_model_alone_lacks():
    files = Path(measures.__file__).parent.glob("[!_]*.py")
    uses = {
        "needs_run": r"trained\.(run|record|others)\b",
        "needs_training_data": r"\b[xy]_train\b",
    }
    for file in files:
        text = file.read_text()
        if "(Measure)" in text and file.stem != "under_faults":  # which passes on its measure's
            for declared, used in uses.items():
                assert (declared in text) == bool(re.search(used, text)), file.name


NETWORK = made.model()
X, Y = made.examples(NETWORK)


@pytest.mark.parametrize(
    ("subject", "chosen", "arrays", "message"),
    [
        (NETWORK, (), {"x": X, "y": Y}, "at least one measure"),
        (NETWORK, (3,), {"x": X, "y": Y}, "measure to be a measure, such as FaultTolerance"),
        (NETWORK, (FEW,), {}, "x and y, to test a model on"),
        (NETWORK, (FEW,), {"x": X, "y": Y + 3}, "labels from 0 to 2"),
        (NETWORK, (FEW,), {"x": X * np.nan, "y": Y}, "finite float32 numbers in x"),
        (NETWORK, (FEW,), {"x": X, "y": Y, "x_train": X}, "both x_train and y_train, or neither"),
        (NETWORK, (ftnoise.PrivacyLoss(),), {"x": X, "y": Y}, "a Run for privacy_loss"),
        (NETWORK, (ftnoise.Generalization(),), {"x": X, "y": Y}, "x_train and y_train for gener"),
        (
            NETWORK,
            (ftnoise.RobustAccuracy(attack=ftnoise.FGSM(attack_epsilon=0.1)),),
            {"x": X, "y": Y},
            r"examples in \[0, 1\] to attack",
        ),
        (RUN, (FEW,), {"x": X}, "no arrays with a run"),
        ("own", (FEW,), {"x": X, "y": Y}, "subject to be a Run or a keras.Model"),
    ],
)
def test_a_wrong_argument_is_one_line(subject, chosen, arrays, message):
    with pytest.raises(BadInput, match=message) as error:
        ftnoise.evaluate(subject, *chosen, **arrays)
    assert "\n" not in str(error.value)
    assert not Path("runs").exists()


def test_a_wrong_run_or_folder_is_one_line():
    with pytest.raises(BadInput, match="run to be a Run"):
        ftnoise.train("table5")
    with pytest.raises(BadInput, match="runs to be a path"):
        ftnoise.train(RUN, runs=3)
