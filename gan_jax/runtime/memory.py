"""What the process does with memory that was given back to it."""

import ctypes
import sys

# Parameters of mallopt, as <malloc.h> of the GNU C library numbers them.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keeps large freed blocks for the next request; returns whether the C library can.

    A compiled program on CPU asks for its working memory at each call. By default the GNU C library
    gets such blocks from the kernel and gives them back right away, and the kernel must clear every
    page of them at every call: half of the time that some convolutions take. The process then holds
    what it once needed until it ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _NEVER), (_ARENA_MAX, 1))
    return all(mallopt(name, value) == 1 for name, value in settings)
