"""What one asks of a trained model: specs with `evaluate(trained) -> Measurement`, one file each.

Results are stored by run and measure, so adding a column to a table never trains anything. Where
several tables have the same columns of a measure, its file has them as `COLUMNS`.
"""
