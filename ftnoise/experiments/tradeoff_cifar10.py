"""Trade-offs: all models of CIFAR-10 by generalization, robustness and faults.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", section 4, as in
`tradeoff`; the spread of the parameters is that of its figure 2, faults are those of its figure 3.

Deviations
1. As in Tables 4 and 6, whose models these are, and in figures 2 and 3.
2. The trade-offs are with 10 % of the parameters stuck at 0, where `tradeoff` has half of them, as
   that leaves a network of this depth 10 % accuracy: chance.
"""

from ftnoise.core.experiment import Experiment, columns_of
from ftnoise.experiments import table4, table6, tradeoff
from ftnoise.measures import fault_tolerance, parameters
from ftnoise.measures.fault_tolerance import FaultTolerance

REGULAR = {"parameter_std": 0.032451, "parameter_spread_eq10": 0.032451}
ROBUST = {"parameter_std": 0.125378, "parameter_spread_eq10": 0.125378}
FAULTS = FaultTolerance()

EXPERIMENT = Experiment(
    name="tradeoff_cifar10",
    title="Generalization, robustness and fault tolerance of all models, CIFAR-10",
    source="After Duddu et al., section 4",
    rows=(
        table4.EXPERIMENT.row("natural").with_paper(),
        table4.EXPERIMENT.row("tikhonov").with_paper(**REGULAR),
        table4.EXPERIMENT.row("pgd").with_paper(),
        table6.EXPERIMENT.row("trades 2/255").with_paper(),
        table6.EXPERIMENT.row("trades 4/255").with_paper(),
        table6.EXPERIMENT.row("trades 8/255").with_paper(**ROBUST),
    ),
    columns=(
        *table4.COLUMNS,
        *parameters.SPREAD_COLUMNS,
        *columns_of(FAULTS, {"accuracy_at_10": "Testing accuracy with 10 % faults"}),
    ),
    presets=table4.EXPERIMENT.presets,
    minutes={"paper": 750, "quick": 10, "smoke": 0.8},
    figures=(
        tradeoff.scatter(
            ("generalization_error", "test_accuracy"),
            ("robust_accuracy", "test_accuracy"),
            ("accuracy_at_10", "test_accuracy"),
            ("robust_accuracy", "accuracy_at_10"),
        ),
        parameters.PICTURE,
        fault_tolerance.figures(FAULTS)[0],
    ),
)
