"""A procedure of several trainings, each of which starts from the weights of the last one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ftnoise.core.interfaces import Procedure
from ftnoise.core.preset import PRESETS
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.inputs.trades import TRADES

STEPS = 19


@dataclass(frozen=True, kw_only=True)
class Rounds(Procedure):
    """Three trainings; the smallest weights are set to zero before the second and the third."""

    training: Training

    @property
    def noisy(self):
        return self.training.noisy

    def build(self, run):
        return self.training.build(run)

    def train(self, run, data, checkpointing=None, network=None):
        for number in range(3):
            if number:
                kernel = network.layers[-1].kernel
                weights = kernel.numpy()
                kernel.assign(weights * (np.abs(weights) > 0.1 * number))
            part = checkpointing.part(f"round-{number}") if checkpointing else None
            network = self.training.train(run, data, part, network)
        return network


@pytest.fixture
def run(run_of):
    return run_of(Rounds(training=Training()))


@pytest.fixture(scope="module")
def once():
    """What `whole` keeps."""
    return []


@pytest.fixture
def whole(once, run, memory, trained):
    """The checkpoints of an uninterrupted procedure, and its weights; trained once."""
    if not once:
        checkpointing = memory()
        once[:] = checkpointing, trained(run, checkpointing)
    return once


def test_each_part_has_its_checkpoints_which_change_nothing(whole, run, trained):
    checkpointing, known = whole
    assert known == trained(run)
    assert [*checkpointing.parts] == ["round-0", "round-1", "round-2"]
    assert checkpointing.kept is None


@pytest.mark.parametrize("stop", [{"after_epoch": 2}, {"at_position": STEPS + 16}])
def test_an_interrupted_procedure_resumes_in_its_part(stop, whole, run, memory, trained):
    checkpointing, known = whole
    broken = memory()
    second = broken.part("round-1")
    for name, value in stop.items():
        setattr(second, name, value)
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    assert "round-2" not in broken.parts
    assert 0 < len(second.history) < 3

    second.after_epoch = second.at_position = None
    finished = broken.parts["round-0"].kept
    broken.parts["round-0"].positions.clear()
    assert trained(run, broken) == known
    # The first part was not trained again.
    assert broken.parts["round-0"].positions == []
    assert broken.parts["round-0"].kept is finished
    for name, part in checkpointing.parts.items():
        assert broken.parts[name].history == part.history


def test_each_part_starts_from_the_last(whole, run, memory, trained):
    (checkpointing, _), alone = whole, memory()
    trained(replace(run, training=Training()), alone)
    first, second, third = (part.history for part in checkpointing.parts.values())
    assert first == alone.history
    assert second[0]["loss"] < first[0]["loss"]
    assert third != second != first


def test_a_preset_reaches_the_training_inside(run):
    procedure = Rounds(training=Training(inputs=TRADES(attack_epsilon=0.1, steps=10)))
    assert procedure.scaled(PRESETS["quick"]).training.inputs.steps == 2
    assert procedure.scaled(PRESETS["paper"]) == procedure
    assert procedure.slug == "rounds"
    quick = PRESETS["quick"]
    rate = run.schedule.learning_rate
    assert replace(run, training=procedure).scaled(quick).schedule.learning_rate == 3 * rate
    private = Rounds(training=Training(gradients=DPSGD(noise_multiplier=1.0)))
    assert replace(run, training=private).scaled(quick).schedule.learning_rate == rate
    secret = private.scaled(quick.with_secret_key()).training.gradients
    assert secret.secret_key
