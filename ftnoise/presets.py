"""How much of the paper's protocol is run: all of it, minutes of it, or a sign of life.

A preset transforms any run's schedule and data, so it is part of the run's identity and written
once for all experiments.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ftnoise.spec import Experiment, Row, Run, Spec, expect, is_count


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A share of the protocol.

    Args:
        name: as typed after `--preset`.
        summary: one line for `--help` and for the report.
        epochs: share of the run's epochs, > 0 (drops of the learning rate keep their places; above
            1 where there are few examples), or None for exactly one epoch.
        rate: factor of the learning rate, > 0, where the gradients have no noise, which would grow
            with it. Above 1 where there are few steps: otherwise they move the weights too little
            for a penalty to be felt or a network to overfit.
        batch_size: examples a step, at most; None for the run's own.
        attack_steps: steps of an attack in training, at most; None for the run's own.
        train_examples, test_examples: at most that many, chosen once for all runs; None for all.
        masks: at most that many, where a measure draws masks of faults; None for all.
        attacked: test examples, at most, where a measure attacks them; None for all.
        adopted: whether models that an experiment only looks at (`Experiment.adopts`) are trained
            under it too, and not by the whole protocol, of which there are published ones.
        secret_key: noise in the gradients takes its key from the operating system.
        data_seeds: how many draws of the data, where they are drawn; the first is the paper's.
    """

    name: str
    summary: str
    epochs: float | None = 1.0
    rate: float = 1.0
    batch_size: int | None = None
    attack_steps: int | None = None
    train_examples: int | None = None
    test_examples: int | None = None
    masks: int | None = None
    attacked: int | None = None
    adopted: bool = True
    secret_key: bool = False
    data_seeds: int = 1

    @property
    def whole(self) -> bool:
        """Whether it is all of the protocol."""
        examples = (self.train_examples, self.test_examples, self.attacked)
        others = (self.masks, self.batch_size, self.attack_steps)
        return (self.epochs, self.rate) == (1.0, 1.0) and not any((*examples, *others))

    def with_secret_key(self) -> Preset:
        """The same share of the protocol as a private release, under a name of its own."""
        return dataclasses.replace(
            self,
            name=f"{self.name}-secret",
            summary=f"{self.summary}; noise with a secret key",
            secret_key=True,
        )

    def with_data_seeds(self, count: int) -> Preset:
        """The same share of the protocol on so many draws of the data, under a name of its own."""
        expect(is_count(count), "--data-seeds to be at least 1", data_seeds=count)
        if count == 1:
            return self
        return dataclasses.replace(
            self,
            name=f"{self.name}-{count}-data-seeds",
            summary=f"{self.summary}; {count} draws of the data",
            data_seeds=count,
        )

    def of(self, experiment: Experiment) -> Experiment:
        """The experiment, its measures being under this preset; its runs are not (see `apply`)."""
        shown = (*experiment.columns, *experiment.pictures)
        columns = len(experiment.columns)
        found = [self._smaller(one) for one in shown]
        return dataclasses.replace(
            experiment, columns=tuple(found[:columns]), pictures=tuple(found[columns:])
        )

    def _smaller(self, shown: Any) -> Any:
        measure = getattr(shown, "measure", None)
        for most, name in ((self.masks, "with_masks"), (self.attacked, "with_examples")):
            if most is not None and hasattr(measure, name):
                measure = getattr(measure, name)(most)
        return shown if measure is None else dataclasses.replace(shown, measure=measure)

    def run(self, experiment: Experiment, row: Row) -> Run:
        """The run of a row of an experiment under this preset."""
        return row.run if experiment.adopts and not self.adopted else self.apply(row.run)

    def runs(self, experiment: Experiment, row: Row) -> list[Run]:
        """The run of a row on each draw of the data."""
        run = self.run(experiment, row)
        if self.data_seeds == 1:
            return [run]
        expect(
            hasattr(run.data, "redrawn"),
            "--data-seeds with data that are drawn, such as the circles of table3",
            data=run.data.slug,
        )
        draws = range(self.data_seeds)
        return [dataclasses.replace(run, data=run.data.redrawn(number)) for number in draws]

    def says(self, experiment: Experiment) -> str:
        """What it is, of the results of an experiment."""
        if experiment.adopts and not self.adopted:
            return (
                f"{self.masks} masks of faults, {self.attacked:,} attacked examples, "
                "on models of the whole protocol"
            )
        return self.summary

    def apply(self, run: Run) -> Run:
        """A run under this preset."""
        epochs = 1 if self.epochs is None else max(1, round(self.epochs * run.schedule.epochs))
        schedule = run.schedule.resized(epochs)
        training = run.training
        gradients = getattr(training, "gradients", None)
        noisy = gradients is not None and getattr(gradients, "noisy", True)
        rate = 1.0 if noisy else self.rate
        if self.secret_key and hasattr(training, "with_secret_key"):
            training = training.with_secret_key()
        if self.attack_steps is not None and getattr(training, "inputs", None) is not None:
            inputs = _with_steps(training.inputs, self.attack_steps)
            training = dataclasses.replace(training, inputs=inputs)
        schedule = dataclasses.replace(
            schedule,
            learning_rate=rate * schedule.learning_rate,
            batch_size=_least(schedule.batch_size, self.batch_size) or schedule.batch_size,
        )
        return dataclasses.replace(
            run,
            training=training,
            schedule=schedule,
            train_examples=_least(run.train_examples, self.train_examples),
            test_examples=_least(run.test_examples, self.test_examples),
        )


def _with_steps(member: Any, most: int) -> Any:
    """A spec, or the attack in it, with at most so many steps, which reach as far together.

    None is longer than the radius, from which there is nowhere to go.
    """
    if isinstance(attack := getattr(member, "attack", None), Spec):
        return dataclasses.replace(member, attack=_with_steps(attack, most))
    steps = getattr(member, "steps", 0)
    if steps <= most:
        return member
    size = min(member.step * steps / most, member.attack_epsilon)
    return dataclasses.replace(member, steps=most, step_size=size or None)


def _least(own: int | None, most: int | None) -> int | None:
    sizes = [size for size in (own, most) if size is not None]
    return min(sizes) if sizes else None


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(name="paper", summary="the paper's protocol"),
        Preset(
            name="quick",
            summary="3,000 training images, half the epochs, thrice the learning rate (but for "
            "noise in the gradients), 3 steps of attacks in training, 8 masks of faults, 200 "
            "attacked examples: a trend",
            epochs=0.5,
            rate=3.0,
            train_examples=3000,
            attack_steps=3,
            masks=8,
            attacked=200,
            adopted=False,
        ),
        Preset(
            name="smoke",
            summary="one epoch on a few images, to see that everything runs",
            epochs=None,
            train_examples=256,
            test_examples=256,
            masks=2,
            attacked=32,
        ),
    )
}


def named(name: str, experiment: Experiment) -> Preset:
    """The preset of that name: the experiment's own, or the common one."""
    return next((own for own in experiment.presets if own.name == name), PRESETS[name])
