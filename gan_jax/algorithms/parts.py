"""Gradient accumulation: a batch in parts, so that memory need hold but one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import InputError
from gan_jax.train_state import PyTree


def averaged(function: Callable[[Any], PyTree], rows: PyTree, parts: int) -> PyTree:
    """Returns the mean of `function(part)` over equal parts of the rows.

    Of gradients and metrics, which are means over rows, this is what `function(rows)` gives. What
    counts (integers) counts the same in every part.

    Args:
      function: from rows to a tree of arrays.
      rows: a tree of arrays whose first axis is that of the rows.
      parts: how many; it divides the rows. With 1 the result is `function(rows)` itself.
    """
    if parts == 1:
        return function(rows)
    split = _split(rows, parts)
    shapes = jax.eval_shape(function, jax.tree.map(lambda x: x[0], split))
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def add(total: PyTree, part: PyTree) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, function(part)), None

    total, _ = jax.lax.scan(add, nothing, split)
    return jax.tree.map(
        lambda x: x / parts if jnp.issubdtype(x.dtype, jnp.inexact) else x // parts, total
    )


def concatenated(function: Callable[[Any], PyTree], rows: PyTree, parts: int) -> PyTree:
    """Returns `function(part)` of each part in its place; `function` maps rows to rows."""
    if parts == 1:
        return function(rows)
    found = jax.lax.map(function, _split(rows, parts))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)


def _split(rows: PyTree, parts: int) -> PyTree:
    size = len(jax.tree.leaves(rows)[0])
    if size % parts:
        raise InputError(f"{size} rows cannot be accumulated in {parts} equal parts")
    return jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), rows)
