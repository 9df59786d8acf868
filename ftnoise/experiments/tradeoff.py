"""What one pays for what: the models of Fashion-MNIST by all that is asked of them.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", sections 4 and
5, which draw their conclusions from the tables one by one; the paper has no such picture.

These are the models of Tables 5, 7 and 8, each once, and those with Gaussian noise and its Jacobian
penalty of `equivalence`, which are trained for a quarter of the epochs.

Deviations
1. What the paper takes for fault tolerance is the generalization error. Beside it stands the
   accuracy with half of the parameters stuck at 0, from 50 trials that all models of a network
   share.
2. Accuracy under attack is that of Table 5, under one attack for all models.
"""

from dataclasses import replace

from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import Scatter
from ftnoise.experiments import equivalence, table5, table7, table8
from ftnoise.measures import (
    attack_red_flags,
    fault_tolerance,
    generalization,
    privacy,
    robust_accuracy,
)
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.measures.robust_accuracy import RobustAccuracy

FAULTS = FaultTolerance(rates=(0.5,), trials=50)
NOISY = ("fmnist_dnn noise", "fmnist_dnn jacobian")


def private_tables() -> tuple[Row, ...]:
    """The rows of Tables 7 and 8 without the natural one of Table 8, which is Table 5's."""
    rows = (*table8.EXPERIMENT.rows, *table7.EXPERIMENT.rows)
    return tuple(
        # Table 8 has another weight of the penalty than Table 5.
        replace(row, name=f"{row.name} {row.run.training.penalty.weight:g}")
        if row.name == "fmnist_dnn tikhonov"
        else row
        for row in rows
        if row.name != "fmnist_dnn natural"
    )


def named(name: str, columns: tuple[Column, ...]) -> Column:
    """The column of that name."""
    return next(column for column in columns if column.name == name)


def scatter(*panels: tuple[str, str]) -> Scatter:
    """The picture of a trade-off."""
    shown = {name for pair in panels for name in pair}
    low = tuple(name for name in ("generalization_error", "privacy_epsilon") if name in shown)
    return Scatter(
        name="front",
        title="What one pays for what",
        panels=panels,
        low=low,
        logarithmic=tuple(name for name in low if name == "privacy_epsilon"),
    )


EXPERIMENT = Experiment(
    name="tradeoff",
    title="Generalization, robustness, fault tolerance and privacy of all models, Fashion-MNIST",
    source="After Duddu et al., sections 4 and 5",
    rows=tuple(
        replace(row, paper={})
        for row in (
            *(row for row in table5.EXPERIMENT.rows if row.name.startswith("fmnist_dnn")),
            *(row for row in equivalence.EXPERIMENT.rows if row.name in NOISY),
            *(row for row in private_tables() if row.name.startswith("fmnist_dnn")),
            *(row for row in table5.EXPERIMENT.rows if row.name.startswith("fmnist_cnn2")),
            *(row for row in private_tables() if row.name.startswith("fmnist_cnn1")),
        )
    ),
    columns=(
        *generalization.COLUMNS,
        *robust_accuracy.columns(RobustAccuracy(attack=table5.ATTACK)),
        *attack_red_flags.columns(AttackRedFlags(attack=table5.ATTACK)),
        named("accuracy_at_50", fault_tolerance.columns(FAULTS)),
        named("privacy_epsilon", privacy.COLUMNS),
    ),
    notes=(privacy.NOTE,),
    figures=(
        scatter(
            ("generalization_error", "test_accuracy"),
            ("robust_accuracy", "test_accuracy"),
            ("accuracy_at_50", "test_accuracy"),
            ("privacy_epsilon", "test_accuracy"),
            ("generalization_error", "accuracy_at_50"),
            ("robust_accuracy", "accuracy_at_50"),
        ),
    ),
    adopts=True,
)
