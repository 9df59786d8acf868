"""The `weights` slot: noise and constraints on the weights of a network."""
