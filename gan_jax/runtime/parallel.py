"""One program over the local devices, and over those of other processes.

The update functions know an axis by its name at most; which transformation gives them that axis is
chosen here. State goes in and comes out unstacked and is donated.
"""

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gan_jax.errors import InputError

AXIS = "devices"

Update = Callable[[Any, Mapping[str, jax.Array]], tuple[Any, dict[str, jax.Array]]]
Diagnose = Callable[[Any, Mapping[str, jax.Array]], dict[str, jax.Array]]
Decode = Callable[[Mapping[str, jax.Array], Mapping[str, jax.Array]], dict[str, jax.Array]]
Devices = Sequence[jax.Device] | None
Call = Callable[[Any, Any, Any], tuple[Any, dict[str, jax.Array]]]


def several_steps(
    update: Update, decode: Decode, diagnose: Diagnose | None = None, *, every: int = 1
) -> Call:
    """Returns `(state, resident, feed) -> (state, metrics)`: as many updates as `feed` has steps.

    Args:
      update: an `Algorithm`'s update.
      decode: `(resident, feed of one step) -> batch`.
      diagnose: an `Algorithm`'s, whose metrics join those of a call that ends at a step which
        `every` divides; elsewhere they are 0.
      every: updates from one diagnosis to the next.

    Returns:
      A pure function of what one device sees; every array of `feed` begins with the axis of steps.
      The updates' metrics are the mean over the steps.
    """

    def call(state: Any, resident: Any, feed: Any) -> tuple[Any, dict[str, jax.Array]]:
        def one(state: Any, feed: Any) -> tuple[Any, dict[str, jax.Array]]:
            return update(state, decode(resident, feed))

        last = jax.tree.map(lambda x: x[-1], feed)
        if len(feed["index"]) == 1:
            # Some convolutions run far slower inside a loop on CPU.
            state, metrics = one(state, last)
        else:
            state, metrics = jax.lax.scan(one, state, feed)
            metrics = jax.tree.map(lambda x: x.mean(0), metrics)
        if diagnose is not None:
            metrics |= now_and_then(diagnose, state, decode(resident, last))
        return state, metrics

    def now_and_then(
        diagnose: Diagnose, state: Any, batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        nothing = jax.tree.map(
            lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(diagnose, state, batch)
        )
        due = state.step % every == 0
        return jax.lax.cond(due, lambda: diagnose(state, batch), lambda: nothing)

    return call


def pmapped(call: Call, devices: Devices = None) -> Call:
    """Compiles `call` over devices: the feed is split along its first axis, the rest shared.

    Args:
      call: `(state, resident, feed) -> (state, metrics)`, as one device sees it.
      devices: all of them by default, here and below.

    Returns:
      `call` for the whole; it takes `replicate`d and `shard`ed arrays, and consumes its state.
    """
    return jax.pmap(
        call,
        axis_name=AXIS,
        in_axes=(None, None, 0),
        out_axes=None,
        donate_argnums=0,
        devices=devices,
    )


def vmapped(call: Call) -> Call:
    """The same on one device, with the axis of devices as an axis of a batch."""
    return jax.jit(jax.vmap(call, axis_name=AXIS, in_axes=(None, None, 0), out_axes=None))


def over_seeds(call: Call) -> Call:
    """Compiles `call` for many seeds at once on one device.

    Every array of state, feed and metrics begins with the axis of seeds, but for `state.step`: all
    seeds are at the same one, so that what waits for a step waits for all (see `lax.cond`).
    """

    def stacked(state: Any, resident: Any, feed: Any) -> tuple[Any, dict[str, jax.Array]]:
        axes = jax.tree.map(lambda _: 0, state).replace(step=None)
        return jax.vmap(call, in_axes=(axes, None, 0), out_axes=(axes, 0))(state, resident, feed)

    return jax.jit(stacked, donate_argnums=0)


def init_seeds(init: Callable[[jax.Array], Any], keys: jax.Array) -> Any:
    """Returns the first state of each of `keys` (S,), as `over_seeds` takes it."""
    state = jax.jit(jax.vmap(init))(keys)
    return state.replace(step=state.step[0])


def replicate(tree: Any, devices: Devices = None) -> Any:
    """Puts a copy of every array on each local device; only such a state can be donated."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), PartitionSpec()))


def shard(tree: Any, devices: Devices = None) -> Any:
    """Lays the first axis of every array over the local devices."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), PartitionSpec(AXIS)))


def _mesh(devices: Devices) -> Mesh:
    return Mesh(np.array(devices or jax.local_devices()), (AXIS,))


def first_copy(tree: Any) -> Any:
    """Returns the first local device's copy of replicated arrays, without a transfer."""
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def join_processes(
    detect: bool = False,
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Joins the processes of a job that spans hosts; call it before anything touches a device.

    Args:
      detect: let JAX find the others, as it can on TPU pods and under SLURM, MPI and Kubernetes.
      coordinator: "HOST:PORT" of process 0, where JAX cannot; then the other two are needed too.
      num_processes: how many there are.
      process_id: this one's number, from 0.

    Raises:
      InputError: only some of the three are given, or the others cannot be found.
    """
    given = [value is not None for value in (coordinator, num_processes, process_id)]
    if any(given) and not all(given):
        raise InputError("--coordinator, --num_processes and --process_id go together")
    if not detect and not any(given):
        return
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except (RuntimeError, ValueError) as error:
        raise InputError(f"cannot join the other processes: {error}") from error


def check_even_devices() -> None:
    """Checks that each process has as many devices as any other.

    Raises:
      InputError: it has not; on all processes alike, so that none waits for another.
    """
    counts = collections.Counter(device.process_index for device in jax.devices())
    if len(set(counts.values())) > 1:
        shares = ", ".join(str(count) for _, count in sorted(counts.items()))
        raise InputError(
            f"the processes of this job have {shares} devices: start each with the same number"
        )


def all_agree(ok: bool) -> bool:
    """Returns whether `ok` holds on every process; each waits here for all the others."""
    if jax.process_count() == 1:
        return ok
    return bool(np.all(multihost_utils.process_allgather(np.asarray(ok))))


def from_first_process(numbers: Sequence[int]) -> list[int]:
    """Returns the numbers that process 0 gave, on every process; they wait for each other here."""
    if jax.process_count() == 1:
        return list(numbers)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(numbers))))
    array = np.resize(np.asarray([*numbers, 0], np.int32), length)
    return multihost_utils.broadcast_one_to_all(array).tolist()


def tree_from_first_process(tree: Any) -> Any:
    """Returns process 0's arrays, on every process; each gives a tree of the same shapes."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Goes on after its body only where no process refused: or one would wait for the other.

    Raises:
      InputError: what the body raised here, or that another process refused.
    """
    refused = None
    try:
        yield
    except InputError as error:
        refused = error
    agreed = all_agree(refused is None)
    if refused is not None:
        raise refused
    if not agreed:
        raise InputError("another process of this job cannot go on; its own message says why")
