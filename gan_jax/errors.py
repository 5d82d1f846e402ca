"""The one exception that stands for a user's mistake, and the nearest-name hint."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user asked for cannot be done.

    The message is one line that says what is wrong and what to do. `launch.py` prints it to
    stderr and exits with status 2; any other exception is a fault of ours and keeps its traceback.
    """


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Returns " Did you mean 'x'?" for the nearest of `options`, or "" where none is near."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]!r}?" if matches else ""
