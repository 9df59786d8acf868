"""Statistics of a few values. They use `scipy.special`, as `scipy.stats` is slow to import.

- `summary`: mean, spread, Student's interval; Clopper and Pearson's interval of a proportion;
- `interval`: intervals of a mean, Student's with skewness and one over seeds and trials;
- `bounded`: intervals that only assume bounds on the values, one of them valid at any time;
- `comparing`: two models on the same trials, and many comparisons at once;
- `levels`: how much of the variance comes from seeds, trials and images;
- `curves`: an accuracy against the fault rate, in a few numbers;
- `correlation`: of ranks, where values come in clusters;
- `sampling`: how many examples a guarantee takes.
"""

from __future__ import annotations

from ftnoise.stats.summary import Summary, proportion_interval, summarize
from ftnoise.stats.values import is_finite

__all__ = ["Summary", "is_finite", "proportion_interval", "summarize"]
