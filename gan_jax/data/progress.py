"""Progress of a long read: a bar on a terminal, two plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """Passes `items` on and shows on stderr how far they have got."""
    if sys.stderr.isatty():
        yield from tqdm.tqdm(items, description, total, unit=" images", dynamic_ncols=True)
        return
    start = time.monotonic()
    print(f"{description}: {total:,} images", file=sys.stderr, flush=True)
    yield from items
    print(f"{description}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
