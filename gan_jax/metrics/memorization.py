"""Whether a generator copies its training data."""

import math
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.features import Features, Float64
from gan_jax.metrics.neighbours import CHUNK, nearest_neighbours


class Memorization(NamedTuple):
    """How near fakes lie to training data, beside how near held-out reals lie.

    Attributes:
      fake_distance: median distance of a fake to its nearest training example.
      held_out_distance: the same of held-out reals.
      nearer: the probability that a fake lies nearer to the training data than a held-out real
        does, ties counting half: 0.5 for reals, 1 for copies, 0 for noise far from all data.
      z: by how many deviations that is above 0.5 for this many samples: beyond about 3 it is no
        chance.
      indices: (M,) each fake's nearest training example.
    """

    fake_distance: float
    held_out_distance: float
    nearer: float
    z: float
    indices: np.ndarray


def memorization(
    train: Features, held_out: Features, fake: Features, *, chunk: int = CHUNK
) -> Memorization:
    """Compares the distances of fakes (M, D) and of held-out reals (N, D) to `train` (T, D).

    That is to the nearest training example of each, by the test of Mann and Whitney.

    Raises:
      InputError: features are not (N, D) of one D, or not finite.

    Reference: Meehan et al. 2020, "A three-sample test to detect data copying in generative
    models", section 3 (without its division of the space into cells).
    """
    of_fakes = nearest_neighbours(fake, train, chunk=chunk)
    of_held_out = nearest_neighbours(held_out, train, chunk=chunk)
    nearer, z = _mann_whitney(of_fakes.distances, of_held_out.distances)
    return Memorization(
        float(np.median(of_fakes.distances)),
        float(np.median(of_held_out.distances)),
        nearer,
        z,
        of_fakes.indices,
    )


def _mann_whitney(a: Float64, b: Float64) -> tuple[float, float]:
    """The probability that a value of `a` is less than one of `b`, and its z-score."""
    in_order = np.sort(b)
    greater = len(b) - np.searchsorted(in_order, a, side="right")
    equal = len(b) - np.searchsorted(in_order, a, side="left") - greater
    probability = float((greater + equal / 2).mean() / len(b))
    n = len(a) + len(b)
    _, ties = np.unique(np.concatenate([a, b]), return_counts=True)
    spread = (n + 1 - (ties**3 - ties).sum() / (n * (n - 1))) / (12 * len(a) * len(b))
    return probability, (probability - 0.5) / math.sqrt(spread) if spread > 0 else 0.0
