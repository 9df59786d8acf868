"""Iterative magnitude pruning: train, remove the smallest weights, rewind the others, train again.

Sources: Frankle and Carbin (2019), "The Lottery Ticket Hypothesis"; "Global Adversarial Robustness
Guarantees for Neural Networks", section 4.3 and appendix B.3, whose total reduction P over n rounds
it takes: each round removes 1 - (1 - P)^(1 / n) of what is left of each kernel.

Deviations
1. The numbers of weights that are left are exact: round(size (1 - P)^(r / n)) after round r.
2. The second paper does not say where the weights are rewound to; by default to the initial ones.
3. Biases are neither pruned nor counted; they are rewound too. Kernels are those of dense and
   convolutional layers, not of depthwise ones.
4. Weights are rewound to the end of an epoch of the dense training, not to one of its steps.
"""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import count, expect, fraction, instance
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Procedure, Run, Weights
from ftnoise.core.lazy import keras, np
from ftnoise.core.preset import Preset
from ftnoise.training import Training


@dataclass(frozen=True, kw_only=True)
class IterativePruning(Procedure):
    """A dense training, and one more after each round of pruning; pruned weights are exactly 0.

    Args:
        training: of each round; private gradients are refused, as they have no masks.
        reduction: P, the share of each kernel that is removed in all, in (0, 1).
        rounds: n, at least 1.
        rewind: the weights that are left go back to those after this many epochs of the dense
            training, at least 0; None lets them keep their values.
    """

    training: Training
    reduction: float
    rounds: int = 1
    rewind: int | None = 0

    def __post_init__(self) -> None:
        instance(Training, "a Training", training=self.training)
        fraction(zero=False, one=False, reduction=self.reduction)
        count(rounds=self.rounds)
        if self.rewind is not None:
            count(least=0, rewind=self.rewind)
        _masked(self.training, [])  # raises BadInput for private gradients

    def scaled(self, preset: Preset) -> IterativePruning:
        """The training's smaller self, and the share of the epochs to rewind to."""
        rewind = self.rewind
        if rewind:
            rewind = max(1, round((preset.epochs or 0) * rewind))
        return dataclasses.replace(self, training=self.training.scaled(preset), rewind=rewind)

    @property
    def beginning(self) -> Training:
        """The dense training."""
        return self.training

    def build(self, run: Run) -> keras.Model:
        """The untrained network, with all of its weights.

        Raises:
            BadInput: its layers draw their weights, so that those that are pruned would not be 0.
        """
        from ftnoise.layers.drawing import noise_weights

        network = self.training.build(run)
        expect(
            not noise_weights(network),
            "a training to prune whose weights have no standard deviations",
            weights=self.training.weights,
        )
        return network

    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        """See `Procedure.train`; each training keeps its work in a part of its own.

        Raises:
            BadInput: the dense training has fewer epochs than those to rewind to.
        """

        def part(name: str) -> Checkpointing | None:
            return checkpointing.part(name) if checkpointing else None

        if network is None:
            keras.backend.clear_session()
            seeds.fix_initialization(run.seed)
            back = self.build(run).get_weights()
        else:
            back = network.get_weights()
        if self.rewind:
            count(limit=run.schedule.epochs, rewind=self.rewind)
            early = dataclasses.replace(run.schedule, epochs=self.rewind)
            begun = dataclasses.replace(run, schedule=early)
            back = self.training.train(begun, data, part("rewind"), network).get_weights()
        network = self.training.train(run, data, part("round-0"), network)
        for number in range(1, self.rounds + 1):
            share = (1 - self.reduction) ** (number / self.rounds)
            masks = [_largest(kernel.numpy(), share) for kernel in kernels(network)]
            if self.rewind is not None:
                network.set_weights(back)
            for kernel, mask in zip(kernels(network), masks, strict=True):
                kernel.assign(kernel * mask)
            training = _masked(self.training, masks)
            network = training.train(run, data, part(f"round-{number}"), network)
        return network


def kernels(network: keras.Model) -> list[Any]:
    """The variables that are pruned: the kernels of all layers, in order."""
    from ftnoise.layers.replacing import layers

    found = [getattr(layer, "kernel", None) for layer in layers(network)]
    return [kernel for kernel in found if kernel is not None]


def _largest(kernel: np.ndarray, share: float) -> np.ndarray:
    """1 where the weights of the largest magnitude are, exactly so many, and 0 elsewhere.

    Those that were removed are 0 and so the smallest; of equal ones the first stay.
    """
    kept = np.argsort(-np.abs(kernel).ravel(), kind="stable")[: round(share * kernel.size)]
    mask = np.zeros(kernel.size, np.float32)
    mask[kept] = 1
    return mask.reshape(kernel.shape)


def _masked(training: Training, masks: list[np.ndarray]) -> Training:
    """The training with pruned kernels held at 0 after each step."""
    masked = _Masked(masks=masks, inner=training.weights or Weights())
    return dataclasses.replace(training, weights=masked)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Masked(Weights):
    """Another member of the slot, or its base, after whose steps pruned weights are 0.

    It is no part of a run: the masks follow from the trainings before.
    """

    masks: list[np.ndarray]
    inner: Weights

    def rebuild(self, network: keras.Model) -> keras.Model:
        return self.inner.rebuild(network)

    @property
    def validation(self) -> float:
        return self.inner.validation

    def settings(self, network: keras.Model) -> list[Any]:
        return self.inner.settings(network)

    def during_pass(self, network: keras.Model, seed: Any) -> AbstractContextManager[None]:
        return self.inner.during_pass(network, seed)

    def before_step(self, network: keras.Model, seed: Any) -> None:
        self.inner.before_step(network, seed)

    def after_step(self, network: keras.Model, gradients: list[Any], seed: Any) -> None:
        self.inner.after_step(network, gradients, seed)
        for kernel, mask in zip(kernels(network), self.masks, strict=True):
            kernel.assign(kernel * mask)

    def callbacks(self, network: keras.Model, run: Run) -> list[keras.callbacks.Callback]:
        return self.inner.callbacks(network, run)
