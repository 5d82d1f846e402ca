"""The inception score: how sure a classifier is of each image, and how varied its verdicts."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import InputError
from gan_jax.metrics.features import Features, checked
from gan_jax.metrics.kernel import Estimate

Array = jax.Array


def inception_score(
    logits: Features, *, splits: int = 10, shuffle: bool = True, seed: int = 2020
) -> Estimate:
    """Returns the inception score of logits (N, K), in float64: from 1 to K, the more the better.

    `exp(E_x KL(p(y | x) || p(y)))` of each slice `[i N // splits, (i + 1) N // splits)`.

    Args:
      logits: (N, K); of the reference's network those without bias.
      splits: how many slices, at most N.
      shuffle: whether slices are of `numpy.random.RandomState(seed).permutation(N)`, as
        torch-fidelity has it, or in the order given.
      seed: see there.

    Raises:
      InputError: logits are not (N, K), not finite, or fewer than the slices.

    Reference: Salimans et al. 2016, "Improved techniques for training GANs", section 4.
    """
    logits = checked(logits)
    if not 1 <= splits <= len(logits):
        raise InputError(
            f"splits is {splits}; choose from 1 to the {len(logits)} samples there are"
        )
    if shuffle:
        logits = logits[np.random.RandomState(seed).permutation(len(logits))]
    bounds = [i * len(logits) // splits for i in range(splits + 1)]
    with jax.enable_x64(True):
        scores = np.asarray([_score(logits[a:b]) for a, b in itertools.pairwise(bounds)])
    return Estimate(float(scores.mean()), float(scores.std()))


@jax.jit
def _score(logits: Array) -> Array:
    log_p = jax.nn.log_softmax(logits.astype(jnp.float64))
    p = jnp.exp(log_p)
    # A class that float64 gives no probability at all adds nothing: 0 log 0 is 0.
    log_mean = jnp.log(p.mean(axis=0))
    terms = jnp.where(p > 0, p * (log_p - log_mean), 0.0)
    return jnp.exp(terms.sum(axis=1).mean())
