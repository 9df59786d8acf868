"""PixelDP on CIFAR-10, with a network that two cores train: certified accuracy and its cost.

Source: as `pixeldp`; Lecuyer et al. (2019) train a ResNet.

Deviations
1. As in `pixeldp`, also the network, whose accuracy on CIFAR-10 is far below that of the authors'.
   15 epochs with random crops and mirror images, 500 test images and 1,000 draws.
2. No attack, no faults, and no Parseval projections.
"""

from dataclasses import replace

from ftnoise.architectures import PixelDPCNN
from ftnoise.core.experiment import Experiment, Row
from ftnoise.datasets.cifar10 import CIFAR10
from ftnoise.experiments import pixeldp
from ftnoise.measures import certified_accuracy, generalization
from ftnoise.measures.certified_accuracy import CertifiedAccuracy
from ftnoise.training import Training
from ftnoise.training.augmentation import CropAndFlip

CNN = replace(
    pixeldp.CNN,
    architecture=PixelDPCNN(input_shape=(32, 32, 3)),
    data=CIFAR10(),
    training=Training(augmentation=CropAndFlip()),
    schedule=replace(pixeldp.CNN.schedule, epochs=15),
)
CERTIFIED = CertifiedAccuracy(examples=500, draws=1000)

EXPERIMENT = Experiment(
    name="pixeldp_cifar10",
    title="Certified robustness by noise, CIFAR-10, small network",
    source="Lecuyer et al., Certified Robustness to Adversarial Examples with Differential Privacy",
    rows=(
        Row(name="natural", run=CNN),
        *(
            Row(
                name=f"pixeldp {size:g}",
                run=pixeldp.noisy(CNN, construction_size=size),
            )
            for size in pixeldp.SIZES
        ),
    ),
    columns=(
        *generalization.COLUMNS[1:2],
        *certified_accuracy.columns(CERTIFIED, pixeldp.KINDS),
    ),
    figures=certified_accuracy.pictures(CERTIFIED, pixeldp.KINDS),
    notes=("The network is far smaller than the authors' ResNet.",),
    minutes={"paper": 35, "quick": 3, "smoke": 0.5},
)
