"""Table 5: generalization error of natural, Tikhonov and TRADES training on Fashion-MNIST.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 5; the
networks are columns of its Table 2.

Deviations
1. The paper prints no schedule. All rows take that of the TRADES authors' MNIST script: SGD 0.01,
   momentum 0.9, batches of 128, 100 epochs, rate x 0.1 at epochs 55, 75 and 90.
2. The paper prints neither the weight of the Tikhonov penalty nor the radius of TRADES. Both were
   calibrated on the paper's TRAINING accuracy alone, one knob at a time, seed 0; the testing
   accuracies and the generalization errors are outcomes. What was tried stands beside each value
   as training / testing accuracy, seed 0, on the full schedule unless it says otherwise.
3. TRADES: beta 1, 10 steps of attack_epsilon / 4.
4. CNN 2 takes valid padding, by its natural row (paper 98.60 / 90.59): valid twice 99.43 / 90.59;
   same, then valid 99.96 in training at epoch 60; the tutorial's stride 2 97.78 / 90.36.
"""

from ftnoise.architectures import FmnistCNN2, FmnistDNN
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.measures.generalization import Generalization
from ftnoise.measures.parameter_spread import ParameterSpread
from ftnoise.spec import Column, Experiment, Row, Run, Schedule, Spec
from ftnoise.training import Training
from ftnoise.training.inputs.trades import TRADES
from ftnoise.training.penalties import L2

SCHEDULE = Schedule(
    epochs=100, batch_size=128, learning_rate=0.01, momentum=0.9, drops=(55, 75, 90)
)


def row(
    name: str,
    architecture: Spec,
    training: Training,
    paper: tuple[float, float, float],
    step_seconds: float,
) -> Row:
    """A row of the table; `paper` is training and testing accuracy (%), their difference."""
    columns = ("train_accuracy", "test_accuracy", "generalization_error")
    return Row(
        name=name,
        run=Run(
            architecture=architecture, data=FashionMNIST(), training=training, schedule=SCHEDULE
        ),
        paper=dict(zip(columns, paper, strict=True)),
        step_seconds=step_seconds,
    )


EXPERIMENT = Experiment(
    name="table5",
    title="Generalization error of adversarially robust models on Fashion-MNIST",
    source="Duddu et al., Table 5",
    rows=(
        row("fmnist_dnn natural", FmnistDNN(), Training(), (98.83, 90.23, 8.60), 0.0025),
        row(
            "fmnist_dnn tikhonov",
            FmnistDNN(),
            # 90.74 / 88.33; 1e-3 gives 93.16 / 89.36, 2e-3 gives 90.13 / 87.81.
            Training(penalty=L2(weight=1.7e-3)),
            (90.99, 87.70, 3.29),
            0.0027,
        ),
        row(
            "fmnist_dnn trades",
            FmnistDNN(),
            # 2/255 ends at 98.84 / 90.63; 8/255 is at 94.09 at epoch 74, 0.1 at 84.4 at epoch 10.
            Training(inputs=TRADES(attack_epsilon=2 / 255)),
            (98.76, 89.93, 8.83),
            0.02,
        ),
        row("fmnist_cnn2 natural", FmnistCNN2(), Training(), (98.60, 90.59, 8.01), 0.006),
        row(
            "fmnist_cnn2 tikhonov",
            FmnistCNN2(),
            # 95.76 / 91.50; the only weight tried.
            Training(penalty=L2(weight=1e-3)),
            (95.94, 91.04, 4.90),
            0.0065,
        ),
        row(
            "fmnist_cnn2 trades",
            FmnistCNN2(),
            # 2/255 is at 96.45 at epoch 57, after the first drop, where natural is above 99: too
            # large. 1/255 is the next smaller, not yet confirmed by a finished run.
            Training(inputs=TRADES(attack_epsilon=1 / 255)),
            (99.59, 90.73, 8.86),
            0.065,
        ),
    ),
    columns=(
        Column(
            name="train_accuracy", measure=Generalization(), title="Training accuracy", unit="%"
        ),
        Column(name="test_accuracy", measure=Generalization(), title="Testing accuracy", unit="%"),
        Column(
            name="generalization_error",
            measure=Generalization(),
            title="Generalization error",
            unit="points",
            ranked=True,
        ),
        Column(
            name="parameter_std",
            measure=ParameterSpread(),
            title="Standard deviation of the parameters",
            digits=4,
        ),
        Column(
            name="parameter_spread_eq10",
            measure=ParameterSpread(),
            title="Spread of the parameters by equation (10)",
            digits=4,
        ),
    ),
)
