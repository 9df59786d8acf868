"""Standard deviations against the epoch: what the training of random weights logs."""

from __future__ import annotations

import numpy as np

from ftnoise.measures.noise_history import NoiseHistory
from tests.attacks.small import trained
from tests.measures.given import evaluate


def test_it_reads_what_was_logged():
    history = [{"loss": 1.0, "std a": 0.1, "std b": 0.3}, {"loss": 0.5, "std a": 0.2, "std b": 0.4}]
    found = evaluate(NoiseHistory(), trained(), record={"history": history, "epochs_per_entry": 5})
    assert found.info == {"layers": ["a", "b"]}
    np.testing.assert_array_equal(found.arrays["epochs"], [5, 10])
    np.testing.assert_array_equal(found.arrays["std"], [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(found.scalars["last_std"], 0.3)


def test_a_training_without_random_weights_has_none():
    found = evaluate(NoiseHistory(), trained(), record={"history": [{"loss": 1.0}]})
    assert found.scalars == found.arrays == found.info == {}
