"""Statistics of a few values: intervals of a mean, comparisons, variance components, curves.

- `summary`: mean, spread, Student's interval; Clopper and Pearson's interval of a proportion;
- `interval`: intervals of a mean, Student's with skewness and one over seeds and trials;
- `bounded`: intervals that only assume bounds on the values, one of them valid at any time;
- `planning`: how many trials a half-width needs;
- `comparing`: two models on the same trials, and many comparisons at once;
- `levels`: how much of the variance comes from seeds, trials and images;
- `curves`: an accuracy against the fault rate, in a few numbers.

The first is here by name, the others are imported by their modules. Functions import NumPy and
SciPy, and only `scipy.special`, because `scipy.stats` takes seconds: tables are redrawn
interactively.
"""

from __future__ import annotations

from ftnoise.stats.summary import Summary, proportion_interval, summarize
from ftnoise.stats.values import is_finite

__all__ = ["Summary", "is_finite", "proportion_interval", "summarize"]
