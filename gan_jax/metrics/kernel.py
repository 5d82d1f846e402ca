"""The kernel distance (KID), an unbiased estimate of the squared maximum mean discrepancy."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import InputError
from gan_jax.metrics.features import Features, checked_pair

Array = jax.Array


class Estimate(NamedTuple):
    """A figure and how far it spreads.

    Attributes:
      mean: over subsets or slices of the samples.
      std: the deviation over them, of the population (ddof = 0).
    """

    mean: float
    std: float


def kernel_distance(
    real: Features,
    fake: Features,
    *,
    subsets: int = 100,
    subset_size: int = 1_000,
    degree: int = 3,
    seed: int = 2020,
) -> Estimate:
    """Returns the kernel distance of features (N, D) and (M, D), in float64.

    With the kernel `k(x, y) = (x.y / D + 1)^degree` and n = `subset_size` of either kind,

        sum_{i != j} (k(x_i, x_j) + k(y_i, y_j)) / (n (n - 1)) - 2 sum_{i, j} k(x_i, y_j) / n^2,

    averaged over subsets. It is unbiased, so may be negative, and compares whatever N and M are.

    Args:
      real: (N, D).
      fake: (M, D).
      subsets: how many are drawn.
      subset_size: examples of either kind in each, drawn without replacement.
      degree: of the polynomial.
      seed: of the draw: `numpy.random.RandomState(seed).choice`, of reals, then of fakes, a subset
        after the other, as torch-fidelity draws from its first input and its second.

    Raises:
      InputError: features are not (N, D) of one D or not finite, or fewer than `subset_size`.

    Reference: Binkowski et al. 2018, "Demystifying MMD GANs", section 4.
    """
    real, fake = checked_pair(real, fake)
    fewest = min(len(real), len(fake))
    if not 2 <= subset_size <= fewest:
        raise InputError(
            f"subset_size is {subset_size}, and there are {fewest} examples to draw from: "
            f"choose from 2 to {fewest}"
        )
    random = np.random.RandomState(seed)
    with jax.enable_x64(True):
        x, y = jnp.asarray(real), jnp.asarray(fake)
        values = []
        for _ in range(subsets):
            of_x, of_y = (
                random.choice(len(each), subset_size, replace=False) for each in (real, fake)
            )
            values.append(_discrepancy(x, of_x, y, of_y, degree))
        estimates = np.asarray(values)
    return Estimate(float(estimates.mean()), float(estimates.std()))


# An exponent that is known when compiling makes products; others take logarithms.
@functools.partial(jax.jit, static_argnames="degree")
def _discrepancy(x: Array, of_x: Array, y: Array, of_y: Array, degree: int) -> Array:
    """The unbiased estimate from rows `of_x` (n,) of x (N, D) and rows `of_y` (n,) of y (M, D)."""
    x, y = x[of_x].astype(jnp.float64), y[of_y].astype(jnp.float64)
    n = len(x)

    def kernel(a: Array, b: Array) -> Array:
        return (a @ b.T / a.shape[1] + 1) ** degree

    def sum_of_others(a: Array) -> Array:
        return jnp.where(jnp.eye(n, dtype=bool), 0.0, kernel(a, a)).sum()

    within = (sum_of_others(x) + sum_of_others(y)) / (n * (n - 1))
    return within - 2 * kernel(x, y).sum() / n**2
