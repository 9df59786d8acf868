"""Figure 1: accuracy against the epoch, natural training and TRADES, CIFAR-10.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", figure 1, which
shows training and testing accuracy and prints no number.

Deviations
1. The runs are those of Table 4, where TRADES goes on from the natural network: its curve begins
   where the natural one ends.
2. Training accuracy is that of the batches as they were trained on, with random crops and mirror
   images and before each step, so it lies below that of the table, which is on the plain images
   after training.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table4
from ftnoise.measures import generalization
from ftnoise.measures.learning_curves import PICTURES

EXPERIMENT = Experiment(
    name="figure1",
    title="Accuracy against the epoch, natural training and TRADES, CIFAR-10",
    source="Duddu et al., figure 1",
    rows=tuple(table4.EXPERIMENT.row(name).with_paper() for name in ("natural", "trades")),
    columns=generalization.COLUMNS,
    presets=table4.EXPERIMENT.presets,
    figures=PICTURES,
    minutes={"paper": 92, "quick": 3, "smoke": 0.2},
)
