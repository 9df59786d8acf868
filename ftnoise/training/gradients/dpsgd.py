"""DP-SGD: clips the gradient of each example and adds Gaussian noise to their sum.

Source: Abadi et al. (2016), "Deep Learning with Differential Privacy"; Algorithm 2 of the paper;
Chua et al. (2024), "How Private are DP-SGD Implementations?", for what shuffled batches cost.

The noise and, with `Poisson`, the batches are functions of a key and the number of the step. Anyone
can compute the key of a published run and subtract the noise: such a run is a reproduction, not a
private release. `secret_key` takes a key from the operating system that is never written down; a
resumed training then has other noise than an uninterrupted one.

The ledger lists the steps that count. `announce` extends it before each log interval; it is kept in
the checkpoint and, at the end, in spec.json. Until then spec.json counts each attempt as if it went
to the end. Steps that an interrupted process may have taken count even if their result was lost,
unless they are repeated bit for bit: then they are the same release. Otherwise the noise continues
under another key. A ledger that cannot be found is marked as lost, and no epsilon is reported.

Deviations
1. The sum is divided by the expected batch size, which is public, not by the size drawn.
2. The noise is drawn by Philox, which is no cryptographic generator, in single precision.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ftnoise.core import seeds
from ftnoise.core.checks import boolean, expect, instance, is_number
from ftnoise.core.errors import BadInput
from ftnoise.core.interfaces import Gradients, Inputs, Objective, Penalty, Run, Updater, Weights
from ftnoise.core.lazy import keras, tf
from ftnoise.core.preset import Preset
from ftnoise.core.spec import JSON, Spec, canonical, digest
from ftnoise.privacy import NOISE
from ftnoise.training.gradients.plain import batch_of, learning_rate

# Batches of varying size are rounded up to a multiple of it under XLA, which compiles each size.
XLA_MULTIPLE = 32


@dataclass(frozen=True, kw_only=True)
class Sampler(Spec, ABC):
    """Base: how batches are drawn, on which the privacy guarantee depends."""

    @abstractmethod
    def batch(self, order: Any, step: Any, updater: PrivateUpdater) -> tuple[Any, Any]:
        """The examples of a step; see `Updater.batch`.

        Args:
            order: this epoch's permutation, int32 `[examples]`.
            step: number of the step, int64 scalar.
            updater: gives the (expected) `batch_size`, the `steps_per_epoch`, the `batch_key`, an
                int64 scalar that, with `step`, determines the draw, and the `multiple` to which
                the number of indices is rounded up where it varies.
        """


@dataclass(frozen=True, kw_only=True)
class Poisson(Sampler):
    """Each example is in each batch with probability size / examples, independently of all others.

    A batch may be empty. It then has one index that does not count, because some kernels fail on
    zero examples.
    """

    def batch(self, order: Any, step: Any, updater: PrivateUpdater) -> tuple[Any, Any]:
        examples, size, multiple = order.shape[0], updater.batch_size, updater.multiple
        seed = tf.stack([updater.batch_key, step])
        # In integers: the probability, rounded down to a multiple of 2^-32, is never above the
        # stated one.
        drawn = tf.random.stateless_uniform(
            [examples], seed, minval=None, maxval=None, dtype=tf.uint32
        )
        if size >= examples:
            chosen = tf.range(examples, dtype=tf.int64)
        else:
            threshold = tf.constant(size * 2**32 // examples, tf.uint32)
            chosen = tf.where(drawn < threshold)[:, 0]
        count = tf.shape(chosen)[0]
        length = tf.maximum(-(-count // multiple), 1) * multiple
        indices = tf.pad(chosen, [[0, length - count]])
        return tf.cast(indices, tf.int32), tf.range(length) < count


@dataclass(frozen=True, kw_only=True)
class Shuffled(Sampler):
    """Consecutive slices of a permutation drawn anew in each epoch, as in most code."""

    def batch(self, order: Any, step: Any, updater: PrivateUpdater) -> tuple[Any, Any]:
        return batch_of(order, step, updater.steps_per_epoch, updater.batch_size), None


@dataclass(frozen=True, kw_only=True)
class Engine(Spec):
    """Base: how the clipped sum is computed."""


@dataclass(frozen=True, kw_only=True)
class Bookkeeping(Engine):
    """One forward and one backward pass for a whole batch (`noise.BookkeepingSGD`)."""


@dataclass(frozen=True, kw_only=True)
class Reference(Engine):
    """tensorflow-privacy's `DPKerasSGDOptimizer` without changes, one microbatch per example.

    For comparison: 10 to 100 times slower. It divides by the size of the batch, so it needs
    shuffled batches. Its noise follows from TensorFlow's seed, which is not secret; a resumed
    training uses another seed. An example with a non-finite gradient spoils the sum, and the
    training fails.
    """


@dataclass(frozen=True, kw_only=True)
class DPSGD(Gradients):
    """The `gradients` member of Abadi et al. (2016).

    Args:
        noise_multiplier: standard deviation of the noise in units of `clip`; 0, or in
            `privacy.NOISE`.
        clip: largest l_2 norm of an example's gradient over all weights; in 1e-12 to 1e12.
        sampler: how batches are drawn, `Poisson` or `Shuffled`.
        engine: how the clipped sum is computed, `Bookkeeping` or `Reference`.
        secret_key: take the key from the operating system, for a private release.
    """

    noise_multiplier: float
    clip: float = 1.0
    sampler: Sampler = field(default_factory=Poisson)
    engine: Engine = field(default_factory=Bookkeeping)
    secret_key: bool = False

    noisy: ClassVar[bool] = True

    def scaled(self, preset: Preset) -> DPSGD:
        """A key from the operating system where the preset wants one."""
        return replace(self, secret_key=self.secret_key or preset.secret_key)

    def __post_init__(self) -> None:
        least, most = NOISE
        expect(
            is_number(self.noise_multiplier)
            and (self.noise_multiplier == 0 or least <= self.noise_multiplier <= most),
            f"noise_multiplier 0, or in {least:g} to {most:g}",
            noise_multiplier=self.noise_multiplier,
        )
        # Beyond, single precision has no digits left for the noise.
        expect(
            is_number(self.clip) and 1e-12 <= self.clip <= 1e12,
            "clip > 0, in 1e-12 to 1e12",
            clip=self.clip,
        )
        instance(Sampler, "a sampler, such as Poisson()", sampler=self.sampler)
        instance((Bookkeeping, Reference), "an engine, such as Bookkeeping()", engine=self.engine)
        boolean(secret_key=self.secret_key)
        expect(
            isinstance(self.engine, Bookkeeping) or isinstance(self.sampler, Shuffled),
            "sampler=Shuffled() for the reference engine, which divides by the size of the batch",
            sampler=self.sampler,
        )
        expect(
            isinstance(self.engine, Bookkeeping) or not self.secret_key,
            "no secret_key for the reference engine, whose noise follows from TensorFlow's seed",
            engine=self.engine,
        )

    def check(
        self, inputs: Inputs | None, penalty: Penalty | None, weights: Weights | None
    ) -> None:
        """Raises `BadInput` for slots that DP-SGD cannot be combined with."""
        expect(
            inputs is None or inputs.one_pass,
            "DP-SGD with an objective of one forward pass, as each example is clipped by itself: "
            "leave `inputs` empty",
            inputs=inputs,
        )
        expect(
            penalty is None or not penalty.looks_at_data,
            "DP-SGD with a penalty on the weights alone, as what comes from the examples must be "
            "clipped: use L2 or L1",
            penalty=penalty,
        )
        expect(
            weights is None,
            "`weights` to be empty with DP-SGD",
            weights=weights,
        )

    def start(self, network: keras.Model, run: Run, examples: int, *, xla: bool) -> Updater:
        """The updater; `BadInput` if a batch exceeds the data or a layer cannot be clipped."""
        expect(
            run.schedule.batch_size <= examples,
            f"batch_size <= {examples}, the training examples",
            batch_size=run.schedule.batch_size,
        )
        from ftnoise.training.gradients.checks import check, draws

        random = check(network)
        expect(
            not (self.secret_key and draws(network)),
            f"{network.name} without Keras' random layers with a secret key, as their seed is "
            "public: ftnoise.layers.keyed_noise has layers with a key",
            secret_key=self.secret_key,
        )
        if isinstance(self.engine, Reference):
            expect(
                examples % run.schedule.batch_size == 0,
                f"batch_size to divide {examples} examples for the reference engine",
                batch_size=run.schedule.batch_size,
            )
            return ReferenceUpdater(self, network, run, examples, repeatable=False)
        return PrivateUpdater(self, network, run, examples, xla=xla, repeatable=not random)


class PrivateUpdater(Updater):
    """Steps of `noise.BookkeepingSGD`, with the sampler's batches and the ledger.

    The ledger is a list of attempts, each
    `{"nonce": .., "key": "public" or "secret", "from": .., "to": ..}`: the steps from number `from`
    to before number `to` have to be counted. Steps are `repeatable` if a step has the same result
    again, as the network does not draw.
    """

    def __init__(
        self,
        spec: DPSGD,
        network: keras.Model,
        run: Run,
        examples: int,
        *,
        xla: bool = False,
        repeatable: bool = True,
    ) -> None:
        from ftnoise.training.gradients.noise import BookkeepingSGD

        self.spec, self.network, self.run, self.examples = spec, network, run, examples
        self.repeatable, self.multiple = repeatable, XLA_MULTIPLE if xla else 1
        self.secret = spec.secret_key
        self.steps_per_epoch = run.schedule.steps_per_epoch(examples)
        self.batch_size = run.schedule.batch_size
        self.ledger: list[dict[str, JSON]] = []
        self.lost = False
        # Variables, so that no compiled graph holds them as constants; no checkpoint has them.
        self.noise_key, self.batch_key = (
            tf.Variable(0, trainable=False, dtype=tf.int64) for _ in range(2)
        )
        # Sums in TensorFloat-32, with ten bits, would exceed the clipping norm.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.optimizer = BookkeepingSGD(
            clip=spec.clip,
            noise_multiplier=spec.noise_multiplier,
            batch_size=run.schedule.batch_size,
            key=self.noise_key,
            learning_rate=learning_rate(run.schedule, self.steps_per_epoch),
            momentum=run.schedule.momentum,
            xla=xla,
        )
        self.metrics = (keras.metrics.Sum("not_finite"),)

    def resume(self, kept: JSON, step: int, repeats: bool) -> None:
        """Continues the attempt of the last process if its steps repeat, or begins another one."""
        ledger = [dict(attempt) for attempt in kept["ledger"]] if kept else []
        self.lost = kept.get("lost", False) if kept else not repeats
        repeats = repeats and self.repeatable and not self.spec.secret_key
        # Before its own beginning an attempt has nothing to repeat.
        if not ledger or not repeats or step < ledger[-1]["from"]:
            nonce = secrets.randbits(63) if ledger or self.lost else 0
            key = "secret" if self.spec.secret_key else "public"
            ledger.append({"nonce": nonce, "key": key, "from": step, "to": step})
        self.ledger = ledger
        for variable, purpose in ((self.noise_key, "noise"), (self.batch_key, "batches")):
            variable.assign(self.key(purpose))

    def key(self, purpose: str) -> int:
        """The key of this attempt for `purpose`."""
        if self.spec.secret_key:
            return secrets.randbits(63)
        # Unlike other keys it names the run: noise that two runs share could be subtracted. (Data
        # files with other contents share it; a public key guarantees nothing.)
        nonce = self.ledger[-1]["nonce"]
        return seeds.key(self.run.seed, "privacy", purpose, digest(canonical(self.run)), nonce)

    def batch(self, order: Any, step: Any) -> tuple[Any, Any]:
        return self.spec.sampler.batch(order, step, self)

    def announce(self, step: int) -> JSON:
        """The ledger with the steps up to number `step`."""
        self.ledger[-1]["to"] = max(self.ledger[-1]["to"], step)
        return self.record(self.ledger[-1]["to"])

    def at_most(self) -> JSON:
        """The ledger as if this attempt went to the end."""
        return self.record(self.run.schedule.epochs * self.steps_per_epoch)

    def record(self, last: int) -> JSON:
        """The ledger with the last attempt up to step number `last`."""
        *before, attempt = self.ledger
        return {
            "ledger": [*map(dict, before), attempt | {"to": last}],
            "lost": self.lost,
            "examples": self.examples,
            "steps_per_epoch": self.steps_per_epoch,
        }

    def update(self, objective: Objective, penalty: Callable[[], Any] | None, present: Any) -> Any:
        """One step: the noised sum, and the penalty's gradient outside the clipping."""
        from ftnoise.training.gradients.recording import RecordingTape

        variables = self.network.trainable_variables
        with RecordingTape(self.network) as tape:
            losses, logits = objective()
            if present is not None:
                losses = tf.where(present, losses, 0.0)
        steps = self.optimizer._compute_gradients(losses, variables, tape=tape)
        finite = tf.math.is_finite(losses)
        count = finite if present is None else finite & present
        size = tf.maximum(tf.reduce_sum(tf.cast(count, losses.dtype)), 1.0)
        loss = tf.reduce_sum(tf.where(finite, losses, 0.0)) / size
        if penalty is not None:
            with tf.GradientTape() as outside:
                extra = penalty()
            slopes = outside.gradient(extra, variables, unconnected_gradients="zero")
            steps = [
                (gradient + slope, variable)
                for (gradient, variable), slope in zip(steps, slopes, strict=True)
            ]
            loss += extra
        self.optimizer.apply_gradients(steps)
        refused = ~tape.finite if present is None else ~tape.finite & present
        self.metrics[0].update_state(tf.math.count_nonzero(refused, dtype=tf.int32))
        return loss, logits, [gradient for gradient, _ in steps]


class ReferenceUpdater(PrivateUpdater):
    """Steps of tensorflow-privacy's own optimizer."""

    def __init__(self, spec: DPSGD, network: keras.Model, run: Run, examples: int, **how: Any):
        from tensorflow_privacy import DPKerasSGDOptimizer

        super().__init__(spec, network, run, examples, **how)
        self.optimizer = DPKerasSGDOptimizer(
            l2_norm_clip=spec.clip,
            noise_multiplier=spec.noise_multiplier,
            learning_rate=learning_rate(run.schedule, self.steps_per_epoch),
            momentum=run.schedule.momentum,
        )
        self.metrics = ()

    def resume(self, kept: JSON, step: int, repeats: bool) -> None:
        """Continues with noise that no other attempt has drawn."""
        super().resume(kept, step, repeats)
        # TensorFlow takes 31 bits of it.
        tf.random.set_seed(int(self.noise_key.numpy()) % 2**31)

    def update(self, objective: Objective, penalty: Callable[[], Any] | None, present: Any) -> Any:
        """One step; a penalty is refused, because it would be clipped with the examples."""
        del present
        if penalty is not None:
            raise BadInput(
                "Expected no penalty with the reference engine, which would clip it with the "
                "examples. Received: a penalty."
            )
        with tf.GradientTape() as tape:
            losses, logits = objective()
        steps = self.optimizer._compute_gradients(
            losses, self.network.trainable_variables, tape=tape
        )
        self.optimizer.apply_gradients(steps)
        return tf.reduce_mean(losses), logits, [gradient for gradient, _ in steps]
