"""Faults in one layer at a time, against campaigns that name the layer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ftnoise.core import resumable
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import MeasureInput
from ftnoise.core.preset import Preset
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import OUTCOMES
from ftnoise.faults.parsing import parse_fault
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Neurons, Parameters, Weights
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.measures.layer_faults import LayerFaults
from tests.faults.networks import bits, made

RATES = (0.3, 0.9)
TRIALS = 5


def measure(where) -> LayerFaults:
    return LayerFaults(faults=FaultTolerance(where=where, rates=RATES, trials=TRIALS, seed=2))


class Memory(Checkpointing):
    """Is cut off after so many saves, and hears how far it is."""

    def __init__(self, saves: int = 10**9) -> None:
        self.saves, self.kept = saves, None
        self.said: list[tuple[int, int, str]] = []

    def load(self):
        return self.kept

    def save(self, arrays, state):
        self.kept = arrays, state
        self.saves -= 1
        if self.saves == 0:
            raise KeyboardInterrupt

    def progress(self, done, total, text=""):
        self.said.append((done, total, text))


def asked(name="dense", checkpointing=None) -> MeasureInput:
    """A network that is right without faults."""
    network, x, _ = made(name)
    data = SimpleNamespace(x_test=x, y_test=network(x).numpy().argmax(axis=1))
    return MeasureInput(
        network=network, data=data, run=None, checkpointing=checkpointing or Checkpointing()
    )


@pytest.mark.parametrize(
    ("name", "where", "layers"),
    [
        ("dense", Parameters(), ["dense", "dense_1", "dense_2"]),
        ("convolutions", Neurons(), ["image_conv2d", "conv2d", "dense"]),
    ],
)
def test_each_line_is_the_campaign_of_that_layer_alone(name, where, layers):
    memory = Memory()
    trained = asked(name, memory)
    before = bits(trained.network)
    found = measure(where).evaluate(trained)
    assert bits(trained.network) == before
    arrays, data = found.arrays, trained.data
    names = ("accuracy", "spread", *OUTCOMES)
    assert {name: values.shape for name, values in arrays.items()} == {
        "rates": (2,),
        **{f"layer_{name}": (len(layers), 2) for name in names},
    }
    assert arrays["rates"].tolist() == [30, 90]
    kind = type(where).__name__.lower()
    sites = []
    for n, layer in enumerate(layers):
        fault = parse_fault(f"{kind},layers={layer}:stuck_at_zero:0.5")
        campaign = Campaign(trained.network, data.x_test, data.y_test, fault, seed=2)
        sites.append(campaign.site_count)
        for m, rate in enumerate(RATES):
            results = campaign.run(range(TRIALS), Share(rate=rate))
            rows = 100 * results.correct.mean(axis=1)
            # All is right without faults.
            for name, counts in zip(OUTCOMES, results.outcomes.mean(axis=0), strict=True):
                expected = pytest.approx(100 * counts / len(data.y_test), nan_ok=True)
                assert arrays[f"layer_{name}"][n, m] == expected
            assert arrays["layer_accuracy"][n, m] == pytest.approx(np.mean(rows), rel=1e-12)
            spread = np.sqrt(((rows - rows.mean()) ** 2).sum() / (TRIALS - 1))
            assert arrays["layer_spread"][n, m] == pytest.approx(spread, rel=1e-9)
    lowest = arrays["layer_accuracy"].mean(axis=1)
    assert found.scalars == {"most_sensitive_layer": float(np.argmin(lowest) + 1)}
    labels = found.info["layers"]
    for n, (label, layer) in enumerate(zip(labels, layers, strict=True), start=1):
        assert label.startswith(f"{n} {type(trained.network.get_layer(layer)).__name__} (")
        assert label.endswith(f" ({sites[n - 1]:,})")
    total = len(layers)
    assert memory.said == [(n, total, "layers") for n in range(1, total + 1)]


def test_the_layer_that_all_depends_on_is_named():
    trained = asked()
    network = trained.network
    # The middle layer alone: what comes before and after stays the same whatever is hit.
    for n, layer in enumerate(network.layers[1:]):
        if n != 1:
            layer.kernel.assign(np.zeros(layer.kernel.shape, np.float32))
    network.layers[-1].kernel.assign(np.eye(7, 4, dtype=np.float32))
    network.layers[-1].bias.assign(np.array([0.0, 0.4, 0.0, 0.0], np.float32))
    kernel = np.zeros((8, 7), np.float32)
    kernel[:, 0] = 5
    network.layers[2].kernel.assign(kernel)
    network.layers[2].bias.assign(np.zeros(7, np.float32))
    network.layers[1].bias.assign(np.full(8, 0.2, np.float32))
    data = SimpleNamespace(x_test=trained.data.x_test, y_test=np.zeros(40, int))
    faults = FaultTolerance(where=Neurons(output_layer=True), rates=(0.2,), trials=8)
    found = LayerFaults(faults=faults).evaluate(
        MeasureInput(network=network, data=data, run=None, checkpointing=Checkpointing())
    )
    means = found.arrays["layer_accuracy"][:, 0]
    assert means[0] == 100  # one or two of eight units that do the same
    assert found.scalars["most_sensitive_layer"] == 1 + int(np.argmin(means))
    assert min(means) < 100


def test_an_interrupted_measure_goes_on_with_the_next_layer(monkeypatch):
    monkeypatch.setattr(resumable, "SAVE_SECONDS", -1.0)
    whole = measure(Neurons()).evaluate(asked())
    memory = Memory()
    trained = asked(checkpointing=memory)
    for completed in (1, 2):
        memory.saves = 1
        memory.said.clear()
        with pytest.raises(KeyboardInterrupt):
            measure(Neurons()).evaluate(trained)
        assert len(memory.kept[0]["/accuracies"]) == completed
    again = measure(Neurons()).evaluate(trained)
    assert not memory.said
    assert again.scalars == whole.scalars
    assert again.info == whole.info
    for name, values in whole.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], values)


def at_most(trials):
    return Preset(name="few", summary="few trials", trials=trials)


def test_fewer_trials_never_more():
    # A third, as there are several layers.
    assert measure(Weights()).scaled(at_most(9)).faults.trials == 3
    assert measure(Weights()).scaled(at_most(3)).faults.trials == 2
    assert measure(Weights()).scaled(at_most(100)) == measure(Weights())


@pytest.mark.parametrize("wrong", ["faults", FaultTolerance(where=Weights(layers=("dense",)))])
def test_what_cannot_be_measured_is_refused(wrong):
    with pytest.raises(BadInput, match="FaultTolerance of all layers"):
        LayerFaults(faults=wrong)
