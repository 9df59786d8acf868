"""Many masks on one network: each is an input of one compiled function, and nothing is rebuilt.

What lies before the first fault is computed once for all masks. Parameters enter the compiled
function as tensors in the place of variables, which are never assigned; neurons stuck at 0 are
taken out of the kernel that they feed, where only layers that keep a zero a zero lie between. The
answer is one bit for each mask and image, whether the network is right, and how far its outputs
are from the sound ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ftnoise.core.checks import expect, is_count
from ftnoise.core.errors import BadInput, FtnoiseError
from ftnoise.datasets.npz_file import one_line
from ftnoise.faults.amounts import Amount, Share
from ftnoise.faults.examples import check_examples, threshold_of
from ftnoise.faults.fault import Fault
from ftnoise.faults.faulty_network import FaultyNetwork
from ftnoise.faults.graph import unfold
from ftnoise.faults.injection import pairs
from ftnoise.faults.masks import Drawer, Mask, Stream

# Measured by tests/benchmarks/faults.py on two cores, 10,000 images: 8 masks were no faster than 4
# for whole networks; 2 took 1.3 times as long on fmnist_dnn.
MASKS = 4  # in one call: as many run beside each other, and share what they read
# 2,300 images on fmnist_dnn and 210 on fmnist_cnn1; half and twice as many took about the same
# time, 9,000 on fmnist_dnn (weights) 1.7 times as long.
CALL_BYTES = 2**26  # of outputs of layers, for all masks and images of one call
KEPT_BYTES = 2**29  # of what lies before the first fault, for all images
# Faults in the last layer have small outputs: 5,000 take 0.5 to 0.8 of the time of 1,000.
MOST_IMAGES = 5000  # in one call


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of some masks.

    Attributes:
        correct: whether the network is right, bool `[masks, images]`; NaN is never right.
        distance_mean, distance_max: the Euclidean distance of the network's outputs to those
            without faults (Definition 1 of the paper), over the images whose outputs are finite,
            float64 `[masks]`; infinite where there are none.
        not_finite: how many images have outputs that are not finite, `[masks]`.
        faults: how many places are hit, `[masks]`; on average of an image if transient.
    """

    correct: np.ndarray
    distance_mean: np.ndarray
    distance_max: np.ndarray
    not_finite: np.ndarray
    faults: np.ndarray

    def first(self, masks: int) -> Outcome:
        """What became of the first so many masks."""
        return Outcome(*(getattr(self, field.name)[:masks] for field in fields(self)))


class Campaign:
    """The faults of one kind in one network, on one set of images.

    Args:
        network: Sequential or functional, with one output: `[batch, classes]`, or `[batch, 1]` for
            two classes. It is never changed.
        x: the images (or other examples) `[n, ...]`, or a list of arrays for several inputs.
        y: integer labels `[n]`.
        fault: where, what, how many, how long.
        seed: an integer >= 0; with the number of a mask it says which places are hit.
        images_per_call: at most that many; None chooses by the memory that a call takes.
        masks_per_call: how many masks are computed beside each other.
        threshold: of a network with one output: above which it says class 1; None is 0.5 for a
            sigmoid and 0 for a logit.

    Attributes:
        golden: the outputs without faults, `[n, classes]`.
        correct: whether the network is right without faults, bool `[n]`.

    Raises:
        BadInput: the network has no such places, or does not fit the examples or labels, or its
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
        images_per_call: int | None = None,
        masks_per_call: int = MASKS,
        threshold: float | None = None,
    ) -> None:
        expect(is_count(seed, least=0), "seed an integer >= 0", seed=seed)
        expect(is_count(masks_per_call), "masks_per_call >= 1", masks_per_call=masks_per_call)
        expect(
            images_per_call is None or is_count(images_per_call),
            "images_per_call >= 1 or None",
            images_per_call=images_per_call,
        )
        self.network, self.fault = network, fault
        graph = unfold(network)
        self.x, self.y = check_examples(network, x, y)
        self.sites = fault.where.sites(network)
        self.drawer = Drawer(fault, self.sites, seed)
        fault.amount.check(self.drawer.places)
        self.one_by_one = fault.transient and not fault.where.outputs
        self.masks_per_call = 1 if self.one_by_one else masks_per_call
        self.threshold = threshold_of(network, threshold)
        self.faulty = FaultyNetwork(graph, fault, self.sites)
        self.images = self._images(images_per_call)
        self._compile()
        self.refresh()

    def refresh(self) -> None:
        """Computes what is kept of the sound network again, after its parameters have changed.

        Nothing is compiled anew: the compiled functions read the network's own variables.

        Raises:
            BadInput: the network's outputs are not finite.
        """
        self._before = self._kept_before()
        self.golden = np.zeros([len(self.y), self.network.output_shape[-1]], np.float32)
        self.golden = self._sound()
        self.correct = self.right(self.golden)

    def _images(self, most: int | None) -> int:
        """How many images a call takes."""
        sizes = [
            4 * math.prod(size or 1 for size in shape[1:])
            for step in self.faulty.after
            for shape in step.shapes
        ]
        held = max(1, self.masks_per_call * sum(sizes))
        chosen = most or min(MOST_IMAGES, max(1, CALL_BYTES // held))
        return 1 if self.one_by_one else min(chosen, len(self.y))

    def run(self, masks: Sequence[int], amount: Amount | None = None) -> Outcome:
        """What becomes of the masks with these numbers.

        Args:
            masks: numbers >= 0.
            amount: instead of the fault's own.
        """
        amount = amount or self.fault.amount
        amount.check(self.drawer.places)
        rows = [self._nothing]
        for start in range(0, len(masks), self.masks_per_call):
            group = list(masks[start : start + self.masks_per_call])
            # Another size would be compiled anew, which takes longer than some spare masks.
            spare = [group[-1]] * (self.masks_per_call - len(group))
            rows.append(self._together([*group, *spare], amount).first(len(group)))
        return Outcome(
            *(np.concatenate([getattr(r, field.name) for r in rows]) for field in fields(Outcome))
        )

    def outputs(
        self, mask: int, amount: Amount | None = None, images: int | None = None
    ) -> np.ndarray:
        """The network's outputs under the mask of that number, `[n, classes]`.

        Args:
            mask: its number, >= 0.
            amount: instead of the fault's own.
            images: of the first so many images; None for all.
        """
        amount = amount or self.fault.amount
        amount.check(self.drawer.places)
        found: list[np.ndarray] = []
        for (*_, outputs), _ in self._calls([mask] * self.masks_per_call, amount):
            found.append(outputs.numpy())
            if images is not None and sum(map(len, found)) >= images:
                break
        return np.concatenate(found)[:images]

    def right(self, outputs: np.ndarray) -> np.ndarray:
        """Whether outputs `[n, classes]` of the first n images are right, bool; NaN never is."""
        return self._right(tf.constant(outputs), tf.constant(self.y[: len(outputs)])).numpy()

    @property
    def _nothing(self) -> Outcome:
        empty = np.zeros(0)
        return Outcome(np.zeros((0, len(self.y)), bool), empty, empty, empty, empty)

    def _together(self, masks: Sequence[int], amount: Amount) -> Outcome:
        """A group of masks."""
        found, faults = [], np.zeros(len(masks))
        for part, hit in self._calls(masks, amount):
            found.append(part)
            faults += hit
        correct, distances, finite = (
            np.concatenate([part[n].numpy() for part in found], axis=1) for n in range(3)
        )
        counts = np.count_nonzero(finite, axis=1)
        none = counts == 0
        return Outcome(
            correct,
            np.where(none, math.inf, distances.sum(axis=1) / np.maximum(counts, 1)),
            np.where(none, math.inf, distances.max(axis=1)),
            (len(self.y) - counts).astype(np.float64),
            faults,
        )

    def _calls(
        self, masks: Sequence[int], amount: Amount
    ) -> Iterator[tuple[tuple[Any, ...], np.ndarray]]:
        """What the compiled function says of a group of masks, chunk by chunk of the images.

        And how many places are hit there, on average of all images, `[masks]`.
        """
        if not self.fault.transient:
            drawn = [self.drawer.mask(number, amount) for number in masks]
            held = [self._inputs_of(mask) for mask in drawn]
            counts = np.array([mask.count for mask in drawn], float)
            for chunk in self._chunks():
                found = self._faulty(chunk.values, chunk.y, chunk.golden, held)
                yield found, counts * chunk.images / len(self.y)
            return
        streams = [Stream(self.drawer, number, amount) for number in masks]
        for chunk in self._chunks():
            drawn = [stream.mask(chunk.images) for stream in streams]
            held = [self._inputs_of(mask) for mask in drawn]
            counts = np.array([mask.count for mask in drawn], float)
            yield self._faulty(chunk.values, chunk.y, chunk.golden, held), counts / len(self.y)

    def _inputs_of(self, mask: Mask) -> Any:
        """What the compiled function takes of a mask: parameters, or hits and draws."""
        if not self.fault.where.outputs:
            if self.fault.transient:
                mask = Mask(
                    tuple(hit[0] for hit in mask.hits),
                    tuple(None if draw is None else draw[0] for draw in mask.draws),
                )
            return self._parameters(
                [tf.constant(hit) for hit in mask.hits],
                [None if draw is None else tf.constant(draw) for draw in mask.draws],
            )
        return [
            (tf.constant(hit), None if draw is None else tf.constant(draw))
            for hit, draw in pairs(mask)
        ]

    def _chunks(self) -> Iterator[Chunk]:
        for start in range(0, len(self.y), self.images):
            part = slice(start, start + self.images)
            if self._before is None:
                values = self._clean([tf.constant(x[part]) for x in self.x])
            else:
                values = self._before[start // self.images]
            y, golden = tf.constant(self.y[part]), tf.constant(self.golden[part])
            yield Chunk(values, y, golden, len(self.y[part]))

    def _kept_before(self) -> list[Any] | None:
        """What lies before the first fault for all images, if it is not too large to be kept."""
        values = self._clean([tf.constant(x[: self.images]) for x in self.x])
        tensors = [value for value in tf.nest.flatten(values) if value is not None]
        size = sum(value.numpy().nbytes for value in tensors) / self.images
        if size * len(self.y) > KEPT_BYTES:
            return None
        rest = [
            self._clean([tf.constant(x[start : start + self.images]) for x in self.x])
            for start in range(self.images, len(self.y), self.images)
        ]
        return [values, *rest]

    def _compile(self) -> None:
        faulty, own = self.faulty, self.fault.transient and self.fault.where.outputs
        self._clean = Traced(faulty.clean, (True,))
        self._parameters = Traced(faulty.parameters, (False, False))
        self._faulty = Traced(self._faulty_of, (True, True, True, own))

    def _faulty_of(
        self, before: list[Any], y: Any, golden: Any, masks: list[Any]
    ) -> tuple[Any, ...]:
        """Of a chunk of images, correctness bits, distances and finite bits `[masks, images]`.

        A distance is 0 where an output is not finite. And the outputs under the first mask,
        `[images, classes]`.
        """
        correct, distances, finite = [], [], []
        all_outputs = [self.faulty.outputs(before, mask) for mask in masks]
        for outputs in all_outputs:
            correct.append(self._right(outputs, y))
            finite.append(tf.reduce_all(tf.math.is_finite(outputs), axis=-1))
            # The square of a float32 may be beyond all float32.
            apart = tf.cast(outputs, tf.float64) - tf.cast(golden, tf.float64)
            far = tf.norm(apart, axis=-1)
            distances.append(tf.where(finite[-1], far, tf.zeros_like(far)))
        return tf.stack(correct), tf.stack(distances), tf.stack(finite), all_outputs[0]

    def _right(self, outputs: Any, y: Any) -> Any:
        """Whether outputs `[n, classes]` are right, bool `[n]`."""
        if outputs.shape[-1] == 1:
            says = tf.cast(outputs[:, 0] > self.threshold, y.dtype)
        else:
            says = tf.argmax(outputs, axis=-1, output_type=y.dtype)
        return (says == y) & ~tf.reduce_any(tf.math.is_nan(outputs), axis=-1)

    def _sound(self) -> np.ndarray:
        # By the same compiled function, whose rounding may be its own.
        golden = self.outputs(0, Share(rate=0.0))
        bad = np.flatnonzero(~np.isfinite(golden).all(axis=1))
        if len(bad):
            raise BadInput(
                f"Expected finite outputs of {self.network.name} without faults. Received: NaN or "
                f"infinity for {len(bad)} of {len(golden)} examples, the first being {bad[0]}."
            )
        return golden


class Traced:
    """A function that is compiled once, for any number of images.

    Args:
        function: of nested lists of tensors and None.
        by_image: for each argument, whether the first axis of its tensors is that of the images.
    """

    def __init__(self, function: Callable[..., Any], by_image: tuple[bool, ...]) -> None:
        self.function, self.by_image = function, by_image
        self._compiled: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self._compiled is None:
            specs = [
                tf.nest.map_structure(_any_number if by_image else _exactly, argument)
                for argument, by_image in zip(arguments, self.by_image, strict=True)
            ]
            try:
                self._compiled = tf.function(self.function).get_concrete_function(*specs)
            except FtnoiseError:
                raise
            except Exception as error:  # a user's layer may raise anything
                raise BadInput(
                    f"Expected layers that TensorFlow can compile. Received: {_cause(error)}"
                ) from error
        return self._compiled(*arguments)


def _cause(error: BaseException) -> str:
    """What was raised first, without the lines of code that TensorFlow puts before it."""
    told = error
    while "in user code:" in str(told) and told.__context__ is not None:
        told = told.__context__
    return one_line(told)


def _any_number(tensor: Any) -> Any:
    if tensor is None or tensor.shape.rank == 0:  # such as the number of images
        return _exactly(tensor)
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _exactly(tensor: Any) -> Any:
    return None if tensor is None else tf.TensorSpec(tensor.shape, tensor.dtype)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some images: what lies before the first fault, their labels and sound outputs."""

    values: Any
    y: Any
    golden: Any
    images: int


def digest(network: keras.Model) -> str:
    """SHA-256 (hex) of all of a network's variables, in Keras' order."""
    found = hashlib.sha256()
    for variable in network.weights:
        found.update(variable.numpy().tobytes())
    return found.hexdigest()
