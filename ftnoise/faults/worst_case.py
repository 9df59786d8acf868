"""The fewest bits that break a network: a search by gradients, beside random faults.

At each step the bit is flipped that lowers the objective most. The gradient orders the flips of a
layer by what they would change if the objective were linear; the first of each layer are tried.

Source: Rakin et al. (2019), "Bit-Flip Attack: Crushing Neural Network with Progressive Bit Search".

Deviations
1. The objective is the mean margin of the right class over the others, capped at -1, as the paper's
   cross-entropy grows without limit on examples that are wrong already. Where flips are compared,
   no example has a larger margin than without faults, so that one class may win everywhere.
2. The best flip of each parameter is tried, and one of all parameters is kept in each step, as in
   the paper's search within and across layers. An element is flipped once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ftnoise.core import seeds
from ftnoise.core.checkpointing import Checkpointing
from ftnoise.core.checks import expect
from ftnoise.faults.campaign import Campaign, Traced
from ftnoise.faults.injection import strike_few

LEAST = -1.0  # margin of an example, below which nothing is gained


@dataclass(frozen=True)
class Flip:
    """A flip of the search, and the accuracy on all examples after it, in percent."""

    site: str
    bit: int
    accuracy: float


class Search:
    """A search for the flips of stored bits that a network survives least.

    The campaign is of single bits of parameters stored in a format; see `Fault.of_bits`. Its seed
    draws from its examples those of the objective, `examples` of them.
    """

    def __init__(self, campaign: Campaign, examples: int = 1000) -> None:
        bits = campaign.fault.of_bits
        expect(bits, "flips of any stored bit (stored=int8)", fault=campaign.fault.label)
        campaign.expect_single()
        self.campaign = campaign
        total = len(campaign.y)
        generator = seeds.generator(campaign.sampler.seed, "examples of the search")
        chosen = np.sort(generator.choice(total, min(examples, total), replace=False))
        self.x = [tf.constant(one[chosen]) for one in campaign.x]
        self.y = tf.constant(campaign.y[chosen])
        self.values = [tf.Variable(target.variable) for target in campaign.targets]
        self.flipped: list[tuple[int, int]] = []  # targets and their bits, flat
        self._gradient = Traced(self._gradient_of, (True, True))
        self._objective = Traced(self._objective_of, (True, True, False))
        self._golden = self._margins(tf.constant(campaign.golden[chosen]), self.y)

    def step(self) -> tuple[int, int, int] | None:
        """Flips the best bit: the target, the flat element, and the bit; None if none is left."""
        candidates = self._candidates()
        if not candidates:
            return None
        losses = []
        for target, place in candidates:
            tried = [tf.convert_to_tensor(value) for value in self.values]
            tried[target] = self._after(target, place)
            losses.append(float(self._objective(self.x, self.y, tried)))
        target, place = candidates[int(np.argmin(losses))]
        self.values[target].assign(self._after(target, place))
        self.flipped.append((target, place))
        return target, *divmod(place, self.campaign.targets[target].code.bits)

    def accuracy(self) -> float:
        """On all examples of the campaign, with the flips so far, in percent."""
        starts = np.cumsum([0, *self.campaign.sampler.sizes])
        sites = np.array([starts[target] + place for target, place in self.flipped], np.int64)
        return float(100 * self.campaign.run_at([sites]).correct.mean())

    def _candidates(self) -> list[tuple[int, int]]:
        """For each target the flip with the largest first-order decrease, if there is one."""
        found = []
        gradients = self._gradient(self.x, self.y)
        for n, (target, gradient) in enumerate(zip(self.campaign.targets, gradients, strict=True)):
            code = target.code
            used = [place // code.bits for t, place in self.flipped if t == n]
            best: list[tuple[float, int, int]] = []
            for bit in range(code.bits):
                # Where the gradient is 0, nothing is gained; infinity breaks every example.
                change = code.changes(tf.convert_to_tensor(self.values[n]), bit)
                gain = tf.where(gradient == 0, 0.0, -gradient * change)
                flat = tf.reshape(gain, [-1]).numpy()
                flat[np.isnan(flat)] = -np.inf
                flat[used] = -np.inf
                element = int(flat.argmax())
                best.append((float(flat[element]), element, bit))
            gain, element, bit = max(best)
            if gain > 0:
                found.append((n, element * code.bits + bit))
        return found

    def _after(self, target: int, place: int) -> Any:
        """The values of a target after one more flip."""
        effect, code = self.campaign.fault.what, self.campaign.targets[target].code
        value = tf.convert_to_tensor(self.values[target])
        return strike_few(effect, value, np.array([place]), None, code)[0]

    def _margins(self, outputs: Any, y: Any) -> Any:
        """The capped margins of examples; an output that is not finite counts as wrong."""
        if outputs.shape[-1] == 1:
            away = outputs[:, 0] - self.campaign.decisions.threshold
            margins = tf.where(y == 1, away, -away)
        else:
            right = tf.one_hot(y, outputs.shape[-1], True, False)
            own = tf.reduce_sum(tf.where(right, outputs, 0.0), axis=-1)
            margins = own - tf.reduce_max(tf.where(right, -np.inf, outputs), axis=-1)
        finite = tf.math.is_finite(margins)
        return tf.where(finite, tf.maximum(margins, LEAST), LEAST)

    def _gradient_of(self, x: Any, y: Any) -> Any:
        values = [tf.convert_to_tensor(value) for value in self.values]
        return self.campaign.gradients(x, y, values, self._margins)

    def _objective_of(self, x: Any, y: Any, values: Any) -> Any:
        margins = self._margins(self.campaign.traced_outputs(list(x), values), y)
        return tf.reduce_mean(tf.minimum(margins, self._golden))


def worst_case(
    campaign: Campaign,
    accuracy: float,
    most: int,
    checkpointing: Checkpointing | None = None,
) -> list[Flip]:
    """Flips bits until the accuracy on all examples is below a value, or `most` are flipped.

    The campaign is of single bits of stored parameters; the accuracy is in percent, in (0, 100]. It
    ends earlier if no further flip lowers the margins.
    Raises `BadInput` if no flip does, or if the accuracy is below the value without faults.
    """
    golden = float(100 * campaign.correct.mean())
    expect(
        accuracy <= golden, f"at most the accuracy without faults, {golden:.2f} %", below=accuracy
    )
    search, found = Search(campaign), list[Flip]()
    while len(found) < most and (not found or found[-1].accuracy >= accuracy):
        if (flip := search.step()) is None:
            break
        target, element, bit = flip
        name = campaign.targets[target].name
        place = np.unravel_index(element, campaign.targets[target].variable.shape)
        site = f"{name}[{', '.join(map(str, place))}]"
        found.append(Flip(site, bit, search.accuracy()))
        if checkpointing is not None:
            checkpointing.progress(len(found), most, f"accuracy {found[-1].accuracy:.1f} %")
    expect(len(found) > 0, "a bit whose flip lowers the margins", candidates=0)
    return found
