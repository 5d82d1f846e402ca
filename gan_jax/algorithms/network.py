"""A Flax network in training: its first state, and a pass that moves its variables."""

from typing import Any

import jax
import optax

from gan_jax.errors import InputError
from gan_jax.rng import substream
from gan_jax.train_state import NetState, PyTree

Array = jax.Array


def init_net(
    network: Any,
    optimizer: optax.GradientTransformation,
    name: str,
    keys: Array,
    inputs: Array,
    labels: Array | None,
) -> NetState:
    """Returns the first state of a network, from one example of its input.

    Args:
      network: a Flax module.
      optimizer: an optax transformation.
      name: of its draws, and in errors.
      keys: (1,).
      inputs: (1, ...).
      labels: (1,) int32, or None.

    Raises:
      InputError: the network cannot be of these; begins with its name.
    """
    keys = substream(keys, name)
    try:
        variables = dict(network.init(keys[0], inputs, labels, train=False, keys=keys))
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    params = variables.pop("params")
    return NetState(params=params, variables=variables, opt_state=optimizer.init(params))


def forward(
    network: Any,
    params: PyTree,
    variables: PyTree,
    inputs: Array,
    labels: Array | None,
    keys: Array,
    method: str | None = None,
) -> tuple[Any, PyTree]:
    """A training pass, of a method if one is named: outputs, and what it makes of the variables."""
    outputs, updates = network.apply(
        {"params": params, **variables},
        inputs,
        labels,
        train=True,
        keys=keys,
        mutable=list(variables),
        method=method,
    )
    return outputs, {**variables, **updates}
