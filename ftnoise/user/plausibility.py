"""Whether the accuracy without faults is that of a model that gets its examples as in training.

Labels that are shifted, or images in 0 to 255 for a model that expects [0, 1], raise no error: they
make a campaign on a model that guesses. Files are scaled by the rule in `datasets/content.py`,
arrays from Python are taken as they are; for uint8 examples only the model shows which is right.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ftnoise.core.errors import BadInput
from ftnoise.core.lazy import np, tf
from ftnoise.stats import proportion_interval

if TYPE_CHECKING:
    from ftnoise.faults.campaign import Campaign

EXAMPLES = 200  # of uint8 are compared in both ranges
BATCH = 20
MORE = 0.1  # of them have to be right in the other range alone, beyond chance


def guessing(correct: np.ndarray, y: np.ndarray) -> list[str]:
    """A warning if a model is no better than naming the most frequent class, or none.

    `correct` is whether it is right without faults, bool `[n]`.
    """
    right, most = int(np.count_nonzero(correct)), int(np.bincount(y).max())
    if right > most or right == len(y):
        return []
    return [
        f"The accuracy without faults is {100 * right / len(y):.2f} %, and always predicting the "
        f"most frequent class gives {100 * most / len(y):.2f} %: are the labels shifted, or the "
        "inputs scaled in another way than in training?"
    ]


def has_pixels(x: Any) -> bool:
    """Whether some examples are uint8; `x` is an array, or a list of one for each input."""
    return any(str(getattr(one, "dtype", "")) == "uint8" for one in _inputs(x))


def scaled(x: Any) -> Any:
    """The examples by the rule for files, uint8 divided by 255."""
    from ftnoise.datasets.content import as_float

    return [as_float(one) for one in x] if isinstance(x, list) else as_float(x)


def check_scaling(campaign: Campaign, x: Any, is_scaled: bool) -> None:
    """Refuses uint8 examples on which the model is far more accurate in the other range.

    Raises `BadInput` if it is more accurate by `MORE`, with 99.9 % confidence. `x` are the examples
    in 0 to 255; `is_scaled` is whether the campaign has them divided by 255.
    """
    from ftnoise.faults.agreement import outputs
    from ftnoise.layers.drawing import forward

    network, count = campaign.network, min(EXAMPLES, len(campaign.y))
    raw = [np.asarray(one)[:count] for one in _inputs(x)]
    pairs = zip(raw if is_scaled else scaled(raw), network.inputs, strict=True)
    other = [one.astype(tensor.dtype.as_numpy_dtype) for one, tensor in pairs]
    try:
        found = outputs(partial(forward, network), other, campaign.network_draw(0), BATCH)
    except tf.errors.OpError:  # such as indices of an Embedding beyond its table
        return
    theirs, ours = campaign.right(found), campaign.correct[:count]
    more, less = np.count_nonzero(theirs & ~ours), np.count_nonzero(ours & ~theirs)
    low, _ = proportion_interval(int(more), max(1, int(more + less)), 0.999)
    if more - less > MORE * count and low > 0.5:
        ways = "divided by 255", "as they are"
        given, better = ways if is_scaled else ways[::-1]
        remedy = "save them as float32, which is not scaled" if is_scaled else "pass x / 255"
        raise BadInput(
            f"Expected examples in the range that {network.name} was trained on. Received: uint8 "
            f"{given}, of which {100 * ours.mean():.0f} % are right, and {100 * theirs.mean():.0f} "
            f"% {better} (first {count}): {remedy}."
        )


def _inputs(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]
