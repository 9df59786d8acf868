"""Train networks with noise and measure their fault tolerance, robustness and privacy.

On your own trained Keras model: `inject` measures the accuracy under faults, `attack` that under an
attack at several radii, `global_robustness` how likely a prediction can be changed, `certify` which
predictions cannot, with noise on the inputs, and `evaluate` any measure. `injected` puts a fault
into the model for the time of a `with` block, `FaultInjection` is a Keras callback that injects
faults in training, and `plan_trials` estimates the number of trials that a precision takes.
`fault_map` finds the bits and layers that matter, `worst_case` the fewest flips that break the
model, and `clamped` hardens it.

With a `Run` (an architecture, data, a `Training` and a `Schedule`): `train` trains it, `evaluate`
measures it, and `privacy_statement` gives the epsilon of DP-SGD. `reproduce` makes a whole table.

The names are imported on first use: `import ftnoise` alone imports nothing else.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

# TensorFlow reads this when it is imported. Without it, oneDNN is off on x86 processors without
# instructions for neural networks (AVX-512 VNNI, AVX-VNNI, AMX), where convolutions train more than
# twice as fast with it.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if TYPE_CHECKING:
    from ftnoise.architectures import Cifar10CNN as Cifar10CNN
    from ftnoise.architectures import CirclesNet as CirclesNet
    from ftnoise.architectures import FmnistCNN1 as FmnistCNN1
    from ftnoise.architectures import FmnistCNN2 as FmnistCNN2
    from ftnoise.architectures import FmnistDNN as FmnistDNN
    from ftnoise.architectures import GridCNN as GridCNN
    from ftnoise.architectures import GridMLP as GridMLP
    from ftnoise.architectures import GridVGG as GridVGG
    from ftnoise.architectures import MnistMLP as MnistMLP
    from ftnoise.architectures import PixelDPCNN as PixelDPCNN
    from ftnoise.architectures import SequentialNetwork as SequentialNetwork
    from ftnoise.attacks.apgd import APGD as APGD
    from ftnoise.attacks.apgd import TargetedAPGD as TargetedAPGD
    from ftnoise.attacks.ascent import L2Ball as L2Ball
    from ftnoise.attacks.ascent import LinfBall as LinfBall
    from ftnoise.attacks.attack import Attack as Attack
    from ftnoise.attacks.carlini_wagner import CarliniWagner as CarliniWagner
    from ftnoise.attacks.deep_fool import DeepFool as DeepFool
    from ftnoise.attacks.fgsm import FGSM as FGSM
    from ftnoise.attacks.fgsm_search import FGSMSearch as FGSMSearch
    from ftnoise.attacks.local_search import LocalSearch as LocalSearch
    from ftnoise.attacks.mim import MIM as MIM
    from ftnoise.attacks.pgd import PGD as PGD
    from ftnoise.attacks.spsa import SPSA as SPSA
    from ftnoise.attacks.variation import Variation as Variation
    from ftnoise.core.data import Data as Data
    from ftnoise.core.errors import BadInput as BadInput
    from ftnoise.core.errors import FtnoiseError as FtnoiseError
    from ftnoise.core.errors import RunFailed as RunFailed
    from ftnoise.core.experiment import Column as Column
    from ftnoise.core.experiment import Experiment as Experiment
    from ftnoise.core.experiment import Row as Row
    from ftnoise.core.interfaces import Architecture as Architecture
    from ftnoise.core.interfaces import DataSet as DataSet
    from ftnoise.core.interfaces import Measure as Measure
    from ftnoise.core.interfaces import MeasureInput as MeasureInput
    from ftnoise.core.interfaces import Measurement as Measurement
    from ftnoise.core.interfaces import Run as Run
    from ftnoise.core.schedule import Schedule as Schedule
    from ftnoise.datasets.cifar10 import CIFAR10 as CIFAR10
    from ftnoise.datasets.circles import Circles as Circles
    from ftnoise.datasets.fashion_mnist import FashionMNIST as FashionMNIST
    from ftnoise.datasets.image_folder import ImageFolder as ImageFolder
    from ftnoise.datasets.mnist import MNIST as MNIST
    from ftnoise.datasets.npz_file import NpzFile as NpzFile
    from ftnoise.faults.callback import FaultInjection as FaultInjection
    from ftnoise.faults.effects import BitFlip as BitFlip
    from ftnoise.faults.effects import Drift as Drift
    from ftnoise.faults.effects import RandomValue as RandomValue
    from ftnoise.faults.effects import SignFlip as SignFlip
    from ftnoise.faults.effects import StuckAt as StuckAt
    from ftnoise.faults.fault import Fault as Fault
    from ftnoise.faults.hardening import clamped as clamped
    from ftnoise.faults.injection import injected as injected
    from ftnoise.faults.rates import Bernoulli as Bernoulli
    from ftnoise.faults.rates import Count as Count
    from ftnoise.faults.rates import Share as Share
    from ftnoise.faults.where import Biases as Biases
    from ftnoise.faults.where import Channels as Channels
    from ftnoise.faults.where import Filters as Filters
    from ftnoise.faults.where import Neurons as Neurons
    from ftnoise.faults.where import Parameters as Parameters
    from ftnoise.faults.where import Weights as Weights
    from ftnoise.measures.attack_red_flags import AttackRedFlags as AttackRedFlags
    from ftnoise.measures.certified_accuracy import CertifiedAccuracy as CertifiedAccuracy
    from ftnoise.measures.fault_tolerance import FaultTolerance as FaultTolerance
    from ftnoise.measures.generalization import Generalization as Generalization
    from ftnoise.measures.global_robustness import GlobalRobustness as GlobalRobustness
    from ftnoise.measures.layer_faults import LayerFaults as LayerFaults
    from ftnoise.measures.learning_curves import LearningCurves as LearningCurves
    from ftnoise.measures.membership import Membership as Membership
    from ftnoise.measures.parameters import ParameterSpread as ParameterSpread
    from ftnoise.measures.privacy import PrivacyLoss as PrivacyLoss
    from ftnoise.measures.robust_accuracy import RobustAccuracy as RobustAccuracy
    from ftnoise.measures.robust_curve import RobustCurve as RobustCurve
    from ftnoise.measures.search_accuracy import SearchAccuracy as SearchAccuracy
    from ftnoise.measures.stochastic_accuracy import StochasticAccuracy as StochasticAccuracy
    from ftnoise.measures.under_faults import UnderFaults as UnderFaults
    from ftnoise.training import Training as Training
    from ftnoise.training.augmentation import CropAndFlip as CropAndFlip
    from ftnoise.training.gradients.dpsgd import DPSGD as DPSGD
    from ftnoise.training.gradients.dpsgd import Poisson as Poisson
    from ftnoise.training.gradients.dpsgd import Shuffled as Shuffled
    from ftnoise.training.gradients.plain import Adam as Adam
    from ftnoise.training.inputs.adversarial import AdversarialTraining as AdversarialTraining
    from ftnoise.training.inputs.gaussian import GaussianNoise as GaussianNoise
    from ftnoise.training.inputs.trades import TRADES as TRADES
    from ftnoise.training.penalties import L1 as L1
    from ftnoise.training.penalties import L2 as L2
    from ftnoise.training.penalties import Jacobian as Jacobian
    from ftnoise.training.procedures.fine_tuning import FineTuning as FineTuning
    from ftnoise.training.procedures.hmc import HMC as HMC
    from ftnoise.training.procedures.hmc import TemperedHMC as TemperedHMC
    from ftnoise.training.procedures.pruning import IterativePruning as IterativePruning
    from ftnoise.training.weights.dropconnect import DropConnect as DropConnect
    from ftnoise.training.weights.faults_in_training import FaultsInTraining as FaultsInTraining
    from ftnoise.training.weights.pixeldp import PixelDP as PixelDP
    from ftnoise.training.weights.sdr_decay import SDRDecay as SDRDecay
    from ftnoise.training.weights.sdr_learnable import Plateau as Plateau
    from ftnoise.training.weights.sdr_learnable import Ramp as Ramp
    from ftnoise.training.weights.sdr_learnable import SDRLearnable as SDRLearnable
    from ftnoise.user.attack import AttackResult as AttackResult
    from ftnoise.user.attack import attack as attack
    from ftnoise.user.certify import CertificationResult as CertificationResult
    from ftnoise.user.certify import CertificationSettings as CertificationSettings
    from ftnoise.user.certify import certify as certify
    from ftnoise.user.fault_map import FaultMap as FaultMap
    from ftnoise.user.fault_map import fault_map as fault_map
    from ftnoise.user.inject import inject as inject
    from ftnoise.user.inject import plan_trials as plan_trials
    from ftnoise.user.privacy import PrivacyStatement as PrivacyStatement
    from ftnoise.user.privacy import privacy_statement as privacy_statement
    from ftnoise.user.reproduce import ReproductionResult as ReproductionResult
    from ftnoise.user.reproduce import reproduce as reproduce
    from ftnoise.user.result import InjectionComparison as InjectionComparison
    from ftnoise.user.result import InjectionResult as InjectionResult
    from ftnoise.user.robustness import RobustnessResult as RobustnessResult
    from ftnoise.user.robustness import RobustnessSettings as RobustnessSettings
    from ftnoise.user.robustness import global_robustness as global_robustness
    from ftnoise.user.runs import EvaluationResult as EvaluationResult
    from ftnoise.user.runs import evaluate as evaluate
    from ftnoise.user.runs import train as train
    from ftnoise.user.settings import CampaignSettings as CampaignSettings
    from ftnoise.user.worst_case import WorstCase as WorstCase
    from ftnoise.user.worst_case import worst_case as worst_case

__version__ = "0.1.0"

_HOMES = {
    "architectures": "Cifar10CNN CirclesNet FmnistCNN1 FmnistCNN2 FmnistDNN GridCNN GridMLP "
    "GridVGG MnistMLP PixelDPCNN SequentialNetwork",
    "attacks.apgd": "APGD TargetedAPGD",
    "attacks.ascent": "L2Ball LinfBall",
    "attacks.attack": "Attack",
    "attacks.carlini_wagner": "CarliniWagner",
    "attacks.deep_fool": "DeepFool",
    "attacks.fgsm": "FGSM",
    "attacks.fgsm_search": "FGSMSearch",
    "attacks.local_search": "LocalSearch",
    "attacks.mim": "MIM",
    "attacks.pgd": "PGD",
    "attacks.spsa": "SPSA",
    "attacks.variation": "Variation",
    "core.data": "Data",
    "core.errors": "BadInput FtnoiseError RunFailed",
    "core.experiment": "Column Experiment Row",
    "core.interfaces": "Architecture DataSet Measure MeasureInput Measurement Run",
    "core.schedule": "Schedule",
    "datasets.cifar10": "CIFAR10",
    "datasets.circles": "Circles",
    "datasets.fashion_mnist": "FashionMNIST",
    "datasets.image_folder": "ImageFolder",
    "datasets.mnist": "MNIST",
    "datasets.npz_file": "NpzFile",
    "faults.callback": "FaultInjection",
    "faults.effects": "BitFlip Drift RandomValue SignFlip StuckAt",
    "faults.fault": "Fault",
    "faults.hardening": "clamped",
    "faults.injection": "injected",
    "faults.rates": "Bernoulli Count Share",
    "faults.where": "Biases Channels Filters Neurons Parameters Weights",
    "measures.attack_red_flags": "AttackRedFlags",
    "measures.certified_accuracy": "CertifiedAccuracy",
    "measures.fault_tolerance": "FaultTolerance",
    "measures.generalization": "Generalization",
    "measures.global_robustness": "GlobalRobustness",
    "measures.layer_faults": "LayerFaults",
    "measures.learning_curves": "LearningCurves",
    "measures.membership": "Membership",
    "measures.parameters": "ParameterSpread",
    "measures.privacy": "PrivacyLoss",
    "measures.robust_accuracy": "RobustAccuracy",
    "measures.robust_curve": "RobustCurve",
    "measures.search_accuracy": "SearchAccuracy",
    "measures.stochastic_accuracy": "StochasticAccuracy",
    "measures.under_faults": "UnderFaults",
    "training": "Training",
    "training.augmentation": "CropAndFlip",
    "training.gradients.dpsgd": "DPSGD Poisson Shuffled",
    "training.gradients.plain": "Adam",
    "training.inputs.adversarial": "AdversarialTraining",
    "training.inputs.gaussian": "GaussianNoise",
    "training.inputs.trades": "TRADES",
    "training.penalties": "L1 L2 Jacobian",
    "training.procedures.fine_tuning": "FineTuning",
    "training.procedures.hmc": "HMC TemperedHMC",
    "training.procedures.pruning": "IterativePruning",
    "training.weights.dropconnect": "DropConnect",
    "training.weights.faults_in_training": "FaultsInTraining",
    "training.weights.pixeldp": "PixelDP",
    "training.weights.sdr_decay": "SDRDecay",
    "training.weights.sdr_learnable": "Plateau Ramp SDRLearnable",
    "user.attack": "AttackResult attack",
    "user.certify": "CertificationResult CertificationSettings certify",
    "user.fault_map": "FaultMap fault_map",
    "user.inject": "inject plan_trials",
    "user.privacy": "PrivacyStatement privacy_statement",
    "user.reproduce": "ReproductionResult reproduce",
    "user.result": "InjectionComparison InjectionResult",
    "user.robustness": "RobustnessResult RobustnessSettings global_robustness",
    "user.runs": "EvaluationResult evaluate train",
    "user.settings": "CampaignSettings",
    "user.worst_case": "WorstCase worst_case",
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
