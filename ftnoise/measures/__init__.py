"""Measures of a trained network, one `Measure` per file.

Results are stored by run and measure, so adding a column to a table never trains anything. Where
several tables share the columns of a measure, its file has them as `COLUMNS`.
"""
