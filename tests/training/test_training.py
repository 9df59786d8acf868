"""The value `Training`: its slots, its name, and the data it refuses."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.spec import Spec
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2


@dataclass(frozen=True, kw_only=True)
class Other(Spec):
    """A spec that fits no slot."""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shape": (7, 6, 1)}, "Expected examples of shape (6, 6, 1) for tiny. Received: shape="),
        ({"shape": (6, 6)}, "Received: shape=(6, 6)"),
        ({"classes": 4}, "Expected at most 3 classes for tiny. Received: classes=4."),
    ],
    ids=["size", "rank", "classes"],
)
def test_data_that_do_not_fit_are_bad_input(data, message, run_of, images, memory, trained):
    checkpointing = memory()
    with pytest.raises(BadInput) as failure:
        trained(run_of(), checkpointing, images(**data))
    assert message in str(failure.value)
    assert checkpointing.positions == []


@pytest.mark.parametrize("slot", ["inputs", "penalty", "gradients", "weights"])
def test_a_slot_takes_only_its_own_members(slot):
    for member in ("L2", L2(weight=1), TRADES(attack_epsilon=1), Other(), object()):
        fits = (slot == "penalty" and isinstance(member, L2)) or (
            slot == "inputs" and isinstance(member, TRADES)
        )
        if fits:
            assert getattr(Training(**{slot: member}), slot) is member
            continue
        with pytest.raises(
            BadInput, match=f"Expected {slot} to be a member of {slot.title()} or None"
        ):
            Training(**{slot: member})


def test_a_training_is_named_by_its_members():
    assert Training().slug == "natural"
    assert Training(penalty=L2(weight=1)).slug == "l2"
    both = Training(inputs=TRADES(attack_epsilon=0.1), penalty=L2(weight=1))
    assert both.slug == "trades+l2"
