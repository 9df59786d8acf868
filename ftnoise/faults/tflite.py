"""A network as the TensorFlow Lite file in which it is deployed, under the flips of a campaign.

The file is converted here, in `int8` (integer arithmetic, with floating-point inputs and outputs)
or `float16` (weights and biases; TensorFlow Lite computes in float32). A flip of a stored bit of a
Keras parameter is one of the same bit of the same element in the file. Only the constant buffers of
these parameters are hit: a flip elsewhere in a file crashes the interpreter or its reader.

The converter and the interpreter are C++ code that may end their process, so they have one of their
own.

The converter of TensorFlow 2.15 gives kernels of convolutions a scale for each output channel, and
those of dense layers one scale. In a campaign with `one_scale` the same flip is the same step.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from ftnoise.core import stopping
from ftnoise.core.checks import expect
from ftnoise.core.errors import BadInput, RunFailed, one_line
from ftnoise.faults.campaign import Campaign
from ftnoise.faults.outcomes import TrialResults
from ftnoise.faults.rates import Rate
from ftnoise.faults.storage import CALIBRATION, Code
from ftnoise.layers.drawing import is_stochastic

AT_ONCE = 50  # examples of the calibration
BATCH = 100  # examples in one call of the interpreter
TYPES = {
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
    "float16": schema.TensorType.FLOAT16,
    "float32": schema.TensorType.FLOAT32,
}


class Deployed:
    """The TensorFlow Lite file of a campaign's network, under the same flips; a context manager.

    `user.deploy.check` accepts the fault, and the network has one input. `golden` are the outputs
    of the file without faults, `[n, classes]`, and `correct` is whether they are right, bool `[n]`.
    Its process ends with the block.

    Raises:
        BadInput: the network cannot be converted, or a parameter is not in the file as it is.
        RunFailed: the interpreter ended its process.
    """

    trials_per_call = 1

    def __init__(self, campaign: Campaign) -> None:
        network, inputs = campaign.network, len(campaign.x)
        expect(inputs == 1, f"{network.name} to have one input, to deploy it", inputs=inputs)
        random = is_stochastic(network)
        expect(not random, f"{network.name} to be deterministic, to deploy it", random=random)
        self.fault, self.sampler = campaign.fault, campaign.sampler
        self.x, self.y, self.decisions = campaign.x[0], campaign.y, campaign.decisions
        here, there = multiprocessing.get_context("spawn").Pipe()
        self._pipe: Connection = here
        with tempfile.TemporaryDirectory() as folder:
            _save(campaign, folder)
            arguments = (there, folder, campaign.fault.where.stored, self.x)
            self._process = multiprocessing.get_context("spawn").Process(
                target=_serve, args=arguments, daemon=True
            )
            with stopping.deferred():
                self._process.start()
            there.close()
            try:
                self.file = bytearray(self._answer(BadInput, "a network that can be converted"))
                self._buffers = [
                    (target.code, *found)
                    for target, found in zip(
                        campaign.targets, _buffers(self.file, campaign), strict=True
                    )
                ]
                self.golden = self._outputs()
            except BaseException:
                self.close()
                raise
        finite = bool(np.isfinite(self.golden).all())
        expect(finite, "finite outputs of the TensorFlow Lite file", finite=finite)
        y = tf.constant(self.y)
        self.correct = self.decisions.right(tf.constant(self.golden), y).numpy()

    def __enter__(self) -> Deployed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.terminate()
        self._process.join()

    def run(self, trials: Sequence[int], rate: Rate) -> TrialResults:
        """The results of the trials with these numbers, as `Campaign.run` gives them."""
        drawn = (self._struck(number, rate) for number in trials)
        return self.decisions.results(self.golden, self.y, drawn)

    def outputs(self, trial: int, rate: Rate) -> np.ndarray:
        """The outputs of the file in the trial with this number at a rate, `[n, classes]`."""
        return self._struck(trial, rate)[0]

    def _struck(self, number: int, rate: Rate) -> tuple[np.ndarray, float, bool]:
        """Outputs, number of flips, and whether a value is NaN or infinite."""
        trial = self.sampler.trial(number, rate)
        hits = {n: np.flatnonzero(hit) for n, hit in enumerate(trial.hits)}
        if trial.few is not None:
            hits = {n: positions for n, (positions, _) in trial.few.items()}
        finite = True
        before = bytes(self.file)
        for n, positions in hits.items():
            code, codes, places = self._buffers[n]
            elements, bits = np.divmod(positions, code.bits)
            masks = np.left_shift(1, bits).astype(codes.dtype)
            np.bitwise_xor.at(codes, places[elements], masks)
            if code.number:
                struck = codes[places[elements]].view(code.number)
                finite = finite and bool(np.isfinite(struck).all())
        try:
            return self._outputs(), trial.count, not finite
        finally:
            self.file[:] = before

    def _outputs(self) -> np.ndarray:
        with contextlib.suppress(OSError):  # the process has ended: its answer is missing
            self._pipe.send_bytes(bytes(self.file))
        return self._answer(RunFailed, "the TensorFlow Lite interpreter to compute the file")

    def _answer(self, kind: type[Exception], expected: str) -> Any:
        """What the process sends; its error as one of this kind."""
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise RunFailed(
                f"Expected {expected}. Received: the end of its process, with exit code "
                f"{self._process.exitcode}."
            ) from error
        if isinstance(answer, str):
            raise kind(f"Expected {expected}. Received: {answer}")
        return answer


def _save(campaign: Campaign, folder: str) -> None:
    """Writes the network as a SavedModel, which needs none of the user's code."""
    network = campaign.network
    shape = [None, *campaign.x[0].shape[1:]]

    def call(x: Any) -> Any:
        return network(x, training=False)

    module = tf.Module()
    module.held = list(network.variables)
    spec = tf.TensorSpec(shape, campaign.x[0].dtype, name="x")
    module.call = tf.function(call, input_signature=[spec], autograph=False)
    try:
        tf.saved_model.save(module, folder, signatures=module.call)
    except Exception as error:  # layers of a user may raise anything
        raise BadInput(
            f"Expected {network.name} to be a network that TensorFlow can save. "
            f"Received: {one_line(error)}"
        ) from error


def _buffers(file: bytearray, campaign: Campaign) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each target, its codes in the file `[size]`, unsigned, which can be written.

    And the position among them of each element of the parameter, `[size]`.
    """
    model = schema.Model.GetRootAs(file)
    graph, originals = model.Subgraphs(0), campaign.fault.where.targets(campaign.network)
    tensors = [graph.Tensors(n) for n in range(graph.TensorsLength())]
    found, used = [], set()
    for target, original in zip(campaign.targets, originals, strict=True):
        kind = target.code.number or target.code.integer
        value = original.variable.numpy()
        matches = []
        for tensor in tensors:
            data = model.Buffers(tensor.Buffer()).DataAsNumpy()
            fits = tensor.Type() == TYPES.get(kind) and isinstance(data, np.ndarray)
            if not fits or len(data) * 8 != value.size * target.code.bits:
                continue
            places = _places(_values(tensor, data, target.code), value)
            if places is not None:
                matches.append((tensor.Buffer(), data.view(f"u{target.code.integer}"), places))
        once = len(matches) == 1 and matches[0][0] not in used
        expect(
            once,
            f"{target.name} of {campaign.network.name} to be one constant of its TensorFlow Lite "
            "file, unlike one that the converter merges with another layer's (batch "
            "normalization), leaves out (all zeros) or copies",
            matches=len(matches) if not matches or once else f"{len(matches)}, shared",
        )
        used.add(matches[0][0])
        found.append(matches[0][1:])
    return found


def _values(tensor: Any, data: np.ndarray, code: Code) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that a tensor's codes mean, flat, and the distance of two of them."""
    if code.number:
        values = data.view(code.number).astype(np.float32)
        return values, np.zeros_like(values)
    codes, quantization = data.view(code.integer), tensor.Quantization()
    codes = codes.reshape(tensor.ShapeAsNumpy()).astype(np.float64)
    scales = quantization.ScaleAsNumpy()
    shape = [1] * codes.ndim
    shape[quantization.QuantizedDimension()] = len(scales)
    scales = np.broadcast_to(scales.reshape(shape), codes.shape)
    return (codes * scales).ravel(), scales.ravel()


def _places(tensor: tuple[np.ndarray, np.ndarray], value: np.ndarray) -> np.ndarray | None:
    """The position in a tensor of each element of a parameter, whose axes it may have reordered.

    None if its values are others.
    """
    values, steps = tensor
    within = 0.51 * steps + 1e-7  # float32 and float16 have relative steps
    elements = np.arange(value.size).reshape(value.shape)
    for axes in itertools.permutations(range(value.ndim)):
        order = elements.transpose(axes).ravel()
        wanted = value.ravel()[order]
        if (np.abs(values - wanted) <= within + 1e-3 * np.abs(wanted)).all():
            return np.argsort(order)
    return None


def _serve(pipe: Connection, folder: str, stored: str, x: np.ndarray) -> None:
    """The process: sends the converted file, then the outputs of each file that it gets."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what C++ code writes is not for the user
        os.dup2(null, stream)
    try:
        pipe.send(_converted(folder, stored, x))
        while True:
            pipe.send(interpreted(pipe.recv_bytes(), x))
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        stopping.check()
        pipe.send(one_line(error))


def _converted(folder: str, stored: str, x: np.ndarray) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if stored == "int8":
        few = x[:CALIBRATION]
        parts = [few[start : start + AT_ONCE] for start in range(0, len(few), AT_ONCE)]
        converter.representative_dataset = lambda: ([part] for part in parts)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    else:
        converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def interpreted(file: bytes, x: np.ndarray) -> np.ndarray:
    """The outputs `[n, classes]` of a TensorFlow Lite file with one input, in this process."""
    interpreter = tf.lite.Interpreter(model_content=file, num_threads=1)
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    batch = np.zeros([min(BATCH, len(x)), *x.shape[1:]], x.dtype)
    interpreter.resize_tensor_input(given["index"], batch.shape)
    interpreter.allocate_tensors()
    found = []
    for start in range(0, len(x), len(batch)):
        part = x[start : start + len(batch)]
        batch[: len(part)] = part
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        found.append(interpreter.get_tensor(made["index"])[: len(part)])
    return np.concatenate(found)
