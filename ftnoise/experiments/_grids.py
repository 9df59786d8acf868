"""The grids of networks of "Global Adversarial Robustness Guarantees for Neural Networks".

Source: appendix B.1 to B.9, every value. A network for each epoch that is listed is a stage of one
training.

Deviations
1. The paper prints no batch size; here it is 128.
2. B.5 has further networks of another paper (DEMOGEN), which are left out.
3. B.6 and B.7 do not say where weights are rewound to; here to the initial ones.
4. B.8 and B.9 print neither prior, burn-in, start nor the examples of the likelihood. Here the
   prior is N(0, 1), 100 trajectories are left out, a chain starts at Keras' initial weights, and
   the likelihood is that of 2,000 fixed training examples. The code of the paper's ancestor takes
   minibatches, which is no exact sampler (`TemperedHMC`).
"""

from collections.abc import Callable
from typing import Any

from ftnoise.architectures import GridCNN, GridMLP, GridVGG
from ftnoise.attacks.fgsm import FGSM
from ftnoise.attacks.pgd import PGD
from ftnoise.attacks.variation import Variation
from ftnoise.core.experiment import Column
from ftnoise.core.figures import Boxes, Clouds, Correlations
from ftnoise.core.grid import Grid
from ftnoise.core.interfaces import Architecture, DataSet, Figure, Procedure, Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.cifar10 import CIFAR10
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.datasets.mnist import MNIST
from ftnoise.measures import generalization
from ftnoise.measures.fault_tolerance import FaultTolerance
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.training import Training
from ftnoise.training.gradients.plain import Adam
from ftnoise.training.procedures.hmc import HMC
from ftnoise.training.procedures.pruning import IterativePruning

SOURCE = "Global Adversarial Robustness Guarantees for Neural Networks"
ACTIVATIONS = ("relu", "tanh", "sigmoid")
LIKELIHOOD = 2000  # training examples


def trained(data: DataSet, network: type[Architecture], training: Procedure) -> Callable[..., Run]:
    """Makes runs with a constant learning rate; the other axes are fields of the network."""

    def run(rate: float, epochs: int, **fields: Any) -> Run:
        schedule = Schedule(epochs=epochs, batch_size=128, learning_rate=rate)
        architecture = network(**fields)
        return Run(architecture=architecture, data=data, training=training, schedule=schedule)

    return run


def pruned(data: DataSet) -> Callable[..., Run]:
    """Makes runs of dense networks with iterative magnitude pruning."""

    def run(reduction: float, rounds: int, **others: Any) -> Run:
        training = IterativePruning(training=Training(), reduction=reduction, rounds=rounds)
        return trained(data, GridMLP, training)(**others)

    return run


def bayesian(data: DataSet) -> Callable[..., Run]:
    """Makes runs of dense networks whose weights are samples of their posterior."""

    def run(step_size: float, steps: int, samples: int, **fields: Any) -> Run:
        return Run(
            architecture=GridMLP(**fields),
            data=data,
            training=HMC(samples=samples, step_size=step_size, steps=steps),
            # Nothing is trained before the chains.
            schedule=Schedule(epochs=1, batch_size=LIKELIHOOD, learning_rate=1.0),
            train_examples=LIKELIHOOD,
        )

    return run


B1 = Grid(
    name="B.1",
    about="MNIST, dense",
    run=trained(MNIST(), GridMLP, Training()),
    along="epochs",
    axes={
        "depth": (1, 2, 3),
        "width": (64, 128, 256, 512),
        "activation": ACTIVATIONS,
        "rate": (0.05, 0.01, 0.005, 0.001),
        "epochs": (5, 10, 15, 20, 25),
    },
)
B2 = Grid(
    name="B.2",
    about="MNIST, convolutional",
    run=trained(MNIST(), GridCNN, Training()),
    along="epochs",
    share=0.05,
    axes={
        "depth": (1, 2),
        "width": (128, 256),
        "filters": (5, 10, 20, 30),
        "kernel": (3, 5, 7),
        "convolutions": (1, 2, 3),
        "rate": (0.05, 0.01, 0.005, 0.001),
        "epochs": (3, 6, 9, 12, 15),
    },
)
B3 = Grid(
    name="B.3",
    about="Fashion-MNIST, dense",
    run=trained(FashionMNIST(), GridMLP, Training()),
    along="epochs",
    share=0.15,
    axes={
        "depth": (2, 3, 4),
        "width": (256, 512, 1024),
        "activation": ACTIVATIONS,
        "rate": (0.01, 0.005, 0.001),
        "epochs": (5, 10, 15, 20, 25),
    },
)
B4 = Grid(
    name="B.4",
    about="Fashion-MNIST, convolutional",
    run=trained(FashionMNIST(), GridCNN, Training()),
    along="epochs",
    share=0.05,
    axes={
        "depth": (1, 2),
        "width": (128, 256),
        "filters": (5, 20, 30),
        "kernel": (3, 5, 7),
        "convolutions": (1, 2, 3, 4),
        "rate": (0.0001, 0.001, 0.005),
        "epochs": (3, 6, 9, 12, 15),
    },
)
B5 = Grid(
    name="B.5",
    about="CIFAR-10, convolutional",
    run=trained(CIFAR10(), GridVGG, Training(gradients=Adam())),
    along="epochs",
    share=0.001,
    axes={
        "depth": (1, 2, 3),
        "width": (128, 256, 512),
        "filters": (24, 48, 64),
        "kernel": (3, 5, 7),
        "blocks": (1, 2, 3),
        "rate": (0.0001, 0.0005, 0.001, 0.005),
        "epochs": (3, 6, 9, 12, 15),
    },
)
PRUNING = {
    "activation": ACTIVATIONS,
    "reduction": (0.5, 0.75, 0.9, 0.99),
    "rounds": (1, 2, 5),
    "rate": (0.001,),
    "epochs": (5, 10, 15),
}
B6 = Grid(
    name="B.6",
    about="MNIST, pruned",
    run=pruned(MNIST()),
    along="epochs",
    share=0.05,
    axes={
        "depth": (1, 2, 3),
        "width": (128, 256, 512, 1024),
        **PRUNING,
    },
)
B7 = Grid(
    name="B.7",
    about="Fashion-MNIST, pruned",
    run=pruned(FashionMNIST()),
    along="epochs",
    share=0.05,
    axes={
        "depth": (1, 2, 3, 4),
        "width": (256, 512),
        **PRUNING,
    },
)
B8 = Grid(
    name="B.8",
    about="MNIST, Bayesian",
    run=bayesian(MNIST()),
    along="samples",
    share=0.05,
    axes={
        "depth": (1, 2, 3),
        "width": (128, 256, 512),
        "activation": ACTIVATIONS,
        "step_size": (0.01, 0.005, 0.001, 0.0001),
        "steps": (10, 15, 20),
        "samples": (100, 200, 400, 600),
    },
)
B9 = Grid(
    name="B.9",
    about="Fashion-MNIST, Bayesian",
    run=bayesian(FashionMNIST()),
    along="samples",
    share=0.15,
    axes={
        "depth": (1, 2, 3),
        "width": (128, 256, 512),
        "activation": ("relu",),
        "step_size": (0.01, 0.005, 0.001, 0.0001),
        "steps": (10, 15, 20),
        "samples": (100, 200, 400, 600),
    },
)

RADIUS = 0.02
ROBUST = tuple(
    f"{attack}_{kind}" for attack in ("fgsm", "pgd") for kind in ("robust", "steady", "variation")
)
FGSM_ROBUSTNESS = GlobalRobustness(radii=(RADIUS,), attacks=(FGSM(attack_epsilon=RADIUS),))
ASCENTS = PGD(attack_epsilon=RADIUS, steps=10)
ROBUSTNESS = GlobalRobustness(
    radii=(RADIUS,), attacks=(ASCENTS, Variation(attack_epsilon=RADIUS, steps=5))
)
FAULTS = FaultTolerance(rates=(0.1, 0.5), trials=5)
NOTE = (
    "R is the share of examples whose predicted class no attack changes in the l_inf ball of "
    f"{RADIUS}, R_gamma that of examples no probability of which it changes by more than 0.5, D "
    "the mean of the largest change. Each is of 738 test examples, for an error of at most 0.05 "
    "with 95 % confidence for one network (2,387 would do for 3,800 networks at once). They are of "
    "attacks alone: the true R is at most, and the true D at least, what is shown. The steps of "
    "PGD do not include FGSM's, which changes a few more examples of some networks."
)


def columns(robustness: GlobalRobustness, *, faults: bool = True) -> tuple[Column, ...]:
    """Accuracy; R, R_gamma and D under the paper's attack and a stronger one; accuracy with faults.

    Args:
        robustness: under the stronger attack.
        faults: whether the accuracies with faults are among them.
    """
    kinds = {"fgsm": (FGSM_ROBUSTNESS, "FGSM"), "pgd": (robustness, "PGD")}
    titles = {"robust": ("R", "%", 1), "steady": ("R_gamma", "%", 1), "variation": ("D", "", 3)}
    shares = {"accuracy_at_10": 10, "accuracy_at_50": 50} if faults else {}
    return (
        generalization.COLUMNS[1],
        *(
            Column(
                name=f"{kind}_{name}",
                scalar=f"{name}_1",
                measure=measure,
                title=f"{title} under {attack}",
                unit=unit,
                digits=digits,
            )
            for kind, (measure, attack) in kinds.items()
            for name, (title, unit, digits) in titles.items()
        ),
        *(
            Column(
                name=name,
                measure=FAULTS,
                title=f"Testing accuracy with {share} % of the parameters stuck at 0",
                unit="%",
                digits=1,
            )
            for name, share in shares.items()
        ),
    )


def correlations(
    columns: tuple[str, ...],
    expected: dict[str, int],
    axis: str = "",
    least: tuple[str, float] | tuple[()] = (),
) -> Correlations:
    """Rank correlations with accuracy, or with an axis.

    Args:
        columns: names of columns; D falls where a network is more robust.
        expected: the paper's sign of the correlation of robustness by the grid's name.
        axis: its name; "" for the accuracy.
        least: see `Correlations`.
    """
    return Correlations(
        name=f"correlations_{axis}" if axis else "correlations",
        title=f"Correlation with {axis or 'accuracy'}",
        x="" if axis else "test_accuracy",
        axis=axis,
        columns=columns,
        expected=expected,
        reverse=tuple(name for name in columns if name.endswith("variation")),
        unjudged=tuple(name for name in columns if "accuracy" in name),
        least=least,
    )


def figures(
    expected: dict[str, int],
    axes: tuple[str, ...],
    *,
    faults: bool = True,
    least: tuple[str, float] | tuple[()] = (),
) -> tuple[Figure, ...]:
    """Robustness against accuracy, their correlations, and robustness by the values of axes.

    Args:
        expected: the paper's sign of the correlation by the grid's name.
        axes: names of axes.
        faults: whether accuracies with faults are among the columns.
        least: see `Correlations`.
    """
    return (
        Clouds(
            name="clouds",
            title="Robustness against accuracy",
            panels=tuple(("test_accuracy", name) for name in ROBUST),
        ),
        correlations((*ROBUST, *(["accuracy_at_50"] if faults else [])), expected, least=least),
        *(
            Boxes(
                name=f"boxes_{attack}",
                title=f"Robustness by the parameters of the grid, {attack.upper()}",
                y=f"{attack}_robust",
                axes=axes,
            )
            for attack in ("fgsm", "pgd")
        ),
    )
