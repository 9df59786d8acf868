"""Global robustness against accuracy: grids of networks trained with SGD.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", section 4.2, figure 2, and
appendix B.1 to B.5. The paper finds a negative correlation on every data set.

Deviations
1. Grid B.1 is whole; of the others there is a sample (`--sample 100%` takes all).
2. The paper prints no radii. Its radii are smaller for Fashion-MNIST and CIFAR-10 (section 4.2);
   here the radius is 0.02 for all data sets.
3. The paper's attack is FGSM. PGD stands for a stronger one: 10 steps on the cross-entropy, and 5
   steps on the probability of each class, up and down.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import _grids

GRIDS = (_grids.B1, _grids.B2, _grids.B3, _grids.B4, _grids.B5)

EXPERIMENT = Experiment(
    name="robustness_accuracy",
    title="Global robustness against accuracy, SGD",
    source=f"{_grids.SOURCE}, figure 2 and appendix B.1 to B.5",
    grids=GRIDS,
    columns=_grids.columns(_grids.ROBUSTNESS),
    figures=_grids.figures(
        {grid.name: -1 for grid in GRIDS}, ("depth", "width", "epochs", "convolutions", "rate")
    ),
    notes=(_grids.NOTE,),
    keeps_weights=False,
    minutes={"paper": 300, "quick": 10, "smoke": 2},
)
