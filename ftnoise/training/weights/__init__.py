"""Noise in the network's own weights."""
