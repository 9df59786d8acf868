"""Global robustness against accuracy from both sides, for a part of the dense networks.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", sections 3 and 4.2, and
appendix B.1 and B.3.

Deviations
1. A sample of the grids, balanced over the values of each axis. `robustness_accuracy` has its
   networks too.
2. The paper prints no radii. These are 0.01 and 0.02; at larger ones little can be verified.
3. The verifier goes as far as CROWN, and leaves out networks with more than 512 units in a layer.
"""

from dataclasses import replace

from ftnoise.core.experiment import Experiment
from ftnoise.core.figures import Clouds
from ftnoise.experiments import _grids
from ftnoise.measures import generalization, global_robustness
from ftnoise.verify.budget import Budget

GRIDS = (replace(_grids.B1, share=0.1), _grids.B3)
BOTH_SIDES = replace(
    _grids.ROBUSTNESS,
    radii=(_grids.RADIUS / 2, _grids.RADIUS),
    verify=Budget(nodes=0, widest=512),
)
SIDES = ("verified_1", "robust_1", "verified_2", "robust_2")

EXPERIMENT = Experiment(
    name="robustness_verified",
    title="Global robustness against accuracy, from both sides",
    source=f"{_grids.SOURCE}, figure 2 and appendix B.1 and B.3",
    grids=GRIDS,
    columns=(generalization.COLUMNS[1], *global_robustness.columns(BOTH_SIDES)),
    figures=(
        Clouds(
            name="clouds",
            title="Robustness, verified and attacked, against accuracy",
            panels=tuple(("test_accuracy", name) for name in SIDES),
        ),
        _grids.correlations(SIDES, {grid.name: -1 for grid in GRIDS}),
    ),
    notes=(
        "The true R of a network is between the verified and the attacked one, apart from the "
        "sampling error of 738 examples.",
    ),
    keeps_weights=False,
    minutes={"paper": 70, "quick": 5, "smoke": 2},
)
