"""Attacks many examples batch by batch, and goes on where a process was that was killed.

The batches are of a fixed size and start at fixed examples, each with a seed of its own, so what is
found depends neither on interruptions nor on what was attacked before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ftnoise.attacks.attack import Attack, check_answers, check_images
from ftnoise.attacks.compiled import Compiled
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.spec import spec_id
from ftnoise.stats import proportion_interval

if TYPE_CHECKING:
    import keras
    from numpy import ndarray

SAVE_SECONDS = 5.0
KINDS = ("clean", "survives", "distortion")


@dataclass(frozen=True, eq=False)
class Attacked:
    """What became of `n` examples.

    Attributes:
        clean: whether each is right without the attack, bool `[n]`.
        survives: whether it is right without and with it, bool `[n]`.
        distortion: distance to where the attack took it, in the norm of its ball, `[n]`.
    """

    clean: ndarray
    survives: ndarray
    distortion: ndarray

    def __len__(self) -> int:
        return len(self.clean)

    def first(self, count: int) -> Attacked:
        """What became of the first examples."""
        return Attacked(self.clean[:count], self.survives[:count], self.distortion[:count])

    @property
    def clean_accuracy(self) -> float:
        """Without the attack, in percent."""
        return 100.0 * float(self.clean.mean())

    @property
    def accuracy(self) -> float:
        """Under attack, in percent."""
        return 100.0 * float(self.survives.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 % interval of `accuracy`, in percent."""
        low, high = proportion_interval(int(self.survives.sum()), len(self))
        return 100 * low, 100 * high

    @property
    def mean_distortion(self) -> float | None:
        """Over the examples that were right and that the attack broke; None if there is none."""
        broken = self.clean & ~self.survives
        return float(self.distortion[broken].mean()) if broken.any() else None

    def does_more_than(self, other: Attacked) -> bool:
        """Whether this attack surely breaks more of the same examples than another does.

        An exact sign test of the examples that one of them alone breaks, at 2.5 %.
        """
        ahead = int((~self.survives & other.survives).sum())
        behind = int((self.survives & ~other.survives).sum())
        return ahead + behind > 0 and proportion_interval(ahead, ahead + behind)[0] > 0.5


class Evaluation:
    """One or several attacks for a measure, which keeps in its checkpointing what they have found.

    Args:
        checkpointing: the measure's.
        passes: forward passes with a backward pass to the input that all of it will take, for
            progress: `attack.gradients` for each example.
    """

    def __init__(self, checkpointing: Checkpointing, passes: int) -> None:
        self.checkpointing, self.passes, self.passed = checkpointing, passes, 0
        arrays, state = checkpointing.load() or ({}, {})
        self.arrays: dict[str, ndarray] = dict(arrays)
        self.done: dict[str, int] = dict(state.get("done", {}))
        self.attacks: dict[str, str] = dict(state.get("attacks", {}))
        self.saved = time.monotonic()
        self.networks: dict[int, Compiled] = {}

    def attacked(
        self,
        part: str,
        attack: Attack,
        network: keras.Model,
        x: ndarray,
        y: ndarray,
        judge: keras.Model | None = None,
    ) -> Attacked:
        """What becomes of examples under an attack.

        Args:
            part: names this attack among those of the measure, in lower case letters and _.
            attack: the attack.
            network: what is attacked.
            x: examples `[n, ...]` in [0, 1].
            y: labels `[n]`, integers.
            judge: the network that has to be right, if it is another one (transfer).

        Raises:
            BadInput: see `Attack.perturb`.
        """
        import tensorflow as tf

        check_images(x)
        found = self.kept(part, attack, len(y))
        target, judging = (self.compiled(one, x.shape[1:]) for one in (network, judge or network))
        perturbed: Callable[..., Any] = partial(attack.perturb, target)
        if attack.in_graph and not attack.stepwise:
            perturbed = whole_batch(attack, target, x.shape[1:])
        key = seeds.key(0, "attack")
        size = attack.at_a_time(x.shape[1:])
        for number, start in enumerate(range(0, len(y), size)):
            stop = min(start + size, len(y))
            self.passed += (stop - start) * attack.gradients
            if stop <= self.done.get(part, 0):
                continue
            images = tf.constant(x[start:stop], tf.float32)
            labels = tf.constant(y[start:stop], tf.int32)
            answers = target(images).numpy()
            check_answers(answers, target.name)
            moved = perturbed(images, labels, seeds.at_step(key, tf.constant(number, tf.int64)))
            # An attack that lost its way has found nothing.
            moved = tf.where(tf.math.is_finite(moved), moved, images)
            if judging is target:
                clean = answers.argmax(axis=-1) == y[start:stop]
            else:
                clean = judging.right(images, labels).numpy()
            after = judging.right(moved, labels).numpy()
            found["clean"][start:stop], found["survives"][start:stop] = clean, clean & after
            found["distortion"][start:stop] = attack.ball.size(moved - images).numpy()
            self.done[part] = stop
            self.checkpointing.progress(self.passed, self.passes, f"attack with {attack.label}")
            if time.monotonic() - self.saved >= SAVE_SECONDS or stop == len(y):
                self.save()
        return Attacked(**{kind: found[kind].copy() for kind in KINDS})

    def compiled(self, network: keras.Model, shape: tuple[int, ...]) -> Compiled:
        """The network for attacks on examples of this shape, the same at every call."""
        # What is compiled keeps the network, so no other one gets its number meanwhile.
        return self.networks.setdefault(id(network), Compiled(network, shape))

    def kept(self, part: str, attack: Attack, count: int) -> dict[str, ndarray]:
        """The arrays of a part, as far as they are known of this attack."""
        import numpy as np

        names, known = {kind: f"{part}_{kind}" for kind in KINDS}, spec_id(attack)
        lengths = {len(self.arrays.get(name, ())) for name in names.values()}
        if lengths != {count} or self.attacks.get(part) != known:
            self.done.pop(part, None)
            self.attacks[part] = known
            for kind, name in names.items():
                self.arrays[name] = np.zeros(count, np.float32 if kind == "distortion" else bool)
        return {kind: self.arrays[name] for kind, name in names.items()}

    def save(self) -> None:
        """Keeps what was found so far."""
        state = {"done": dict(self.done), "attacks": dict(self.attacks)}
        self.checkpointing.save(dict(self.arrays), state)
        self.saved = time.monotonic()


def whole_batch(
    attack: Attack, network: keras.Model, shape: tuple[int, ...]
) -> Callable[[Any, Any, Any], Any]:
    """The attack as a function of (x, y, seed), compiled once for batches of any size."""
    import tensorflow as tf

    def perturbed(x: Any, y: Any, seed: Any) -> Any:
        return attack.perturb(network, x, y, seed)

    signature = [
        tf.TensorSpec([None, *shape], tf.float32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([2], tf.int64),
    ]
    return tf.function(perturbed, input_signature=signature, autograph=False)


def chosen(size: int, examples: int | None) -> Any:
    """Which of `size` examples are attacked: so many at random, the same for every run; or all."""
    if examples is None or examples >= size:
        return slice(None)
    return seeds.subset(size, examples, "attack")
