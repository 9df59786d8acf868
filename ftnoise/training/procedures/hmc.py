"""Hamiltonian Monte Carlo: samples of a network's weights from their posterior.

Sources: Neal (2011), "MCMC using Hamiltonian dynamics"; Hoffman and Gelman (2014), "The No-U-Turn
Sampler", section 3.2, for the adaptation of the step size; Izmailov et al. (2021), "What Are
Bayesian Neural Network Posteriors Really Like?", for the full batch; "Global Adversarial Robustness
Guarantees for Neural Networks", section 4.4 and appendix B.8 and B.9. The sampler is TensorFlow
Probability's.

The likelihood is that of all training examples, the softmax's, and the prior is normal. The trained
network is the mean prediction over the samples of all chains (`layers/posterior.py`).

Deviations
1. The paper prints neither the prior nor the likelihood's examples, burn-in or start. Its ancestor
   takes N(0, 1) and minibatches: `TemperedHMC`.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import Any

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import boolean, count, expect, fraction, instance, positive
from ftnoise.core.data import Data
from ftnoise.core.interfaces import Procedure, Run
from ftnoise.core.lazy import keras, np, tf
from ftnoise.core.preset import Preset
from ftnoise.core.spec import canonical, digest
from ftnoise.training import Training

INTERVAL = 10  # iterations of an entry of the log
SAVE_SECONDS = 60.0  # between checkpoints, whose samples can be gigabytes


@dataclass(frozen=True, kw_only=True)
class HMC(Procedure):
    """Full-batch HMC with an exact accept step.

    Args:
        samples: of each chain, after the burn-in, at least 1; each is the end of a trajectory.
        step_size: of the leapfrog integrator, > 0; where it is adapted, the first one.
        steps: leapfrog steps of a trajectory, at least 1.
        burn_in: trajectories of each chain before its samples, at least 0.
        acceptance: the step size is adapted in the first 80 % of the burn-in to accept this share
            of the trajectories, in (0, 1); None leaves it as it is.
        chains: at least 1.
        fan_in: a kernel's prior has a variance of 1 / its inputs; otherwise, and for biases, it
            is N(0, 1).
        start: the training that each chain starts after, with a seed of its own; None starts at
            Keras' initial weights. Private gradients are refused: the likelihood reads the examples
            without noise.
    """

    samples: int
    step_size: float
    steps: int = 10
    burn_in: int = 100
    acceptance: float | None = None
    chains: int = 1
    fan_in: bool = False
    start: Training | None = None

    def __post_init__(self) -> None:
        count(samples=self.samples, steps=self.steps, chains=self.chains)
        count(least=0, burn_in=self.burn_in)
        positive(step_size=self.step_size)
        if self.acceptance is not None:
            fraction(zero=False, one=False, acceptance=self.acceptance)
            count(least=10, burn_in=self.burn_in)
        boolean(fan_in=self.fan_in)
        instance(Training, "a Training", optional=True, start=self.start)
        if self.start is not None:
            gradients = self.start.gradients
            expect(not self.start.noisy, "a start without private gradients", gradients=gradients)

    @property
    def beginning(self) -> HMC:
        """The same chains with one sample, which longer ones go on from."""
        return dataclasses.replace(self, samples=1)

    def scaled(self, preset: Preset) -> HMC:
        """As many samples and trajectories of burn-in as the preset has fault trials."""
        if preset.trials is None:
            return self
        # An adapted step size needs some trajectories.
        most = preset.trials if self.acceptance is None else max(10, preset.trials)
        return dataclasses.replace(
            self,
            samples=min(self.samples, preset.trials),
            burn_in=min(self.burn_in, most),
            start=self.start and self.start.scaled(preset),
        )

    def build(self, run: Run) -> keras.Model:
        from ftnoise.layers.posterior import posterior_network

        return posterior_network(run.architecture.build(), self.chains * self.samples)

    def examples(self, data: Data, trajectory: int, seed: int) -> tuple[Any, Any]:
        """The training examples of a trajectory's likelihood: all of them."""
        del trajectory, seed
        return data.x_train, data.y_train

    @property
    def whole(self) -> bool:
        """Whether all trajectories have the same likelihood."""
        return True

    def train(
        self,
        run: Run,
        data: Data,
        checkpointing: Checkpointing | None = None,
        network: keras.Model | None = None,
    ) -> keras.Model:
        """See `Procedure.train`; each chain keeps its work in a part of its own.

        Raises:
            RunFailed: the density is not finite at the start of a chain.
            BadInput: the examples do not fit the network, or it has weights that are not trained.
        """
        del network  # chains start from their own networks
        keeping = checkpointing or Checkpointing()
        found = []
        for number in range(self.chains):
            seed = run.seed if number == 0 else seeds.key(run.seed, "chain", number)
            own = dataclasses.replace(run, seed=seed)
            part = keeping.part(f"chain-{number}")
            found.append(self._chain(own, data, part, keeping.part(f"start-{number}")))
        keras.backend.clear_session()
        trained = self.build(run)
        for variable, *parts in zip(trained.weights, *found, strict=True):
            variable.assign(np.concatenate(parts) if len(parts) > 1 else parts[0])
        return trained

    def _chain(
        self, run: Run, data: Data, keeping: Checkpointing, starting: Checkpointing
    ) -> list[Any]:
        """The samples of a chain: for each trainable weight an array `[samples, ...]`."""
        from ftnoise.training.loop import check_fit
        from ftnoise.training.procedures.trajectories import Trajectories

        first = dataclasses.replace(run, training=self.beginning)
        shared = digest({"run": canonical(first), "data": data.digest})
        arrays, state = keeping.load() or keeping.recall(shared, self.samples) or ({}, {})
        history, seconds = list(state.get("history", [])), state.get("seconds", 0.0)
        total = self.burn_in + self.samples
        done = state.get("trajectories", 0)
        if done == total:
            return _series(arrays, "sample")
        if self.start is not None and not state:
            network = self.start.train(
                dataclasses.replace(run, training=self.start), data, starting
            )
        else:
            keras.backend.clear_session()
            seeds.fix_initialization(run.seed)
            network = run.architecture.build()
        check_fit(Training(), network, data)
        expect(
            not network.non_trainable_weights,
            f"{network.name} without weights that are not sampled, such as moving averages",
            weights=[one.name for one in network.non_trainable_weights],
        )
        work = Trajectories(network, self)
        samples = [np.empty((self.samples, *part.shape), np.float32) for part in work.position]
        stored = _series(arrays, "sample")  # none of a chain that is still burning in
        for part, kept in zip(samples, stored, strict=bool(stored)):
            part[: len(kept)] = kept
        if state:
            work.restore(_series(arrays, "position"), _series(arrays, "kernel"))
        key = seeds.key(run.seed, "trajectory")
        began = saved = time.monotonic()
        recent: list[tuple[float, ...]] = []

        def save() -> Any:
            drawn = max(0, done - self.burn_in)
            end = {f"sample/{n}": part[:drawn] for n, part in enumerate(samples) if drawn}
            end |= {f"position/{n}": part.numpy() for n, part in enumerate(work.position)}
            end |= {f"kernel/{n}": np.asarray(part) for n, part in enumerate(work.kernel_state())}
            kept = {
                "history": history,
                "seconds": seconds + time.monotonic() - began,
                "trajectories": done,
            }
            keeping.save(end, kept)
            return end, kept

        while done < total:
            x, y = self.examples(data, done, run.seed)
            if not (self.whole and work.begun):
                work.begin(tf.constant(x), tf.constant(y, tf.int32), anew=not self.whole)
            accepted, step_size, energy = work.move(seeds.at_step(key, done))
            recent.append((accepted, step_size, energy))
            if done >= self.burn_in:
                for part, value in zip(samples, work.position, strict=True):
                    part[done - self.burn_in] = value.numpy()
            done += 1
            if done % INTERVAL == 0 or done in (self.burn_in, total):
                means = np.mean(recent, axis=0)
                entry = dict(zip(("acceptance", "step_size", "energy_error"), means, strict=True))
                where = {
                    "trajectories": done,
                    "averaged": len(recent),
                    "burn_in": done <= self.burn_in,
                }
                history.append(where | {name: float(mean) for name, mean in entry.items()})
                recent = []
                keeping.progress(done, total, f"trajectory {done} of {total}")
                if done < total and time.monotonic() - saved > SAVE_SECONDS:
                    save()
                    saved = time.monotonic()
        keeping.remember(shared, self.samples, save())
        return samples


def _series(arrays: dict[str, Any], kind: str) -> list[Any]:
    """The arrays `kind/0`, `kind/1`, ... of a checkpoint, in order."""
    number = sum(name.startswith(f"{kind}/") for name in arrays)
    return [arrays[f"{kind}/{place}"] for place in range(number)]


@dataclass(frozen=True, kw_only=True)
class TemperedHMC(HMC):
    """HMC whose trajectories each have the likelihood of one minibatch, as if there were no others.

    Its samples are not those of the posterior: the likelihood counts as that of the minibatch alone
    (a tempered posterior), and the accept step of each trajectory is for another density. It is how
    the code of the paper's ancestor samples. The step size is not adapted.

    Args:
        batch_size: examples of a minibatch, at least 1.
    """

    batch_size: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        count(batch_size=self.batch_size)
        expect(self.acceptance is None, "no acceptance to adapt to", acceptance=self.acceptance)

    @property
    def whole(self) -> bool:
        return False

    def examples(self, data: Data, trajectory: int, seed: int) -> tuple[Any, Any]:
        """A minibatch, drawn anew for each trajectory."""
        generator = seeds.generator(seed, "minibatch", trajectory)
        size = min(self.batch_size, len(data.y_train))
        places = generator.choice(len(data.y_train), size, replace=False)
        return data.x_train[places], data.y_train[places]
