"""Testing accuracy against the share of hidden neurons that have crashed.

Source: section 2.1 of Duddu et al., whose first fault is the crash of a node: its output is 0. The
paper prints no numbers of it.

A neuron is a unit of a hidden layer, or a channel of a convolution. Each rate hits exactly that
share of all neurons of the network.
"""

from ftnoise.core.experiment import Experiment
from ftnoise.experiments import figure3
from ftnoise.faults.where import Neurons
from ftnoise.measures.fault_tolerance import FaultTolerance, columns, figures

FAULTS = FaultTolerance(where=Neurons())

EXPERIMENT = Experiment(
    name="faults_neurons",
    title="Testing accuracy with crashed neurons, Fashion-MNIST",
    source="After Duddu et al., section 2.1",
    rows=tuple(row.with_paper() for row in figure3.EXPERIMENT.rows),
    columns=columns(FAULTS),
    figures=figures(FAULTS, figure3.COMPARED),
    adopts=True,
    minutes={"paper": 12, "quick": 2, "smoke": 0.5},
)
