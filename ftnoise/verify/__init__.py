"""Proofs that a network's predicted class is the same in the whole neighborhood of an example."""
