"""What one pays for what: the models of CIFAR-10 by all that is asked of them.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", section 4, as in
`tradeoff`.

Deviations
1. As in Tables 4 and 6, whose models these are, and in `tradeoff`.
"""

from dataclasses import replace

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table4, table6, tradeoff
from ftnoise.measures import fault_tolerance

EXPERIMENT = Experiment(
    name="tradeoff_cifar10",
    title="Generalization, robustness and fault tolerance of all models, CIFAR-10",
    source="After Duddu et al., section 4",
    rows=tuple(
        replace(row, paper={})
        for row in (
            *(row for row in table4.EXPERIMENT.rows if row.name != "trades"),
            *table6.EXPERIMENT.rows,
        )
    ),
    columns=(
        *table4.COLUMNS,
        tradeoff.named("accuracy_at_50", fault_tolerance.columns(tradeoff.FAULTS)),
    ),
    presets=table4.EXPERIMENT.presets,
    figures=(
        tradeoff.scatter(
            ("generalization_error", "test_accuracy"),
            ("robust_accuracy", "test_accuracy"),
            ("accuracy_at_50", "test_accuracy"),
            ("robust_accuracy", "accuracy_at_50"),
        ),
    ),
)
