"""Fault campaigns: many random trials on one network, computed by one compiled function.

A trial is an input of that function, so no trial rebuilds the network. The part of the network
before the first fault is computed once for all trials. Parameters enter the compiled function as
tensors in place of variables, which are never assigned; crashed neurons are removed from the kernel
that they feed, if all layers between map zero to zero. The results are one bit for each trial and
example, whether the prediction is correct, and the output deviation: the Euclidean distance to the
fault-free outputs.

A campaign has the sites, effect and duration of a fault; the rate is an argument of each call. A
network that draws (`layers.drawing`) makes one draw for each trial, the same for all examples of a
call; the golden network makes that of trial 0.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import count
from ftnoise.core.errors import BadInput, FtnoiseError, RunFailed, one_line
from ftnoise.faults.compatibility import check_examples, threshold_of
from ftnoise.faults.fault import Fault
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.graph import unfold
from ftnoise.faults.injection import faulty_parameters
from ftnoise.faults.outcomes import TrialResults
from ftnoise.faults.rates import Rate, Share
from ftnoise.faults.trials import Trial, TrialSampler, TrialStream
from ftnoise.layers.drawing import drawing

# Measured by tests/benchmarks/faults.py on two cores, 10,000 images: 8 trials were no faster than 4
# for whole networks; 2 took 1.3 times as long on fmnist_dnn.
TRIALS = 4  # in one call: they run in parallel, and share their reads
# 2,300 images on fmnist_dnn and 210 on fmnist_cnn1; half and twice as many took about the same
# time, 9,000 on fmnist_dnn (weights) 1.7 times as long.
CALL_BYTES = 2**26  # of outputs of layers, for all trials and examples of one call
KEPT_BYTES = 2**29  # of the part before the first fault, for all examples
# Faults in the last layer have small outputs: 5,000 take 0.5 to 0.8 of the time of 1,000.
MOST_EXAMPLES = 5000  # in one call


class Campaign:
    """The faults of one kind in one network, on one set of examples.

    Args:
        network: Sequential or functional, with one output: `[batch, classes]`, or `[batch, 1]` for
            two classes. It is never changed.
        x: examples `[n, ...]`, or a list of arrays for several inputs.
        y: integer labels `[n]`.
        fault: where, what, how long. Its rate is not used: `run` and `outputs` take one.
        seed: an integer >= 0; with the number of a trial it draws the sites.
        examples_per_call: the most examples of a call; None chooses by the memory it takes.
        trials_per_call: number of trials that are computed side by side.
        threshold: of a network with one output: above it, the network predicts class 1; None is
            0.5 for a sigmoid and 0 for a logit.

    Attributes:
        site_count: the number of sites that may be hit.
        golden: the outputs without faults, `[n, classes]`.
        correct: whether the network is right without faults, bool `[n]`.

    Raises:
        BadInput: the network has no such sites, or does not fit the examples or labels, or its
            outputs are not finite.
    """

    def __init__(
        self,
        network: keras.Model,
        x: Any,
        y: Any,
        fault: Fault,
        *,
        seed: int = 0,
        examples_per_call: int | None = None,
        trials_per_call: int = TRIALS,
        threshold: float | None = None,
    ) -> None:
        count(least=0, seed=seed)
        self.network, self.fault = network, fault
        graph = unfold(network)
        self.x, self.y = check_examples(network, x, y)
        self.targets = fault.where.targets(network)
        self.sampler = TrialSampler(fault, self.targets, seed)
        self.site_count = self.sampler.site_count
        self.one_by_one = fault.transient and not fault.where.outputs
        self.trials_per_call = 1 if self.one_by_one else trials_per_call
        self.threshold = threshold_of(network, threshold)
        self.faulty = FaultyNetwork(graph, fault, self.targets)
        self.examples_per_call = self._examples_per_call(examples_per_call)
        each = fault.transient and fault.where.outputs
        self._clean = Traced(self.faulty.clean, (True,))
        self._parameters = Traced(self._parameters_of, (False,))
        self._faulty = Traced(self._faulty_of, (True, True, True, each, False))
        self.refresh()

    def network_draw(self, trial: int) -> Any:
        """The key of the network's own draw in a trial, an int64 pair for `drawing`."""
        return seeds.at_step(seeds.key(self.sampler.seed, "network in a fault trial"), trial)

    def refresh(self) -> None:
        """Recomputes the stored values of the fault-free network after its parameters changed.

        Nothing is compiled anew: the compiled functions read the network's own variables.

        Raises:
            BadInput: the network's outputs are not finite.
        """
        self._before = self._kept_before()
        self.golden = np.zeros([len(self.y), self.network.output_shape[-1]], np.float32)
        # By the same compiled function, whose rounding may be its own.
        golden = self.outputs(0, Share(rate=0.0))
        bad = np.flatnonzero(~np.isfinite(golden).all(axis=1))
        if len(bad):
            raise BadInput(
                f"Expected finite outputs of {self.network.name} without faults. Received: NaN or "
                f"infinity for {len(bad)} of {len(golden)} examples, the first being {bad[0]}."
            )
        self.golden = golden
        self.correct = self.right(golden)

    def _examples_per_call(self, most: int | None) -> int:
        sizes = [
            4 * math.prod(size or 1 for size in shape[1:])
            for step in self.faulty.after
            for shape in step.shapes
        ]
        held = max(1, self.trials_per_call * sum(sizes))
        chosen = most or min(MOST_EXAMPLES, max(1, CALL_BYTES // held))
        return 1 if self.one_by_one else min(chosen, len(self.y))

    def run(self, trials: Sequence[int], rate: Rate) -> TrialResults:
        """The results of the trials with these numbers (>= 0, at least one) at a rate."""
        size = self.trials_per_call
        # Another size would be compiled anew, which takes longer than some spare trials.
        numbers = [*trials, *[trials[-1]] * (-len(trials) % size)]
        groups = [self._together(numbers[n : n + size], rate) for n in range(0, len(numbers), size)]
        joined = (np.concatenate(parts)[: len(trials)] for parts in zip(*groups, strict=True))
        return TrialResults(*joined)

    def outputs(self, trial: int, rate: Rate) -> np.ndarray:
        """The network's outputs in the trial with this number (>= 0) at a rate, `[n, classes]`."""
        calls = self._calls([trial] * self.trials_per_call, rate)
        return np.concatenate([outputs.numpy() for (*_, outputs), _ in calls])

    def right(self, outputs: np.ndarray) -> np.ndarray:
        """Whether outputs `[n, classes]` of the first n examples are right, bool `[n]`."""
        return self._right(tf.constant(outputs), tf.constant(self.y[: len(outputs)])).numpy()

    def _together(self, trials: Sequence[int], rate: Rate) -> tuple[np.ndarray, ...]:
        """The results of one group of trials, in the order of `TrialResults`."""
        found, faults = zip(*self._calls(trials, rate), strict=True)
        correct, distances, finite = (
            np.concatenate([part[n].numpy() for part in found], axis=1) for n in range(3)
        )
        counts = np.count_nonzero(finite, axis=1)
        none = counts == 0
        return (
            correct,
            np.where(none, math.inf, distances.sum(axis=1) / np.maximum(counts, 1)),
            np.where(none, math.inf, distances.max(axis=1)),
            (len(self.y) - counts).astype(np.float64),
            sum(faults, np.zeros(len(trials))),
        )

    def _calls(
        self, trials: Sequence[int], rate: Rate
    ) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
        """By chunks of the examples, the results of `_faulty_of` for a group of trials.

        And the number of sites that are hit, weighted by the chunk's share of the examples.
        """
        draws = tf.stack([self.network_draw(number) for number in trials])
        transient = self.fault.transient
        streams = [TrialStream(self.sampler, number, rate) for number in trials if transient]
        drawn = [self.sampler.trial(number, rate) for number in trials if not transient]
        inputs = [self._inputs_of(trial) for trial in drawn]
        for start in range(0, len(self.y), self.examples_per_call):
            part = slice(start, start + self.examples_per_call)
            y = tf.constant(self.y[part])
            if transient:
                drawn = [stream.trial(len(y)) for stream in streams]
                inputs = [self._inputs_of(trial) for trial in drawn]
            hit = np.array([trial.count for trial in drawn], float) * (1 if transient else len(y))
            before = self._clean_part(part) if self._before is None else self._before[start]
            golden = tf.constant(self.golden[part])
            yield self._faulty(before, y, golden, inputs, draws), hit / len(self.y)

    def _inputs_of(self, trial: Trial) -> Any:
        """The arguments of the compiled function for a trial: parameters, or hits and draws."""
        if self.one_by_one:
            trial = trial.first()
        pairs = [
            (tf.constant(hit), None if draw is None else tf.constant(draw))
            for hit, draw in trial.pairs
        ]
        return pairs if self.fault.where.outputs else self._parameters(pairs)

    def _parameters_of(self, pairs: list[Any]) -> list[Any]:
        return faulty_parameters(self.fault.what, self.targets, pairs)

    def _clean_part(self, part: slice) -> Any:
        return self._clean([tf.constant(x[part]) for x in self.x])

    def _kept_before(self) -> dict[int, Any] | None:
        """The values before the first fault, by the start of each chunk; None if too large."""
        size = self.examples_per_call
        values = self._clean_part(slice(size))
        tensors = [value for value in tf.nest.flatten(values) if value is not None]
        if sum(value.numpy().nbytes for value in tensors) / size * len(self.y) > KEPT_BYTES:
            return None
        rest = range(size, len(self.y), size)
        return {0: values} | {start: self._clean_part(slice(start, start + size)) for start in rest}

    def _faulty_of(
        self, before: list[Any], y: Any, golden: Any, trials: list[Any], draws: Any
    ) -> tuple[Any, ...]:
        """Correctness bits, output deviations and finite bits `[trials, examples]` of a chunk.

        And the outputs in the first trial. A deviation is 0 where an output is not finite.
        """
        correct, distances, finite, all_outputs = [], [], [], []
        for n, trial in enumerate(trials):
            with drawing(draws[n]):
                outputs = self.faulty.outputs(before, trial)
            all_outputs.append(outputs)
            correct.append(self._right(outputs, y))
            finite.append(tf.reduce_all(tf.math.is_finite(outputs), axis=-1))
            # The square of a float32 may be beyond all float32.
            apart = tf.cast(outputs, tf.float64) - tf.cast(golden, tf.float64)
            far = tf.norm(apart, axis=-1)
            distances.append(tf.where(finite[-1], far, tf.zeros_like(far)))
        return tf.stack(correct), tf.stack(distances), tf.stack(finite), all_outputs[0]

    def _right(self, outputs: Any, y: Any) -> Any:
        """Whether outputs `[n, classes]` are right, bool `[n]`; NaN never is."""
        if outputs.shape[-1] == 1:
            predicted = tf.cast(outputs[:, 0] > self.threshold, y.dtype)
        else:
            predicted = tf.argmax(outputs, axis=-1, output_type=y.dtype)
        return (predicted == y) & ~tf.reduce_any(tf.math.is_nan(outputs), axis=-1)


class Traced:
    """A function that is compiled once, for any number of examples.

    Args:
        function: of nested lists of tensors and None.
        by_example: for each argument, whether the first axis of its tensors is that of examples.
    """

    def __init__(self, function: Callable[..., Any], by_example: tuple[bool, ...]) -> None:
        self.function, self.by_example = function, by_example
        self._compiled: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            specs = [
                tf.nest.map_structure(partial(_spec, by_example=by_example), argument)
                for argument, by_example in zip(arguments, self.by_example, strict=True)
            ]
            try:
                self._compiled = tf.function(self.function).get_concrete_function(*specs)
            except FtnoiseError:
                raise
            except Exception as error:  # a user's layer may raise anything
                cause: BaseException = error
                # Without the lines of code that TensorFlow puts before it.
                while "in user code:" in str(cause) and cause.__context__ is not None:
                    cause = cause.__context__
                raise BadInput(
                    f"Expected layers that TensorFlow can compile. Received: {one_line(cause)}"
                ) from error
        return self._compiled(*arguments)


def _spec(tensor: Any, by_example: bool) -> Any:
    if tensor is None:
        return None
    # A tensor before the first fault may also be a single number.
    examples = [None] if by_example and tensor.shape.rank else tensor.shape[:1]
    return tf.TensorSpec([*examples, *tensor.shape[1:]], tensor.dtype)


def digest(network: keras.Model) -> str:
    """SHA-256 (hex) of all of a network's variables, in Keras' order."""
    found = hashlib.sha256()
    for variable in network.weights:
        found.update(variable.numpy().tobytes())
    return found.hexdigest()


@contextlib.contextmanager
def unchanged(network: keras.Model) -> Iterator[str]:
    """Gives the network's digest; `RunFailed` if it is another one at the end of the block."""
    before = digest(network)
    yield before
    if digest(network) != before:
        raise RunFailed(f"Expected {network.name} to be unchanged. Received: another digest.")
