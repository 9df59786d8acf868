"""Fault campaigns on a user's own Keras model, from Python and for `ftnoise inject`."""
