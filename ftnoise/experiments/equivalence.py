"""Is input noise equivalent to a penalty? At fixed weights, and after training.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", sections 4.1 and
4.3, which take it from Bishop (1995) that training with Gaussian noise on the inputs is Tikhonov
regularization. The paper prints no number of it.

Measured: how the difference of the objectives falls with the noise (`measures/
noise_equivalence.py`), and how far the trained functions are apart, compared to two seeds of one
training. All three trainings start from the same weights and see the examples in the same order.

Deviations
1. The noise has a standard deviation of 0.1 and the Jacobian penalty is that of such noise. The L2
   penalty has the weight of Table 5, as no theory gives one.
2. fmnist_dnn is trained for a quarter of Table 5's epochs, as a step with the Jacobian penalty
   takes ten times as long as another one.
"""

from dataclasses import replace
from typing import Any

from ftnoise.architectures import CirclesNet
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.experiments import table3, table5
from ftnoise.measures import generalization, noise_equivalence
from ftnoise.measures.function_distance import FunctionDistance
from ftnoise.training import with_slots
from ftnoise.training.inputs.gaussian import GaussianNoise
from ftnoise.training.penalties import L2, Jacobian

SIGMA = 0.1
WAYS: dict[str, dict[str, Any]] = {
    "noise": {"inputs": GaussianNoise(sigma=SIGMA), "penalty": None},
    "jacobian": {"inputs": None, "penalty": Jacobian(sigma=SIGMA)},
    "l2": {"inputs": None, "penalty": L2(weight=1.7e-3)},
}
NETWORKS: dict[str, Run] = {
    "circles": table3.NONE,
    "circles_tanh": replace(table3.NONE, architecture=CirclesNet(activation="tanh")),
    "fmnist_dnn": replace(table5.DNN, schedule=table5.DNN.schedule.resized(25)),
}


def distance(name: str, title: str, **other: Any) -> Column:
    """The distance to another training of the same network, or to another seed."""
    measure = FunctionDistance(name=name, **other)
    return Column(name=f"distance_to_{name}", measure=measure, title=title, unit="%")


EXPERIMENT = Experiment(
    name="equivalence",
    title="Gaussian noise on the inputs against penalties",
    source="After Duddu et al., section 4.1, and Bishop (1995)",
    rows=tuple(
        Row(name=f"{name} {way}", run=with_slots(run, **slots))
        for name, run in NETWORKS.items()
        for way, slots in WAYS.items()
    ),
    columns=(
        *generalization.COLUMNS,
        *noise_equivalence.COLUMNS,
        distance("noise", "Distance to noise", seeds_away=0, **WAYS["noise"]),
        distance("jacobian", "Distance to Jacobian", seeds_away=0, **WAYS["jacobian"]),
        distance("l2", "Distance to L2", seeds_away=0, **WAYS["l2"]),
        distance("other_seed", "Distance to another seed", own=True),
    ),
    figures=noise_equivalence.PICTURES,
    minutes={"paper": 17, "quick": 3, "smoke": 0.75},
)
