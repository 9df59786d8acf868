"""The errors of the package, each with a message of one line for the user."""


class FtnoiseError(Exception):
    """A failure with a message of one line; the command ends with `exit_code`."""

    exit_code = 1


class BadInput(FtnoiseError, ValueError):
    """An input is wrong: the message names it, what was expected and what was received.

    It is a `ValueError` too, so that callers from Python can treat it as one.
    """

    exit_code = 2


class StoredDamage(FtnoiseError):
    """A stored file was damaged: the message names it. It is not used, and made again."""


class RunFailed(FtnoiseError):
    """A run could not be finished (diverged, no space, ...); what was stored before is kept."""


def printable(text: str) -> str:
    """The text in one line, with control characters escaped.

    What comes from a file, such as a name, could otherwise command a terminal.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, longest: int) -> str:
    """The text, or its first `longest` characters and three dots."""
    return text if len(text) <= longest else f"{text[:longest]}..."


def first_line(error: BaseException) -> str:
    """The class of an error and the first line of its text, at most 200 characters of it."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def one_line(error: BaseException) -> str:
    """The class and text of an error in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]
