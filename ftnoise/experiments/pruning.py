"""Global robustness of networks with iterative magnitude pruning.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", section 4.3, figure 3, and
appendix B.6 and B.7. The paper finds the negative correlation of networks that are not pruned, and
no effect of how much is pruned.

Deviations
1. Of the grids there is a sample (`--sample 100%` takes all).
2. Radius and attacks are those of `robustness_accuracy`.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import _grids

GRIDS = (_grids.B6, _grids.B7)

EXPERIMENT = Experiment(
    name="pruning",
    title="Global robustness against accuracy, pruned networks",
    source=f"{_grids.SOURCE}, figure 3 and appendix B.6 and B.7",
    grids=GRIDS,
    columns=_grids.columns(_grids.ROBUSTNESS),
    figures=(
        *_grids.figures(
            {grid.name: -1 for grid in GRIDS}, ("reduction", "rounds", "depth", "width", "epochs")
        ),
        _grids.correlations(
            ("test_accuracy", *_grids.ROBUST),
            {grid.name: 0 for grid in GRIDS},
            axis="reduction",
        ),
    ),
    notes=(_grids.NOTE,),
    keeps_weights=False,
    minutes={"paper": 100, "quick": 10, "smoke": 2},
)
