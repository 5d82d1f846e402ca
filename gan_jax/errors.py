"""The exceptions whose message is for the user, one line each; and the nearest-name hint."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user asked for cannot be done.

    The message is one line that says what is wrong and what to do. `launch.py` prints it to
    stderr and exits with status 2; any other exception is a fault of ours and keeps its traceback.
    """


class Diverged(RuntimeError):  # noqa: N818 - it says what training did
    """Training produced a value that is not finite. `launch.py` exits with status 1."""


def did_you_mean(name: object, options: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the nearest of `options`, or "" where none is near."""
    matches = difflib.get_close_matches(str(name), list(options), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
