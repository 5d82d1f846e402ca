"""Which classes or modes samples fall into, by the class that is found in each."""

from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import InputError
from gan_jax.metrics.features import Features, Labels, checked, checked_labels


class ModeCoverage(NamedTuple):
    """How many modes are found, and how evenly.

    Attributes:
      covered: modes that at least one sample falls into.
      kl: `KL(found || expected)` in nats; 0 where every mode is found as often as it should be.
    """

    covered: int
    kl: float


def mode_coverage(modes: Labels, num_modes: int, *, expected: Labels | None = None) -> ModeCoverage:
    """Returns how samples spread over modes.

    With few samples the KL is above 0 even of perfect ones, by about (num_modes - 1) / (2 N).

    Args:
      modes: (N,) integers from 0 to `num_modes` - 1: the mode found in each sample.
      num_modes: how many there are.
      expected: (num_modes,) the probability of each, or counts; all the same by default.

    Raises:
      InputError: modes are something else; or a mode is found that has no probability.

    Reference: Srivastava et al. 2017, "VEEGAN", section 4; Lin et al. 2018, "PacGAN", section 4.
    """
    modes = np.asarray(modes)
    modes = checked_labels(modes, modes, num_modes)
    if not len(modes):
        raise InputError("there is no sample to find a mode in")
    found = np.bincount(modes, minlength=num_modes) / len(modes)
    weights = np.ones(num_modes) if expected is None else np.asarray(expected, np.float64)
    seen = found > 0
    if weights.shape != found.shape or not (weights >= 0).all() or not weights[seen].all():
        raise InputError(f"expected is a probability for each of {num_modes} modes that occurs")
    ratio = found[seen] * weights.sum() / weights[seen]
    return ModeCoverage(int(seen.sum()), float((found[seen] * np.log(ratio)).sum()))


def class_accuracy(logits: Features, labels: Labels) -> float:
    """Returns the share of samples whose class is `labels` (N,), by the largest of logits (N, K).

    Of fakes with the classes that were asked for, it sees a conditional model that draws fine
    images of the wrong classes.

    Raises:
      InputError: logits are not (N, K) or not finite; labels are not as many, or not below K.
    """
    logits = checked(logits)
    labels = checked_labels(labels, logits, logits.shape[1])
    return float((logits.argmax(axis=1) == labels).mean())


def stacked_modes(digits: Any, num_classes: int = 10) -> Any:
    """Returns the mode of each stack, (N,): the classes of its channels (N, C) as one number.

    The first channel's counts most: of digits 3, 1, 4 the mode is 314. For arrays of NumPy and JAX.
    """
    return digits @ num_classes ** np.arange(digits.shape[1])[::-1]
