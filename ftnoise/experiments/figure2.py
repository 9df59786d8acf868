"""Figure 2: how the parameters are distributed, Tikhonov against TRADES.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", figure 2 and
section 4.3, which prints a spread for each model: 0.023772 (Tikhonov) and 0.17901 (TRADES) on
Fashion-MNIST, 0.032451 and 0.125378 on CIFAR-10.

Deviations
1. The paper leaves open whether its spread is the standard deviation, which its text names, or
   equation (10), which has no square, nor of which network it is. Its numbers are compared to both
   readings, and to both networks of Table 5.
2. The numbers of CIFAR-10 stand in `tradeoff_cifar10`.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import table5
from ftnoise.measures import parameters

ROW = table5.EXPERIMENT.row
REGULAR = {"parameter_std": 0.023772, "parameter_spread_eq10": 0.023772}
ROBUST = {"parameter_std": 0.17901, "parameter_spread_eq10": 0.17901}

EXPERIMENT = Experiment(
    name="figure2",
    title="Distribution of the parameters, Fashion-MNIST",
    source="Duddu et al., figure 2",
    rows=(
        ROW("fmnist_dnn natural").with_paper(),
        ROW("fmnist_dnn tikhonov").with_paper(**REGULAR),
        ROW("fmnist_dnn trades").with_paper(**ROBUST),
        ROW("fmnist_cnn2 natural").with_paper(),
        ROW("fmnist_cnn2 tikhonov").with_paper(**REGULAR),
        ROW("fmnist_cnn2 trades").with_paper(**ROBUST),
    ),
    columns=(*parameters.SPREAD_COLUMNS, *parameters.HISTOGRAM_COLUMNS),
    notes=(
        "The paper's numbers of Fashion-MNIST are compared with both networks and both readings of "
        "the spread; those of CIFAR-10 in tradeoff_cifar10.",
    ),
    figures=(parameters.PICTURE,),
    adopts=True,
    minutes={"paper": 0.3, "quick": 0.3, "smoke": 0.3},
)
