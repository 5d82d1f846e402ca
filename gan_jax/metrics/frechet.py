"""The Frechet distance between the normal distributions that fit two sets of features best."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gan_jax.errors import InputError

Features = npt.NDArray[Any]
_Float64 = npt.NDArray[np.float64]


class Gaussian(NamedTuple):
    """A multivariate normal distribution.

    Attributes:
      mean: (D,) float64.
      covariance: (D, D) float64.
    """

    mean: _Float64
    covariance: _Float64

    @classmethod
    def of(cls, features: Features) -> "Gaussian":
        """Returns the distribution of features (N, D): their mean, their covariance over N - 1.

        Raises:
          InputError: they are not (N, D) with N of at least 2, or not finite.
        """
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or len(features) < 2:
            raise InputError(f"features are (N, D) with N >= 2; these are {features.shape}")
        if not np.isfinite(features).all():
            raise InputError("features hold values that are not finite")
        mean = features.mean(axis=0)
        centred = features - mean
        return cls(mean, centred.T @ centred / (len(features) - 1))

    def distance(self, other: "Gaussian") -> float:
        """Returns `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`, never negative but for rounding.

        The trace of (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of S1 S2, which are
        those of the symmetric A S2 A with A = S1^(1/2): real numbers, singular or not.

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
        values, vectors = np.linalg.eigh(self.covariance)
        root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
        between = np.linalg.eigvalsh(root @ other.covariance @ root)
        trace = np.sqrt(between.clip(min=0)).sum()
        square = np.square(self.mean - other.mean).sum()
        return float(square + np.trace(self.covariance) + np.trace(other.covariance) - 2 * trace)


def frechet_distance(real: Features, fake: Features) -> float:
    """Returns the Frechet distance of two sets of features (N, D) and (M, D), in float64.

    With the pool layer of the Inception network of the reference it is the FID; the more samples,
    the smaller, so that only figures of equal N and M compare.

    Raises:
      InputError: features are not (N, D) of one D, are fewer than 2, or not finite.
    """
    return Gaussian.of(real).distance(Gaussian.of(fake))
