"""Commands beside reproducing, one file each, found by file name.

A file has `HELP`, one line; `arguments(parser)`, which adds its arguments; and `run(arguments)`,
which prints its results to stdout and returns the exit code. Importing it imports nothing heavy.
"""
