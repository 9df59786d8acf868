"""The tables and figures: one file each, with one value, `EXPERIMENT`, and no logic."""
