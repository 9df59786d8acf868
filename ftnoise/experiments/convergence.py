"""Estimates of global robustness gather as the tolerated error falls.

Source: "Global Adversarial Robustness Guarantees for Neural Networks", section 4.1 and figure 1: a
CNN on MNIST, 50 estimates for each tolerance, exact local robustness.

Deviations
1. The paper prints neither the network, its training, nor the radius. This is the smallest network
   of its grid B.2, trained with SGD at its largest rate for its longest time; the radius is 0.01.
2. An example is robust if the verifier verifies it (`measures/robustness_convergence.py`).
"""

from ftnoise.architectures import GridCNN
from ftnoise.attacks.pgd import PGD
from ftnoise.core.experiment import Experiment, Row
from ftnoise.core.interfaces import Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.mnist import MNIST
from ftnoise.measures import generalization, robustness_convergence
from ftnoise.measures.global_robustness import GlobalRobustness
from ftnoise.measures.robustness_convergence import RobustnessConvergence
from ftnoise.training import Training
from ftnoise.verify.budget import Budget

LOCAL = GlobalRobustness(
    radii=(0.01,), attacks=(PGD(attack_epsilon=0.01),), verify=Budget(nodes=1), tolerance=None
)
CONVERGENCE = RobustnessConvergence(local=LOCAL)
CNN = Run(
    architecture=GridCNN(),
    data=MNIST(),
    training=Training(),
    schedule=Schedule(epochs=15, batch_size=128, learning_rate=0.05),
)

EXPERIMENT = Experiment(
    name="convergence",
    title="Estimates of global robustness against their tolerance, MNIST",
    source="Global Adversarial Robustness Guarantees for Neural Networks, figure 1",
    rows=(Row(name="cnn", run=CNN),),
    columns=(*generalization.COLUMNS, *robustness_convergence.columns(CONVERGENCE)),
    figures=(robustness_convergence.picture(CONVERGENCE),),
    minutes={"paper": 6, "quick": 1, "smoke": 0.5},
)
