"""What metrics are made of: one row of numbers an example."""

from typing import Any

import numpy as np
import numpy.typing as npt

from gan_jax.errors import InputError

Features = npt.NDArray[Any]
Labels = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


def checked(features: Features, *, least: int = 1) -> Features:
    """Returns features as an array (N, D) that is fit to be measured.

    Raises:
      InputError: they are not (N, D) with N of at least `least`, or not finite.
    """
    features = np.asarray(features)
    if features.ndim != 2 or len(features) < least:
        raise InputError(f"features are (N, D) with N >= {least}; these are {features.shape}")
    if not np.isfinite(features).all():
        raise InputError("features hold values that are not finite")
    return features


def checked_pair(real: Features, fake: Features, *, least: int = 1) -> tuple[Features, Features]:
    """The same for two sets of features, (N, D) and (M, D).

    Raises:
      InputError: likewise, or they are not of one width.
    """
    real, fake = checked(real, least=least), checked(fake, least=least)
    if real.shape[1] != fake.shape[1]:
        raise InputError(
            f"features are of one width; these are {real.shape[1]} and {fake.shape[1]} wide"
        )
    return real, fake


def checked_labels(labels: Labels, features: Features, num_classes: int) -> Labels:
    """Returns labels as an array (N,) of integers from 0 to `num_classes` - 1.

    Raises:
      InputError: they are something else, or not as many as the features.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(features),) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels are {len(features)} integers; these are {labels.shape}")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise InputError(f"labels run from 0 to {num_classes - 1}; one of these does not")
    return labels
