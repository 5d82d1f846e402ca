"""One program over the local devices, and over those of other processes.

The update functions know an axis by its name at most; which transformation gives them that axis is
chosen here. State goes in and comes out unstacked and is donated.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = "devices"

Update = Callable[[Any, Mapping[str, jax.Array]], tuple[Any, dict[str, jax.Array]]]
Decode = Callable[[Mapping[str, jax.Array], Mapping[str, jax.Array]], dict[str, jax.Array]]
Call = Callable[[Any, Any, Any], tuple[Any, dict[str, jax.Array]]]


def several_steps(update: Update, decode: Decode) -> Call:
    """Returns `(state, resident, feed) -> (state, metrics)`: as many updates as `feed` has steps.

    Args:
      update: an `Algorithm`'s update.
      decode: `(resident, feed of one step) -> batch`.

    Returns:
      A pure function of what one device sees; every array of `feed` begins with the axis of steps.
      The metrics are the mean over the steps.
    """

    def call(state: Any, resident: Any, feed: Any) -> tuple[Any, dict[str, jax.Array]]:
        def one(state: Any, feed: Any) -> tuple[Any, dict[str, jax.Array]]:
            return update(state, decode(resident, feed))

        if len(feed["index"]) == 1:
            # Some convolutions run far slower inside a loop on CPU.
            return one(state, jax.tree.map(lambda x: x[0], feed))
        state, metrics = jax.lax.scan(one, state, feed)
        return state, jax.tree.map(lambda x: x.mean(0), metrics)

    return call


def pmapped(call: Call) -> Call:
    """Compiles `call` over all devices: the feed is split along its first axis, the rest shared."""
    return jax.pmap(
        call, axis_name=AXIS, in_axes=(None, None, 0), out_axes=None, donate_argnums=0
    )


def vmapped(call: Call) -> Call:
    """The same on one device, with the axis of devices as an axis of a batch."""
    return jax.jit(jax.vmap(call, axis_name=AXIS, in_axes=(None, None, 0), out_axes=None))


def _mesh() -> Mesh:
    return Mesh(np.array(jax.local_devices()), (AXIS,))


def replicate(tree: Any) -> Any:
    """Puts a copy of every array on each local device; only such a state can be donated."""
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec()))


def shard(tree: Any) -> Any:
    """Lays the first axis of every array over the local devices."""
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec(AXIS)))
