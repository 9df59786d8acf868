"""A Keras callback: faults in a network while it trains, and its accuracy under faults.

During training, faults are in force inside the compiled training step, forward and backward, and
nowhere else. Between two steps the network is fault-free, also for validation, checkpoints, other
callbacks and the handler of an exception, and nothing needs to be restored. The sites are variables
of that step: the faults of another epoch compile nothing anew.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import boolean, count, expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.fault import Fault, expect_unstored
from ftnoise.faults.injection import (
    expect_no_jit,
    faulty_parameters,
    put_aside,
    streaming,
    striking,
    taps,
)
from ftnoise.faults.parsing import fault_of
from ftnoise.faults.rates import Bernoulli, Rate, Share
from ftnoise.faults.sites import expect_held, held
from ftnoise.faults.trials import Trial, TrialSampler, TrialStream
from ftnoise.layers.replacing import holding
from ftnoise.stats import is_finite

# A rate, a number in [0, 1], or None for no faults.
Strength = Rate | float | None
Schedule = Strength | Mapping[int, Strength] | Callable[[int], Strength]


class FaultInjection(keras.callbacks.Callback):
    """Faults during training (`schedule`), and accuracy under faults after it (`evaluate`).

    `model.fit(x, y, epochs=9, callbacks=[FaultInjection("neurons:stuck_at=0:0.1",
    schedule={3: 0.1, 4: 0.2}, evaluate=(x_test, y_test))])` crashes a tenth of the hidden neurons
    in the fourth epoch and a fifth in the next one, and adds `faulty_accuracy`, with a tenth
    crashed, to the history.

    A neuron that is hit gives its faulty value and a parameter that is hit is read as its faulty
    value; the gradient is that of the faulty network. So a stuck parameter gets no gradient and
    keeps its stored value (but momentum or weight decay may still move it), which is used again
    after the epoch. Batch normalization counts the faulty values; penalties on weights use the
    stored ones.

    Several of these callbacks may be in force together. Put them before callbacks that read their
    entries in `logs`, such as EarlyStopping. After an exception in `fit` the model is fault-free;
    `release()`, or the end of a block `with FaultInjection(...) as faults:`, removes what is left
    of the callback in its compiled training step.

    Args:
        fault: a `Fault` or its text form. A transient one of neurons is drawn for each example in
            the order in which training sees them.
        seed: an integer >= 0. `evaluate` has the trials 0, 1, ... of a `Campaign` with this seed,
            at the fault's rate; training has others.
        schedule: the rate in each epoch (from 0): one rate for all epochs, a mapping from epochs
            to rates, or a function of the epoch. A number in [0, 1] is the fault's own kind of
            rate (a `Share` if the fault has a `Count`); None is no faults.
        hold: False, for parameters only: the stored values are hit once, at the beginning of each
            epoch, and training continues from there. This is not restored.
        redraw: a new trial each epoch, numbered by the epoch; False is trial 0 in all epochs.
        evaluate: examples and integer labels `(x, y)`, as a `Campaign` takes them, or None.
        trials: number of trials of each measurement, >= 2; the same ones each time.
        every: epochs between measurements; the last epoch is always measured. None is only that.
        threshold: for `evaluate` of a model with one output, as a `Campaign` takes it.
        name: begins the entries in `logs` and TensorBoard: `<name>_accuracy`, in [0, 1], and
            `<name>_accuracy_spread`, the standard deviation over trials. They are NaN when the
            fault-free network's outputs are not finite.
        log_dir: TensorBoard's folder; scalars are written to `faults` in it: the above, the number
            of sites hit in an epoch (`<name>_sites`; if transient, in the first example) and their
            share of all sites (`<name>_share`).

    Attributes:
        trial: the trial in force in this epoch, or in the last one; None without faults.
        accuracies: the accuracy in each trial, `[trials]`, by epoch.

    Raises:
        BadInput: here or when training begins, for arguments that do not fit.
    """

    def __init__(
        self,
        fault: Fault | str,
        *,
        seed: int = 0,
        schedule: Schedule = None,
        hold: bool = True,
        redraw: bool = True,
        evaluate: tuple[Any, Any] | None = None,
        trials: int = 10,
        every: int | None = 1,
        threshold: float | None = None,
        name: str = "faulty",
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        self.fault = fault = fault_of(fault)
        expect_unstored(fault)
        count(least=0, seed=seed)
        boolean(hold=hold, redraw=redraw)
        count(least=2, trials=trials)
        count(optional=True, every=every)
        expect(isinstance(name, str) and name != "", "name to be a non-empty string", name=name)
        expect(
            schedule is not None or evaluate is not None,
            "schedule (faults during training) or evaluate (accuracy under faults)",
            schedule=schedule,
            evaluate=evaluate,
        )
        two = evaluate is None or (isinstance(evaluate, tuple | list) and len(evaluate) == 2)
        expect(two, "evaluate to be (x, y)", evaluate=type(evaluate).__name__)
        parameters = not fault.where.outputs
        expect(hold or parameters, "hold=True for neurons, which store nothing", hold=hold)
        expect(
            schedule is None or not (fault.transient and parameters),
            "a fault during training that is not transient, or one of neurons, as a batch shares "
            "its parameters",
            fault=fault,
        )
        if isinstance(schedule, Mapping):
            known = all(is_count(epoch, least=0) for epoch in schedule)
            expect(known, "schedule with epochs >= 0", epochs=list(schedule))
            for strength in schedule.values():
                _rate(strength, fault)
        elif not callable(schedule):
            _rate(schedule, fault)
        self.seed, self.schedule, self.hold = seed, schedule, hold
        self.redraw, self.evaluate, self.trials, self.every = redraw, evaluate, trials, every
        self.threshold, self.name, self.log_dir = threshold, name, log_dir
        self.trial: Trial | None = None
        self.accuracies: dict[int, np.ndarray] = {}
        self._epoch: int | None = None
        self._armed: list[Any] = []
        self._step: TrainingStep | None = None
        self._campaign: Campaign | None = None
        self._writer: Any = None

    def __enter__(self) -> FaultInjection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Removes the remains of an interrupted training from the model."""
        self._armed = []
        if self._step is not None:
            self._step.leave(self)
            self._step = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Finds the sites, and joins the training step."""
        self.release()
        self.trial, self._epoch, self.accuracies = None, None, {}
        if self.evaluate is not None and (
            self._campaign is None or self._campaign.network is not self.model
        ):
            self._campaign = Campaign(
                self.model, *self.evaluate, self.fault, seed=self.seed, threshold=self.threshold
            )
        if self.schedule is not None:
            replicas = self.model.distribute_strategy.num_replicas_in_sync
            expect(replicas == 1, "training on one device", replicas=replicas)
            if self.fault.transient:
                expect_no_jit(self.model)
            self._targets = self.fault.where.targets(self.model)
            # Not the trials of `evaluate`, which tests on faults that training did not see.
            seed = seeds.key(self.seed, "faults in training")
            self._sampler = TrialSampler(self.fault, self._targets, seed)
            self.fault.rate.check(self._sampler.site_count)
        if self.schedule is not None and self.hold:
            if not self.fault.where.outputs:
                expect_held(self._targets)
            self._pairs: list[Any] = [
                [None if part is None else tf.Variable(part, trainable=False) for part in pair]
                for pair in self._sampler.trial(0, Share(rate=0)).pairs
            ]
            self._step = TrainingStep.joined(self)
        if self.log_dir is not None:
            self._writer = tf.summary.create_file_writer(str(Path(self.log_dir, "faults")))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Draws the epoch's faults."""
        self._epoch, self.trial = epoch, None
        if self.schedule is None:
            return
        given: Any = self.schedule
        if isinstance(given, Mapping):
            given = given.get(epoch)
        rate = _rate(given(epoch) if callable(given) else given, self.fault)
        sites = 0
        if rate is not None:
            number = epoch if self.redraw else 0
            self.trial = self._sampler.trial(number, rate)
            sites = self.trial.count
            if not self.hold:
                pairs = self.trial.pairs
                values = faulty_parameters(self.fault.what, self._targets, pairs)
                for target, value in zip(self._targets, values, strict=True):
                    target.variable.assign(value)
            elif self.fault.transient:
                calls = [target.calls for target in self._targets]
                self._stream = TrialStream(self._sampler, number, rate, calls)
            else:
                for variables, pair in zip(self._pairs, self.trial.pairs, strict=True):
                    for variable, value in zip(variables, pair, strict=True):
                        if variable is not None:
                            variable.assign(value)
        self._write(epoch, sites=sites, share=sites / self._sampler.site_count)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Announces that the coming step is faulty; a step that was not announced is fault-free."""
        hits = self.trial is not None and (self.fault.transient or self.trial.count > 0)
        # With the `History` that Keras makes for each `fit`: should the next callback raise, the
        # announcement does not stay for a later `fit`.
        self._armed = [getattr(self.model, "history", None)] if self.hold and hits else []

    def disarm(self) -> bool:
        """Whether the step that begins is faulty; the next one has to be announced again."""
        armed, self._armed = self._armed, []
        return bool(armed) and armed[0] is getattr(self.model, "history", None)

    def in_force(self) -> AbstractContextManager[None]:
        """A block in which traced operations are faulty at the sites in the variables."""
        what, targets, pairs = self.fault.what, self._targets, self._pairs
        if self.fault.where.outputs:
            if self.fault.transient:
                return streaming(self.model, self._sampler, lambda: self._stream)
            return taps(targets, [striking(what, *pair) for pair in pairs])
        call = self.model.call

        def faulty_call(*args: Any, **kwargs: Any) -> Any:
            # Read inside the call, so that gradients pass through.
            with held(targets, faulty_parameters(what, targets, pairs)):
                return call(*args, **kwargs)

        return holding(self.model, "call", faulty_call)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures, where it is due."""
        last = self.model.stop_training or epoch + 1 == (self.params or {}).get("epochs")
        if last or (self.every is not None and (epoch + 1) % self.every == 0):
            found = self._measure(epoch)
            if logs is not None:
                logs.update(found)

    def on_train_end(self, logs: Any = None) -> None:
        """Measures, if a callback after this one has ended the training; releases the model."""
        if self._epoch is not None and self._epoch not in self.accuracies:
            self._measure(self._epoch)
        self.release()

    def _measure(self, epoch: int) -> dict[str, float]:
        """The entries for `logs`."""
        if self._campaign is None:
            return {}
        try:
            self._campaign.refresh()
            found = self._campaign.run(range(self.trials), self.fault.rate).correct.mean(axis=1)
        except BadInput:  # not finite: no reason to end a training that Keras continues
            found = np.full(self.trials, math.nan)
        self.accuracies[epoch] = found
        return self._write(epoch, accuracy=found.mean(), accuracy_spread=found.std(ddof=1))

    def _write(self, epoch: int, **scalars: float) -> dict[str, float]:
        named = {f"{self.name}_{key}": float(value) for key, value in scalars.items()}
        if self._writer is not None:
            with self._writer.as_default(step=epoch):
                for key, value in named.items():
                    tf.summary.scalar(key, value)
            self._writer.flush()
        return named


class TrainingStep:
    """A model's compiled training step, with the faults that callbacks announced for the call.

    It replaces `model.train_function`. Keras does not notify callbacks of an exception, and a
    training may stop anywhere. So faults are announced for each step anew, and are removed before
    it returns or raises; a step that is not announced is compiled as if there were no faults.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model, self.fault_free = model, model.train_function
        self.callbacks: list[FaultInjection] = []
        # A step for each set of callbacks that were in force together.
        self.compiled: dict[tuple[FaultInjection, ...], Any] = {}

    @classmethod
    def joined(cls, callback: FaultInjection) -> TrainingStep:
        """The training step of the model, which applies this callback too from now on."""
        model: keras.Model = callback.model
        if not isinstance(model.train_function, cls):
            vars(model)["train_function"] = cls(model)
        step: TrainingStep = model.train_function
        # A step compiled for the callback may belong to a former training.
        step.compiled.clear()
        step.callbacks.append(callback)
        return step

    def leave(self, callback: FaultInjection) -> None:
        """Undoes `joined`; the last callback takes this object from the model."""
        self.callbacks.remove(callback)
        if not self.callbacks and self.model.train_function is self:
            vars(self.model)["train_function"] = self.fault_free

    def __call__(self, iterator: Any) -> Any:
        """One call of the compiled step, as Keras makes it."""
        active = tuple([callback for callback in self.callbacks if callback.disarm()])
        if not active:
            return self.fault_free(iterator)
        if active not in self.compiled:
            with put_aside(self.model):
                self.compiled[active] = self.model.make_train_function()
        with contextlib.ExitStack() as stack:
            for callback in active:
                stack.enter_context(callback.in_force())
            return self.compiled[active](iterator)


def _rate(strength: Any, fault: Fault) -> Rate | None:
    if strength is None or isinstance(strength, Rate):
        return strength
    expect(
        is_finite(strength) and 0 <= strength <= 1,
        "schedule of Rates, rates in [0, 1] or None",
        schedule=strength,
    )
    own = fault.rate if isinstance(fault.rate, Share | Bernoulli) else Share(rate=0)
    return replace(own, rate=float(strength))
