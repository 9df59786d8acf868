"""A small training: 37 images of 6x6 pixels, a small network, checkpointing in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from ftnoise.architectures import SequentialNetwork
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.interfaces import DataSet, Run
from ftnoise.core.schedule import Schedule
from ftnoise.training import Training

EXAMPLES = 37
BATCH = 2  # 19 steps an epoch: a call of 16 and one of 3; the last batch has 1 example


@dataclass(frozen=True, kw_only=True)
class Tiny(SequentialNetwork):
    """A convolution and a dense layer on 6x6 images."""

    input_shape: tuple[int, ...] = (6, 6, 1)
    classes: int = 3

    def layers(self):
        import keras

        from ftnoise.layers.convolution import ImageConv2D

        return [
            ImageConv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(self.classes),
        ]


@dataclass(frozen=True, kw_only=True)
class Images(DataSet):
    """Stands for the data set in a run; the arrays come from `images`."""

    def load(self, sources):
        raise NotImplementedError

    def digest(self, sources):
        raise NotImplementedError


def make_images(shape=(6, 6, 1), classes=3):
    """37 and 11 images whose first pixel numbers them; a class is a bright pair of rows."""
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 0.6, (EXAMPLES + 11, *shape)).astype(np.float32)
    y = generator.integers(0, 3, len(x)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[2 * label : 2 * label + 2] += 0.4
    x.reshape(len(x), -1)[:, 0] = np.arange(len(x)) / 64
    return SimpleNamespace(
        x_train=x[:EXAMPLES],
        y_train=y[:EXAMPLES],
        x_test=x[EXAMPLES:],
        y_test=y[EXAMPLES:],
        classes=classes,
        digest="images",
    )


def make_run(training=None, *, architecture=None, seed=0, epochs=3, **schedule):
    schedule = {"batch_size": BATCH, "learning_rate": 0.02, "momentum": 0.9} | schedule
    return Run(
        architecture=architecture or Tiny(),
        data=Images(),
        training=training or Training(),
        schedule=Schedule(epochs=epochs, **schedule),
        seed=seed,
    )


class Memory(Checkpointing):
    """Keeps the newest checkpoint; stops the training after a save or at a position."""

    class Stopped(Exception):
        """Raised where a test wants the training to end."""

    def __init__(self, *, after_epoch=None, at_position=None, log_dir=None, xla=False):
        self.after_epoch, self.at_position = after_epoch, at_position
        self.log_dir, self.xla = log_dir, xla
        self.kept, self.positions, self.parts = None, [], {}
        self.saves = 0

    def part(self, name):
        return self.parts.setdefault(name, Memory())

    def load(self):
        if self.kept is None:
            return None
        arrays, state = self.kept
        return dict(arrays), json.loads(state)

    def save(self, arrays, state):
        self.saves += 1
        self.kept = {name: array.copy() for name, array in arrays.items()}, json.dumps(state)
        if len(state["history"]) == self.after_epoch:
            raise self.Stopped

    def progress(self, done, total, text=""):
        self.positions.append((done, total, text))
        if done == self.at_position:
            raise self.Stopped

    @property
    def history(self):
        return json.loads(self.kept[1])["history"]


@pytest.fixture(autouse=True)
def _two_calls_an_epoch_and_a_checkpoint(monkeypatch):
    from ftnoise.training import loop

    monkeypatch.setattr(loop, "STEPS_PER_CALL", 16)
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0)


@pytest.fixture
def images():
    """`images(shape, classes)` -> arrays to train and to test on."""
    return make_images


@pytest.fixture
def run_of():
    """`run_of(training, ...)` -> a run on them."""
    return make_run


@pytest.fixture
def memory():
    """The checkpointing's class."""
    return Memory


@pytest.fixture
def trained():
    """`trained(run, checkpointing, data)` -> bytes of the weights after training."""

    def train(run, checkpointing=None, data=None):
        network = run.training.train(run, data or make_images(), checkpointing)
        return [w.tobytes() for w in network.get_weights()]

    return train
