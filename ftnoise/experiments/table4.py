"""Table 4: generalization error of natural, Tikhonov and robust training on CIFAR-10.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 4; the
network is the CIFAR-10 column of its Table 2.

Deviations
1. The paper prints no schedule. Rows take that of the TRADES authors' CIFAR-10 script (76 epochs of
   SGD with momentum 0.9 in batches of 128, rate x 0.1 at epoch 75, random crops and mirror images),
   but for its rate of 0.1, which is made for networks with batch normalization: the paper's network
   has none and learns nothing with it (a loss of 2.30 after 400 steps, natural training), so the
   rate is 0.01.
2. TRADES: radius 8/255, beta 6, 10 steps of 2/255, and the script's weight decay of 2e-4, which is
   an L2 penalty of 1e-4 on all parameters. The paper has no number of PGD, which takes the same
   steps and decay, and a quarter of the radius: with all of it this network had learned nothing (a
   loss of 2.30) after 1,500 steps of 16 images (500 images, one attack step), while TRADES began to
   learn within 500. Natural training has no decay.
3. The weight of the Tikhonov penalty, which the paper does not print, is that which Table 5 found
   for its convolutional network: it is not calibrated on CIFAR-10, as that takes a GPU.
4. The paper measures no accuracy under attack. Ours is the worst on each image of PGD of 20 steps
   and of APGD with both of its losses, in the l_inf ball of 8/255 for all rows. The red flags of
   PGD are searched on 100 images, 5 of them without gradients, as a forward pass of this network
   is slow without a GPU.
"""

from ftnoise.architectures import Cifar10CNN
from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.core.preset import Preset
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.cifar10 import CIFAR10
from ftnoise.measures import attack_red_flags, generalization, robust_accuracy
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.training import Training, with_slots
from ftnoise.training.augmentation import CropAndFlip
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2

EPSILON, STEPS = 8 / 255, 10
DECAY = L2(weight=1e-4, biases=True)
NATURAL = Run(
    architecture=Cifar10CNN(),
    data=CIFAR10(),
    training=Training(augmentation=CropAndFlip()),
    schedule=Schedule(epochs=76, batch_size=128, learning_rate=0.01, momentum=0.9, drops=(75,)),
)
ATTACK = PGD(attack_epsilon=EPSILON)
COLUMNS = (
    *generalization.COLUMNS,
    *robust_accuracy.columns(robust_accuracy.with_apgd(ATTACK)),
    *attack_red_flags.columns(AttackRedFlags(attack=ATTACK, examples=100, queried=5)),
)
# What two cores can do overnight.
CPU = Preset(
    name="cpu",
    summary="all 50,000 training and 10,000 testing images; 40 epochs of TRADES and PGD for 76",
    attack_epochs=40 / 76,
    adopted=False,
)
QUICK = Preset(
    name="quick",
    summary="200 training and 300 testing images, 100 epochs in batches of 16, one attack step: a "
    "sign of what Tikhonov and TRADES do, far from the paper's accuracies",
    epochs=100 / 76,
    batch_size=16,
    train_examples=200,
    test_examples=300,
    attack_steps=1,
    adopted=False,
)


def trades(attack_epsilon: float) -> Run:
    """TRADES as its authors train on CIFAR-10, with another radius."""
    # Their step is 0.007 for a radius of 0.031.
    member = TRADES(
        attack_epsilon=attack_epsilon, beta=6.0, steps=STEPS, step_size=attack_epsilon / 4
    )
    return with_slots(NATURAL, inputs=member, penalty=DECAY)


def pgd(attack_epsilon: float) -> Run:
    """Adversarial training as far as TRADES goes, with a radius of its own."""
    attack = PGD(attack_epsilon=attack_epsilon, steps=STEPS, step_size=attack_epsilon / 4)
    return with_slots(NATURAL, inputs=AdversarialTraining(attack=attack), penalty=DECAY)


EXPERIMENT = Experiment(
    name="table4",
    title="Generalization error of adversarially robust models on CIFAR-10",
    source="Duddu et al., Table 4",
    rows=(
        Row(name="natural", run=NATURAL, paper=generalization.printed(95.50, 86.24, 9.26)),
        Row(
            name="tikhonov",
            run=with_slots(NATURAL, penalty=L2(weight=1e-3)),
            paper=generalization.printed(89.19, 82.24, 6.95),
        ),
        Row(name="trades", run=trades(EPSILON), paper=generalization.printed(93.26, 76.04, 17.22)),
        Row(name="pgd", run=pgd(EPSILON / 4)),
    ),
    columns=COLUMNS,
    notes=(
        "Row trades trains with a radius of 8/255, row pgd with one of 2/255; all rows are "
        "attacked within 8/255.",
    ),
    presets=(CPU, QUICK),
    minutes={"paper": 2050, "quick": 8, "smoke": 0.4},
)
