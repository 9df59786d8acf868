"""What every test shares: a quiet TensorFlow, repeatable hypotheses, a few small images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import numpy as np

# TensorFlow reads this when it is imported, so it is set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A slow machine is no failure, and the gate says the same of the same code each time.
settings.register_profile("ftnoise", deadline=None, derandomize=True, database=None)
settings.load_profile("ftnoise")


@pytest.fixture
def tiny_images() -> tuple[np.ndarray, np.ndarray]:
    """64 random images: x float32 [64, 28, 28, 1] in [0, 1), y int64 [64] with all 10 classes."""
    import numpy as np

    generator = np.random.default_rng(0)
    x = generator.random((64, 28, 28, 1), dtype=np.float32)
    return x, generator.permutation(np.arange(64) % 10)
