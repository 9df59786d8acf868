"""Figure 2: how the parameters are distributed, Tikhonov against TRADES.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", figure 2 and
section 4.3, which prints a spread for each model: 0.023772 (Tikhonov) and 0.17901 (TRADES) on
Fashion-MNIST, 0.032451 and 0.125378 on CIFAR-10.

Deviations
1. The paper does not say whether its spread is the standard deviation, which its text names, or
   equation (10), which has no square: its numbers stand beside both. It does not say which network
   either: they stand beside both of Table 5.
2. There are no CIFAR-10 models yet.
"""

from ftnoise.core.experiment import Experiment, Row
from ftnoise.experiments import table5
from ftnoise.measures import parameter_histogram, parameter_spread

NATURAL, TIKHONOV, TRADES, *CNN2 = (row.run for row in table5.EXPERIMENT.rows)
REGULAR = {"parameter_std": 0.023772, "parameter_spread_eq10": 0.023772}
ROBUST = {"parameter_std": 0.17901, "parameter_spread_eq10": 0.17901}

EXPERIMENT = Experiment(
    name="figure2",
    title="Distribution of the parameters, Fashion-MNIST",
    source="Duddu et al., figure 2",
    rows=(
        Row(name="fmnist_dnn natural", run=NATURAL),
        Row(name="fmnist_dnn tikhonov", run=TIKHONOV, paper=REGULAR),
        Row(name="fmnist_dnn trades", run=TRADES, paper=ROBUST),
        Row(name="fmnist_cnn2 natural", run=CNN2[0]),
        Row(name="fmnist_cnn2 tikhonov", run=CNN2[1], paper=REGULAR),
        Row(name="fmnist_cnn2 trades", run=CNN2[2], paper=ROBUST),
    ),
    columns=(*parameter_spread.COLUMNS, *parameter_histogram.COLUMNS),
    notes=(
        "The paper's 0.032451 (Tikhonov) and 0.125378 (TRADES) are of CIFAR-10, of which there are "
        "no models yet. Its numbers stand beside both networks and both readings of its spread.",
    ),
    figures=(parameter_histogram.PICTURE,),
    adopts=True,
)
