"""Faults in a user's own model: one call from the arrays to a table, a curve and a JSON.

`ftnoise.inject(model, x, y, "weights:stuck_at_zero:0.5")` is the function here; `ftnoise inject` is
the command around it. What an answer is made of is in `ftnoise/faults` and `ftnoise/stats`.
"""
