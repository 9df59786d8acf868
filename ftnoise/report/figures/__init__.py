"""The figures of a report: a function for each kind, from results and description to a section.

For the kind `HeatMap` it is `heat_map`, in the file that the kind names, by default `heat_map.py`.
It returns None if there is no result yet.
"""
