"""Adversaries that perturb the inputs of any `keras.Model`, which stays bit-identical."""
