"""Testing accuracy against the share of hidden neurons that have crashed.

Source: section 2.1 of Duddu et al., whose first fault is the crash of a node: its output is 0. The
paper prints no numbers of it.

A crashed neuron is a unit of a hidden layer, of a convolution a channel; each rate hits exactly
that share of all of them together.
"""

from ftnoise.core.experiment import Experiment, Row
from ftnoise.experiments import figure3
from ftnoise.faults.where import Neurons
from ftnoise.measures.fault_tolerance import FaultTolerance, columns, figures

FAULTS = FaultTolerance(where=Neurons())

EXPERIMENT = Experiment(
    name="faults_neurons",
    title="Testing accuracy with crashed neurons, Fashion-MNIST",
    source="After Duddu et al., section 2.1",
    rows=tuple(Row(name=row.name, run=row.run) for row in figure3.EXPERIMENT.rows),
    columns=columns(FAULTS),
    figures=figures(FAULTS, figure3.COMPARED),
    adopts=True,
)
