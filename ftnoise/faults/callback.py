"""A Keras callback that breaks a network while it is trained, or asks how it takes being broken.

During training, faults are in force inside the compiled training step, forward and backward, and
nowhere else. Between two steps the network is sound, so validation, checkpoints, other callbacks
and whoever catches an exception find it so, and there is nothing to put back. The places that are
hit are variables of that step: another epoch's faults compile nothing anew.

After training, or after some epochs, a `Campaign` says how accurate the network is under faults.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import expect, is_count
from ftnoise.core.errors import BadInput
from ftnoise.faults.amounts import Amount, Bernoulli, Share
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.fault import Fault, fault_of
from ftnoise.faults.faulty_network import expect_held, held
from ftnoise.faults.injection import (
    called_through,
    constant,
    faulty_parameters,
    pairs,
    streamed,
    taps,
)
from ftnoise.faults.masks import Drawer, Mask, Stream
from ftnoise.faults.step import TrainingStep
from ftnoise.stats import is_finite

# An amount, a rate in [0, 1], or None for no faults.
Strength = Amount | float | None
Schedule = Strength | Mapping[int, Strength] | Callable[[int], Strength]


class FaultInjection(keras.callbacks.Callback):
    """Faults during training (`schedule`), and accuracy under faults after it (`evaluate`).

    `model.fit(x, y, epochs=9, callbacks=[FaultInjection("neurons:stuck_at_zero:0.1",
    schedule={3: 0.1, 4: 0.2}, evaluate=(x_test, y_test))])` crashes a tenth of the hidden neurons
    in the fourth epoch and a fifth in the next one, and adds `faulty_accuracy`, with a tenth
    crashed, to the history.

    A neuron that is hit gives its faulty value in every training step of the epoch, and a parameter
    is read as its faulty value; the gradient is that of the network so broken. What is stuck thus
    gets no gradient, and what is stored of it waits (but an optimizer with momentum or weight decay
    may still move it). After the epoch everything works again as it was stored. Statistics of
    batch normalization count what they see; penalties on weights see what is stored.

    Several of these callbacks may be in force together, such as one for neurons and one for
    weights. Put them before callbacks that read their entries in `logs`, such as EarlyStopping.

    After an exception in `fit` the model is sound and has no taps; only its compiled training step
    is still called through a `TrainingStep`, which then does nothing. `release()` takes that away,
    as does the end of a block `with FaultInjection(...) as faults:`, or of a `fit` with it.

    Args:
        fault: where, what, how much, how long, or its short form. A transient one of neurons is
            drawn for each example in the order in which training sees them.
        seed: an integer >= 0. Faults of training and of `evaluate` are drawn independently; the
            latter are the masks 0, 1, ... of a `Campaign` with this seed.
        schedule: which faults are in force in which epoch (from 0, as `fit` counts them): an
            amount for all epochs, a mapping from epochs to amounts, or a function of the epoch.
            For an amount may stand a rate in [0, 1], the fault's own amount at that rate (a
            `Share` if the fault has a `Count`). None is no faults.
        hold: False, for parameters only: what is stored is hit once, at the beginning of each
            epoch, and training goes on from there. This is not put back.
        redraw: a new mask each epoch, numbered by the epoch, so a training that is resumed with
            `initial_epoch` draws the same; False is mask 0 in all epochs, of which a higher amount
            hits more.
        evaluate: examples and integer labels `(x, y)`, as a `Campaign` takes them; None measures
            nothing.
        masks: how many masks are measured, >= 2; the same ones each time.
        every: measure after so many epochs, and in any case after the last; None only after that.
        threshold: for `evaluate` of a model with one output, as a `Campaign` takes it.
        name: begins the entries in `logs` and TensorBoard: `<name>_accuracy`, in [0, 1], and
            `<name>_accuracy_spread`, the standard deviation over masks. They are NaN when the
            sound network's outputs are not finite.
        log_dir: TensorBoard's folder; scalars are written to `faults` in it: the above, how many
            places are hit in an epoch (`<name>_places`; if transient, in the first example) and
            their share of all places (`<name>_share`).

    Attributes:
        mask: the mask in force in this epoch, or in the last one; None if there is none.
        accuracies: the accuracy under each mask, `[masks]`, by epoch.

    Raises:
        BadInput: here or when training begins, for what cannot be right.
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
        masks: int = 10,
        every: int | None = 1,
        threshold: float | None = None,
        name: str = "faulty",
        log_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        fault = fault_of(fault)
        expect(is_count(seed, least=0), "seed an integer >= 0", seed=seed)
        expect(isinstance(hold, bool), "hold True or False", hold=hold)
        expect(isinstance(redraw, bool), "redraw True or False", redraw=redraw)
        expect(is_count(masks, least=2), "masks >= 2", masks=masks)
        expect(every is None or is_count(every), "every >= 1 epochs, or None", every=every)
        expect(isinstance(name, str) and name != "", "name to be a word", name=name)
        expect(
            schedule is not None or evaluate is not None,
            "schedule (faults during training) or evaluate (accuracy under faults)",
            schedule=schedule,
            evaluate=evaluate,
        )
        expect(
            evaluate is None or (isinstance(evaluate, tuple | list) and len(evaluate) == 2),
            "evaluate to be (x, y)",
            evaluate=type(evaluate).__name__,
        )
        parameters = not fault.where.outputs
        expect(hold or parameters, "hold=True for neurons, which store nothing", hold=hold)
        expect(
            schedule is None or not (fault.transient and parameters),
            "a fault during training that is not transient, or one of neurons, as a batch shares "
            "its parameters",
            fault=fault,
        )
        if isinstance(schedule, Mapping):
            expect(
                all(is_count(epoch, least=0) for epoch in schedule),
                "schedule with epochs >= 0",
                epochs=list(schedule),
            )
        if not callable(schedule):
            strengths = schedule.values() if isinstance(schedule, Mapping) else [schedule]
            for strength in strengths:
                _amount(strength, fault)
        self.fault, self.seed, self.schedule, self.hold = fault, seed, schedule, hold
        self.redraw, self.evaluate, self.masks, self.every = redraw, evaluate, masks, every
        self.threshold, self.name, self.log_dir = threshold, name, log_dir
        self.mask: Mask | None = None
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
        """Takes what is left of an interrupted training from the model."""
        self._armed = []
        if self._step is not None:
            self._step.leave(self)
            self._step = None
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Finds the places, and takes a seat in the training step."""
        del logs
        self.release()
        self.mask, self._epoch, self.accuracies = None, None, {}
        if self.evaluate is not None and (
            self._campaign is None or self._campaign.network is not self.model
        ):
            self._campaign = Campaign(
                self.model, *self.evaluate, self.fault, seed=self.seed, threshold=self.threshold
            )
        if self.schedule is not None:
            self._prepare()
        if self.log_dir is not None:
            self._writer = tf.summary.create_file_writer(str(Path(self.log_dir, "faults")))

    def _prepare(self) -> None:
        replicas = self.model.distribute_strategy.num_replicas_in_sync
        expect(replicas == 1, "training on one device", replicas=replicas)
        self._sites = self.fault.where.sites(self.model)
        # Not the masks of `evaluate`: nobody is examined on what was trained.
        self._drawer = Drawer(self.fault, self._sites, seeds.key(self.seed, "faults in training"))
        self.fault.amount.check(self._drawer.places)
        if not self.hold:
            return
        if not self.fault.where.outputs:
            expect_held(self._sites)
        none = self._drawer.mask(0, Share(rate=0))
        self._variables = [
            (
                tf.Variable(hit, trainable=False),
                None if draw is None else tf.Variable(draw, trainable=False),
            )
            for hit, draw in pairs(none)
        ]
        self._step = TrainingStep.of(self.model)
        self._step.join(self)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Draws the epoch's faults."""
        del logs
        self._epoch, self.mask = epoch, None
        if self.schedule is None:
            return
        amount = _amount(_at(self.schedule, epoch), self.fault)
        places = 0
        if amount is not None:
            amount.check(self._drawer.places)
            number = epoch if self.redraw else 0
            self.mask = self._drawer.mask(number, amount)
            places = self.mask.count
            self._strike(self.mask, number, amount)
        self._write(epoch, places=places, share=places / self._drawer.places)

    def _strike(self, mask: Mask, number: int, amount: Amount) -> None:
        if not self.hold:
            values = faulty_parameters(self.fault.what, self._sites, mask)
            for site, value in zip(self._sites, values, strict=True):
                site.variable.assign(value)  # type: ignore[attr-defined]
        elif self.fault.transient:
            self._stream = Stream(self._drawer, number, amount)
        else:
            for (hit, draw), (hit_now, draw_now) in zip(self._variables, pairs(mask), strict=True):
                hit.assign(hit_now)
                if draw is not None:
                    draw.assign(draw_now)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Says that the coming step is faulty; a step that was not announced here is sound."""
        del batch, logs
        hits = self.mask is not None and (self.fault.transient or self.mask.count > 0)
        # With the `History` that Keras makes for each `fit`: should the next callback raise, the
        # announcement is not left for another one.
        self._armed = [getattr(self.model, "history", None)] if self.hold and hits else []

    def disarm(self) -> bool:
        """Whether the step that begins is faulty; the next one has to be announced again."""
        armed, self._armed = self._armed, []
        return bool(armed) and armed[0] is getattr(self.model, "history", None)

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """What is traced inside the block is faulty in the places that the variables say."""
        fault, sites = self.fault, self._sites
        if not fault.where.outputs:
            with called_through(self.model, self._reading):
                yield
            return
        if fault.transient:
            functions = [streamed(self._drawer, self._current, n) for n in range(len(sites))]
        else:
            functions = [constant(fault.what, *one) for one in self._variables]
        with taps(sites, functions):
            yield

    def _current(self) -> Stream:
        return self._stream

    def _reading(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A model's `call` whose layers read faulty parameters, gradients passing through."""
        sites, what = self._sites, self.fault.what
        mask: Any = Mask(*map(tuple, zip(*self._variables, strict=True)))

        def reading_call(*args: Any, **kwargs: Any) -> Any:
            with held(sites, faulty_parameters(what, sites, mask)):
                return call(*args, **kwargs)

        return reading_call

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measures, where it is time to."""
        last = self.model.stop_training or epoch + 1 == (self.params or {}).get("epochs")
        if last or (self.every is not None and (epoch + 1) % self.every == 0):
            found = self._measure(epoch)
            if logs is not None:
                logs.update(found)

    def on_train_end(self, logs: Any = None) -> None:
        """Measures, if a callback after this one has ended the training; leaves the model."""
        del logs
        if self._epoch is not None and self._epoch not in self.accuracies:
            self._measure(self._epoch)
        self.release()

    def _measure(self, epoch: int) -> dict[str, float]:
        """The entries for `logs`."""
        if self._campaign is None:
            return {}
        try:
            self._campaign.refresh()
            found = self._campaign.run(range(self.masks)).correct.mean(axis=1)
        except BadInput:  # not finite: no reason to end a training that Keras goes on with
            found = np.full(self.masks, math.nan)
        self.accuracies[epoch] = found
        measured = {"accuracy": found.mean(), "accuracy_spread": found.std(ddof=1)}
        return self._write(epoch, **measured)

    def _write(self, epoch: int, **scalars: float) -> dict[str, float]:
        named = {f"{self.name}_{key}": float(value) for key, value in scalars.items()}
        if self._writer is not None:
            with self._writer.as_default(step=epoch):
                for key, value in named.items():
                    tf.summary.scalar(key, value)
            self._writer.flush()
        return named


def _at(schedule: Schedule, epoch: int) -> Any:
    if isinstance(schedule, Mapping):
        return schedule.get(epoch)
    return schedule(epoch) if callable(schedule) else schedule


def _amount(strength: Any, fault: Fault) -> Amount | None:
    if strength is None or isinstance(strength, Amount):
        return strength
    expect(
        is_finite(strength) and 0 <= strength <= 1,
        "schedule of Amounts, rates in [0, 1] or None",
        schedule=strength,
    )
    own = fault.amount if isinstance(fault.amount, Share | Bernoulli) else Share(rate=0)
    return replace(own, rate=float(strength))
