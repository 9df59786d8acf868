"""The input of a measure, from the parts that a test needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ftnoise.architectures import FmnistDNN
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.interfaces import Measure, MeasureInput, Measurement, Run
from ftnoise.core.schedule import Schedule
from ftnoise.datasets.fashion_mnist import FashionMNIST
from ftnoise.training import Training
from tests.attacks.small import data

RUN = Run(
    architecture=FmnistDNN(),
    data=FashionMNIST(),
    training=Training(),
    schedule=Schedule(epochs=60, batch_size=250, learning_rate=0.15),
)
PARTS = {"run", "record", "others", "checkpointing"}


def trained(network: Any, **given: Any) -> MeasureInput:
    """A `MeasureInput` with its fields, and the arrays of the data, by name."""
    fields = {name: given.pop(name) for name in PARTS & given.keys()}
    defaults = {"run": None, "checkpointing": Checkpointing()}
    arrays: Any = SimpleNamespace(**given)
    return MeasureInput(network=network, data=arrays, **defaults | fields)


def evaluate(measure: Measure, network: Any, **given: Any) -> Measurement:
    """The measurement, after which all networks are bit-identical."""
    networks = [network, *given.get("others", {}).values()]

    def weights() -> list[bytes]:
        parts = [getattr(one, "get_weights", list)() for one in networks]
        return [array.tobytes() for arrays in parts for array in arrays]

    before = weights()
    found = measure.evaluate(trained(network, **given))
    assert weights() == before
    return found


def attackable(count: int = 200) -> dict[str, Any]:
    """Test examples of three classes for networks of `tests.attacks.small`."""
    x, y = data(count)
    return {"x_test": x, "y_test": y}
