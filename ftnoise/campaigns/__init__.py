"""Faults in a user's own model: one call from the arrays to a table, a curve and a JSON.

`ftnoise.inject(model, x, y, "weights:stuck_at_zero:0.5")` is the function here, in `asking.py`. A
`Question` (`question.py`) becomes an `Injection` (`injection.py`). `ftnoise inject` is the command
around it: it reads a user's files (`reading.py`), and keeps answers and unfinished work in folders
(`keeping.py`) that are found by what was asked (`identity.py`). What an answer is made of is in
`ftnoise/faults` and `ftnoise/stats`.
"""
