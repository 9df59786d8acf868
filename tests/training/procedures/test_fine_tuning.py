"""Fine-tuning is two trainings in turn, the first one of a run of its own where that is stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ftnoise.core.errors import BadInput
from ftnoise.core.preset import Preset
from ftnoise.core.schedule import Schedule
from ftnoise.layers.drawing import noise_weights
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2
from ftnoise.training.procedures.fine_tuning import FineTuning
from ftnoise.training.weights.sdr_learnable import SDRLearnable

BEFORE = Schedule(epochs=2, batch_size=4, learning_rate=0.05)
ROBUST = Training(inputs=TRADES(attack_epsilon=0.1, steps=2))


def fine_tuning(**fields):
    return FineTuning(
        **{"training": ROBUST, "first": Training(), "first_schedule": BEFORE} | fields
    )


def test_it_is_two_trainings_in_turn(run_of, images, trained):
    run = run_of(fine_tuning())
    origin = replace(run, training=Training(), schedule=BEFORE)
    assert run.training.origin(run) == origin
    before = Training().train(origin, images())
    after = ROBUST.train(run, images(), None, before)
    assert trained(run) == [weight.tobytes() for weight in after.get_weights()]
    assert trained(run) != trained(replace(run, training=ROBUST))


def test_a_given_network_takes_the_place_of_the_first_training(run_of, images, memory, trained):
    run = run_of(fine_tuning())
    before = Training().train(run.training.origin(run), images())
    kept = memory()
    after = run.training.train(run, images(), kept, before)
    assert kept.parts == {}
    assert len(kept.history) == run.schedule.epochs
    assert trained(run) == [weight.tobytes() for weight in after.get_weights()]


@pytest.mark.parametrize("first", [True, False])
def test_an_interrupted_one_ends_with_the_same_bits(first, run_of, memory, trained):
    run = run_of(fine_tuning())
    broken = memory()
    stopped = broken.part("first") if first else broken
    stopped.after_epoch = 1
    with pytest.raises(memory.Stopped):
        trained(run, broken)
    stopped.after_epoch = None
    assert trained(run, broken) == trained(run)


def test_a_preset_shortens_both_trainings_and_the_first_as_its_own_run(run_of):
    preset = Preset(name="cpu", summary="", epochs=0.5, rate=3, attack_steps=1)
    run = run_of(fine_tuning(first_schedule=replace(BEFORE, epochs=8)), epochs=10)
    smaller = run.scaled(preset)
    assert smaller.schedule.epochs == 5
    assert smaller.training.training.inputs.steps == 1
    assert smaller.training.origin(smaller) == run.training.origin(run).scaled(preset)
    assert smaller.training.first_schedule.epochs == 4


def test_its_id_names_both_trainings_and_rests_on_both(run_of):
    run = run_of(fine_tuning())
    assert run.training.slug == "natural_then_trades"
    others = [
        fine_tuning(first=Training(penalty=L2(weight=1e-3))),
        fine_tuning(first_schedule=replace(BEFORE, epochs=3)),
        fine_tuning(training=Training()),
    ]
    assert len({run.training, *others}) == 4
    # The seed of the run is that of both.
    again = replace(run, seed=3)
    assert again.training.origin(again).seed == 3


def test_settings_of_the_second_training_are_its_own(run_of, images):
    wide, narrow = SDRLearnable(start=0.5), SDRLearnable(start=0.5, lowest=0.1, highest=0.2)
    run = run_of(fine_tuning(first=Training(weights=wide), training=Training(weights=narrow)))
    stds = noise_weights(run.training.train(run, images()))
    values = np.concatenate([std.numpy().ravel() for std in stds])
    assert values.min() >= np.float32(0.1)
    assert values.max() <= np.float32(0.2)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"first": 3}, "first"),
        ({"training": None}, "training"),
        ({"first_schedule": 2}, "first_schedule"),
        ({"training": Training(gradients=DPSGD(noise_multiplier=1.0, clip=1.0))}, "private"),
        ({"first": Training(gradients=DPSGD(noise_multiplier=1.0, clip=1.0))}, "private"),
    ],
)
def test_what_it_refuses(fields, said):
    with pytest.raises(BadInput, match=said) as caught:
        fine_tuning(**fields)
    assert "\n" not in str(caught.value)
