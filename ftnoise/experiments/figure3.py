"""Figure 3: testing accuracy against the share of parameters stuck at 0.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", figure 3 and
section 4.5: from 50 to 90 % faults the regularized model loses 1.14 points, the robust one 26.93.

Deviations
1. The paper names neither the network, nor the data set, nor how fault sites are chosen. These are
   the models of Table 5 and the private ones of Table 8. Each rate hits exactly that share of all
   parameters of the network, biases included, at random and without replacement.
2. Random faults on these networks cannot give the paper's 1.14 points: at 90 % all models are close
   to guessing, so a model that lost less at 50 % has more to lose.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table5, table8
from ftnoise.measures.fault_tolerance import FaultTolerance, columns, figures
from ftnoise.measures.layer_faults import PICTURE

ROW = table5.EXPERIMENT.row
FAULTS = FaultTolerance()
COMPARED = ("natural", "tikhonov", "trades")

EXPERIMENT = Experiment(
    name="figure3",
    title="Testing accuracy with parameters stuck at 0, Fashion-MNIST",
    source="Duddu et al., figure 3",
    rows=(
        ROW("fmnist_dnn natural").with_paper(),
        ROW("fmnist_dnn tikhonov").with_paper(drop_from_50_to_90=1.14),
        ROW("fmnist_dnn trades").with_paper(drop_from_50_to_90=26.93),
        *(row.with_paper() for row in table8.PRIVATE),
        ROW("fmnist_cnn2 natural").with_paper(),
        ROW("fmnist_cnn2 tikhonov").with_paper(drop_from_50_to_90=1.14),
        ROW("fmnist_cnn2 trades").with_paper(drop_from_50_to_90=26.93),
    ),
    columns=columns(FAULTS),
    notes=(
        "The paper names neither network, data set nor placement of its faults: its two drops "
        "are compared with both networks here, and all parameters are equally likely to be hit.",
    ),
    figures=(*figures(FAULTS, COMPARED), PICTURE),
    adopts=True,
    minutes={"paper": 31, "quick": 3, "smoke": 0.6},
)
