"""The errors of the package, each with a message of one line for the user."""


class FtnoiseError(Exception):
    """A failure with a message of one line; the command ends with `exit_code`."""

    exit_code = 1


class BadInput(FtnoiseError, ValueError):
    """A wrong input: the message names it, the expected value and the received one.

    It is a `ValueError` too, so that callers from Python can treat it as one.
    """

    exit_code = 2


class StoredDamage(FtnoiseError):
    """A damaged stored file, which the message names; it is not used but computed again."""


class RunFailed(FtnoiseError):
    """A run could not be finished (diverged, no space, ...); results stored before are kept."""
