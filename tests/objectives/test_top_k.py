"""The generator learns from its most realistic fakes alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives.top_k import top_k_fraction, top_k_weights
from gan_jax.runtime.parallel import AXIS

LOGITS = np.random.default_rng(0).permutation(np.linspace(-2, 3, 12)).astype(np.float32)
VALUES = np.random.default_rng(1).normal(size=12).astype(np.float32)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_weighted_mean_is_the_mean_over_the_best(k):
    weights = jax.jit(top_k_weights)(LOGITS, k / 12)
    best = np.argsort(LOGITS)[-k:]
    np.testing.assert_allclose((weights * VALUES).mean(), VALUES[best].mean(), atol=1e-6)
    assert np.count_nonzero(weights) == k


def test_the_best_of_the_whole_batch_wherever_they_lie():
    """All on one of the devices, too."""
    logits = np.sort(LOGITS)
    weights = jax.vmap(lambda x: top_k_weights(x, 0.25, AXIS), axis_name=AXIS)(logits.reshape(3, 4))
    np.testing.assert_array_equal(weights.reshape(-1), top_k_weights(logits, 0.25))


def test_everything_weighs_one_and_nothing_is_differentiated():
    np.testing.assert_array_equal(top_k_weights(LOGITS, 1.0), np.ones(12))
    gradient = jax.grad(lambda x: top_k_weights(x, 0.5).sum())(jnp.asarray(LOGITS))
    assert not np.any(gradient)


def test_the_fraction_decays_by_the_epoch_and_stops():
    fraction = top_k_fraction(np.array([0, 1_000, 2_500, 10**6]), epoch=1_000, decay=0.9, least=0.6)
    np.testing.assert_allclose(fraction, [1, 0.9, 0.9**2.5, 0.6], rtol=1e-6)
