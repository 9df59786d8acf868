"""What a few values say of what they were drawn from, and how many are needed to say it.

- `summary`: mean, spread, Student's interval; Clopper and Pearson's interval of a proportion;
- `bounded`: intervals that suppose bounds only, one of them valid whenever one stops;
- `planning`: how many masks a half-width needs, by each way there is;
- `comparing`: two models under the same masks, and many comparisons at once;
- `levels`: how much of the spread comes from seeds, masks and images;
- `curves`: an accuracy against the rate of faults, in a few numbers.

The first is here by name, the others are imported by their modules. SciPy and NumPy are imported by
functions only: tables are redrawn while somebody waits.
"""

from __future__ import annotations

from ftnoise.stats.summary import Summary, proportion_interval, summarize
from ftnoise.stats.values import is_finite

__all__ = ["Summary", "is_finite", "proportion_interval", "summarize"]
