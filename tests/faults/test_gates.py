"""What is checked on a user's model, and that a broken campaign does not pass."""

from __future__ import annotations

import numpy as np
import pytest

from ftnoise.errors import RunFailed
from ftnoise.faults.amounts import Share
from ftnoise.faults.campaign import Campaign, digest
from ftnoise.faults.fault import parse
from ftnoise.faults.gates import gates, untouched
from tests.faults.networks import bits, made

HALF = Share(rate=0.5)


@pytest.mark.parametrize("name", ["dense", "residual", "attention", "nested", "binary"])
@pytest.mark.parametrize("where", ["weights", "neurons"])
def test_a_sound_campaign_passes(name, where):
    network, x, y = made(name)
    before = bits(network)
    seen = gates(Campaign(network, x, y, parse(f"{where}:stuck_at_zero:0.5")), HALF)
    assert seen.exceptions == 0
    assert seen.sound.images == len(y)
    assert "exceptions" in str(seen)
    assert max(seen.sound.distance, seen.faulty.distance) < 1e-5
    if name in ("dense", "binary"):
        assert seen.constant
    assert bits(network) == before


@pytest.mark.parametrize(
    "text",
    [
        "weights:stuck_at_zero:0.5:transient",
        "neurons:sign_flip:0.5:transient",
        "weights:bit_flip=30:n=2",
    ],
)
def test_so_do_transient_and_other_faults(text):
    network, x, y = made("dense", examples=12)
    campaign = Campaign(network, x, y, parse(text))
    seen = gates(campaign, campaign.fault.amount)
    assert seen.faulty.exact
    assert seen.constant is None


@pytest.mark.parametrize("broken", ["another mask", "golden", "faulty"])
def test_a_broken_campaign_does_not(broken, monkeypatch):
    network, x, y = made("dense")
    campaign = Campaign(network, x, y, parse("weights:stuck_at_zero:0.5"))
    if broken == "golden":
        campaign.golden = campaign.golden[::-1].copy()
    elif broken == "faulty":
        network.layers[-1].bias.assign_add([5, 0, 0, 0])
    else:
        mask = campaign.drawer.mask
        monkeypatch.setattr(campaign.drawer, "mask", lambda n, amount: mask(n + 1, amount))
    with pytest.raises(RunFailed, match="Expected"):
        gates(campaign, HALF)


def test_a_changed_network_is_noticed():
    network, *_ = made("dense")
    before = digest(network)
    untouched(network, before)
    network.layers[-1].bias.assign_add(np.full(4, 1e-7, np.float32))
    with pytest.raises(RunFailed, match="unchanged"):
        untouched(network, before)
