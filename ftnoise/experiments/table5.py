"""Table 5: generalization error of natural, Tikhonov and TRADES training on Fashion-MNIST.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 5; the
networks are columns of its Table 2.

Deviations
1. The paper prints no schedule. All rows take that of the TRADES authors' MNIST script: SGD 0.01,
   momentum 0.9, batches of 128, 100 epochs, rate x 0.1 at epochs 55, 75 and 90.
2. The paper prints neither the weight of the Tikhonov penalty nor the radius of TRADES. Both were
   calibrated on the paper's TRAINING accuracy alone, one knob at a time, seed 0, to within a
   point; the testing accuracies and the generalization errors are outcomes. Tried, with training /
   testing accuracy at the end of the full schedule unless stated otherwise (* taken):

   fmnist_dnn tikhonov (paper 90.99)   1e-3 93.16 / 89.36, 1.7e-3* 90.74 / 88.33,
                                       2e-3 90.13 / 87.81
   fmnist_dnn trades (paper 98.76)     2/255* 98.90 / 90.76, 8/255 94.09 at epoch 74,
                                       0.1 84.4 at epoch 10
   fmnist_cnn2 tikhonov (paper 95.94)  1e-3* 95.76 / 91.50, the first one tried
   fmnist_cnn2 trades (paper 99.59)    0.5/255* 99.06 / 90.62, 2/255 96.45 at epoch 57 (natural is
                                       above 99 there), 1/255 half a point below natural on a
                                       schedule of a quarter of the length; 0.5/255 is nearly no
                                       attack, so this row is nearly natural training
3. TRADES: beta 1, 10 steps of attack_epsilon / 4.
4. Rows `pgd` (Madry et al. 2018; the preprint trains with it too) have no number in the paper:
   PGD with the radius of the network's TRADES row, 10 steps of attack_epsilon / 4 on fmnist_dnn and
   3 that reach as far together on fmnist_cnn2, where they find 99 % of the loss that 10 find (on
   2,000 training images, models of the rows natural and trades).
5. The paper measures no accuracy under attack. Ours is the worst on each image of PGD of 20 steps
   and of APGD with both of its losses (Croce and Hein 2020), in one l_inf ball for all rows, so
   that they can be compared: 2/255, the radius of fmnist_dnn's TRADES row and four times that of
   fmnist_cnn2's.
6. CNN 2 takes valid padding, by its natural row (paper 98.60 / 90.59), the one choice that looked
   at a testing accuracy: valid twice 99.43 / 90.59; same, then valid 99.96 in training at epoch 60;
   the tutorial's stride 2 97.78 / 90.36.
7. The paper's section 4.2 gives TRADES on CNN 2 an error of 8.01, which is that of its natural row;
   its Table 5 prints 8.86.
"""

from dataclasses import replace

from ftnoise.architectures import FmnistCNN2, FmnistDNN
from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.measures import attack_red_flags, generalization, parameters, robust_accuracy
from ftnoise.measures.attack_red_flags import AttackRedFlags
from ftnoise.training import Training, with_slots
from ftnoise.training.inputs.adversarial import AdversarialTraining
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2

DNN = Run(
    architecture=FmnistDNN(),
    data=FashionMNIST(),
    training=Training(),
    schedule=Schedule(
        epochs=100, batch_size=128, learning_rate=0.01, momentum=0.9, drops=(55, 75, 90)
    ),
)
CNN2 = replace(DNN, architecture=FmnistCNN2())
ATTACK = PGD(attack_epsilon=2 / 255)
PGD_10 = PGD(attack_epsilon=2 / 255, steps=10)
PGD_3 = PGD(attack_epsilon=0.5 / 255, steps=3, step_size=2.5 / 3 * 0.5 / 255)
RADII = (
    "TRADES and PGD train with a radius of 2/255 on fmnist_dnn and of 0.5/255 on fmnist_cnn2; all "
    "rows are attacked within 2/255."
)

EXPERIMENT = Experiment(
    name="table5",
    title="Generalization error of adversarially robust models on Fashion-MNIST",
    source="Duddu et al., Table 5",
    rows=(
        Row(
            name="fmnist_dnn natural",
            run=DNN,
            paper=generalization.printed(98.83, 90.23, 8.60),
        ),
        Row(
            name="fmnist_dnn tikhonov",
            run=with_slots(DNN, penalty=L2(weight=1.7e-3)),
            paper=generalization.printed(90.99, 87.70, 3.29),
        ),
        Row(
            name="fmnist_dnn trades",
            run=with_slots(DNN, inputs=TRADES(attack_epsilon=2 / 255)),
            paper=generalization.printed(98.76, 89.93, 8.83),
        ),
        Row(
            name="fmnist_cnn2 natural",
            run=CNN2,
            paper=generalization.printed(98.60, 90.59, 8.01),
        ),
        Row(
            name="fmnist_cnn2 tikhonov",
            run=with_slots(CNN2, penalty=L2(weight=1e-3)),
            paper=generalization.printed(95.94, 91.04, 4.90),
        ),
        Row(
            name="fmnist_cnn2 trades",
            run=with_slots(CNN2, inputs=TRADES(attack_epsilon=0.5 / 255)),
            paper=generalization.printed(99.59, 90.73, 8.86),
        ),
        Row(
            name="fmnist_dnn pgd",
            run=with_slots(DNN, inputs=AdversarialTraining(attack=PGD_10)),
        ),
        Row(
            name="fmnist_cnn2 pgd",
            run=with_slots(CNN2, inputs=AdversarialTraining(attack=PGD_3)),
        ),
    ),
    columns=(
        *generalization.COLUMNS,
        *parameters.SPREAD_COLUMNS,
        *robust_accuracy.columns(robust_accuracy.with_apgd(ATTACK)),
        *attack_red_flags.columns(AttackRedFlags(attack=ATTACK)),
    ),
    notes=(RADII,),
    minutes={"paper": 118, "quick": 2.5, "smoke": 0.4},
)
