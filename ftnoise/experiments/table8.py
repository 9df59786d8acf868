"""Table 8: generalization error of FMNIST DNN trained with DP-SGD.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 8 and its
section 5.

Deviations
1. Batches are drawn by Poisson sampling, which the paper's epsilon assumes; its code shuffles
   fixed batches, for which the same epsilon is no guarantee.
2. The paper prints neither noise nor batch, epochs and delta. Batches of 250, 60 epochs and delta
   1e-5, the values of the TensorFlow Privacy tutorial of its time, are the ones that give 0.49,
   2.97 and 24.66 together, with noise multipliers 5.0, 1.1 and 0.5; 2e6 needs 0.05 (2.3e6).
3. The paper prints no clipping norm and no rate. They do not move epsilon, and were calibrated for
   each row on the paper's TRAINING accuracy, seed 0; the testing accuracies and the generalization
   errors are outcomes, but for the row 2e6, whose candidate is 0.4 points further in training than
   another one of another schedule, and a point nearer in testing. Tried, clip and rate with
   training / testing accuracy after 60 epochs (* taken):

   eps 0.49 (paper 80.44)    1, 0.15 74.46 / 73.17; 1, 0.08 78.41 / 77.36; 1, 0.06* 80.69 / 78.97;
                             1, 0.05 81.73 / 80.94; 1, 0.02 81.42 / 80.37
   eps 2.97 (paper 85.70)    1, 0.15* 85.74 / 84.51, the tutorial's
   eps 24.66 (paper 88.21)   1, 0.15 86.27 / 84.71; 1, 0.3 87.46 / 85.54; 1, 0.5* 87.92 / 85.42
   eps 2e6 (paper 96.64)     1, 0.15 86.39 / 84.89; 1, 1.0 91.08 / 87.82; 4, 0.25 91.41 / 87.92;
                             10, 0.15 93.31 / 88.73; 4, 1.0 94.90 / 88.29; 8, 1.0 95.21 / 87.72;
                             8, 0.5* 95.55 / 88.74; with the rate x 0.1 from epoch 46, 4, 0.5
                             93.68 / 89.40 and 4, 1.0 95.92 / 89.76
4. The baselines take the schedule of Table 5 (see there), whose natural row comes nearest to the
   paper's training accuracy (99.58): 99.50 / 90.15 over three seeds. The tutorial's rate of 0.15
   for 60 epochs of 250 gives 95.99 / 88.50, with momentum 0.9 95.66 / 88.11. The weight of
   Tikhonov was calibrated as in Table 5 (paper 88.96): 2e-3 90.13 / 87.81, 2.6e-3* 89.12 / 86.92.
5. The paper's section 5 gives the range of epsilon as 0.49 to 10^6; its tables print 2e6.
"""

from dataclasses import replace
from typing import Any

from ftnoise.core.experiment import Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.experiments.table5 import DNN
from ftnoise.measures import generalization, membership, parameters, privacy
from ftnoise.training import with_slots
from ftnoise.training.gradients.dpsgd import DPSGD
from ftnoise.training.penalties import L2

WEIGHT = 2.6e-3
TUTORIAL = Schedule(epochs=60, batch_size=250, learning_rate=0.15)
COLUMNS = (
    *generalization.COLUMNS,
    *parameters.SPREAD_COLUMNS,
    *privacy.COLUMNS,
    *membership.COLUMNS,
)


def private(
    natural: Run,
    epsilon: str,
    noise: float,
    printed: tuple[float, float, float],
    clip: float = 1.0,
    **schedule: Any,
) -> Row:
    """A row of DP-SGD at an epsilon of the paper: the tutorial's schedule with changes."""
    run = with_slots(natural, gradients=DPSGD(noise_multiplier=noise, clip=clip))
    return Row(
        name=f"{natural.architecture.slug} eps {epsilon}",
        run=replace(run, schedule=replace(TUTORIAL, **schedule)),
        paper=generalization.printed(*printed) | {"privacy_epsilon_paper": float(epsilon)},
    )


PRIVATE = (
    private(DNN, "0.49", 5.0, (80.44, 79.43, 1.01), learning_rate=0.06),
    private(DNN, "2.97", 1.1, (85.70, 83.64, 2.06)),
    private(DNN, "24.66", 0.5, (88.21, 85.43, 2.78), learning_rate=0.5),
    private(DNN, "2e6", 0.05, (96.64, 88.35, 8.29), clip=8.0, learning_rate=0.5),
)

EXPERIMENT = Experiment(
    name="table8",
    title="Generalization error of differentially private models on Fashion-MNIST, FMNIST DNN",
    source="Duddu et al., Table 8",
    rows=(
        Row(
            name="fmnist_dnn natural",
            run=DNN,
            paper=generalization.printed(99.58, 89.60, 9.98),
        ),
        Row(
            name="fmnist_dnn tikhonov",
            run=with_slots(DNN, penalty=L2(weight=WEIGHT)),
            paper=generalization.printed(88.96, 87.45, 1.51),
        ),
        *PRIVATE,
    ),
    columns=COLUMNS,
    notes=(privacy.NOTE,),
    figures=(privacy.AGAINST_EPSILON,),
    minutes={"paper": 14, "quick": 1.2, "smoke": 0.3},
)
