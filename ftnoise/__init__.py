"""Train networks with noise, break them, and measure what survives.

`inject` asks a model of your own how it fares under faults, `injected` puts a fault into it for as
long as a block lasts, `FaultInjection` is a Keras callback that does so while it is trained, and
`plans` says how many masks an answer takes. What is named here is imported when it is first used,
so `import ftnoise` imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftnoise.campaigns.asking import inject, plans
    from ftnoise.campaigns.injection import Injection
    from ftnoise.faults.callback import FaultInjection
    from ftnoise.faults.effects import BitFlip, Drift, RandomValue, SignFlip, StuckAt
    from ftnoise.faults.fault import Fault
    from ftnoise.faults.injection import injected
    from ftnoise.faults.rates import Bernoulli, Count, Share
    from ftnoise.faults.where import Biases, Channels, Filters, Neurons, Parameters, Weights

__version__ = "0.1.0"

_HOMES = {
    "campaigns.asking": ("inject", "plans"),
    "campaigns.injection": ("Injection",),
    "faults.rates": ("Bernoulli", "Count", "Share"),
    "faults.callback": ("FaultInjection",),
    "faults.effects": ("BitFlip", "Drift", "RandomValue", "SignFlip", "StuckAt"),
    "faults.fault": ("Fault",),
    "faults.injection": ("injected",),
    "faults.where": ("Biases", "Channels", "Filters", "Neurons", "Parameters", "Weights"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Bernoulli",
    "Biases",
    "BitFlip",
    "Channels",
    "Count",
    "Drift",
    "Fault",
    "FaultInjection",
    "Filters",
    "Injection",
    "Neurons",
    "Parameters",
    "RandomValue",
    "Share",
    "SignFlip",
    "StuckAt",
    "Weights",
    "inject",
    "injected",
    "plans",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
