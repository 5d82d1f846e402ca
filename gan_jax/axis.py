"""The one place where devices talk to each other."""

from typing import TypeVar

import jax

Tree = TypeVar("Tree")


def mean_over(tree: Tree, axis_name: str | None) -> Tree:
    """Averages every array of `tree` over a mapped axis; the identity for `axis_name=None`.

    Gradients, metrics and mutable statistics pass through here once, after `jax.grad`. A loss is
    never averaged inside `grad`: the transpose of the average would scale its gradient.
    """
    if axis_name is None or jax.lax.axis_size(axis_name) == 1:
        return tree  # an all-reduce of one would copy every gradient
    return jax.lax.pmean(tree, axis_name)
