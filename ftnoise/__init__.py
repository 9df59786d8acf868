"""Train networks with noise and measure their fault tolerance, robustness and privacy.

`inject` measures the accuracy of your own model under faults, `global_robustness` how likely a
prediction of it can be changed, and `certify` which predictions cannot, with noise on its inputs.
`injected` puts a fault into it for the time of a `with` block, `FaultInjection` is a Keras callback
that injects faults in training, and `plan_trials` estimates the number of trials that a precision
takes. The names are imported on first use: `import ftnoise` alone imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftnoise.faults.callback import FaultInjection
    from ftnoise.faults.effects import BitFlip, Drift, RandomValue, SignFlip, StuckAt
    from ftnoise.faults.fault import Fault
    from ftnoise.faults.injection import injected
    from ftnoise.faults.rates import Bernoulli, Count, Share
    from ftnoise.faults.where import Biases, Channels, Filters, Neurons, Parameters, Weights
    from ftnoise.user.certify import CertificationResult, CertificationSettings, certify
    from ftnoise.user.inject import inject, plan_trials
    from ftnoise.user.result import InjectionComparison, InjectionResult
    from ftnoise.user.robustness import RobustnessResult, RobustnessSettings, global_robustness
    from ftnoise.user.settings import CampaignSettings

__version__ = "0.1.0"

_HOMES = {
    "faults.rates": ("Bernoulli", "Count", "Share"),
    "faults.callback": ("FaultInjection",),
    "faults.effects": ("BitFlip", "Drift", "RandomValue", "SignFlip", "StuckAt"),
    "faults.fault": ("Fault",),
    "faults.injection": ("injected",),
    "faults.where": ("Biases", "Channels", "Filters", "Neurons", "Parameters", "Weights"),
    "user.certify": ("CertificationResult", "CertificationSettings", "certify"),
    "user.inject": ("inject", "plan_trials"),
    "user.robustness": ("RobustnessResult", "RobustnessSettings", "global_robustness"),
    "user.result": ("InjectionComparison", "InjectionResult"),
    "user.settings": ("CampaignSettings",),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Bernoulli",
    "Biases",
    "BitFlip",
    "CampaignSettings",
    "CertificationResult",
    "CertificationSettings",
    "Channels",
    "Count",
    "Drift",
    "Fault",
    "FaultInjection",
    "Filters",
    "InjectionComparison",
    "InjectionResult",
    "Neurons",
    "Parameters",
    "RandomValue",
    "RobustnessResult",
    "RobustnessSettings",
    "Share",
    "SignFlip",
    "StuckAt",
    "Weights",
    "certify",
    "global_robustness",
    "inject",
    "injected",
    "plan_trials",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
