"""Feeds the compiled step: which examples each device reads, and the examples themselves.

A feed is a dict of host arrays (local devices, steps, minibatches, rows, ...), the first axis to be
laid over the devices. Small sets live on the devices and a feed holds the numbers of the examples;
larger ones are read on the host and a feed holds the images. `decode` makes the same batch of both.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import jax
import numpy as np

from gan_jax.data.images import as_channels, to_unit_range
from gan_jax.data.source import Source

Array = jax.Array
Feed = dict[str, np.ndarray]
T = TypeVar("T")


class Loader:
    """Makes the feed of a call from the number of its first step.

    Args:
      source: the examples.
      plan: positions in the endless sequence of examples to examples; see `plan.py`.
      minibatches: minibatches that one step takes.
      batch_size: rows of a minibatch over all devices of all processes.
      local_devices: devices of this process.
      process_index: this process, of `process_count`; each reads its own rows only.
      process_count: how many processes share a batch.
      resident: whether feeds hold numbers of examples, for `decode` to gather.
    """

    def __init__(
        self,
        source: Source,
        plan: Callable[[np.ndarray], np.ndarray],
        *,
        minibatches: int,
        batch_size: int,
        local_devices: int = 1,
        process_index: int = 0,
        process_count: int = 1,
        resident: bool = True,
    ):
        self._source, self._plan, self._resident = source, plan, resident
        rows_here = batch_size // process_count
        first = process_index * rows_here
        rows = np.arange(first, first + rows_here).reshape(local_devices, 1, 1, -1)
        # (local devices, 1, minibatches, rows): numbers the rows of one step over all devices.
        self._index = rows + batch_size * np.arange(minibatches).reshape(1, 1, -1, 1)
        self._examples_per_step = minibatches * batch_size

    def __call__(self, step: int, steps: int) -> Feed:
        """Returns the feed of the call that does `steps` steps from `step` on."""
        starts = (step + np.arange(steps)).reshape(1, -1, 1, 1) * self._examples_per_step
        examples = self._plan(starts + self._index)
        feed = {"index": np.broadcast_to(self._index, examples.shape).astype(np.int32)}
        if self._resident:
            return feed | {"example": examples.astype(np.int32)}
        read = self._source.read(examples.reshape(-1))
        return feed | {
            name: values.reshape(*examples.shape, *values.shape[1:])
            for name, values in read.items()
        }


def decode(resident: Mapping[str, Array], feed: Mapping[str, Array]) -> dict[str, Array]:
    """Turns what one device was fed for one step into the batch of `Algorithm.update`.

    Args:
      resident: the arrays of `Source.resident`; empty when `feed` holds the images themselves.
      feed: `index`, and either `example` or `image` (and `label`), each (minibatches, rows, ...).

    Returns:
      `image` float32 in [-1, 1] (minibatches, rows, H, W, C), `index`, and `label` where there is.
    """
    batch = {name: value for name, value in feed.items() if name != "example"}
    if "example" in feed:
        batch |= _gather(resident, feed["example"])
    return batch | {"image": to_unit_range(batch["image"])}


def _gather(resident: Mapping[str, Array], examples: Array) -> dict[str, Array]:
    if "triples" not in resident:
        return {name: values[examples] for name, values in resident.items()}
    stacks = as_channels(resident["image"][resident["triples"][examples]])
    return {"image": stacks, "label": resident["label"][examples]}


def prefetch(make: Callable[[Any], T], arguments: Iterator[Any], depth: int = 2) -> Iterator[T]:
    """Yields `make(argument)` in order, made by a thread up to `depth` ahead of the consumer."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetch") as pool:
        waiting = deque(pool.submit(make, argument) for argument in islice(arguments, depth))
        while waiting:
            made = waiting.popleft().result()
            waiting.extend(pool.submit(make, argument) for argument in islice(arguments, 1))
            yield made
