"""Procedures: several trainings that build on each other, in the place of one."""
