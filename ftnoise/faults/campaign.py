"""Fault campaigns: many random trials on one network, computed by one compiled function.

A trial is an input of that function, so no trial rebuilds the network. The part of the network
before the first fault is computed once for all trials. Parameters enter the compiled function as
tensors in place of variables, which are never assigned; crashed neurons are removed from the kernel
that they feed, if all layers between map zero to zero. The results are one bit for each trial and
example, whether the prediction is correct, the numbers of examples with each outcome of a fault
(`decisions.py`), and the output deviation: the Euclidean distance to the fault-free outputs.

NaN and infinity have one arithmetic, that of the layers one by one: TensorFlow does not fuse sums
with activations in these calls, which would make a NaN 0, or not, by processor and version.

A campaign has the sites, effect and duration of a fault; the rate is an argument of each call. A
network that draws (`layers.drawing`) makes one draw for each trial, the same for all examples of a
call, and is compared with itself in that draw without faults.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checks import count, expect
from ftnoise.core.errors import BadInput, FtnoiseError, RunFailed, one_line
from ftnoise.core.spec import weights_digest
from ftnoise.faults.compatibility import check_examples
from ftnoise.faults.decisions import Decisions
from ftnoise.faults.fault import Fault
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.injection import faulty_parameters, strike_few
from ftnoise.faults.outcomes import OUTCOMES, TrialResults
from ftnoise.faults.rates import Rate, Share
from ftnoise.faults.storage import Storage
from ftnoise.faults.trials import Trial, TrialSampler, TrialStream
from ftnoise.layers.drawing import drawing, is_stochastic
from ftnoise.layers.graph import unfold

# Measured by tests/benchmarks/faults.py on two cores, 10,000 images: 8 trials were no faster than 4
# for whole networks; 2 took 1.3 times as long on fmnist_dnn.
TRIALS = 4  # in one call: they run in parallel, and share their reads
# 2,300 images on fmnist_dnn and 210 on fmnist_cnn1; half and twice as many took about the same
# time, 9,000 on fmnist_dnn (weights) 1.7 times as long.
CALL_BYTES = 2**26  # of outputs of layers that are alive at once, for all trials of one call
KEPT_BYTES = 2**29  # of the part before the first fault, for all examples
# Faults in the last layer have small outputs: 5,000 take 0.5 to 0.8 of the time of 1,000.
MOST_EXAMPLES = 5000  # in one call
# TensorFlow's operations that draw from a state.
UNKEYED = re.compile(
    "Random|Multinomial|(Parameterized)?TruncatedNormal|Rng|NonDeterministic"
    "|Stateful(Uniform|StandardNormal|TruncatedNormal|Random)"
)

# The results of a group of trials on a chunk of examples, and the number of hits in each.
Call = tuple[dict[str, Any], np.ndarray]


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
        one_scale: see `storage.Storage`.

    Attributes:
        site_count: the number of sites that may be hit.
        golden: the outputs without faults, `[n, classes]`, in the draw of trial 0.
        correct: whether they are right, bool `[n]`.
        protected: for each target, the elements whose faults are corrected, bool; None if none.

    Raises:
        BadInput: the network has no such sites, or does not fit the examples or labels, or its
            outputs are not finite, or it is random in inference without a key.
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
        one_scale: bool = False,
    ) -> None:
        count(least=0, seed=seed)
        count(optional=True, examples_per_call=examples_per_call)
        self.network, self.fault = network, fault
        graph = unfold(network)
        self.x, self.y = check_examples(network, x, y)
        targets = fault.where.targets(network)
        self.faulty = FaultyNetwork(graph, fault, targets)
        self.storage, self.targets = None, targets
        if fault.where.stored is not None:
            self.storage = Storage(network, fault.where.stored, self.x, one_scale=one_scale)
            self.targets = self.storage.of(fault, targets)
        self.sampler = TrialSampler(fault, self.targets, seed)
        self.site_count = self.sampler.site_count
        self.one_by_one = fault.transient and not fault.where.outputs
        # Whether sites are single elements of parameters, not filters or neurons.
        self._single = not fault.where.outputs and all(
            target.grid == tuple(target.variable.shape) for target in targets
        )
        self.protected: Sequence[np.ndarray] | None = None
        self.trials_per_call = 1 if self.one_by_one else trials_per_call
        self.decisions = Decisions.of(network, threshold)
        self._stochastic = is_stochastic(network)
        self.examples_per_call = self._examples_per_call(examples_per_call)
        each = fault.transient and fault.where.outputs
        self._clean = Traced(self._clean_of, (True,))
        self._parameters = Traced(self._parameters_of, (False,))
        self._faulty = Traced(self._faulty_of, (True, True, each, False))
        self._measure()

    def network_draw(self, trial: int) -> Any:
        """The key of the network's own draw in a trial, an int64 pair for `drawing`."""
        return seeds.at_step(seeds.key(self.sampler.seed, "network in a fault trial"), trial)

    def refresh(self) -> None:
        """Recomputes the kept values of the fault-free network after its parameters changed.

        Nothing is compiled anew: the compiled functions read the network's own variables. Raises
        `BadInput` if outputs are not finite, or the parameters are stored in a format, whose scales
        are fixed.
        """
        stored = self.fault.where.stored
        expect(stored is None, "a new campaign where parameters are stored", stored=stored)
        self._measure()

    def _measure(self) -> None:
        """Computes what all trials share."""
        self._before = self._kept_before()
        golden = np.zeros([len(self.y), self.network.output_shape[-1]], np.float32)
        self._reference = self.decisions.reference(golden, self.y)
        # By the same compiled function, whose rounding may be its own.
        golden = self.outputs(0, Share(rate=0.0))
        bad = np.flatnonzero(~np.isfinite(golden).all(axis=1))
        if len(bad):
            raise BadInput(
                f"Expected finite outputs of {self.network.name} without faults. Received: NaN or "
                f"infinity for {len(bad)} of {len(golden)} examples, the first being {bad[0]}."
            )
        self.golden = golden
        self._reference = self.decisions.reference(golden, self.y)
        self.correct = self.right(golden)

    def expect_single(self) -> None:
        """Raises `BadInput` unless sites are single parameters, or their bits."""
        expect(self._single, "faults of single parameters, not of filters", fault=self.fault.label)

    def _examples_per_call(self, most: int | None) -> int:
        held = max(1, self.trials_per_call * self.faulty.alive_bytes)
        chosen = most or min(MOST_EXAMPLES, max(1, CALL_BYTES // held))
        return 1 if self.one_by_one else min(chosen, len(self.y))

    def run(self, trials: Sequence[int], rate: Rate) -> TrialResults:
        """The results of the trials with these numbers (>= 0, at least one) at a rate."""
        return self._joined(trials, lambda group: self._calls(group, rate))

    def run_at(self, sites: Sequence[np.ndarray]) -> TrialResults:
        """The results of trials with given sites, for a permanent fault that draws no values.

        There is at least one trial; its sites are different flat positions among all sites. Raises
        `BadInput` if the fault has indices, so that positions have two meanings, or its sites are
        no single parameters.
        """
        return self._joined(sites, self._calls_at)

    def outputs(self, trial: int, rate: Rate) -> np.ndarray:
        """The network's outputs in the trial with this number (>= 0) at a rate, `[n, classes]`."""
        calls = self._calls([trial] * self.trials_per_call, rate)
        return np.concatenate([found["outputs"].numpy() for found, _ in calls])

    def traced_outputs(self, x: list[Any], values: Sequence[Any]) -> Any:
        """The outputs `[n, classes]` for inputs `x` with these values of the targets' parameters.

        To be traced, or with a gradient; for a fault of parameters.
        """
        with self.stored():
            return self.faulty.outputs(self.faulty.clean(x), values)[0]

    def gradients(self, x: Sequence[Any], y: Any, values: list[Any], loss: Any) -> list[Any]:
        """The gradient of the mean of `loss(outputs, y)` in `values`; see `traced_outputs`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            mean = tf.reduce_mean(loss(self.traced_outputs(list(x), values), y))
        return tape.gradient(mean, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _joined(
        self, trials: Sequence[Any], calls: Callable[[Sequence[Any]], Iterator[Any]]
    ) -> TrialResults:
        """The results of trials, computed in groups."""
        size = self.trials_per_call
        # Another size would be compiled anew, which takes longer than some spare trials.
        filled = [*trials, *[trials[-1]] * (-len(trials) % size)]
        starts = range(0, len(filled), size)
        groups = [self._together(list(calls(filled[n : n + size]))) for n in starts]
        joined = (np.concatenate(parts)[: len(trials)] for parts in zip(*groups, strict=True))
        return TrialResults(*joined)

    def right(self, outputs: np.ndarray) -> np.ndarray:
        """Whether outputs `[n, classes]` of the first n examples are right, bool `[n]`."""
        y = tf.constant(self.y[: len(outputs)])
        return self.decisions.right(tf.constant(outputs), y).numpy()

    def _together(self, calls: list[Call]) -> tuple[np.ndarray, ...]:
        """The results of one group of trials, in the order of `TrialResults`."""
        found, faults = zip(*calls, strict=True)
        correct = np.concatenate([part["correct"].numpy() for part in found], axis=1)
        sums, largest, bad, golden_right, outcomes = (
            np.stack([part[name].numpy() for part in found])
            for name in ("sums", "largest", "not_finite", "golden_right", "outcomes")
        )
        counts = outcomes.sum(axis=0)
        finite = len(self.y) - counts[:, list(OUTCOMES).index("due_rate")]
        return (
            correct,
            np.where(finite, sums.sum(axis=0) / np.maximum(finite, 1), math.inf),
            np.where(finite, largest.max(axis=0), math.inf),
            bad.any(axis=0).astype(np.float64),
            np.sum(faults, axis=0),
            golden_right.sum(axis=0),
            counts,
        )

    def _calls(self, trials: Sequence[int], rate: Rate) -> Iterator[Call]:
        if self.fault.transient:
            streams = [TrialStream(self.sampler, number, rate) for number in trials]
            return self._passes(trials, lambda n: [self._drawn(s.trial(n)) for s in streams])
        return self._permanent(
            trials, [self._drawn(self.sampler.trial(number, rate)) for number in trials]
        )

    def _calls_at(self, sites: Sequence[np.ndarray]) -> Iterator[Call]:
        indices = self.fault.where.indices
        expect(not indices, "faults in all sites of a layer", indices=indices)
        self.expect_single()
        few = [self._parameters_with(self.sampler.few(chosen, None)) for chosen in sites]
        return self._permanent([0] * len(sites), list(zip(few, map(len, sites), strict=True)))

    def _permanent(self, trials: Sequence[int], drawn: list[tuple[Any, int]]) -> Iterator[Call]:
        return self._passes(trials, lambda n: [(inputs, n * hit) for inputs, hit in drawn])

    def _passes(
        self, trials: Sequence[int], drawn: Callable[[int], list[tuple[Any, int]]]
    ) -> Iterator[Call]:
        """By chunks of the examples, the results of `_results_of` for a group of trials.

        And the number of sites that are hit, weighted by the chunk's share of the examples. `drawn`
        gives, for the next n examples, each trial's arguments of the compiled function, and the
        number of hits in all of these examples.
        """
        draws = tf.stack([self.network_draw(number) for number in trials])
        for start in range(0, len(self.y), self.examples_per_call):
            part = slice(start, start + self.examples_per_call)
            reference = [tensor[part] for tensor in self._reference]
            inputs, hit = zip(*drawn(len(self.y[part])), strict=True)
            before = self._clean_part(part) if self._before is None else self._before[start]
            found = self._faulty(before, reference, list(inputs), draws)
            yield found, np.array(hit, float) / len(self.y)

    def _drawn(self, trial: Trial) -> tuple[Any, int]:
        if self.protected is not None:
            trial = trial.without(self.protected)
        return self._inputs_of(trial), trial.count

    def _inputs_of(self, trial: Trial) -> Any:
        """The arguments of the compiled function for a trial: parameters, or hits and draws.

        And whether those are finite.
        """
        if self.one_by_one:
            trial = trial.first()
        if trial.few is not None and self._single:
            return self._parameters_with(trial.few)
        pairs = [
            (tf.constant(hit), None if draw is None else tf.constant(draw))
            for hit, draw in trial.pairs
        ]
        return (pairs, tf.constant(True)) if self.fault.where.outputs else self._parameters(pairs)

    def _parameters_with(self, few: dict[int, tuple[np.ndarray, np.ndarray | None]]) -> Any:
        """The parameters, of which only those that are hit are computed; and as `_inputs_of`."""
        values = [tf.convert_to_tensor(target.variable) for target in self.targets]
        finite = tf.constant(True)
        for n, (positions, draw) in few.items():
            code = self.targets[n].code
            values[n], faulty = strike_few(self.fault.what, values[n], positions, draw, code)
            finite &= tf.reduce_all(tf.math.is_finite(faulty))
        return values, finite

    def _parameters_of(self, pairs: list[Any]) -> tuple[list[Any], Any]:
        values = faulty_parameters(self.fault.what, self.targets, pairs)
        checked = [] if self.fault.what.keeps_finite else values
        finite = [tf.reduce_all(tf.math.is_finite(value)) for value in checked]
        return values, tf.reduce_all(tf.stack([tf.constant(True), *finite]))

    def _without_faults(self, trial: Any) -> Any:
        """The trial with no site hit."""
        if self.fault.where.outputs:
            return [(tf.zeros_like(hit), draw) for hit, draw in trial]
        return [tf.convert_to_tensor(target.variable) for target in self.targets]

    def stored(self) -> contextlib.AbstractContextManager[None]:
        """In the block, the network's layers hold what is read back from storage, if there is."""
        return contextlib.nullcontext() if self.storage is None else self.storage.held()

    def _clean_of(self, x: list[Any]) -> list[Any]:
        with self.stored():
            return self.faulty.clean(x)

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

    def _faulty_of(self, *arguments: Any) -> dict[str, Any]:
        with self.stored():
            return self._results_of(*arguments)

    def _results_of(
        self, before: list[Any], reference: list[Any], trials: list[Any], draws: Any
    ) -> dict[str, Any]:
        """The results of some trials on a chunk of the examples.

        `correct` `[trials, examples]`; `[trials]` each `sums` and `largest`, of the deviations of
        finite outputs, and `not_finite`, whether hit values are not; `outcomes` `[trials,
        outcomes]`; `outputs` `[examples, classes]` of the first trial.
        """
        found: dict[str, list[Any]] = {}
        for n, (trial, finite) in enumerate(trials):
            if self._stochastic:
                with drawing(draws[n]):
                    clean, _ = self.faulty.outputs(before, self._without_faults(trial))
                reference = self.decisions.reference(clean, reference[1])
            golden, y, *_ = reference
            with drawing(draws[n]):
                outputs, struck_finite = self.faulty.outputs(before, trial)
            # The square of a float32 may be beyond all float32.
            apart = tf.cast(outputs, tf.float64) - tf.cast(golden, tf.float64)
            far = tf.norm(apart, axis=-1)
            far = tf.where(tf.math.is_finite(far), far, tf.zeros_like(far))
            results = {
                "correct": self.decisions.right(outputs, y),
                "sums": tf.reduce_sum(far),
                "largest": tf.reduce_max(far),
                "not_finite": ~(finite & struck_finite),
                "golden_right": tf.math.count_nonzero(
                    self.decisions.right(golden, y), dtype=tf.float64
                ),
                "outcomes": self.decisions.outcomes(outputs, reference),
                "outputs": outputs,
            }
            for name, result in results.items():
                found.setdefault(name, []).append(result)
        (outputs, *_) = found.pop("outputs")
        return {"outputs": outputs} | {name: tf.stack(each) for name, each in found.items()}


class Traced:
    """A function of nested lists of tensors and None, compiled once for any number of examples.

    `by_example` is, for each argument, whether the first axis of its tensors is that of examples.
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
            expect_keyed(self._compiled.graph.as_graph_def())
        with unfused():
            return self._compiled(*arguments)


@contextlib.contextmanager
def unfused() -> Iterator[None]:
    """In the block, calls of compiled functions compute layer by layer what they do eagerly.

    Otherwise TensorFlow may fuse a sum and its activation ("remapping"), and with oneDNN a ReLU
    that is fused makes NaN 0. The option is one of the process; afterwards it is as before, or True
    if it was not set, which is the same.
    """
    optimizer: Any = tf.config.optimizer
    before = optimizer.get_experimental_options().get("remapping", True)
    optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        optimizer.set_experimental_options({"remapping": before})


def expect_keyed(graph: Any) -> None:
    """Raises `BadInput` if a traced graph draws random numbers without the key of a draw."""
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    drawn = [node.name for node in nodes if UNKEYED.match(node.op)]
    if drawn:
        raise BadInput(
            "Expected layers that are not random in inference, or draw from a key (as Keras' own "
            "do after ftnoise.layers.keyed_noise.with_test_time_noise(model), or classes below "
            "ftnoise.layers.drawing.StochasticLayer). Received: "
            f"{drawn[0]}, which draws anew in each call."
        )


def _spec(tensor: Any, by_example: bool) -> Any:
    if tensor is None:
        return None
    # A tensor before the first fault may also be a single number.
    examples = [None] if by_example and tensor.shape.rank else tensor.shape[:1]
    return tf.TensorSpec([*examples, *tensor.shape[1:]], tensor.dtype)


@contextlib.contextmanager
def unchanged(network: keras.Model) -> Iterator[str]:
    """Gives the network's digest; `RunFailed` if it is another one at the end of the block."""
    before = weights_digest(network)
    yield before
    if weights_digest(network) != before:
        raise RunFailed(f"Expected {network.name} to be unchanged. Received: another digest.")
