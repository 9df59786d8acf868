"""An interval of a mean, with the way it was made; Student's is made here.

Student (1908), "The probable error of a mean", Biometrika 6: mean -+ t * s / sqrt(n).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftnoise.stats.summary import summarize
from ftnoise.stats.values import check_confidence, finite_array

if TYPE_CHECKING:
    from ftnoise.stats.values import Numbers

STUDENT = "Student's t interval"


@dataclass(frozen=True)
class Interval:
    """An interval of the mean of what the values are drawn from, in their own unit.

    Attributes:
        mean: of the values themselves; None where there is none yet.
        low, high: the ends.
        count: how many values.
        confidence: how often such intervals hold the true mean, in (0, 1).
        method: the name of the way it was made, as a reader of a table would look it up.
    """

    mean: float | None
    low: float
    high: float
    count: int
    confidence: float
    method: str

    @property
    def half_width(self) -> float:
        """The larger distance from the mean to an end: `mean -+ half_width` holds the interval.

        Intervals that suppose bounds only do not lie evenly about the mean; half their length would
        promise more than the longer side holds. Without a value it is the whole length.
        """
        if self.mean is None:
            return self.high - self.low
        return max(self.mean - self.low, self.high - self.mean)


def student_interval(values: Numbers, confidence: float = 0.95) -> Interval:
    """Student's two-sided interval of the mean of independent, about normal values.

    It is for a number of values that was fixed before the first was seen: one who looks after each
    value and stops where the interval suits misses the mean far more often than 1 - confidence.
    Equal values have an interval of no width, which is no proof that the next is equal too; an end
    may lie beyond what an accuracy can be.

    Args:
        values: at least two finite numbers.
        confidence: in (0, 1).

    Raises:
        BadInput: there are fewer, one is not finite, or `confidence` is out of range.
    """
    check_confidence(confidence)
    summary = summarize(finite_array(values, "values", least=2).tolist(), confidence)
    assert summary.low is not None  # there are two values
    assert summary.high is not None
    return Interval(
        summary.mean, summary.low, summary.high, summary.count, float(confidence), STUDENT
    )
