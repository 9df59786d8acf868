"""Trains the runs and evaluates the measures that an experiment still needs."""
