"""Trade-offs: all models of CIFAR-10 by generalization, robustness and faults.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", section 4, as in
`tradeoff`.

Deviations
1. As in Tables 4 and 6, whose models these are, and in `tradeoff`.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table4, table6, tradeoff
from ftnoise.measures import fault_tolerance

EXPERIMENT = Experiment(
    name="tradeoff_cifar10",
    title="Generalization, robustness and fault tolerance of all models, CIFAR-10",
    source="After Duddu et al., section 4",
    rows=tuple(
        row.with_paper()
        for row in (
            *(table4.EXPERIMENT.row(name) for name in ("natural", "tikhonov", "pgd")),
            *table6.EXPERIMENT.rows,
        )
    ),
    columns=(
        *table4.COLUMNS,
        tradeoff.named("accuracy_at_50", fault_tolerance.columns(tradeoff.FAULTS)),
    ),
    presets=table4.EXPERIMENT.presets,
    minutes={"paper": 4060, "quick": 15, "smoke": 0.8},
    figures=(
        tradeoff.scatter(
            ("generalization_error", "test_accuracy"),
            ("robust_accuracy", "test_accuracy"),
            ("accuracy_at_50", "test_accuracy"),
            ("robust_accuracy", "accuracy_at_50"),
        ),
    ),
)
