"""The command line: one file a command, with HELP, `arguments(parser)` and `run(arguments)`.

The command is the file's name (without the `_` that keeps it from hiding a builtin). Files import
nothing heavy at module level, and `main.SHARED` names those that are no commands.
"""
