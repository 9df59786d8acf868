"""The tables and figures: one file each, holding one value, `EXPERIMENT`, and no logic."""
