"""Distances between examples, in blocks: a matrix of all of them is never made.

Distances are Euclidean, in float64, as `|x|^2 + |y|^2 - 2 x.y` of features whose common mean is
taken off. What rounding makes of the distance of two equal rows counts as 0, so that copies are
copies in every block.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from gan_jax.errors import InputError
from gan_jax.metrics.features import Blocks, Features, Float64, checked, checked_pair

Array = jax.Array

CHUNK = 2_048
"""Rows of either side in a block: 34 MB of distances."""


class Nearest(NamedTuple):
    """The nearest reference of each query.

    Attributes:
      distances: (N,) float64.
      indices: (N,) int64; of several that are as near, the first.
    """

    distances: Float64
    indices: npt.NDArray[np.int64]


def nearest_neighbours(queries: Features, references: Features, *, chunk: int = CHUNK) -> Nearest:
    """Finds the reference (M, D) that is nearest to each query (N, D).

    Raises:
      InputError: features are not (N, D) of one D, or not finite.
    """
    references, queries = checked_pair(references, queries)
    with jax.enable_x64(True):
        centre, ours, theirs = _centred_blocks(queries, references, chunk)
        found = []
        for i in _numbers(ours):
            best = (jnp.full(ours.values.shape[1], jnp.inf), jnp.zeros(ours.values.shape[1], int))
            for j in _numbers(theirs):
                best = _nearer(best, theirs, j, ours, i, centre)
            found.append(best)
        squares, indices = (
            np.concatenate(part)[: len(queries)] for part in zip(*found, strict=True)
        )
    return Nearest(np.sqrt(squares), indices)


def neighbour_distances(features: Features, k: int, *, chunk: int = CHUNK) -> Float64:
    """Returns the distances of each row to its k nearest others, nearest first.

    Args:
      features: (N, D).
      k: at least 1, and fewer than N.
      chunk: rows of either side of a block.

    Returns:
      (N, k) float64. A row that occurs twice has a neighbour at 0.

    Raises:
      InputError: features are not (N, D), not finite, or k does not fit.
    """
    features = checked(features, least=2)
    if not 1 <= k < len(features):
        raise InputError(
            f"{len(features)} examples do not have {k} neighbours each; k is 1 or more"
        )
    with jax.enable_x64(True):
        centre, blocks, _ = _centred_blocks(features, features, chunk)
        smallest = [jnp.full((k, blocks.values.shape[1]), jnp.inf) for _ in _numbers(blocks)]
        for i in _numbers(blocks):
            smallest[i] = _near_in_block(smallest[i], blocks, i, centre)
            for j in _numbers(blocks)[i + 1 :]:  # a distance counts at both of its ends
                smallest[i], smallest[j] = _near_in_pair(
                    smallest[i], smallest[j], blocks, i, j, centre
                )
        squares = np.concatenate(smallest, axis=1)[:, : len(features)]
    return np.sqrt(squares.T)


class Inside(NamedTuple):
    """How balls around reals and balls around fakes hold each other's centres.

    Attributes:
      balls_of_reals: (M,) in how many balls around reals each fake is.
      balls_of_fakes: (N,) in how many balls around fakes each real is.
      occupied: (N,) whether any fake is in the ball around each real.
    """

    balls_of_reals: npt.NDArray[np.int64]
    balls_of_fakes: npt.NDArray[np.int64]
    occupied: npt.NDArray[np.bool_]


def inside(
    real: Features,
    real_radii: Float64,
    fake: Features,
    fake_radii: Float64,
    *,
    chunk: int = CHUNK,
) -> Inside:
    """Counts the balls around reals (N, D) and around fakes (M, D) that hold one of the others.

    A centre on the surface of a ball is in it; so is one that rounding cannot tell from it.

    Args:
      real: (N, D).
      real_radii: (N,) of the ball around each.
      fake: (M, D).
      fake_radii: (M,).
      chunk: rows of either side of a block.

    Raises:
      InputError: features are not (N, D) of one D, or not finite.
    """
    real, fake = checked_pair(real, fake)
    with jax.enable_x64(True):
        centre, reals, fakes = _centred_blocks(real, fake, chunk)
        r, f = (
            jnp.asarray(np.resize(radii, blocks.values.shape[:2]) ** 2)
            for radii, blocks in ((real_radii, reals), (fake_radii, fakes))
        )
        in_reals: list[Any] = [0] * len(fakes.values)
        in_fakes: list[Any] = [0] * len(reals.values)
        occupied: list[Any] = [False] * len(reals.values)
        for i in _numbers(reals):
            for j in _numbers(fakes):
                each = _inside_in_pair(reals, i, r[i], fakes, j, f[j], centre)
                in_reals[j] += each[0]
                in_fakes[i] += each[1]
                occupied[i] |= each[2]
        return Inside(
            np.concatenate(in_reals)[: len(fake)],
            np.concatenate(in_fakes)[: len(real)],
            np.concatenate(occupied)[: len(real)],
        )


def _numbers(blocks: Blocks) -> range:
    return range(len(blocks.values))


def _centred_blocks(x: Features, y: Features, chunk: int) -> tuple[Array, Blocks, Blocks]:
    """The mean of x, which keeps squares small beside distances; and both sets in blocks."""
    blocks = Blocks.of(x, chunk)
    return (
        jnp.asarray(x.mean(axis=0, dtype=np.float64)),
        blocks,
        blocks if y is x else Blocks.of(y, chunk),
    )


def _squares(x: Blocks, i: Array, y: Blocks, j: Array, centre: Array) -> tuple[Array, Array]:
    """Squared distances of two blocks (n, m), infinite where there is no row; their rounding."""
    (a, is_a), (b, is_b) = x.block(i), y.block(j)
    a, b = a - centre, b - centre
    norms = jnp.square(a).sum(1)[:, None] + jnp.square(b).sum(1)
    rounding = len(centre) * jnp.finfo(jnp.float64).eps * norms
    squares = norms - 2 * a @ b.T
    squares = jnp.where(squares > rounding, squares, 0.0)
    return jnp.where(is_a[:, None] & is_b, squares, jnp.inf), rounding


@jax.jit
def _nearer(
    best: tuple[Array, Array],
    references: Blocks,
    j: Array,
    queries: Blocks,
    i: Array,
    centre: Array,
) -> tuple[Array, Array]:
    squares, _ = _squares(references, j, queries, i, centre)
    least, index = squares.min(0), squares.argmin(0) + j * len(squares)
    closer = least < best[0]
    return jnp.where(closer, least, best[0]), jnp.where(closer, index, best[1])


@jax.jit
def _near_in_block(smallest: Array, blocks: Blocks, i: Array, centre: Array) -> Array:
    squares, _ = _squares(blocks, i, blocks, i, centre)
    itself = jnp.eye(len(squares), dtype=bool)
    return _merge(smallest, jnp.where(itself, jnp.inf, squares))


@jax.jit
def _near_in_pair(
    smallest: Array, others: Array, blocks: Blocks, i: Array, j: Array, centre: Array
) -> tuple[Array, Array]:
    squares, _ = _squares(blocks, j, blocks, i, centre)
    return _merge(smallest, squares), _merge(others, squares.T)


def _merge(smallest: Array, values: Array) -> Array:
    """The k smallest of each column, of `smallest` (k, m) in order and `values` (n, m).

    Each row of values sinks to its place: on CPU that takes a tenth of the time of the distances,
    where `top_k` of float64 takes many times that.
    """

    def sink(smallest: tuple[Array, ...], row: Array) -> tuple[tuple[Array, ...], None]:
        in_order = []
        for value in smallest:
            in_order.append(jnp.minimum(value, row))
            row = jnp.maximum(value, row)
        return tuple(in_order), None

    return jnp.stack(jax.lax.scan(sink, tuple(smallest), values)[0])


@jax.jit
def _inside_in_pair(
    reals: Blocks,
    i: Array,
    real_squares: Array,
    fakes: Blocks,
    j: Array,
    fake_squares: Array,
    centre: Array,
) -> tuple[Array, Array, Array]:
    """What `Inside` has, of the centres and balls of two blocks."""
    squares, rounding = _squares(reals, i, fakes, j, centre)
    in_real = squares <= real_squares[:, None] + rounding
    in_fake = squares <= fake_squares + rounding
    return in_real.sum(0), in_fake.sum(1), in_real.any(1)
