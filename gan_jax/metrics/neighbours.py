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
from gan_jax.metrics.features import Features, Float64, checked, checked_pair

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
        centre = _centre(queries)
        ours, theirs = (_blocks(x, chunk, centre) for x in (queries, references))
        found = []
        for block in ours:
            best = (jnp.full(block.rows, jnp.inf), jnp.zeros(block.rows, int))
            for number, other in enumerate(theirs):
                best = _nearer(best, other, number * other.rows, block, centre)
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
        centre = _centre(features)
        blocks = _blocks(features, chunk, centre)
        smallest = [jnp.full((k, block.rows), jnp.inf) for block in blocks]
        for i, block in enumerate(blocks):
            smallest[i] = _near_in_block(smallest[i], block, centre)
            for j in range(i + 1, len(blocks)):  # a distance counts at both of its ends
                smallest[i], smallest[j] = _near_in_pair(
                    smallest[i], block, smallest[j], blocks[j], centre
                )
        squares = np.concatenate(smallest, axis=1)[:, : len(features)]
    return np.sqrt(squares.T)


class Inside(NamedTuple):
    """How balls around reals and balls around fakes hold each other's centres.

    Attributes:
      balls_of_reals: (K, M) in how many balls around reals each fake is.
      balls_of_fakes: (L, N) in how many balls around fakes each real is.
      occupied: (K, N) whether any fake is in the ball around each real.
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
      real_radii: (K, N) of K balls around each.
      fake: (M, D).
      fake_radii: (L, M) of L balls around each; L may be 0.
      chunk: rows of either side of a block.

    Raises:
      InputError: features are not (N, D) of one D, or not finite.
    """
    real, fake = checked_pair(real, fake)
    with jax.enable_x64(True):
        centre = _centre(real)
        reals, fakes = (_blocks(x, chunk, centre) for x in (real, fake))
        of_reals, of_fakes = _split(real_radii**2, reals), _split(fake_radii**2, fakes)
        in_reals: list[Any] = [0] * len(fakes)
        in_fakes: list[Any] = [0] * len(reals)
        occupied: list[Any] = [False] * len(reals)
        for i, block in enumerate(reals):
            for j, other in enumerate(fakes):
                each = _inside_in_pair(block, of_reals[i], other, of_fakes[j], centre)
                in_reals[j] += each[0]
                in_fakes[i] += each[1]
                occupied[i] |= each[2]
        return Inside(
            np.concatenate(in_reals, axis=1)[:, : len(fake)],
            np.concatenate(in_fakes, axis=1)[:, : len(real)],
            np.concatenate(occupied, axis=1)[:, : len(real)],
        )


class _Block(NamedTuple):
    """Some rows of features on the device: what is compiled for one block is for all.

    Attributes:
      values: (rows, D), as the features come; a last block is filled up with zeros.
      is_row: (rows,) which of them are features.
      squares: (rows,) float64, their squared norms, off a centre.
    """

    values: Array
    is_row: Array
    squares: Array

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.values)


def _blocks(features: Features, chunk: int, centre: Array) -> list[_Block]:
    """Splits features (N, D) into blocks of `chunk` rows, or one of N if that is less."""
    rows, blocks = min(chunk, len(features)), []
    for start in range(0, len(features), rows):
        part = features[start : start + rows]
        values = jnp.asarray(np.pad(part, ((0, rows - len(part)), (0, 0))))
        blocks.append(_Block(values, jnp.arange(rows) < len(part), _norms(values, centre)))
    return blocks


def _split(values: Float64, blocks: list[_Block]) -> list[Float64]:
    """Splits (K, N) into (K, rows) of each block, the last one filled up with zeros."""
    rows = blocks[0].rows
    filled = np.pad(values, ((0, 0), (0, rows * len(blocks) - values.shape[1])))
    return np.split(filled, len(blocks), axis=1)


def _centre(features: Features) -> Array:
    """Their mean, which keeps squares small beside distances once it is taken off."""
    return jnp.asarray(features.mean(axis=0, dtype=np.float64))


@jax.jit
def _norms(values: Array, centre: Array) -> Array:
    # A program of its own: with what needs them, the CPU's compiler computes them once a distance.
    return jnp.square(values - centre).sum(1)


def _squares(a: _Block, b: _Block, centre: Array) -> tuple[Array, Array]:
    """Squared distances of two blocks (n, m), infinite where there is no row; their rounding."""
    norms = a.squares[:, None] + b.squares
    rounding = len(centre) * jnp.finfo(jnp.float64).eps * norms
    squares = norms - 2 * (a.values - centre) @ (b.values - centre).T
    squares = jnp.where(squares > rounding, squares, 0.0)
    return jnp.where(a.is_row[:, None] & b.is_row, squares, jnp.inf), rounding


@jax.jit
def _nearer(
    best: tuple[Array, Array], references: _Block, offset: Array, queries: _Block, centre: Array
) -> tuple[Array, Array]:
    squares, _ = _squares(references, queries, centre)
    least, index = squares.min(0), squares.argmin(0) + offset
    closer = least < best[0]
    return jnp.where(closer, least, best[0]), jnp.where(closer, index, best[1])


@jax.jit
def _near_in_block(smallest: Array, block: _Block, centre: Array) -> Array:
    squares, _ = _squares(block, block, centre)
    itself = jnp.eye(len(squares), dtype=bool)
    return _merge(smallest, jnp.where(itself, jnp.inf, squares))


@jax.jit
def _near_in_pair(
    smallest: Array, block: _Block, of_other: Array, other: _Block, centre: Array
) -> tuple[Array, Array]:
    squares, _ = _squares(other, block, centre)
    return _merge(smallest, squares), _merge(of_other, squares.T)


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
    reals: _Block, of_reals: Array, fakes: _Block, of_fakes: Array, centre: Array
) -> tuple[Array, Array, Array]:
    """What `Inside` has, of the centres and squared radii of two blocks."""
    squares, rounding = _squares(reals, fakes, centre)
    in_real = squares <= of_reals[:, :, None] + rounding
    in_fake = squares <= of_fakes[:, None] + rounding
    return in_real.sum(1), in_fake.sum(2), in_real.any(2)
