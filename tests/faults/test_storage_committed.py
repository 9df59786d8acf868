"""Committed models of Fashion-MNIST: TensorFlow Lite, clamps, the search for the worst flips."""

from __future__ import annotations

import pytest

from ftnoise.core.data import Sources
from ftnoise.core.errors import BadInput
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.experiments import hardware_faults
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.hardening import clamped
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Count
from ftnoise.faults.tflite import Deployed
from ftnoise.faults.worst_case import worst_case
from ftnoise.stats.comparing import paired
from tests.faults.test_storage import flips
from tests.measures.test_robust_accuracy_committed import committed

pytestmark = pytest.mark.slow
TRIALS = 60


@pytest.fixture(scope="module")
def data():
    try:
        return FashionMNIST().load(Sources.from_environment(offline=True))
    except BadInput as error:
        pytest.skip(str(error))


def natural(name):
    return committed(hardware_faults.EXPERIMENT.row(f"{name} natural"))


@pytest.mark.parametrize(
    ("name", "where", "stored", "counts"),
    [
        # 1,000 flips hit the highest bit of a bias in a fifth of the trials: sums leave 32 bits.
        ("fmnist_dnn", "parameters", "int8", (10, 100, 1000)),
        ("fmnist_dnn", "weights", "int8", (10, 100, 1000)),
        ("fmnist_dnn", "parameters", "float16", (10, 100, 1000)),
        ("fmnist_cnn2", "parameters", "int8", (10, 100, 1000)),
        # With 1,000, most outputs are not finite, and their order is left open.
        ("fmnist_cnn2", "parameters", "float16", (10, 100)),
    ],
)
def test_tensorflow_lite_loses_as_much_by_the_same_flips(data, name, where, stored, counts):
    fault = flips(stored, where)
    campaign = Campaign(natural(name), data.x_test, data.y_test, fault, one_scale=True)
    with Deployed(campaign) as deployed:
        for count in counts:
            found = [
                100
                * (
                    one.correct.mean()
                    - one.run(range(TRIALS), Count(faults=count)).correct.mean(axis=1)
                )
                for one in (campaign, deployed)
            ]
            ours, theirs = (drops.mean() for drops in found)
            print(f"{name} {fault.label}: {ours:.3f}, in TensorFlow Lite {theirs:.3f} points")
            assert abs(ours - theirs) <= 0.2


def test_a_clamp_keeps_the_accuracy_under_a_hundred_flips(data):
    model, fault = natural("fmnist_dnn"), parse_fault("parameters:bit_flip:n=100")
    found = {}
    for name, network in {
        "as it is": model,
        "layer": clamped(model, data.x_train, per="layer"),
        "channel": clamped(model, data.x_train, per="channel"),
        "zero": clamped(model, data.x_train, per="channel", to="zero"),
    }.items():
        campaign = Campaign(network, data.x_test, data.y_test, fault)
        found[name] = 100 * campaign.run(range(TRIALS), fault.rate).correct.mean(axis=1)
        gain = paired(found[name], found["as it is"])
        print(
            f"{name}: {100 * campaign.correct.mean():.2f} without flips, "
            f"{found[name].mean():.2f} with 100, gain {gain.difference:.2f} "
            f"[{gain.low:.2f}, {gain.high:.2f}]"
        )
    assert found["as it is"].mean() < 60
    assert found["layer"].mean() >= 85


def test_the_worst_flips_are_as_few_as_the_report_says(data):
    model = natural("fmnist_dnn")
    found = [
        worst_case(Campaign(model, data.x_test, data.y_test, flips("int8", where)), 20.0, 60)
        for where in ("parameters", "weights")
    ]
    for steps in found:
        print(f"{len(steps)} flips to {steps[-1].accuracy:.2f} %, the first at {steps[0].site}")
        assert steps[-1].accuracy < 20
    (bias,), weights = found
    assert "/bias[" in bias.site
    (note,) = hardware_faults.EXPERIMENT.notes
    assert f"below 20 % with one flip of a bias, or with {len(weights)} flips of weights" in note
