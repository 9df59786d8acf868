"""Fault campaigns on a user's own Keras model, from Python and for `ftnoise inject`.

- `inject`: the calls `ftnoise.inject` and `ftnoise.plan_trials`;
- `settings`: what a campaign measures, checked before the model exists;
- `result`: the result with its table, curve and JSON, and the comparison of two results;
- `statistics`, `text`: the numbers at each rate, and their tables;
- `folder`: the files of a result, and resumption of an interrupted campaign;
- `files`: the model, weights and examples that the command line names.
"""
