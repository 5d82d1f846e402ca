"""Whether fakes lie where reals lie, and everywhere there: by balls around examples.

The ball around an example reaches to its k-th nearest neighbour of its own kind. Sets of unlike
size compare badly: balls of fewer examples are larger.
"""

from typing import NamedTuple

import numpy as np

from gan_jax.errors import InputError
from gan_jax.metrics.features import Features
from gan_jax.metrics.neighbours import CHUNK, Inside, inside, neighbour_distances


class PrecisionRecall(NamedTuple):
    """Attributes are shares, from 0 to 1.

    Attributes:
      precision: of fakes in a ball around a real: are they realistic?
      recall: of reals in a ball around a fake: are they all covered?
    """

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """As `PrecisionRecall`, but by balls around reals alone, of which an outlier has few.

    Attributes:
      density: in how many balls around reals a fake is, over k; about 1 for reals.
      coverage: the share of reals whose ball has a fake in it.
    """

    density: float
    coverage: float


class PrecisionToCoverage(NamedTuple):
    """All four; see `PrecisionRecall` and `DensityCoverage`."""

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(
    real: Features, fake: Features, k: int = 3, *, chunk: int = CHUNK
) -> PrecisionRecall:
    """Returns precision and recall of fakes (M, D) among reals (N, D), in float64.

    Args:
      real: (N, D).
      fake: (M, D).
      k: which neighbour a ball reaches to, and includes.
      chunk: examples of either side of a block of distances.

    Raises:
      InputError: features are not (N, D) of one D, not finite, or as few as k.

    Reference: Kynkaanniemi et al. 2019, "Improved precision and recall metric for assessing
    generative models", equations 1 to 3; k = 3.
    """
    found = precision_to_coverage(real, fake, k, k, chunk=chunk)
    return PrecisionRecall(found.precision, found.recall)


def density_coverage(
    real: Features, fake: Features, k: int = 5, *, chunk: int = CHUNK
) -> DensityCoverage:
    """Returns density and coverage of fakes (M, D) among reals (N, D), in float64.

    Arguments and errors are those of `precision_recall`.

    Reference: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models",
    equations 2 and 3; k = 5.
    """
    radii = neighbour_distances(real, k, chunk=chunk)[:, -1:].T
    balls = inside(real, radii, fake, np.empty((0, len(fake))), chunk=chunk)
    return DensityCoverage(*_density_coverage(balls, 0, k))


def precision_to_coverage(
    real: Features, fake: Features, k: int = 3, density_k: int = 5, *, chunk: int = CHUNK
) -> PrecisionToCoverage:
    """Returns `precision_recall` and `density_coverage` of the same distances.

    Args:
      real: (N, D).
      fake: (M, D).
      k: of precision and recall.
      density_k: of density and coverage.
      chunk: examples of either side of a block of distances.

    Raises:
      InputError: see `precision_recall`.
    """
    if min(k, density_k) < 1:
        raise InputError(f"k is 1 or more; these are {k} and {density_k}")
    ks = [k - 1, density_k - 1]
    near_reals, near_fakes = (
        neighbour_distances(x, number, chunk=chunk).T
        for x, number in ((real, max(k, density_k)), (fake, k))
    )
    balls = inside(real, near_reals[ks], fake, near_fakes[ks[:1]], chunk=chunk)
    return PrecisionToCoverage(
        float((balls.balls_of_reals[0] > 0).mean()),
        float((balls.balls_of_fakes[0] > 0).mean()),
        *_density_coverage(balls, 1, density_k),
    )


def _density_coverage(balls: Inside, radius: int, k: int) -> tuple[float, float]:
    return float(balls.balls_of_reals[radius].mean() / k), float(balls.occupied[radius].mean())
