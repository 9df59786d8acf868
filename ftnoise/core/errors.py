"""The two ways in which a command can fail, each with one line for the person who typed it."""


class FtnoiseError(Exception):
    """A failure with a message of one line; the command ends with `exit_code`."""

    exit_code = 1


class BadInput(FtnoiseError, ValueError):
    """What came from outside cannot be right: names the thing, what was expected and what came.

    It is a `ValueError` too, so that callers from Python can treat it as one.
    """

    exit_code = 2


class StoredDamage(FtnoiseError):
    """A stored file is not what was written: names the file; it is not used, and made again."""


class RunFailed(FtnoiseError):
    """A run could not be finished (diverged, no space, ...); what was stored before is kept."""


def one_line(error: BaseException) -> str:
    """The class and text of an error in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
