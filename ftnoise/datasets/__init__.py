"""Data sets: one file each, found by scanning; `origins.py` has their common base."""
