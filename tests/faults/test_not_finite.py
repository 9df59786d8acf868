"""NaN and infinity: one arithmetic, that of the layers one by one, and trials that are counted."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.util._pywrap_util_port import IsMklEnabled

from ftnoise.faults.campaign import Campaign, unfused
from ftnoise.faults.injection import injected
from ftnoise.faults.parsing import parse_fault
from tests.faults.networks import made, right_now, run

ROOT = Path(__file__).resolve().parent.parent.parent
TRIALS = 4
FLAGS = {*Path("/proc/cpuinfo").read_text().split()}
NEURAL = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile"}
CASES = (
    ("dense", "weights:bit_flip=30:0.3"),
    ("dense", "parameters:bit_flip=30:0.6"),
    ("dense", "neurons:bit_flip=30:0.5"),
    ("convolutions", "neurons:bit_flip=30:0.5"),
    ("convolutions", "parameters:bit_flip:0.5"),
)


def both(name, text):
    """Outputs of the campaign and of the layers one by one, `[trials, n, classes]` each."""
    network, x, y = made(name)
    fault = parse_fault(text)
    campaign = Campaign(network, x, y, fault, seed=2)
    theirs = []
    for number in range(TRIALS):
        with injected(network, fault, seed=2, trial=number):
            theirs.append(right_now(network, x, y)[0])
    ours = [campaign.outputs(number, fault.rate) for number in range(TRIALS)]
    return np.stack(ours), np.stack(theirs)


@pytest.mark.parametrize(("name", "text"), CASES)
def test_outputs_are_those_of_the_layers_one_by_one(name, text):
    ours, theirs = both(name, text)
    assert not np.isfinite(theirs).all()
    # Without instructions for neural networks oneDNN's convolutions round otherwise in a graph.
    rounds = IsMklEnabled() and name == "convolutions" and not NEURAL & FLAGS
    np.testing.assert_allclose(ours, theirs, rtol=1e-3 if rounds else 0)


# oneDNN is on or off for a whole process; a second one has what this one has not.
OTHER = "0" if IsMklEnabled() else "1"
PROGRAM = """
import json
import numpy as np
from tests.faults.test_not_finite import CASES, both
found = []
for name, text in CASES:
    ours, theirs = both(name, text)
    exact = bool(np.array_equal(ours, theirs, equal_nan=True))
    alike = bool(np.allclose(ours, theirs, rtol=1e-3, equal_nan=True))
    found.append([name, int(np.isnan(theirs).sum()), exact, alike])
print(json.dumps(found))
"""


def test_outputs_do_not_depend_on_the_library_of_the_processor():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": OTHER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert sum(nans for _, nans, _, _ in found) > 0
    for name, _, exact, alike in found:
        assert alike
        assert exact or (OTHER == "1" and name == "convolutions")


@pytest.mark.parametrize("before", [True, False])
def test_the_option_of_the_process_is_as_before(before):
    optimizer = tf.config.optimizer
    optimizer.set_experimental_options({"remapping": before})
    try:
        with contextlib.suppress(KeyError), unfused():
            assert optimizer.get_experimental_options()["remapping"] is False
            raise KeyError
        assert optimizer.get_experimental_options()["remapping"] is before
    finally:
        optimizer.set_experimental_options({"remapping": True})


@pytest.mark.parametrize("name", ["dense", "attention"])
@pytest.mark.parametrize("text", ["parameters:bit_flip=30:n=1", "weights:bit_flip:n=9"])
def test_trials_that_put_nan_or_infinity_into_parameters_are_counted(name, text):
    network, x, y = made(name)
    # Of numbers in [1, 2) the flip of bit 30 makes NaN or infinity.
    network.set_weights([4 * weight for weight in network.get_weights()])
    results = run(Campaign(network, x, y, parse_fault(text), seed=2), range(30))
    expected = []
    for number in range(30):
        with injected(network, parse_fault(text), seed=2, trial=number):
            expected.append(not all(np.isfinite(one).all() for one in network.get_weights()))
    assert results.values_not_finite.tolist() == expected
    assert 0 < sum(expected) < 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("neurons,layers=dense:stuck_at=3e38:n=8", 0),  # the outputs are infinite later
        ("neurons,layers=dense:bit_flip=30:n=8", 1),
        ("neurons,layers=dense:bit_flip=30:n=8:transient", 1),
        ("neurons,layers=multi_head_attention:bit_flip=30:1", 1),
    ],
)
def test_so_are_trials_that_put_them_into_outputs_of_neurons(text, expected):
    network, x, y = made("attention" if "attention" in text else "dense")
    results = run(Campaign(network, x, y, parse_fault(text), seed=2), range(4))
    assert results.values_not_finite.tolist() == [expected] * 4
