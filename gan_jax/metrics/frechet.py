"""The Frechet distance between the normal distributions that fit two sets of features best."""

import dataclasses
import functools

import numpy as np

from gan_jax.errors import InputError
from gan_jax.metrics.features import (
    Features,
    Float64,
    Labels,
    checked,
    checked_labels,
)

CHUNK = 8_192
"""Rows that are centred at a time."""


@dataclasses.dataclass(frozen=True, eq=False)
class Gaussian:
    """A multivariate normal distribution.

    Attributes:
      mean: (D,) float64.
      covariance: (D, D) float64.
    """

    mean: Float64
    covariance: Float64

    @classmethod
    def of(cls, features: Features, *, chunk: int = CHUNK) -> "Gaussian":
        """Returns the distribution of features (N, D): their mean, their covariance over N - 1.

        Args:
          features: of any floating type; sums are float64.
          chunk: rows that are centred at a time.

        Raises:
          InputError: they are not (N, D) with N of at least 2, or not finite.
        """
        features = checked(features, least=2)
        mean = features.mean(axis=0, dtype=np.float64)
        # By BLAS on the host, where the matrix is decomposed too: a product of a matrix with its
        # own transpose takes half of the time of any other, and XLA's on CPU six times as long.
        scatter = np.zeros((len(mean), len(mean)))
        for start in range(0, len(features), chunk):
            centred = features[start : start + chunk] - mean
            scatter += centred.T @ centred
        return cls(mean, scatter / (len(features) - 1))

    def distance(self, other: "Gaussian") -> float:
        """Returns `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`, never negative but for rounding.

        The trace of (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of S1 S2, which are
        those of the symmetric A^T S2 A where S1 = A A^T: real numbers, singular or not.

        Raises:
          InputError: the distributions have unlike dimensions.

        Reference: Dowson & Landau 1982, "The Frechet distance between multivariate normal
        distributions", equation 4; Heusel et al. 2017, "GANs trained by a two time-scale update
        rule converge to a local Nash equilibrium", equation 6.
        """
        if self.mean.shape != other.mean.shape:
            raise InputError(
                f"features are of one width; these are {len(self.mean)} and {len(other.mean)} wide"
            )
        between = np.linalg.eigvalsh(self._factor.T @ other.covariance @ self._factor)
        trace = np.trace(self.covariance) + np.trace(other.covariance)
        trace -= 2 * np.sqrt(between.clip(min=0)).sum()
        return float(np.square(self.mean - other.mean).sum() + trace)

    @functools.cached_property
    def _factor(self) -> Float64:
        """A with A A^T = S, kept: many are held against the same reals."""
        # LAPACK on the host: not every accelerator decomposes float64 matrices.
        try:
            factor: Features = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError:  # singular, as of fewer samples than dimensions
            values, vectors = np.linalg.eigh(self.covariance)
            factor = vectors * np.sqrt(values.clip(min=0))
        return factor


def frechet_distance(real: Features, fake: Features, *, chunk: int = CHUNK) -> float:
    """Returns the Frechet distance of two sets of features (N, D) and (M, D), in float64.

    With the pool layer of the Inception network of the reference it is the FID; the more samples,
    the smaller, so that only figures of equal N and M compare.

    Raises:
      InputError: features are not (N, D) of one D, are fewer than 2, or not finite.
    """
    return Gaussian.of(real, chunk=chunk).distance(Gaussian.of(fake, chunk=chunk))


def class_frechet_distances(
    real: Features,
    real_labels: Labels,
    fake: Features,
    fake_labels: Labels,
    *,
    num_classes: int,
) -> Float64:
    """Returns the Frechet distance within each class, (num_classes,) float64.

    Their mean is known as intra-class FID: it sees a conditional model that draws fine images of
    the wrong classes. NaN for a class of which either side has fewer than two.

    Args:
      real: (N, D).
      real_labels: (N,) integers.
      fake: (M, D).
      fake_labels: (M,) integers, the classes that were asked for.
      num_classes: how many there are.

    Raises:
      InputError: features are not (N, D) of one D or not finite; labels do not fit.

    Reference: Miyato & Koyama 2018, "cGANs with projection discriminator", section 4.
    """
    real, fake = checked(real), checked(fake)
    real_labels = checked_labels(real_labels, real, num_classes)
    fake_labels = checked_labels(fake_labels, fake, num_classes)
    distances = np.full(num_classes, np.nan)
    for label in range(num_classes):
        ours, theirs = real[real_labels == label], fake[fake_labels == label]
        if min(len(ours), len(theirs)) >= 2:
            distances[label] = frechet_distance(ours, theirs)
    return distances


def frechet_distance_at_infinity(
    real: Features | Gaussian,
    fake: Features,
    *,
    points: int = 15,
    least: int = 5_000,
    seed: int = 0,
) -> float:
    """Extrapolates the Frechet distance to infinitely many fakes.

    The distance of n fakes is biased by about c / n, and c depends on the generator: so distances
    of `points` subsets, of `least` to all M fakes, are fitted by a straight line over 1 / n, whose
    value at 0 is returned. The reals are taken as they are.

    Args:
      real: (N, D), or their distribution.
      fake: (M, D).
      points: how many subsets, at least 2.
      least: fakes in the smallest subset, at least 2 and fewer than M.
      seed: names the draw of the subsets.

    Raises:
      InputError: features are not (N, D) of one D or not finite; or `points` or `least` do not fit.

    Reference: Chong & Forsyth 2020, "Effectively unbiased FID and Inception Score and where to find
    them", section 4 (15 points, from 5,000 on; their latents are Sobol's, ours are as drawn).
    """
    fake = checked(fake)
    if points < 2 or not 2 <= least < len(fake):
        raise InputError(
            f"a line takes at least 2 points, and subsets from 2 to {len(fake) - 1} fakes; "
            f"these are points={points}, least={least}"
        )
    random = np.random.Generator(np.random.PCG64(seed))
    sizes = np.linspace(least, len(fake), points).round().astype(int)
    subsets = (random.permutation(len(fake))[:size] for size in sizes)
    ours = real if isinstance(real, Gaussian) else Gaussian.of(real)
    distances = [ours.distance(Gaussian.of(fake[subset])) for subset in subsets]
    _, at_infinity = np.polyfit(1 / sizes, distances, deg=1)
    return float(at_infinity)
