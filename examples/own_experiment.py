"""A table of your own, with a measure of your own: `./reproduce.sh examples/own_experiment.py`."""

from dataclasses import dataclass

import ftnoise


@dataclass(frozen=True, kw_only=True)
class Norm(ftnoise.Measure):
    """The l_2 norm of all parameters: `norm`."""

    def evaluate(self, trained: ftnoise.MeasureInput) -> ftnoise.Measurement:
        """Reads the weights."""
        squares = sum(float((w.numpy() ** 2).sum()) for w in trained.network.weights)
        return ftnoise.Measurement(scalars={"norm": squares**0.5})


RUNS = {
    name: ftnoise.Run(
        architecture=ftnoise.CirclesNet(),
        data=ftnoise.Circles(),
        training=ftnoise.Training(),
        schedule=ftnoise.Schedule(epochs=epochs, batch_size=10, learning_rate=0.05),
    )
    for name, epochs in {"short": 10, "long": 100}.items()
}
EXPERIMENT = ftnoise.Experiment(
    name="norms",
    title="The norm of the parameters grows in training",
    source="This file",
    rows=tuple(ftnoise.Row(name=name, run=run) for name, run in RUNS.items()),
    columns=(ftnoise.Column(name="norm", measure=Norm(), title="Norm of the parameters"),),
)

if __name__ == "__main__":
    print(ftnoise.reproduce(EXPERIMENT))
