"""Noise in the weights against faults: does training with it make a network tolerate them?

Source: no paper prints this experiment. Duddu et al. and Khan et al. hold that noise in inputs,
gradients or weights makes a network tolerate faults. These are the fmnist_dnn and the schedule of
Duddu et al., Table 5, with each kind of noise in the weights, compared with natural training,
Tikhonov and TRADES.

Deviations
1. Networks that draw their weights draw them at test time too. Faults hit the stored means, then
   the network draws, anew in each trial, and is compared with the same draw without faults.
   Training and testing accuracy, generalization error and membership are of one draw.
2. No paper has parameters of the noise for this network. DropConnect's rate is that of Khan et al.;
   beta, zeta and tau of SDR-Decay are those of `nondeterminism`.
"""

from dataclasses import replace

from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import Column, Experiment, Row
from ftnoise.core.figures import Contrasts
from ftnoise.core.interfaces import Weights
from ftnoise.experiments import faults_neurons, figure3, table5
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Neurons, Parameters, Where
from ftnoise.measures import fault_tolerance, generalization, membership, parameters
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.measures.robust_accuracy import columns as attacked
from ftnoise.training import with_slots
from ftnoise.training.weights.dropconnect import DropConnect
from ftnoise.training.weights.faults_in_training import FaultsInTraining
from ftnoise.training.weights.sdr_decay import SDRDecay
from ftnoise.training.weights.sdr_learnable import Ramp, SDRLearnable

BASELINE = "natural"
# Gradients over 20 draws, judged by a vote of 50; a deterministic network ignores the draws.
ADAPTIVE = RobustAccuracy(
    attack=PGD(attack_epsilon=2 / 255, steps=20, draws=20), examples=1000, votes=50
)
CAMPAIGNS = {"parameters": figure3.FAULTS, "neurons": faults_neurons.FAULTS}


def with_faults(where: Where, share: float) -> Weights:
    """Faults at that share of the sites, stuck at 0, in each step of the training."""
    return FaultsInTraining(fault=Fault(where=where, what=StuckAt(), rate=Share(rate=share)))


NOISES: dict[str, Weights] = {
    "dropconnect": DropConnect(rate=0.2),
    "sdr_decay": SDRDecay(beta=0.003, zeta=0.7, tau=10),
    "sdr_learnable": SDRLearnable(schedule=Ramp(target=0.05, epochs=50)),
    "neurons 0.1": with_faults(Neurons(), 0.1),
    "neurons 0.3": with_faults(Neurons(), 0.3),
    "parameters 0.1": with_faults(Parameters(), 0.1),
    "parameters 0.3": with_faults(Parameters(), 0.3),
}


NOISY = tuple(
    Row(name=f"fmnist_dnn {name}", run=with_slots(table5.DNN, weights=noise))
    for name, noise in NOISES.items()
)


def summaries(sites: str, measure: FaultTolerance) -> tuple[Column, ...]:
    """Columns of one campaign, named after its sites."""
    titles = {
        "accuracy_at_50": f"Testing accuracy with 50 % of the {sites} stuck at 0",
        "area_under_curve": f"Mean accuracy over all rates of {sites}",
        "rate_5_points_lost": f"Rate of {sites} at which 5 points are lost",
    }
    return tuple(
        Column(name=f"{sites}_{name}", scalar=name, measure=measure, title=title, unit="%")
        for name, title in titles.items()
    )


EXPERIMENT = Experiment(
    name="weight_noise",
    title="Noise in the weights and tolerance of faults, Fashion-MNIST",
    source="After Duddu et al., Table 5 and figure 3, and Khan et al., section 4",
    rows=(
        *(
            table5.EXPERIMENT.row(f"fmnist_dnn {training}").with_paper()
            for training in (BASELINE, "tikhonov", "trades")
        ),
        *NOISY,
    ),
    columns=(
        *generalization.COLUMNS,
        *parameters.SPREAD_COLUMNS,
        *(column for sites, one in CAMPAIGNS.items() for column in summaries(sites, one)),
        *attacked(ADAPTIVE),
        *membership.COLUMNS,
    ),
    figures=(
        *(
            replace(figure, name=f"{sites}_{figure.name}")
            for sites, one in CAMPAIGNS.items()
            for figure in fault_tolerance.figures(one, baseline=BASELINE)
        ),
        Contrasts(
            name="trainings",
            title="Compared with natural training, seed by seed",
            baseline=BASELINE,
            columns=(
                "test_accuracy",
                "generalization_error",
                *(f"{sites}_area_under_curve" for sites in CAMPAIGNS),
                "robust_accuracy",
                "membership_advantage",
            ),
        ),
    ),
    seeds=3,
    minutes={"paper": 180, "quick": 5, "smoke": 1},
)
