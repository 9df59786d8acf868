"""Accuracy of many examples under attack, in batches that a killed process resumes.

Batches start at multiples of a fixed size, each with a seed of its own, so results depend neither
on interruptions nor on the attacks before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ftnoise.attacks.attack import Attack, check_range
from ftnoise.attacks.search import Search
from ftnoise.attacks.target import Compiled, compiled
from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.core.lazy import keras, np, tf
from ftnoise.core.resumable import Resumable
from ftnoise.stats import proportion_interval


@dataclass(frozen=True, eq=False)
class Attacked:
    """The outcome of an attack on `n` examples.

    Attributes:
        clean: whether each is right without the attack, bool `[n]`.
        survives: whether it is right without and with it, bool `[n]`.
        distortion: norm of the perturbation that the attack found, in its ball, `[n]`.
        single: the share of single passes that are right without and with it, `[n]`, where a vote
            of many decides; else None.
    """

    clean: np.ndarray
    survives: np.ndarray
    distortion: np.ndarray
    single: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.clean)

    def first(self, count: int) -> Attacked:
        """The outcome on the first examples."""
        return Attacked(self.clean[:count], self.survives[:count], self.distortion[:count])

    def then(self, other: Attacked) -> Attacked:
        """The outcome of this attack and then of another one on the examples that survive here."""
        # A network that draws may be wrong on one of them in the other draw, without the attack.
        broken = np.flatnonzero(self.survives)[other.clean & ~other.survives]
        survives, distortion = self.survives.copy(), self.distortion.copy()
        survives[broken] = False
        distortion[broken] = other.distortion[other.clean & ~other.survives]
        if self.single is None or other.single is None:
            return Attacked(self.clean, survives, distortion)
        single = self.single.copy()
        single[self.survives] = np.minimum(single[self.survives], other.single)
        return Attacked(self.clean, survives, distortion, single)

    @property
    def clean_accuracy(self) -> float:
        """Without the attack, in percent."""
        return 100.0 * float(self.clean.mean())

    @property
    def accuracy(self) -> float:
        """Under attack, in percent."""
        return 100.0 * float(self.survives.mean())

    @property
    def single_pass_accuracy(self) -> float | None:
        """Under attack in a single pass, the mean over passes, in percent; None without a vote."""
        return None if self.single is None else 100.0 * float(self.single.mean())

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
        """Whether this attack significantly breaks more of the same examples than another does.

        McNemar's exact test of the examples that one of them alone breaks, at 2.5 %.
        """
        more = int((~self.survives & other.survives).sum())
        less = int((self.survives & ~other.survives).sum())
        return more + less > 0 and proportion_interval(more, more + less)[0] > 0.5


class Evaluation:
    """One or several attacks of one measurement, which share checkpoints and compiled networks.

    `identity` is everything that the results depend on, such as the id of the measure.
    """

    def __init__(self, checkpointing: Checkpointing, identity: str = "") -> None:
        self.resumable = Resumable(checkpointing, identity)
        self.targets: dict[int, Compiled] = {}

    def attacked(
        self,
        part: str,
        attack: Attack,
        network: keras.Model,
        x: np.ndarray,
        y: np.ndarray,
        judge: keras.Model | None = None,
        votes: int = 1,
    ) -> Attacked:
        """Attacks examples `[n, ...]` in [0, 1]; raises `BadInput` as `Attack.perturb` does.

        `part` names this attack in the measurement, in lower case letters and _. The judge is the
        network that has to be right, if it is another one (transfer). Of a network that draws, the
        majority of `votes` draws has to be right.
        """
        check_range(x)
        target, judging = (self.target(one, x.shape[1:]) for one in (network, judge or network))
        size, perturb = attack.at_a_time(x.shape[1:]), perturbing(attack, target)

        def batch(start: int, stop: int) -> dict[str, Any]:
            images = tf.constant(x[start:stop], tf.float32)
            labels = tf.constant(y[start:stop], tf.int32)
            draw = seed("judge", start // size)
            check_outputs(target.logits(images, draw).numpy(), network)
            moved = perturb(images, labels, start // size)
            before, after = (passes(judging, part, draw, votes) for part in (images, moved))
            clean, survives = (right(part.sum(axis=0), labels) for part in (before, after))
            single = (before * after)[:, np.arange(len(labels)), labels.numpy()].mean(axis=0)
            return {
                "clean": clean,
                "survives": clean & survives,
                "distortion": attack.ball.size(moved - images).numpy(),
                **({"single": single} if votes > 1 else {}),
            }

        text = f"attack with {attack.label}"
        return Attacked(**self.resumable.batches(batch, len(y), size, series=part, text=text))

    def varied(
        self, part: str, attack: Attack, network: keras.Model, x: np.ndarray
    ) -> dict[str, np.ndarray]:
        """How an attack changes the outputs, with the predictions as labels; raises as `attacked`.

        `part` and `x` are as in `attacked`. Gives the `predicted` class `[n]`; `changed`, whether
        another class reaches it before or under the attack, bool `[n]`; and `variation`, the
        largest change of a class's probability, `[n]`.
        """
        check_range(x)
        target = self.target(network, x.shape[1:])
        size, perturb = attack.at_a_time(x.shape[1:]), perturbing(attack, target)

        def batch(start: int, stop: int) -> dict[str, Any]:
            images = tf.constant(x[start:stop], tf.float32)
            draw = seed("judge", start // size)
            before = target.logits(images, draw).numpy()
            check_outputs(before, network)
            predicted = before.argmax(axis=1)
            labels = tf.constant(predicted, tf.int32)
            moved = perturb(images, labels, start // size)
            after = target.logits(moved, draw).numpy()
            rows = np.arange(len(before))
            changed = np.zeros(len(before), bool)
            for outputs in (before, after):
                own, others = outputs[rows, predicted], outputs.copy()
                others[rows, predicted] = -np.inf
                changed |= ~(own > others.max(axis=1))
            shares = [tf.nn.softmax(outputs).numpy() for outputs in (before, after)]
            variation = np.abs(shares[1] - shares[0]).max(axis=1)
            return {"predicted": predicted, "changed": changed, "variation": variation}

        text = f"attack with {attack.label}"
        return self.resumable.batches(batch, len(x), size, series=part, text=text)

    def searched(
        self,
        part: str,
        search: Search,
        network: keras.Model,
        x: np.ndarray,
        y: np.ndarray,
        judge: keras.Model,
        draws: int,
    ) -> dict[str, np.ndarray]:
        """Searches for the nearest wrong examples; raises `BadInput` as `Search.search` does.

        `part` and `x` are as in `attacked`. The search has not seen the `draws` of the judge, which
        scores the results. Gives `found`, whether a pass of the search erred, bool `[n]`;
        `distance` `[n]` of the example that it led to; and `clean` and `right`, the share of the
        judge's draws that get the example right without the search and after it, `[n]`.
        """
        check_range(x)
        target, judging = (self.target(one, x.shape[1:]) for one in (network, judge))
        size = search.at_a_time(x.shape[1:])

        def batch(start: int, stop: int) -> dict[str, Any]:
            images = tf.constant(x[start:stop], tf.float32)
            labels = tf.constant(y[start:stop], tf.int32)
            draw = seed("judge", start // size)
            check_outputs(target.logits(images, draw).numpy(), network)
            moved, found = search.search(target, images, labels, seed("attack", start // size))
            votes = (passes(judging, part, draw, draws) for part in (images, moved))
            shares = (part.mean(axis=0, dtype=float) for part in votes)
            clean, right = (tf.gather(part, labels, batch_dims=1).numpy() for part in shares)
            distance = search.ball.size(moved - images).numpy()
            return {"found": found.numpy(), "distance": distance, "clean": clean, "right": right}

        text = f"search with {search.label}"
        return self.resumable.batches(batch, len(y), size, series=part, text=text)

    def zero_gradients(self, network: keras.Model, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
        """Which examples have no gradient to follow, and which are right; bool `[n]` each.

        An example has no gradient if that of its loss is zero, or no number, in all elements.
        """
        target = self.target(network, x.shape[1:])

        def batch(start: int, stop: int) -> dict[str, Any]:
            images = tf.constant(x[start:stop], tf.float32)
            labels = tf.constant(y[start:stop], tf.int32)
            draw = seed("judge", start // Attack.batch_size)
            gradient = target.gradient(images, labels, draw).numpy().reshape(len(labels), -1)
            return {
                "zero": ~(np.isfinite(gradient) & (gradient != 0)).any(axis=1),
                "right": right(target.logits(images, draw), labels),
            }

        found = self.resumable.batches(
            batch, len(y), Attack.batch_size, series="zero_gradients", text="gradients"
        )
        return found["zero"], found["right"]

    def target(self, network: keras.Model, shape: tuple[int, ...]) -> Compiled:
        """The compiled network for examples of this shape, the same at every call."""
        # A target keeps its network, so no other one gets its id meanwhile.
        return self.targets.setdefault(id(network), Compiled(network, shape))


def perturbing(attack: Attack, target: Compiled) -> Callable[[Any, Any, int], Any]:
    """The attack as a function of images, labels and the number of their batch."""
    perturb: Callable[..., Any] = partial(attack.perturb, target)
    if attack.one_graph:
        perturb = compiled(perturb, target.x, target.y, target.seed)

    def moved(images: Any, labels: Any, batch: int) -> Any:
        found = perturb(images, labels, seed("attack", batch))
        # An attack with NaN gradients has not moved the example.
        return tf.where(tf.math.is_finite(found), found, images)

    return moved


def seed(purpose: str, batch: int) -> Any:
    """The int64 pair for the draws of a batch: those of the attack, or those that judge it."""
    return seeds.at_step(seeds.key(0, purpose), tf.constant(batch, tf.int64))


def frozen(network: keras.Model) -> keras.Model:
    """The network in one draw, the same for all attacks."""
    from ftnoise.layers.drawing import Fixed

    return Fixed(network, seed("frozen", 0))


def passes(target: Compiled, x: Any, draw: Any, count: int) -> np.ndarray:
    """The votes of single passes: 1 for the predicted class, `[count, batch, classes]`.

    The first one is in the draw itself, the others in draws that follow from it.
    """
    fold = tf.random.experimental.stateless_fold_in
    draws = [draw, *(fold(draw, number) for number in range(1, count))]
    outputs = (target.logits(x, one) for one in draws)
    return np.stack([tf.one_hot(tf.argmax(one, -1), one.shape[-1]).numpy() for one in outputs])


def right(outputs: Any, y: Any) -> np.ndarray:
    """Whether each prediction is the label, bool `[batch]`."""
    return (tf.argmax(outputs, axis=-1, output_type=y.dtype) == y).numpy()


def check_outputs(outputs: np.ndarray, network: keras.Model) -> None:
    """Raises `BadInput` if the outputs `[batch, classes]` are probabilities."""
    from ftnoise.layers.logits import are_probabilities

    expect(
        not are_probabilities(outputs),
        f"a network that gives logits to attack: the outputs of {network.name} are probabilities, "
        "whose gradients vanish",
        sums_of_outputs=float(outputs.sum(axis=-1).mean()) if outputs.size else None,
    )


def chosen(size: int, examples: int | None) -> Any:
    """Indices of `examples` of `size` examples, drawn once for all runs; None is all of them."""
    if examples is None or examples >= size:
        return slice(None)
    return seeds.subset(size, examples, "attack")
