"""Attacks on the models of Table 5, with access to their weights and without it.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", section 3, whose
attacker sees inputs and outputs only. The paper prints no such number. No run of this experiment is
committed.

Deviations
1. The attacker trains a natural network of the same architecture on the same data with another
   seed, and attacks that; see `measures/black_box_accuracy.py`.
2. The attacks are those of Table 5, the same for all rows; through the surrogate PGD alone.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table5
from ftnoise.measures import attack_red_flags, black_box_accuracy, robust_accuracy
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.measures.black_box_accuracy import BlackBoxAccuracy
from ftnoise.training import Training

EXPERIMENT = Experiment(
    name="black_box",
    title="Accuracy under attack, on the model and through another one, Fashion-MNIST",
    source="Duddu et al., section 3",
    rows=tuple(row.with_paper() for row in table5.EXPERIMENT.rows),
    columns=(
        *robust_accuracy.columns(robust_accuracy.with_apgd(table5.ATTACK)),
        *black_box_accuracy.columns(BlackBoxAccuracy(attack=table5.ATTACK, surrogate=Training())),
        *attack_red_flags.columns(AttackRedFlags(attack=table5.ATTACK)),
    ),
    notes=(
        table5.RADII,
        "The surrogate is a natural network with another seed, one for all rows of a network and "
        "a seed; the attack does not use the attacked model.",
    ),
    adopts=True,
    minutes={"paper": 6, "quick": 1.3, "smoke": 0.5},
)
