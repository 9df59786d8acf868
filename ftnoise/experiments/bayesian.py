"""Global robustness of Bayesian networks, sampled by Hamiltonian Monte Carlo.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", section 4.4, figure 4, and
appendix B.8 and B.9. The paper finds a positive correlation of robustness and accuracy.

Deviations
1. Of the grids there is a sample (`--sample 100%` takes all).
2. The attacked network is the posterior mean prediction.
3. Radius and attacks are those of `robustness_accuracy`, without the steps on the probability of
   each class: a gradient is of all samples of the posterior.
4. There are no faults: a network has up to 600 times the parameters of the others.
5. Networks whose chain accepts less than 1 % of its trajectories are left out of the correlations:
   they are almost the initial networks. With a step size of 0.01 hardly any chain moves.
6. Grid B.9 is sampled at 15 %, as 5 % are too few trainings for a correlation.
"""

from dataclasses import replace

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import _grids
from ftnoise.measures import sampling
from ftnoise.measures.sampling import Sampling

GRIDS = (_grids.B8, _grids.B9)

EXPERIMENT = Experiment(
    name="bayesian",
    title="Global robustness against accuracy, Bayesian networks",
    source=f"{_grids.SOURCE}, figure 4 and appendix B.8 and B.9",
    grids=GRIDS,
    columns=(
        *_grids.columns(replace(_grids.ROBUSTNESS, attacks=(_grids.ASCENTS,)), faults=False),
        *sampling.columns(Sampling()),
    ),
    figures=_grids.figures(
        {grid.name: 1 for grid in GRIDS},
        least=("acceptance", 1.0),
        axes=("depth", "width", "step_size", "steps", "samples"),
        faults=False,
    ),
    notes=(_grids.NOTE,),
    keeps_weights=False,
    minutes={"paper": 300, "quick": 10, "smoke": 2},
)
