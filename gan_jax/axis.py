"""The one place where devices talk to each other."""

from typing import TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def mean_over(tree: Tree, axis_name: str | None) -> Tree:
    """Averages the arrays of `tree` over a mapped axis; the identity for `axis_name=None`.

    Integers, which count, are the same on every device and stay as they are.

    Gradients, metrics and mutable statistics pass through here once, after `jax.grad`. A loss is
    never averaged inside `grad`: the transpose of the average would scale its gradient.
    """
    if axis_name is None or jax.lax.axis_size(axis_name) == 1:
        return tree  # an all-reduce of one would copy every gradient
    leaves, structure = jax.tree.flatten(tree)
    floats = [i for i, x in enumerate(leaves) if jnp.issubdtype(x.dtype, jnp.inexact)]
    # All at once: one all-reduce, not one an array.
    for i, mean in zip(floats, jax.lax.pmean([leaves[i] for i in floats], axis_name), strict=True):
        leaves[i] = mean
    return jax.tree.unflatten(structure, leaves)


def gathered(rows: jax.Array, axis_name: str | None) -> jax.Array:
    """Returns the rows of the whole batch, those of all devices in order; the identity for None.

    Gradients go back to the device whose rows they are of.
    """
    return rows if axis_name is None else jax.lax.all_gather(rows, axis_name, tiled=True)
