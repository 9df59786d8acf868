"""The command line: one file a command, with `arguments(parser)` and `run(arguments)`.

The command is the file's name (without the `_` that keeps it from hiding a builtin), and the first
line of the file is its help. Files import nothing heavy at module level.
"""
