"""What a few values say of what they were drawn from, and how many are needed to say it.

SciPy and NumPy are imported by functions only: tables are redrawn while somebody waits.
"""

from __future__ import annotations

from ftnoise.stats.summary import Summary, proportion_interval, summarize
from ftnoise.stats.values import is_finite

__all__ = ["Summary", "is_finite", "proportion_interval", "summarize"]
