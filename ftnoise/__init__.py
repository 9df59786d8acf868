"""Train networks with noise, break them, and measure what survives."""

__version__ = "0.1.0"
