"""Table 6: the generalization error of TRADES on CIFAR-10 against the radius of its attack.

Source: Duddu et al., "Fault Tolerance of Neural Networks in Adversarial Settings", Table 6.

Deviations
1. As in Table 4, whose TRADES row is the one of 8/255 here, and is trained once for both.
"""

from ftnoise.core.experiment import Experiment, Row
from ftnoise.experiments import table4
from ftnoise.measures import generalization

PAPER = {2: (90.12, 81.93, 8.19), 4: (91.02, 80.05, 10.97), 8: (93.26, 76.04, 17.22)}

EXPERIMENT = Experiment(
    name="table6",
    title="Generalization error of TRADES against the radius of its attack, CIFAR-10",
    source="Duddu et al., Table 6",
    rows=tuple(
        Row(
            name=f"trades {radius}/255",
            run=table4.trades(radius / 255),
            paper=generalization.printed(*numbers),
        )
        for radius, numbers in PAPER.items()
    ),
    columns=table4.COLUMNS,
    notes=("Each row trains with the radius in its name; all rows are attacked within 8/255.",),
    presets=table4.EXPERIMENT.presets,
    minutes={"paper": 280, "quick": 5, "smoke": 0.4},
)
