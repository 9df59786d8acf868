"""Trade-offs: all models of Fashion-MNIST by generalization, robustness, faults and privacy.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", sections 4 and
5, which draw their conclusions from the tables one by one. The paper has no such figure.

These are the models of Tables 5, 7 and 8, each once; those with Gaussian noise and its Jacobian
penalty of `equivalence`, which are trained for a quarter of the epochs; and those with noise in the
weights of `weight_noise`.

Deviations
1. The paper's measure of fault tolerance is the generalization error. Another column has the
   accuracy with half of the parameters stuck at 0, over 50 trials that all models of a network
   share, and the next the accuracy with 1,000 flipped bits of the parameters in int8.
2. All models, private ones too, are attacked as in Table 5, in one l_inf ball of 2/255.
3. Networks that draw their weights (DropConnect, the stochastic delta rule) draw them at test time
   too: an accuracy is of one draw for each batch of images. PGD averages its gradients over 20
   draws, the other attacks and checks take single ones.
"""

from dataclasses import replace

from ftnoise.core.experiment import Column, Experiment
from ftnoise.core.figures import Scatter
from ftnoise.experiments import equivalence, table5, table7, table8, weight_noise
from ftnoise.measures import (
    attack_red_flags,
    fault_tolerance,
    generalization,
    privacy,
    robust_accuracy,
    stored_faults,
)
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.measures.stored_faults import StoredFaults

FAULTS = FaultTolerance(rates=(0.5,), trials=50)
INT8 = StoredFaults(stored="int8")
ATTACK = replace(table5.ATTACK, draws=20)
DNN, CNN2 = (
    tuple(
        table5.EXPERIMENT.row(f"{network} {training}")
        for training in ("natural", "tikhonov", "trades", "pgd")
    )
    for network in ("fmnist_dnn", "fmnist_cnn2")
)
NOISY = tuple(
    equivalence.EXPERIMENT.row(name) for name in ("fmnist_dnn noise", "fmnist_dnn jacobian")
)
# Table 8 has another weight of the penalty than Table 5, and the same natural row.
TIKHONOV_8 = replace(
    table8.EXPERIMENT.row("fmnist_dnn tikhonov"), name=f"fmnist_dnn tikhonov {table8.WEIGHT:g}"
)


def named(name: str, columns: tuple[Column, ...]) -> Column:
    """The column of that name."""
    return next(column for column in columns if column.name == name)


def scatter(*panels: tuple[str, str]) -> Scatter:
    """The figure of a trade-off: a panel for each pair of columns."""
    shown = {name for pair in panels for name in pair}
    low = tuple(name for name in ("generalization_error", "privacy_epsilon") if name in shown)
    return Scatter(
        name="front",
        title="Trade-offs between the metrics",
        panels=panels,
        low=low,
        logarithmic=tuple(name for name in low if name == "privacy_epsilon"),
    )


EXPERIMENT = Experiment(
    name="tradeoff",
    title="Generalization, robustness, fault tolerance and privacy of all models, Fashion-MNIST",
    source="After Duddu et al., sections 4 and 5",
    rows=tuple(
        row.with_paper()
        for row in (
            *DNN,
            *NOISY,
            TIKHONOV_8,
            *table8.PRIVATE,
            *weight_noise.NOISY,
            *CNN2,
            *table7.EXPERIMENT.rows,
        )
    ),
    columns=(
        *generalization.COLUMNS,
        *robust_accuracy.columns(robust_accuracy.with_apgd(ATTACK)),
        *attack_red_flags.columns(AttackRedFlags(attack=ATTACK)),
        named("accuracy_at_50", fault_tolerance.columns(FAULTS)),
        named("int8_accuracy_at_1000", stored_faults.columns(INT8, (1_000,))),
        named("privacy_epsilon", privacy.COLUMNS),
    ),
    notes=(table5.RADII, privacy.NOTE),
    figures=(
        scatter(
            ("generalization_error", "test_accuracy"),
            ("robust_accuracy", "test_accuracy"),
            ("accuracy_at_50", "test_accuracy"),
            ("int8_accuracy_at_1000", "test_accuracy"),
            ("privacy_epsilon", "test_accuracy"),
            ("generalization_error", "accuracy_at_50"),
            ("robust_accuracy", "accuracy_at_50"),
            ("int8_accuracy_at_1000", "accuracy_at_50"),
        ),
    ),
    adopts=True,
    minutes={"paper": 45, "quick": 3, "smoke": 1.1},
)
