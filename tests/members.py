"""The members of the package, found by scanning it, with an example of each.

A member whose fields all have defaults needs no line here. Any other gets one in `EXAMPLES`, as
may a member with options to be tested. The kind of a member is its base class.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import ftnoise
from ftnoise.architectures import FmnistCNN2, FmnistDNN, SequentialNetwork
from ftnoise.attacks.apgd import APGD, TargetedAPGD
from ftnoise.attacks.ascent import Ball, L2Ball
from ftnoise.attacks.attack import Attack, Iterative, OverDraws
from ftnoise.attacks.carlini_wagner import CarliniWagner
from ftnoise.attacks.deep_fool import DeepFool
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.fgsm_search import FGSMSearch
from ftnoise.attacks.local_search import LocalSearch
from ftnoise.attacks.mim import MIM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.search import Search
from ftnoise.attacks.spsa import SPSA
from ftnoise.attacks.variation import Variation
from ftnoise.core import interfaces
from ftnoise.core.interfaces import Architecture, DataSet, Run
from ftnoise.core.schedule import Schedule
from ftnoise.core.spec import Spec
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.datasets.image_folder import ImageFolder
from ftnoise.datasets.npz_file import NpzFile
from ftnoise.datasets.origins import OriginDataSet
from ftnoise.datasets.public import PublicSet
from ftnoise.faults.effects import BitFlip, Drift, Effect, RandomValue, StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Bernoulli, Count, Rate, Share
from ftnoise.faults.where import Neurons, Weights, Where
from ftnoise.layers.mechanisms import Gaussian, Laplace, Mechanism
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.black_box_accuracy import BlackBoxAccuracy
from ftnoise.measures.certified_accuracy import CertifiedAccuracy
from ftnoise.measures.eot_convergence import EOTConvergence
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.measures.robust_curve import RobustCurve
from ftnoise.measures.robustness_convergence import RobustnessConvergence
from ftnoise.measures.search_accuracy import SearchAccuracy
from ftnoise.measures.sequential_certification import SequentialCertification
from ftnoise.measures.stochastic_accuracy import StochasticAccuracy
from ftnoise.measures.stochastic_red_flags import StochasticRedFlags
from ftnoise.measures.stored_faults import BitMap, StoredFaults
from ftnoise.measures.under_faults import UnderFaults
from ftnoise.training import Training
from ftnoise.training.gradients.dpsgd import DPSGD, Engine, Reference, Sampler, Shuffled
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L1, L2, Jacobian
from ftnoise.training.procedures.fine_tuning import FineTuning
from ftnoise.training.procedures.hmc import HMC, TemperedHMC
from ftnoise.training.procedures.pruning import IterativePruning
from ftnoise.training.weights.faults_in_training import FaultsInTraining
from ftnoise.training.weights.pixeldp import PixelDP
from ftnoise.training.weights.sdr_decay import SDRDecay
from ftnoise.training.weights.sdr_learnable import (
    Plateau,
    PlateauOnTestData,
    Ramp,
    SDRLearnable,
    ThresholdSchedule,
)
from ftnoise.verify.budget import Budget

SCHEDULE = Schedule(epochs=2, batch_size=4, learning_rate=0.1, momentum=0.9, drops=(2,))
RUN = Run(architecture=FmnistDNN(), data=FashionMNIST(), training=Training(), schedule=SCHEDULE)
FAULT = Fault(where=Weights(), what=StuckAt(), rate=Share(rate=0.5))

# Bases that are not abstract: no members, like names that begin with "_".
BASES = {
    Rate, Attack, Ball, Effect, Engine, Iterative, OriginDataSet, OverDraws, PublicSet, Search,
    SequentialNetwork, Spec, ThresholdSchedule, interfaces.Weights, Where,
}  # fmt: skip

# Members that cannot be made without arguments, and options that behave differently.
EXAMPLES: dict[type[Spec], tuple[Spec, ...]] = {
    APGD: (APGD(attack_epsilon=0.1), APGD(attack_epsilon=1, ball=L2Ball(), restarts=2)),
    AdversarialTraining: (AdversarialTraining(attack=PGD(attack_epsilon=0.1, steps=2)),),
    AttackRedFlags: (AttackRedFlags(attack=PGD(attack_epsilon=0.1)),),
    Bernoulli: (Bernoulli(rate=0.5),),
    BitMap: (BitMap(stored="int8", flips=2, examples=20),),
    BlackBoxAccuracy: (
        BlackBoxAccuracy(attack=PGD(attack_epsilon=0.1), surrogate=Training(), examples=5),
    ),
    BitFlip: (BitFlip(), BitFlip(bit=0), BitFlip(bit=31)),
    CarliniWagner: (CarliniWagner(attack_epsilon=1),),
    Count: (Count(faults=2),),
    DeepFool: (DeepFool(), DeepFool(steps=100, overshoot=0.05, overshoot_steps=True)),
    Drift: (Drift(sigma=0.5), Drift(sigma=0.5, relative=False)),
    EOTConvergence: (
        EOTConvergence(attack=PGD(attack_epsilon=0.1, steps=2), numbers=(1, 3), votes=3),
    ),
    FGSM: (FGSM(attack_epsilon=0.1), FGSM(attack_epsilon=1, ball=L2Ball())),
    Fault: (FAULT, dataclasses.replace(FAULT, transient=True)),
    FaultsInTraining: (
        FaultsInTraining(fault=FAULT),
        FaultsInTraining(fault=Fault(where=Neurons(), what=StuckAt(), rate=Count(faults=2))),
    ),
    GlobalRobustness: (
        GlobalRobustness(radii=(0.1,), attacks=(PGD(attack_epsilon=0.1, steps=2),), tolerance=None),
    ),
    FineTuning: (
        FineTuning(
            training=Training(inputs=TRADES(attack_epsilon=0.1)),
            first=Training(),
            first_schedule=Schedule(epochs=2, batch_size=8, learning_rate=0.1),
        ),
    ),
    HMC: (
        HMC(samples=4, step_size=1e-3, steps=2, burn_in=0),
        HMC(samples=3, step_size=1e-3, steps=2, burn_in=10, acceptance=0.75, chains=2, fan_in=True),
    ),
    TemperedHMC: (TemperedHMC(samples=3, step_size=1e-3, steps=2, burn_in=1, batch_size=8),),
    IterativePruning: (
        IterativePruning(training=Training(), reduction=0.5),
        IterativePruning(training=Training(), reduction=0.9, rounds=2, rewind=None),
    ),
    PixelDP: (PixelDP(), PixelDP(norm="l_1", mechanism=Laplace()), PixelDP(after="input")),
    Gaussian: (Gaussian(),),
    Laplace: (Laplace(),),
    CertifiedAccuracy: (CertifiedAccuracy(draws=10, selection=5, examples=None),),
    SequentialCertification: (SequentialCertification(most=60, selection=5, examples=None),),
    UnderFaults: (
        UnderFaults(
            measure=GlobalRobustness(
                radii=(0.1,), attacks=(PGD(attack_epsilon=0.1, steps=2),), tolerance=None
            ),
            scalars=("robust_1",),
            fault=FAULT,
            trials=2,
        ),
    ),
    RobustnessConvergence: (
        RobustnessConvergence(
            local=GlobalRobustness(
                radii=(0.1,),
                attacks=(PGD(attack_epsilon=0.1, steps=2),),
                verify=Budget(nodes=0),
                tolerance=None,
            ),
            tolerances=(0.9,),
        ),
    ),
    LocalSearch: (LocalSearch(rounds=2), LocalSearch(rounds=2, lowest=True)),
    MIM: (MIM(attack_epsilon=0.1),),
    Neurons: (Neurons(), Neurons(layers=(0,), indices=(1,), output_layer=True)),
    PGD: (
        PGD(attack_epsilon=0.1),
        PGD(attack_epsilon=1, steps=2, ball=L2Ball(), restarts=2),
        PGD(attack_epsilon=0.1, steps=2, draws=3, frozen=True),
    ),
    Ramp: (Ramp(target=0.1, epochs=2),),
    RandomValue: (RandomValue(), RandomValue(low=2, high=3)),
    RobustAccuracy: (
        RobustAccuracy(attack=FGSM(attack_epsilon=0.1)),
        RobustAccuracy(attack=PGD(attack_epsilon=0.1), examples=100),
        RobustAccuracy(attack=PGD(attack_epsilon=0.1), also=(APGD(attack_epsilon=0.1, steps=3),)),
        RobustAccuracy(attack=PGD(attack_epsilon=0.1, steps=2, draws=2), votes=3, frozen=True),
    ),
    RobustCurve: (
        RobustCurve(attack=PGD(attack_epsilon=0.1, steps=2, draws=2), radii=(0, 0.1), votes=3),
    ),
    SPSA: (SPSA(attack_epsilon=0.1), SPSA(attack_epsilon=0.1, steps=1, samples=4, draws=2)),
    SearchAccuracy: (
        SearchAccuracy(search=DeepFool()),
        SearchAccuracy(search=FGSMSearch(radii=20), mean_network=True, draws=3),
        SearchAccuracy(search=LocalSearch(rounds=2)),
    ),
    SDRDecay: (
        SDRDecay(beta=0.05, zeta=0.7, tau=2),
        SDRDecay(beta=5, zeta=0.99, tau=3, published=True),
    ),
    SDRLearnable: (
        SDRLearnable(lowest=0.05),
        SDRLearnable(schedule=Ramp(target=0.2, epochs=2)),
        SDRLearnable(schedule=Plateau(step=0.1, every=1, held_out=0.2)),
        SDRLearnable(schedule=PlateauOnTestData(every=1)),
    ),
    Share: (Share(rate=0.5), Share(rate=0.5, per_tensor=True)),
    StochasticAccuracy: (StochasticAccuracy(draws=3),),
    StoredFaults: (
        StoredFaults(stored="int8", flips=(1, 10), trials=2),
        StoredFaults(stored="bfloat16", clamp="zero", flips=(3,), trials=2),
    ),
    StochasticRedFlags: (
        StochasticRedFlags(attack=PGD(attack_epsilon=0.1, steps=2, draws=2), queried=2),
    ),
    StuckAt: (StuckAt(), StuckAt(value=1)),
    FmnistCNN2: (FmnistCNN2(), FmnistCNN2(padding=("same", "valid"), first_stride=2)),
    Variation: (Variation(attack_epsilon=0.1, steps=2),),
    GaussianNoise: (GaussianNoise(sigma=0.1), GaussianNoise(sigma=0.1, multiplicative=True)),
    ImageFolder: (ImageFolder(path="figures"),),
    DPSGD: (
        DPSGD(noise_multiplier=0.1),
        DPSGD(noise_multiplier=0.1, sampler=Shuffled()),
        DPSGD(noise_multiplier=0.1, secret_key=True),
        DPSGD(noise_multiplier=0.1, sampler=Shuffled(), engine=Reference()),
    ),
    Jacobian: (Jacobian(sigma=0.1),),
    L1: (L1(weight=1e-3), L1(weight=0, biases=True)),
    L2: (L2(weight=1e-3), L2(weight=1, biases=True)),
    NpzFile: (NpzFile(path="own.npz"),),
    Run: (RUN, dataclasses.replace(RUN, train_examples=10, test_examples=5, seed=7)),
    Schedule: (SCHEDULE,),
    TargetedAPGD: (TargetedAPGD(attack_epsilon=0.1),),
    Training: (Training(), Training(inputs=TRADES(attack_epsilon=0.1), penalty=L2(weight=1))),
    TRADES: (
        TRADES(attack_epsilon=0.1),
        TRADES(attack_epsilon=0, beta=6, steps=1, step_size=0.01),
        TRADES(attack_epsilon=1.0, steps=2, ball=L2Ball()),
    ),
}

# Specs that hold others, or are held by arguments.
NO_KIND = (Budget, Fault, Run, Schedule)

# The base class of each kind.
KINDS: dict[str, type[Spec]] = {
    "architecture": Architecture,
    "data": DataSet,
    "procedure": interfaces.Procedure,
    "inputs": interfaces.Inputs,
    "penalty": interfaces.Penalty,
    "gradients": interfaces.Gradients,
    "weights": interfaces.Weights,
    "mechanism": Mechanism,
    "thresholds": ThresholdSchedule,
    "augmentation": interfaces.Augmentation,
    "sampler": Sampler,
    "engine": Engine,
    "measure": interfaces.Measure,
    "where": Where,
    "effect": Effect,
    "rate": Rate,
    "attack": Attack,
    "ball": Ball,
    "search": Search,
}


def scan() -> list[type[Spec]]:
    """All public specs that the package defines, without bases and figures (no run has one)."""
    for module in pkgutil.walk_packages(ftnoise.__path__, "ftnoise."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found, todo = set(), [Spec]
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        public = cls.__module__.startswith("ftnoise.") and not cls.__name__.startswith("_")
        if public and not inspect.isabstract(cls) and not issubclass(cls, interfaces.Figure):
            found.add(cls)
    return sorted(found - BASES, key=lambda cls: (cls.__module__, cls.__name__))


MEMBERS = scan()


def examples(cls: type[Spec]) -> tuple[Spec, ...]:
    if cls in EXAMPLES:
        return EXAMPLES[cls]
    try:
        return (cls(),)
    except TypeError:
        return ()


def kinds(cls: type[Spec]) -> list[str]:
    """The names of a member's kinds: one, or none if it is in `NO_KIND`."""
    return [name for name, base in KINDS.items() if issubclass(cls, base)]


ALL = [spec for cls in MEMBERS for spec in examples(cls)]
each_member = pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
each_spec = pytest.mark.parametrize("spec", ALL, ids=lambda spec: repr(spec)[:70])


def each(name: str, *others: Spec) -> Any:
    """All instances of a kind, after `others` that are no members of the package."""
    specs = [*others, *(spec for spec in ALL if isinstance(spec, KINDS[name]))]
    return pytest.mark.parametrize("spec", specs, ids=lambda spec: repr(spec)[:70])


def documented(name: str, measure: Spec) -> bool:
    """Whether the docstring of a measure has a scalar or array.

    The number of a radius is documented once for several, as are names that begin in one way.
    """
    text = str(type(measure).__doc__)
    several = tuple(re.findall(r"`(\w+_)\.\.\.", text))
    return re.sub(r"_\d$", "", name) in text or name.startswith(several)
